//! Code for the other crates over mimalloc compiles and works with this crate under their name.

use mi_malloc as mimalloc;

use mimalloc::MiMalloc;
use std::alloc::{GlobalAlloc, Layout};

#[global_allocator]
static GLOBAL: MiMalloc = MiMalloc;

/// The parts of the signatures that code can depend on.
const VERSION: fn(&MiMalloc) -> u32 = MiMalloc::version;
const USABLE_SIZE: unsafe fn(&MiMalloc, *const u8) -> usize = MiMalloc::usable_size;

const fn in_a_constant() -> MiMalloc {
    MiMalloc
}

#[test]
fn the_version_is_mimallocs() {
    let major = if cfg!(feature = "v2") && !cfg!(feature = "v3") {
        2
    } else {
        3
    };
    // Three digits for the minor and the patch until 3.3, four since.
    let version = VERSION(&GLOBAL).to_string();
    assert!(version.len() >= 3, "{version}");
    assert!(version.starts_with(&major.to_string()), "{version}");
    assert_eq!(MiMalloc.version(), GLOBAL.version());
}

#[test]
fn the_usable_size_covers_the_request() {
    for size in [1, 16, 100, 4096, 1 << 20] {
        let layout = Layout::from_size_align(size, 8).unwrap();
        // SAFETY: the size is not 0, and the block is freed with its layout.
        unsafe {
            let block = in_a_constant().alloc(layout);
            let usable = USABLE_SIZE(&MiMalloc, block);
            assert!(
                usable >= size && usable <= 2 * size + 64,
                "{size}: {usable}"
            );
            GLOBAL.dealloc(block, layout);
        }
    }
    // A block of the program itself.
    let value = Box::new([0u8; 100]);
    // SAFETY: the block is live.
    assert!(unsafe { GLOBAL.usable_size(value.as_ptr()) } >= 100);
}

#[test]
fn statistics_as_json() {
    let json = MiMalloc::stats_json().expect("no memory");
    let text = json.to_str().unwrap();
    assert!(
        text.trim_start().starts_with('{') && text.contains("version"),
        "{text}"
    );
    assert!(text.trim_end().ends_with('}'), "it is cut off: {text}");
}
