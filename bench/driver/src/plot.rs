//! The results as a plot: one line for each workload, one dot for each allocator, its time relative
//! to this crate's on a logarithmic axis. For whole programs, the same for memory below.

use crate::allocators;
use crate::results::{Head, Results};
use std::fmt::Write;
use workloads::Group;

const WIDTH: f64 = 860.0;
const LEFT: f64 = 130.0;
const RIGHT: f64 = 30.0;
const LINE: f64 = 26.0;
const UNIT: &str = "v3";
/// From one chart to the next.
const BETWEEN: f64 = 62.0;
/// Of the legend.
const COLUMNS: usize = 6;

/// The position of a ratio on the axis.
struct Axis {
    low: f64,
    high: f64,
}

impl Axis {
    fn new(ratios: impl Iterator<Item = f64>) -> Axis {
        let (mut low, mut high) = (0.7f64, 2.0f64);
        for ratio in ratios {
            low = low.min(ratio / 1.08);
            high = high.max(ratio * 1.08);
        }
        Axis { low, high }
    }

    fn ticks(&self) -> Vec<f64> {
        const FEW: [f64; 1] = [1.0];
        const MANY: [f64; 6] = [1.0, 1.5, 2.0, 3.0, 5.0, 7.0];
        let each: &[f64] = if self.high / self.low > 1000.0 {
            &FEW
        } else {
            &MANY
        };
        (-9..9)
            .flat_map(|power| each.iter().map(move |&digit| decimal(digit, power)))
            .filter(|&tick| tick >= self.low && tick <= self.high)
            .collect()
    }

    fn x(&self, ratio: f64) -> f64 {
        let share = (ratio / self.low).ln() / (self.high / self.low).ln();
        LEFT + share * (WIDTH - LEFT - RIGHT)
    }
}

/// Parsed from text, without the rounding error of a multiplication.
fn decimal(digit: f64, power: i32) -> f64 {
    let number = format!("{digit}e{power}");
    number.parse().expect("a number in scientific notation")
}

/// Lines of the plot: a label and the ratio of each allocator that ran.
fn lines(results: &Results) -> Vec<(String, Vec<(String, f64)>)> {
    let ids: Vec<&str> = results
        .head
        .allocators
        .iter()
        .map(|ran| ran.id.as_str())
        .collect();
    let mean = ids
        .iter()
        .filter(|id| allocators::find(id).is_some_and(|one| one.side != allocators::Side::Bound))
        .filter_map(|id| Some((id.to_string(), results.mean_ratio(id, UNIT)?)));
    let mut lines = vec![("geometric mean".to_string(), mean.collect())];
    for row in results.counted() {
        let ratios = ids
            .iter()
            .filter_map(|id| Some((id.to_string(), row.ratio(id, UNIT)?)));
        lines.push((row.workload.clone(), ratios.collect()));
    }
    lines
}

pub fn svg(results: &Results) -> String {
    let allocators: Vec<(&str, &str)> = results
        .head
        .allocators
        .iter()
        .map(|ran| (ran.id.as_str(), ran.title.as_str()))
        .collect();
    let mut bottom = top(allocators.len());
    let mut charts = chart(results, bottom);
    bottom += height(results);
    if results.group() == Group::Programs {
        bottom += BETWEEN;
        charts += &title(
            "Peak memory of each allocator relative to ours (left is less)",
            bottom - 12.0,
        );
        charts += &chart(&results.of_the_peaks(), bottom);
        bottom += height(results);
    }
    let height = bottom + 46.0;
    let title = title(
        "Time of each allocator relative to ours (left is faster)",
        26.0,
    );
    format!(
        r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" font-family="Helvetica, Arial, sans-serif" font-size="12" fill="#333">
<rect width="100%" height="100%" fill="#ffffff"/>
{title}{}{charts}<text x="16" y="{:.1}" font-size="11" fill="#666">{}</text>
</svg>
"##,
        legend(&allocators),
        height - 10.0,
        caption(&results.head)
    )
}

fn title(title: &str, y: f64) -> String {
    format!("<text x=\"16\" y=\"{y}\" font-size=\"16\" fill=\"#111\">{title}</text>\n")
}

/// Of a chart, without the labels of its axis.
fn height(results: &Results) -> f64 {
    LINE * (1 + results.counted().count()) as f64 + 8.0
}

