//! What an opaque struct of C is made of in Rust.

use core::marker::{PhantomData, PhantomPinned};

/// The body of an opaque C struct: no size, no alignment, and (through the marker) neither `Send`,
/// `Sync` nor `Unpin`, because Rust cannot know what the C side keeps there.
#[repr(C)]
pub(crate) struct Opaque {
    _bytes: [u8; 0],
    _marker: PhantomData<(*mut u8, PhantomPinned)>,
}
