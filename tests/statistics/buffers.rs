//! Statistics as JSON in buffers of every size: not one byte is written behind the end.

use crate::respawn;
use crate::stats::json;
use mi_malloc_sys::*;
use std::ffi::CStr;
use std::os::raw::c_char;

const MARK: c_char = 0x55;

/// Writes into `size` bytes. Returns the text and whether the result said that it is complete.
unsafe fn write(
    get: &dyn Fn(usize, *mut c_char) -> *mut c_char,
    buffer: &mut [c_char],
    size: usize,
) -> (String, bool) {
    buffer.fill(MARK);
    let start = buffer.as_mut_ptr();
    let result = get(size, start.add(1));
    assert_eq!(buffer[0], MARK, "before a buffer of {size}");
    assert!(
        buffer[1 + size..].iter().all(|byte| *byte == MARK),
        "behind a buffer of {size}"
    );
    assert!(result.is_null() || result == start.add(1));
    let text = buffer[1..1 + size]
        .iter()
        .position(|byte| *byte == 0)
        .expect("no end");
    let text = CStr::from_ptr(start.add(1)).to_bytes()[..text].to_vec();
    (String::from_utf8(text).unwrap(), !result.is_null())
}

unsafe fn every_size(get: &dyn Fn(usize, *mut c_char) -> *mut c_char) {
    // 32 KiB are always enough.
    let mut buffer = vec![MARK; 40 << 10];
    let (whole, complete) = write(get, &mut buffer, 32 << 10);
    assert!(complete);
    assert!(whole.parse::<json::Json>().is_ok());
    let length = whole.len();
    // Numbers in the text can grow from call to call.
    const SLACK: usize = 500;
    let near = length - 40..length + 40;
    for size in (1..600)
        .chain((600..length - 40).step_by(97))
        .chain(near)
        .chain([length + SLACK])
    {
        let (text, complete) = write(get, &mut buffer, size);
        assert!(text.len() < size);
        assert!(text.starts_with("{\n") || size < 3);
        let is_whole = text.parse::<json::Json>().is_ok();
        // v2 does not report a text that was cut off. v3 wants a byte more than it needs.
        let fits = text.len() + 1 < size;
        assert_eq!(complete, fits || cfg!(mi_v2), "{size}");
        assert!(is_whole || !fits);
        if size < length - SLACK {
            assert!(
                !is_whole && text.len() + 2 >= size,
                "{} of {size}",
                text.len()
            );
        } else if size == length + SLACK {
            assert!(is_whole);
        }
    }
}

#[test]
fn of_the_process() {
    respawn::alone(|| unsafe {
        mi_free(mi_malloc(1));
        every_size(&|size, buffer| mi_stats_get_json(size, buffer));
    });
}

#[cfg(mi_v3)]
#[test]
fn of_a_heap_a_subprocess_and_a_struct() {
    respawn::alone(|| unsafe {
        let heap = mi_heap_new();
        mi_free(mi_heap_malloc(heap, 100));
        every_size(&|size, buffer| mi_heap_stats_get_json(heap, size, buffer));
        let id = mi_subproc_main();
        every_size(&|size, buffer| mi_subproc_stats_get_json(id, size, buffer));
        every_size(&|size, buffer| {
            let mut stats = mi_stats_t::new();
            stats.pages.total = i64::MIN;
            mi_stats_as_json(&mut stats, size, buffer)
        });
        mi_heap_delete(heap);
    });
}
