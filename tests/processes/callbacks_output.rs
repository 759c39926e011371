//! The output callback, of which a process has one.

use crate::respawn;
use core::ffi::c_void;
use cty::c_char;
use mi_malloc_sys::*;
use std::ffi::CStr;
use std::ptr::null_mut;
use std::sync::Mutex;

/// What the callback with this argument has received.
static RECEIVED: Mutex<[String; 3]> = Mutex::new([String::new(), String::new(), String::new()]);

unsafe extern "C" fn keep(text: *const c_char, number: *mut c_void) {
    let text = CStr::from_ptr(text)
        .to_str()
        .expect("mimalloc prints ASCII");
    RECEIVED.lock().unwrap()[number as usize].push_str(text);
}

fn received(number: usize) -> String {
    std::mem::take(&mut RECEIVED.lock().unwrap()[number])
}

fn argument(number: usize) -> *mut c_void {
    number as *mut c_void
}

#[test]
fn what_mimalloc_prints_goes_where_it_is_sent() {
    let this = "callbacks_output::what_mimalloc_prints_goes_where_it_is_sent";
    if !respawn::is_child() {
        // In a process where nothing else prints.
        let variables = [("MIMALLOC_VERBOSE", "0"), ("MIMALLOC_SHOW_ERRORS", "1")];
        let at_the_screen = respawn::assert_child_passes(this, "", &variables);
        assert!(at_the_screen.contains("too large"), "{at_the_screen}");
        assert!(
            at_the_screen.contains("last to the screen"),
            "{at_the_screen}"
        );
        assert!(!at_the_screen.contains("allow_thp"), "{at_the_screen}");
        return;
    }
    unsafe {
        // Printed before there is a callback: it goes to the screen, and later to the first callback.
        assert!(mi_malloc(usize::MAX).is_null());
        mi_register_output(Some(keep), argument(1));
        assert!(received(1).contains("too large"));

        // From now on all goes to the callback.
        mi_options_print();
        let options = received(1);
        let version = mi_version();
        let version = format!(
            "{}.{}.{}",
            version / 10_000,
            version / 100 % 100,
            version % 100
        );
        assert!(options.contains(&version), "{options}");
        assert!(options.contains("allow_thp"), "{options}");
        assert!(options.ends_with('\n'));
        assert!(mi_calloc(usize::MAX, 1).is_null());
        assert!(received(1).contains("error"));

        // Another callback takes over. It, too, receives what was printed before there was one.
        mi_register_output(Some(keep), argument(2));
        assert!(received(2).contains("too large"));
        mi_options_print();
        assert_eq!(received(2), options);
        assert_eq!(received(1), "");

        #[cfg(mi_v3)]
        {
            mi_options_print_out(Some(keep), argument(0));
            assert_eq!(received(0), options);
            mi_options_print_out(None, argument(0));
            assert_eq!(received(2), options);
            mi_process_info_print();
            assert!(received(2).contains("peak"));
            mi_process_info_print_out(Some(keep), argument(0));
            assert!(received(0).contains("peak"));
            assert_eq!(received(2), "");
        }

        // Back to the screen.
        mi_register_output(None, null_mut());
        assert!(mi_malloc(usize::MAX).is_null());
        eprintln!("last to the screen");
        assert_eq!([received(0), received(1), received(2)], [""; 3]);
    }
}
