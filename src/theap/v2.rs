//! v3's names of thread-local heaps, which v2's header offers as macros.

use crate::heap::mi_heap_t;

/// On v2 the heaps of a thread are what v3 calls its thread-local heaps.
///
/// Header: `mimalloc.h`.
pub type mi_theap_t = mi_heap_t;

/// (v3's name for the `mi_heap` function of this ending; a macro in the header.)
#[doc(inline)]
pub use crate::heap::v2::{
    mi_heap_get_default as mi_theap_get_default, mi_heap_set_default as mi_theap_set_default,
};
/// (v3's name for the `mi_heap` function of this ending; a macro in the header.)
#[doc(inline)]
pub use crate::heap::{
    mi_heap_calloc as mi_theap_calloc, mi_heap_collect as mi_theap_collect,
    mi_heap_malloc as mi_theap_malloc, mi_heap_malloc_aligned as mi_theap_malloc_aligned,
    mi_heap_malloc_small as mi_theap_malloc_small, mi_heap_realloc as mi_theap_realloc,
    mi_heap_zalloc as mi_theap_zalloc,
};
