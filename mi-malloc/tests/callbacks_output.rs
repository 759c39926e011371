//! The output callback. A process has one, so there is one test, in a child in which nothing else prints.

use mi_malloc::{callbacks, sys};
use std::sync::Mutex;

#[allow(dead_code)]
#[path = "../../tests/support/respawn.rs"]
mod child;

#[global_allocator]
static GLOBAL: mi_malloc::MiMalloc = mi_malloc::MiMalloc;

static CAPTURED: Mutex<String> = Mutex::new(String::new());

fn captured() -> String {
    std::mem::take(&mut *CAPTURED.lock().unwrap())
}

fn too_much() {
    assert!(unsafe { sys::mi_malloc(usize::MAX) }.is_null());
}

fn print() {
    unsafe { sys::mi_options_print() }
}

#[test]
fn what_mimalloc_prints() {
    if !child::is_child() {
        let screen = child::assert_child_passes(
            "what_mimalloc_prints",
            "",
            &[("MIMALLOC_SHOW_ERRORS", "1"), ("MIMALLOC_MAX_ERRORS", "-1")],
        );
        assert!(screen.contains("too large"), "{screen}"); // before there was a callback
        assert!(screen.contains("purge_delay"), "{screen}"); // after it was removed
                                                             // Only that: v2 tries once more.
        let count = if cfg!(mi_v2) { 2 } else { 1 };
        assert_eq!(screen.matches("too large").count(), count, "{screen}");
        return;
    }
    too_much();
    callbacks::on_output(|text| CAPTURED.lock().unwrap().push_str(text));
    // The callback receives at once what was printed before.
    assert!(captured().contains("too large"));
    print();
    let options = captured();
    assert!(options.contains("purge_delay"), "{options}");
    too_much();
    assert!(captured().contains("error"));

    // A callback that allocates, and causes another message, which is dropped.
    callbacks::on_output(|text| {
        let copy = format!("<{text}>");
        too_much();
        CAPTURED.lock().unwrap().push_str(&copy);
    });
    assert!(captured().contains("too large"));
    print();
    let marked = captured();
    assert!(marked.contains('<') && marked.contains("purge_delay"));
    assert!(!marked.contains("error:"), "{marked}");

    // A callback that replaces itself, also while mimalloc holds its lock.
    callbacks::on_output(|_| {
        callbacks::on_output(|text| {
            let mut captured = CAPTURED.lock().unwrap();
            captured.push('!');
            captured.push_str(text);
        })
    });
    print();
    assert!(captured().starts_with('!'));

    // Threads print while others register.
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| (0..200).for_each(|_| print()));
        }
        for number in 0..500_usize {
            let text = number.to_string();
            callbacks::on_output(move |_| assert_eq!(text.parse(), Ok(number)));
        }
    });

    callbacks::remove_output();
    captured();
    print();
    assert_eq!(captured(), "");
}
