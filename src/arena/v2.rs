//! Arenas: what v2 has in another form than v3.

use cty::c_int;

/// Names an arena; 0 is none. (A pointer on v3.)
///
/// Header: `mimalloc.h`.
pub type mi_arena_id_t = c_int;

/// The [`mi_arena_id_t`] of no arena: 0 here, NULL on v3.
///
/// For code that serves both major versions. This crate's own; the header has no name for it.
pub const MI_ARENA_ID_NONE: mi_arena_id_t = 0;
