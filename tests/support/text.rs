//! Collects what mimalloc prints, without allocating while it prints.

use core::ffi::c_void;
use std::ffi::CStr;
use std::os::raw::c_char;

pub struct Text {
    bytes: Vec<u8>,
    pub calls: usize,
}

impl Text {
    pub fn new() -> Text {
        Text {
            bytes: Vec::with_capacity(1 << 20),
            calls: 0,
        }
    }

    pub fn argument(&mut self) -> *mut c_void {
        let this: *mut Text = self;
        this.cast()
    }

    /// What has been printed since the last call of this.
    pub fn take(&mut self) -> String {
        let text = String::from_utf8(self.bytes.clone()).unwrap();
        self.bytes.clear();
        text
    }
}

/// The output function, whose argument is a [`Text`].
pub unsafe extern "C" fn note(message: *const c_char, text: *mut c_void) {
    let text = &mut *text.cast::<Text>();
    let message = CStr::from_ptr(message).to_bytes();
    assert!(text.bytes.len() + message.len() <= text.bytes.capacity());
    text.bytes.extend_from_slice(message);
    text.calls += 1;
}
