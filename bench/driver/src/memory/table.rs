//! The memory of idle programs, as Markdown.

use super::{Cell, Figure, Results, Row, SECONDS};
use crate::table::{header, line, machine, mib, table_row, titles};

/// A figure and its name.
type Moment = (String, Box<dyn Fn(&Cell) -> Figure>);

fn moments() -> Vec<Moment> {
    let mut moments: Vec<Moment> = vec![("peak".to_string(), Box::new(|cell| cell.peak_kib))];
    for (index, seconds) in SECONDS.iter().enumerate() {
        moments.push((
            format!("{seconds} s"),
            Box::new(move |cell| cell.retained_kib[index]),
        ));
    }
    moments
}

/// The whole report.
pub fn report(results: &Results) -> String {
    let mut text = format!(
        "# Memory of programs at rest\n\n{}\n## Resident memory\n\nMiB: the peak, and what is resident some time after \
         the program became idle. Median of the rounds; the minimum and the maximum in parentheses where they differ by more than a \
         tenth and 2 MiB. \"In use\" is what the program itself still needs, in addition to its code and \
         its threads' stacks, some 2 to 5 MiB.\n\n",
        machine(&results.head, "program")
    );
    let columns = ["moment", "in use"].into_iter();
    header(&mut text, "program", columns.chain(titles(&results.head)));
    let moments = moments();
    for row in &results.rows {
        for (name, figure) in &moments {
            let cells = results.head.allocators.iter().map(|ran| {
                let figure = row.cells.get(&ran.id).map(figure);
                figure.map_or("–".to_string(), spread)
            });
            let (name, in_use) = (name.clone(), mib(row.in_use_kib));
            table_row(
                &mut text,
                &row.program,
                [name, in_use].into_iter().chain(cells),
            );
        }
    }
    for (name, figure) in &moments {
        let sum = |id: &str| -> Option<u64> {
            let cells = results.rows.iter().map(|row| row.cells.get(id));
            cells.map(|cell| Some(figure(cell?).median)).sum()
        };
        let cells = results.head.allocators.iter().map(|ran| sum(&ran.id));
        let cells = cells.map(|sum| sum.map_or("–".to_string(), bold));
        let in_use = results.rows.iter().map(|row| row.in_use_kib).sum();
        let first = [name.clone(), bold(in_use)].into_iter();
        table_row(&mut text, "**all programs**", first.chain(cells));
    }
    text.push('\n');
    for Row { program, about, .. } in &results.rows {
        line(&mut text, format_args!("- `{program}`: {about}"));
    }
    text
}

fn bold(kib: u64) -> String {
    format!("**{}**", mib(kib))
}

/// The median, and the range if it is significant.
fn spread(figure: Figure) -> String {
    let range = figure.max - figure.min;
    if range > 2048 && range * 10 > figure.median {
        let (min, max) = (mib(figure.min), mib(figure.max));
        format!("{} ({min}–{max})", mib(figure.median))
    } else {
        mib(figure.median)
    }
}

#[cfg(test)]
mod tests {
    use super::{spread, Figure};

    #[test]
    fn only_a_significant_range_is_shown() {
        let figure = |min: u64, median: u64, max: u64| Figure {
            median: median << 10,
            min: min << 10,
            max: max << 10,
        };
        assert_eq!(spread(figure(100, 101, 109)), "101.0");
        assert_eq!(spread(figure(4, 4, 6)), "4.0");
        assert_eq!(spread(figure(39, 40, 200)), "40.0 (39.0–200.0)");
    }
}