/// Lines and dots, from `top` downwards.
fn chart(results: &Results, top: f64) -> String {
    let lines = lines(results);
    let axis = Axis::new(
        lines
            .iter()
            .flat_map(|(_, ratios)| ratios.iter().map(|(_, ratio)| *ratio)),
    );
    let bottom = top + height(results);
    let mut svg = String::new();
    let mut add = |arguments: std::fmt::Arguments| {
        writeln!(svg, "{arguments}").expect("writing to a string cannot fail");
    };
    for tick in axis.ticks() {
        let x = axis.x(tick);
        let (colour, width) = if tick == 1.0 {
            ("#0b6e4f", 1.5)
        } else {
            ("#e4e4e4", 1.0)
        };
        add(format_args!(
            r#"<line x1="{x:.1}" y1="{top}" x2="{x:.1}" y2="{bottom}" stroke="{colour}" stroke-width="{width}"/>"#
        ));
        add(format_args!(
            r##"<text x="{x:.1}" y="{:.1}" text-anchor="middle" fill="#666">{tick}×</text>"##,
            bottom + 16.0
        ));
    }
    for (index, (label, ratios)) in lines.iter().enumerate() {
        let y = top + LINE * (index as f64 + 0.5);
        if index == 0 {
            add(format_args!(
                r##"<rect x="0" y="{:.1}" width="{WIDTH}" height="{LINE}" fill="#0b6e4f" fill-opacity="0.07"/>"##,
                y - LINE / 2.0
            ));
        } else {
            add(format_args!(
                r##"<line x1="{LEFT}" y1="{y:.1}" x2="{}" y2="{y:.1}" stroke="#f1f1f1"/>"##,
                WIDTH - RIGHT
            ));
        }
        let weight = if index == 0 { "bold" } else { "normal" };
        add(format_args!(
            r#"<text x="{}" y="{:.1}" text-anchor="end" font-weight="{weight}">{label}</text>"#,
            LEFT - 12.0,
            y + 4.0
        ));
        // This crate last, so that nothing hides its marks.
        for (id, ratio) in ratios.iter().rev() {
            add(format_args!("{}", dot(id, axis.x(*ratio), y)));
        }
    }
    svg
}

/// This crate's marks are filled squares, other allocators' filled dots, the lower bound's an empty one.
fn dot(id: &str, x: f64, y: f64) -> String {
    let Some(allocator) = allocators::find(id) else {
        return String::new();
    };
    let colour = allocator.colour;
    // Distinguishes two that differ in nothing else.
    let rim = if allocator.purges { "#111" } else { "#fff" };
    match allocator.side {
        allocators::Side::Ours => format!(
            r##"<rect x="{:.1}" y="{:.1}" width="9" height="9" rx="1.5" fill="{colour}" stroke="{rim}" stroke-width="0.8"/>"##,
            x - 4.5,
            y - 4.5
        ),
        allocators::Side::Bound => format!(
            r##"<circle cx="{x:.1}" cy="{y:.1}" r="4" fill="#fff" stroke="{colour}" stroke-width="1.5"/>"##
        ),
        _ => format!(
            r##"<circle cx="{x:.1}" cy="{y:.1}" r="4.6" fill="{colour}" fill-opacity="0.9" stroke="{rim}" stroke-width="0.8"/>"##
        ),
    }
}

pub fn caption(head: &Head) -> String {
    format!(
        "{}, {} processors; {}; {}; median of {} rounds; {}",
        head.fact("processor"),
        head.fact("processors used"),
        head.fact("rustc").split(" (").next().unwrap_or(""),
        head.fact("C compiler"),
        head.rounds,
        head.fact("date")
    )
}

/// The legend, above the plot.
pub fn legend(allocators: &[(&str, &str)]) -> String {
    let place = |(index, (id, title)): (usize, &(&str, &str))| {
        let (column, row) = (index % COLUMNS, index / COLUMNS);
        let (x, y) = (24.0 + 138.0 * column as f64, 50.0 + 20.0 * row as f64);
        let (right, below) = (x + 10.0, y + 4.0);
        format!(
            "{}\n<text x=\"{right}\" y=\"{below}\">{title}</text>\n",
            dot(id, x, y)
        )
    };
    allocators.iter().enumerate().map(place).collect()
}

/// Where the plot below the legend begins.
pub fn top(allocators: usize) -> f64 {
    72.0 + 20.0 * allocators.div_ceil(COLUMNS) as f64
}
