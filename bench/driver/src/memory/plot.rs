//! The memory of idle programs, as a plot: a panel for each program, a curve for each allocator.

use super::{Results, Row};
use crate::allocators::{self, Allocator, Side};
use crate::plot::{caption, legend, top};
use std::fmt::Write;

const WIDTH: f64 = 860.0;
const COLUMNS: usize = 2;
/// Of a panel, including its labels.
const PANEL: (f64, f64) = (WIDTH / COLUMNS as f64, 210.0);
/// Of a panel's axes.
const LEFT: f64 = 52.0;
const RIGHT: f64 = 14.0;
const ABOVE: f64 = 30.0;
const BELOW: f64 = 30.0;

/// The allocators that are drawn. The tables have this crate's other builds, whose curves would hide these.
fn drawn(results: &Results) -> Vec<&'static Allocator> {
    results
        .head
        .allocators
        .iter()
        .filter_map(|ran| allocators::find(&ran.id))
        .filter(|one| one.is_as_it_comes() || one.purges)
        .collect()
}

pub fn svg(results: &Results) -> String {
    let drawn = drawn(results);
    let top = top(drawn.len());
    let lines = results.rows.len().div_ceil(COLUMNS);
    let height = top + PANEL.1 * lines as f64 + 30.0;
    let mut svg = format!(
        r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" font-family="Helvetica, Arial, sans-serif" font-size="12" fill="#333">
<rect width="100%" height="100%" fill="#ffffff"/>
<text x="16" y="26" font-size="16" fill="#111">Resident memory (MiB) of programs that rest from second 0 on (dashed: with a thread of its own that purges)</text>
"##
    );
    let named: Vec<(&str, &str)> = drawn.iter().map(|one| (one.id, one.title)).collect();
    svg += &legend(&named);
    for (index, row) in results.rows.iter().enumerate() {
        let x = PANEL.0 * (index % COLUMNS) as f64;
        let y = top + PANEL.1 * (index / COLUMNS) as f64;
        svg += &format!("<g transform=\"translate({x},{y})\">\n");
        svg += &panel(row, &results.grid_ms, &drawn);
        svg += "</g>\n";
    }
    svg += &format!(
        r##"<text x="16" y="{:.1}" font-size="11" fill="#666">{}</text>
</svg>
"##,
        height - 10.0,
        caption(&results.head)
    );
    svg
}

fn panel(row: &Row, grid_ms: &[i64], drawn: &[&Allocator]) -> String {
    let (width, height) = (PANEL.0 - LEFT - RIGHT, PANEL.1 - ABOVE - BELOW);
    let bottom = ABOVE + height;
    let (first, last) = (grid_ms[0] as f64, grid_ms[grid_ms.len() - 1] as f64);
    let x = |ms: f64| LEFT + width * (ms - first) / (last - first);
    let curves = || {
        drawn
            .iter()
            .filter_map(|one| Some((one, row.cells.get(one.id)?)))
    };
    let most = curves()
        .flat_map(|(_, cell)| &cell.curve_kib)
        .max()
        .map_or(1.0, |&kib| kib as f64 / 1024.0);
    let step = step(most);
    let whole = step * (most / step).ceil();
    let y = |mib: f64| bottom - height * mib / whole;

    let mut svg = String::new();
    let mut add = |arguments: std::fmt::Arguments| {
        writeln!(svg, "{arguments}").expect("writing to a string cannot fail");
    };
    add(format_args!(
        r##"<text x="{LEFT}" y="{}" font-weight="bold">{}</text>"##,
        ABOVE - 10.0,
        row.program
    ));
    for tick in (0..)
        .map(|n| step * f64::from(n))
        .take_while(|&tick| tick <= whole)
    {
        add(format_args!(
            r##"<line x1="{LEFT}" y1="{0:.1}" x2="{1:.1}" y2="{0:.1}" stroke="#e4e4e4"/><text x="{2:.1}" y="{3:.1}" text-anchor="end" fill="#666">{tick}</text>"##,
            y(tick),
            LEFT + width,
            LEFT - 6.0,
            y(tick) + 4.0
        ));
    }
    for seconds in (0..=last as i64 / 1000).step_by(5) {
        let at = x(1000.0 * seconds as f64);
        let colour = if seconds == 0 { "#999" } else { "#e4e4e4" };
        add(format_args!(
            r##"<line x1="{at:.1}" y1="{ABOVE}" x2="{at:.1}" y2="{bottom}" stroke="{colour}"/><text x="{at:.1}" y="{:.1}" text-anchor="middle" fill="#666">{seconds} s</text>"##,
            bottom + 16.0
        ));
    }
    // This crate last, so that nothing hides its curves.
    for (allocator, cell) in curves().collect::<Vec<_>>().into_iter().rev() {
        let points: Vec<String> = grid_ms
            .iter()
            .zip(&cell.curve_kib)
            .map(|(&ms, &kib)| format!("{:.1},{:.1}", x(ms as f64), y(kib as f64 / 1024.0)))
            .collect();
        let stroke = if allocator.side == Side::Ours {
            2.6
        } else {
            1.5
        };
        let dashes = if allocator.purges { "5 3" } else { "none" };
        add(format_args!(
            r##"<polyline points="{}" fill="none" stroke="{}" stroke-width="{stroke}" stroke-dasharray="{dashes}" stroke-linejoin="round"/>"##,
            points.join(" "),
            allocator.colour
        ));
    }
    svg
}

/// The distance of two grid lines, so that there are about four of them.
fn step(most: f64) -> f64 {
    let power = 10f64.powf((most / 4.0).log10().floor());
    let steps = [1.0, 2.0, 5.0, 10.0].map(|digit| digit * power);
    let enough = steps.iter().copied().find(|step| step * 5.0 >= most);
    enough.unwrap_or(10.0 * power)
}

#[cfg(test)]
mod tests {
    use super::step;

    #[test]
    fn steps_are_round_and_few() {
        let steps = [1.0, 6.0, 330.0, 380.0, 1030.0].map(step);
        assert_eq!(steps, [0.2, 2.0, 100.0, 100.0, 500.0]);
    }
}
