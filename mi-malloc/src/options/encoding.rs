//! How mimalloc keeps the values: each type here turns one kind of value into the `long` of the C and back.
//!
//! `encode` is total: what does not fit is the nearest that does. It is constant, for `options!`. `decode` takes any
//! number, since the environment can hold any, and means what mimalloc makes of it. `show` writes the value with its
//! unit.

use core::fmt;
use core::time::Duration;
use cty::c_long;

const KIB: usize = 1024;

/// Delays and factors stay below these, so that C's product of the two fits a `long`.
const FACTOR_BITS: u32 = if c_long::BITS == 64 { 31 } else { 7 };
const FACTOR_MAX: c_long = (1 << FACTOR_BITS) - 1;
const DELAY_MAX: c_long = c_long::MAX >> FACTOR_BITS;

const fn saturated(value: u128) -> c_long {
    if value > c_long::MAX as u128 {
        c_long::MAX
    } else {
        value as c_long
    }
}

const fn millis(duration: Duration) -> c_long {
    // Rounded up: a short delay is not "at once".
    let part = duration.subsec_nanos() % 1_000_000 != 0;
    saturated(duration.as_millis() + part as u128)
}

fn from_millis(value: c_long) -> Duration {
    Duration::from_millis(value.max(0) as u64)
}

fn size(value: c_long, unit: usize) -> usize {
    let count = usize::try_from(value.max(0)).unwrap_or(usize::MAX);
    count.saturating_mul(unit)
}

fn show_size(bytes: usize, f: &mut fmt::Formatter) -> fmt::Result {
    let mut value = bytes;
    let mut unit = "B";
    for larger in ["KiB", "MiB", "GiB", "TiB"] {
        if value == 0 || value % KIB != 0 {
            break;
        }
        value /= KIB;
        unit = larger;
    }
    write!(f, "{} {}", value, unit)
}

/// `show` for an optional value.
fn show_or<T>(
    value: Option<T>,
    none: &str,
    f: &mut fmt::Formatter,
    show: impl Fn(T, &mut fmt::Formatter) -> fmt::Result,
) -> fmt::Result {
    match value {
        Some(value) => show(value, f),
        None => f.write_str(none),
    }
}

/// On or off.
pub struct Switch;

impl Switch {
    pub const fn encode(value: bool) -> c_long {
        value as c_long
    }

    pub fn decode(value: c_long) -> bool {
        value != 0
    }

    pub fn show(value: bool, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(if value { "on" } else { "off" })
    }
}

/// Milliseconds; a negative number is never, which is `Duration::MAX` here, like all that is too long.
pub struct Delay;

impl Delay {
    pub const fn encode(value: Duration) -> c_long {
        let value = millis(value);
        if value > DELAY_MAX {
            -1
        } else {
            value
        }
    }

    pub fn decode(value: c_long) -> Duration {
        if value < 0 {
            Duration::MAX
        } else {
            from_millis(value)
        }
    }

    pub fn show(value: Duration, f: &mut fmt::Formatter) -> fmt::Result {
        if value == Duration::MAX {
            f.write_str("never")
        } else {
            Millis::show(value, f)
        }
    }
}

/// Milliseconds; a negative number counts as 0.
pub struct Millis;

impl Millis {
    pub const fn encode(value: Duration) -> c_long {
        let value = millis(value);
        if value > DELAY_MAX {
            DELAY_MAX
        } else {
            value
        }
    }

    pub fn decode(value: c_long) -> Duration {
        from_millis(value)
    }

    pub fn show(value: Duration, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{} ms", value.as_millis())
    }
}

/// Seconds; 0 and less is never.
#[cfg(mi_v3)]
pub struct Seconds;

#[cfg(mi_v3)]
impl Seconds {
    pub const fn encode(value: Option<Duration>) -> c_long {
        match value {
            Some(value) => saturated(value.as_secs() as u128 + (value.subsec_nanos() != 0) as u128),
            None => 0,
        }
    }

    pub fn decode(value: c_long) -> Option<Duration> {
        if value > 0 {
            Some(Duration::from_secs(value as u64))
        } else {
            None
        }
    }

    pub fn show(value: Option<Duration>, f: &mut fmt::Formatter) -> fmt::Result {
        show_or(value, "never", f, |value, f| {
            write!(f, "{} s", value.as_secs())
        })
    }
}

/// Bytes, kept in KiB and rounded up to them, as mimalloc does with the environment.
pub struct Kib;

