//! What is printed on request: to the registered output, which belongs to the whole process, and to one given with the
//! call.

use crate::mode;
use crate::options::{Kind, OPTIONS};
use crate::respawn;
use crate::text::{note, Text};
use mi_malloc_sys::*;
use std::ptr::null_mut;

#[test]
fn printing() {
    respawn::alone(|| {
        let mut registered = Text::new();
        unsafe {
            mi_thread_init();
            mi_register_output(Some(note), registered.argument());
            // What came before; with `override` there may be warnings about the test's own doings.
            registered.take();

            options_are_listed(&mut registered);
            arenas_are_drawn(&mut registered);
            #[cfg(mi_v3)]
            process_information(&mut registered);

            mi_register_output(None, null_mut());
            #[cfg(mi_v2)]
            mi_stats_print_out(None, null_mut()); // to the standard error stream
            assert_eq!(registered.take(), "");
        }
    });
}

/// Each option in a line of its own, in order, with its present value and its unit.
unsafe fn assert_lists_options(listed: &str) {
    let mut lines = listed.lines().filter_map(|line| {
        let (name, rest) = line.split_once("option '")?.1.split_once("': ")?;
        let mut rest = rest.split_whitespace();
        Some((
            name,
            rest.next()?.parse::<cty::c_long>().ok()?,
            rest.next().unwrap_or(""),
        ))
    });
    for entry in &OPTIONS {
        let unit = match entry.kind {
            Kind::Number => "",
            Kind::Kib => "KiB",
            Kind::Bytes => "B",
        };
        let value = mi_option_get(entry.option);
        assert_eq!(lines.next(), Some((entry.name, value, unit)));
    }
    assert_eq!(lines.next(), None);

    let version = mi_version();
    let parts = [version / 10_000, version / 100 % 100, version % 100];
    let version = format!("v{}.{}.{}", parts[0], parts[1], parts[2]);
    assert!(listed.contains(&version), "{listed}");
    let level = if cfg!(feature = "secure_full") {
        5
    } else if cfg!(feature = "secure") {
        4
    } else {
        0
    };
    assert!(
        listed.contains(&format!("secure level: {level}\n")),
        "{listed}"
    );
    let level = if cfg!(feature = "debug_full") {
        3
    } else if mode::DEBUG {
        2
    } else {
        0
    };
    assert!(
        listed.contains(&format!("debug level : {level}\n")),
        "{listed}"
    );
}

unsafe fn options_are_listed(registered: &mut Text) {
    mi_options_print();
    let listed = registered.take();
    assert_lists_options(&listed);
    #[cfg(mi_v3)]
    {
        mi_options_print_out(None, null_mut());
        assert_eq!(registered.take(), listed);
        let mut own = Text::new();
        mi_options_print_out(Some(note), own.argument());
        assert_eq!(own.take(), listed);
        assert_eq!(registered.take(), "");
    }
}

unsafe fn arenas_are_drawn(registered: &mut Text) {
    let p = mi_malloc(100_000);
    mi_arenas_print();
    let drawn = registered.take();
    assert!(drawn.contains("arena 0"), "{drawn}");
    assert!(drawn.lines().count() > 5, "{drawn}");
    mi_debug_show_arenas();
    assert!(registered.take().contains("arena 0"));
    mi_free(p);
}

#[cfg(mi_v3)]
unsafe fn process_information(registered: &mut Text) {
    let mut own = Text::new();
    mi_process_info_print_out(Some(note), own.argument());
    let printed = own.take();
    for part in [
        "elapsed",
        "process",
        "user:",
        "system:",
        "faults:",
        "peak rss:",
    ] {
        assert!(printed.contains(part), "{part} is not in {printed}");
    }
    assert_eq!(registered.take(), "");
    mi_process_info_print();
    assert!(registered.take().contains("peak rss:"));
    mi_process_info_print_out(None, null_mut());
    assert!(registered.take().contains("peak rss:"));
}
