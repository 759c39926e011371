//! Statistics as text: a table and JSON.

use super::{Gauge, Row, Stats, Unit};
use core::fmt::{self, Display, Formatter, Write};

pub(super) fn table(stats: &Stats, out: &mut Formatter<'_>) -> fmt::Result {
    writeln!(
        out,
        "{:<16} {:>12} {:>12} {:>12}",
        "", "current", "peak", "total"
    )?;
    for row in stats.rows() {
        let numbers = [row.current, row.peak, row.total];
        if numbers.iter().flatten().all(|number| *number == 0) {
            continue;
        }
        write!(out, "{:<16}", row.name)?;
        for number in numbers {
            cell(out, number, row.unit)?;
        }
        writeln!(out)?;
    }
    if stats.size_classes().next().is_none() {
        return Ok(());
    }
    write!(out, "{:<16}", "blocks of")?;
    #[cfg(mi_v3)]
    write!(out, " {:>12} {:>12} {:>12}", "in use", "peak", "allocated")?;
    writeln!(out, " {:>12}", "pages")?;
    for class in stats.size_classes() {
        match class.block_size {
            Some(size) => write!(out, "{:<16}", Bytes(size as i64))?,
            None => write!(out, "{:<16}", "more")?,
        }
        #[cfg(mi_v3)]
        for number in [class.blocks.current, class.blocks.peak, class.blocks.total] {
            cell(out, Some(number), Unit::Count)?;
        }
        cell(out, Some(class.pages.current), Unit::Count)?;
        writeln!(out)?;
    }
    Ok(())
}

fn cell(out: &mut Formatter<'_>, number: Option<i64>, unit: Unit) -> fmt::Result {
    match (number, unit) {
        (None, _) => write!(out, " {:>12}", ""),
        (Some(number), Unit::Bytes) => write!(out, " {:>12}", Bytes(number)),
        (Some(number), Unit::Count) => write!(out, " {:>12}", number),
    }
}

/// A number of bytes with a binary unit and at most one decimal, padded as the formatter requests.
struct Bytes(i64);

impl Display for Bytes {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        const UNITS: [&str; 7] = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
        let bytes = self.0.unsigned_abs();
        let power = (63 - (bytes | 1).leading_zeros() as usize) / 10;
        let (whole, tenth) = match power {
            0 => (bytes, 0),
            // In units of 1024^(power - 1), so that times ten cannot overflow.
            _ => {
                let tenths = (bytes >> (10 * (power - 1))) * 10 / 1024;
                (tenths / 10, tenths % 10)
            }
        };
        let mut text = Text::default();
        let sign = if self.0 < 0 { "-" } else { "" };
        write!(text, "{}{}", sign, whole)?;
        if tenth != 0 {
            write!(text, ".{}", tenth)?;
        }
        write!(text, " {}", UNITS[power])?;
        out.pad(text.as_str())
    }
}

/// A short string stored inline, since there is no `alloc`.
#[derive(Default)]
struct Text {
    bytes: [u8; 32],
    length: usize,
}

impl Text {
    fn as_str(&self) -> &str {
        core::str::from_utf8(&self.bytes[..self.length]).expect("whole strings were written")
    }
}

impl Write for Text {
    fn write_str(&mut self, part: &str) -> fmt::Result {
        let end = self.length + part.len();
        let place = self.bytes.get_mut(self.length..end).ok_or(fmt::Error)?;
        place.copy_from_slice(part.as_bytes());
        self.length = end;
        Ok(())
    }
}

/// Names need no escapes: they are those of fields.
pub(super) fn json(stats: &Stats, out: &mut impl Write) -> fmt::Result {
    out.write_char('{')?;
    for row in stats.rows() {
        let Row {
            name,
            current,
            peak,
            total,
            ..
        } = row;
        write!(out, "\"{}\":", name)?;
        numbers(
            out,
            [("current", current), ("peak", peak), ("total", total)],
        )?;
        out.write_char(',')?;
    }
    out.write_str("\"size_classes\":[")?;
    for (index, class) in stats.size_classes().enumerate() {
        if index > 0 {
            out.write_char(',')?;
        }
        out.write_char('{')?;
        if let Some(size) = class.block_size {
            write!(out, "\"block_size\":{},", size)?;
        }
        #[cfg(mi_v3)]
        {
            out.write_str("\"blocks\":")?;
            gauge(out, class.blocks)?;
            out.write_char(',')?;
        }
        out.write_str("\"pages\":")?;
        gauge(out, class.pages)?;
        out.write_char('}')?;
    }
    out.write_str("]}")
}

fn gauge(out: &mut impl Write, value: Gauge) -> fmt::Result {
    let Gauge {
        current,
        peak,
        total,
    } = value;
    numbers(
        out,
        [
            ("current", Some(current)),
            ("peak", Some(peak)),
            ("total", Some(total)),
        ],
    )
}

/// An object of the numbers that exist.
fn numbers(out: &mut impl Write, numbers: [(&str, Option<i64>); 3]) -> fmt::Result {
    out.write_char('{')?;
    let mut separator = "";
    for (name, number) in numbers {
        if let Some(number) = number {
            write!(out, "{}\"{}\":{}", separator, name, number)?;
            separator = ",";
        }
    }
    out.write_char('}')
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::Bytes;
    use std::format;

    #[test]
    fn bytes_have_binary_units() {
        for (bytes, text) in [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1 KiB"),
            (1536, "1.5 KiB"),
            ((1 << 20) - 1, "1023.9 KiB"),
            (-(5 << 20), "-5 MiB"),
            (i64::MAX, "7.9 EiB"),
            (i64::MIN, "-8 EiB"),
        ] {
            assert_eq!(format!("{}", Bytes(bytes)), text);
        }
        assert_eq!(
            format!("{:>8}|{:<8}", Bytes(5), Bytes(5)),
            "     5 B|5 B     "
        );
    }
}
