//! Run-time options: how to read and set them. The options themselves are in the modules `v3` and `v2`, because the
//! major versions number them differently.

#[cfg(any(mi_v2, docsrs))]
pub(crate) mod v2;
#[cfg(mi_v3)]
mod v3;

#[cfg(mi_v2)]
pub use self::v2::*;
#[cfg(mi_v3)]
pub use self::v3::*;

use cty::{c_int, c_long};

/// The number of a run-time option: one of the `mi_option_…` constants.
///
/// A number belongs to one major version. The same name can have another number in the other one, so write
/// the constants, never bare numbers.
///
/// # Where a value comes from
///
/// The strongest first:
///
/// 1. [`mi_option_set`] and its relatives, at any time.
/// 2. The environment variable `MIMALLOC_` + the name after `mi_option_`, for example
///    `MIMALLOC_PURGE_DELAY`. Upper and lower case are the same (WASI wants all of it lower or all
///    upper, Emscripten has no environment). mimalloc reads the environment when it initialises, as
///    a rule before `main`; a variable that is set later has no effect.
/// 3. [`mi_option_set_default`].
/// 4. [`options!`](crate::options!), the values that the program carries.
/// 5. The default of the build. Each constant names that of a release build; for some of them the C
///    macro `MI_DEFAULT_` + name replaces it when the C code is compiled.
///
/// mimalloc uses some options only while it initialises, and the constant says "read at process start". For those
/// the functions come too late; the environment and [`options!`](crate::options!) do not.
///
/// # How a value is written in the environment
///
/// * `1`, `true`, `yes`, `on` or no text at all is 1 (on Windows a variable without text counts as
///   absent); `0`, `false`, `no` or `off` is 0. Upper and lower case are the same.
/// * Other text is a whole number. v3 also takes `0x` and hexadecimal digits, and no leading zeros.
/// * An option that is a size takes bytes, and after the number one of `K`, `M`, `G`, `T` (powers of
///   1024), which `B` or `iB` may follow: `64M`, `2GiB`. If the option is kept in KiB, bytes are
///   rounded up. Mind the first rule: `1` is stored as it is, so it means 1 KiB there.
/// * Text that is not understood leaves the default and causes a warning, which is visible if messages
///   are. Text of more than 64 characters is ignored.
///
/// In the program a size in KiB is also set in KiB; only [`mi_option_get_size`] converts to bytes.
///
/// # Threads
///
/// The values are variables without synchronisation. Where this crate compiles a release that it pins, each access is
/// a single load or store of a machine word (`src/program_options.h`), and any thread may set an option at any time;
/// others see it with their next look. With another mimalloc set options early, while no other thread uses it.
///
/// Header: `mimalloc.h`.
pub type mi_option_t = c_int;

extern "C" {
    /// True if the value of `option` is not 0.
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// No other thread sets `option` meanwhile where [`mi_option_t`] forbids it. In debug builds `option`
    /// must be an option of this major version; release builds return false for an unknown one.
    pub fn mi_option_is_enabled(option: mi_option_t) -> bool;

    /// Sets `option` to 1.
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// As for [`mi_option_set`].
    pub fn mi_option_enable(option: mi_option_t);

    /// Sets `option` to 0.
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// As for [`mi_option_set`].
    pub fn mi_option_disable(option: mi_option_t);

    /// Sets `option` to 1 if `enable`, to 0 otherwise.
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// As for [`mi_option_set`].
    pub fn mi_option_set_enabled(option: mi_option_t, enable: bool);

    /// Sets the default of `option` to 1 if `enable`, to 0 otherwise; see [`mi_option_set_default`].
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// As for [`mi_option_set`].
    pub fn mi_option_set_enabled_default(option: mi_option_t, enable: bool);

    /// The value of `option`, in the option's own unit (KiB for most sizes).
    ///
    /// Looks into the environment first if that has not happened yet.
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// No other thread sets `option` meanwhile where [`mi_option_t`] forbids it. In debug builds `option`
    /// must be an option of this major version; release builds return 0 for an unknown one.
    pub fn mi_option_get(option: mi_option_t) -> c_long;

    /// The value of `option`, but at least `min` and at most `max`. The stored value stays as it is.
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// As for [`mi_option_get`].
    pub fn mi_option_get_clamp(option: mi_option_t, min: c_long, max: c_long) -> c_long;

    /// The value of a size option in bytes.
    ///
    /// An option in KiB is multiplied by 1024 (on overflow it is the largest size that can be
    /// allocated: `PTRDIFF_MAX`, on 64-bit v2 about 2^48), any other is returned as it is. A negative
    /// value counts as 0.
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// As for [`mi_option_get`].
    pub fn mi_option_get_size(option: mi_option_t) -> usize;

    /// Sets `option` to `value`, in the option's own unit (KiB for most sizes).
    ///
    /// This beats the environment. The value is not checked against the option's range; mimalloc clamps
    /// it where it uses it. `mi_option_guarded_min` and `mi_option_guarded_max` pull each other along so
    /// that the first is never the larger one.
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// No other thread uses mimalloc meanwhile where [`mi_option_t`] forbids it. In debug builds `option`
    /// must be an option of this major version; release builds ignore an unknown one.
    pub fn mi_option_set(option: mi_option_t, value: c_long);

    /// Sets the value that `option` has if neither the environment nor [`mi_option_set`] gives one.
    ///
    /// Does nothing if one of them already has.
    ///
    /// Header: `mimalloc.h`.
    ///
    /// # Safety
    ///
    /// As for [`mi_option_set`].
    pub fn mi_option_set_default(option: mi_option_t, value: c_long);
}