impl Kib {
    pub const fn encode(value: usize) -> c_long {
        let part = value % KIB != 0;
        saturated((value / KIB) as u128 + part as u128)
    }

    pub fn decode(value: c_long) -> usize {
        size(value, KIB)
    }

    pub fn show(value: usize, f: &mut fmt::Formatter) -> fmt::Result {
        show_size(value, f)
    }
}

/// As [`Kib`]; 0 lets mimalloc choose.
#[cfg(mi_v3)]
pub struct KibOrAutomatic;

#[cfg(mi_v3)]
impl KibOrAutomatic {
    pub const fn encode(value: Option<usize>) -> c_long {
        match value {
            Some(value) => Kib::encode(value),
            None => 0,
        }
    }

    pub fn decode(value: c_long) -> Option<usize> {
        Some(Kib::decode(value)).filter(|value| *value != 0)
    }

    pub fn show(value: Option<usize>, f: &mut fmt::Formatter) -> fmt::Result {
        show_or(value, "automatic", f, show_size)
    }
}

/// Bytes, kept in bytes.
pub struct Bytes;

impl Bytes {
    pub const fn encode(value: usize) -> c_long {
        saturated(value as u128)
    }

    pub fn decode(value: c_long) -> usize {
        size(value, 1)
    }

    pub fn show(value: usize, f: &mut fmt::Formatter) -> fmt::Result {
        show_size(value, f)
    }
}

/// As [`Bytes`]; 0 is never.
#[cfg(mi_v3)]
pub struct BytesOrNever;

#[cfg(mi_v3)]
impl BytesOrNever {
    pub const fn encode(value: Option<usize>) -> c_long {
        match value {
            Some(value) => Bytes::encode(value),
            None => 0,
        }
    }

    pub fn decode(value: c_long) -> Option<usize> {
        Some(Bytes::decode(value)).filter(|value| *value != 0)
    }

    pub fn show(value: Option<usize>, f: &mut fmt::Formatter) -> fmt::Result {
        show_or(value, "never", f, show_size)
    }
}

/// A number from 0.
pub struct Count;

impl Count {
    pub const fn encode(value: u32) -> c_long {
        saturated(value as u128)
    }

    pub fn decode(value: c_long) -> u32 {
        u32::try_from(value.max(0)).unwrap_or(u32::MAX)
    }

    pub fn show(value: u32, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{}", value)
    }
}

/// A number from 1; 0 and less means none: the option is off, or mimalloc chooses.
pub struct Positive;

impl Positive {
    pub const fn encode(value: Option<u32>) -> c_long {
        match value {
            Some(value) => Count::encode(value),
            None => 0,
        }
    }

    pub fn decode(value: c_long) -> Option<u32> {
        Some(Count::decode(value)).filter(|value| *value != 0)
    }

    pub fn show(value: Option<u32>, f: &mut fmt::Formatter) -> fmt::Result {
        show_or(value, "none", f, Count::show)
    }
}

/// A number; 0 means none: a random one.
pub struct Seed;

impl Seed {
    pub const fn encode(value: Option<u32>) -> c_long {
        Positive::encode(value)
    }

    pub fn decode(value: c_long) -> Option<u32> {
        Some(value as u32).filter(|_| value != 0)
    }

    pub fn show(value: Option<u32>, f: &mut fmt::Formatter) -> fmt::Result {
        show_or(value, "random", f, Count::show)
    }
}

/// A number from 0; a negative one means none: no limit, or all.
pub struct Limit;

impl Limit {
    pub const fn encode(value: Option<u32>) -> c_long {
        match value {
            Some(value) => Count::encode(value),
            None => -1,
        }
    }

    pub fn decode(value: c_long) -> Option<u32> {
        if value < 0 {
            None
        } else {
            Some(Count::decode(value))
        }
    }

    pub fn show(value: Option<u32>, f: &mut fmt::Formatter) -> fmt::Result {
        show_or(value, "none", f, Count::show)
    }
}

/// A factor on a [`Delay`]; a negative one means never.
pub struct Factor;

impl Factor {
    pub const fn encode(value: Option<u32>) -> c_long {
        let value = Limit::encode(value);
        if value > FACTOR_MAX {
            FACTOR_MAX
        } else {
            value
        }
    }

    pub fn decode(value: c_long) -> Option<u32> {
        Limit::decode(value)
    }

    pub fn show(value: Option<u32>, f: &mut fmt::Formatter) -> fmt::Result {
        show_or(value, "never", f, Count::show)
    }
}
