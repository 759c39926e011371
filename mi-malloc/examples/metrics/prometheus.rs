//! mimalloc's statistics in Prometheus' text format. Copy this file into a server.

use mi_malloc::stats::{Stats, Unit};
use std::fmt::Write;

/// The page. Its content type is `text/plain; version=0.0.4`.
pub fn page(stats: &Stats) -> String {
    let mut page = String::new();
    for row in stats.rows() {
        let unit = match row.unit {
            Unit::Bytes => "_bytes",
            _ => "",
        };
        for (number, suffix, kind, what) in [
            (row.current, "", "gauge", ""),
            (row.peak, "_peak", "gauge", ", the most at one time"),
            (row.total, "", "counter", ", in all"),
        ] {
            if let Some(number) = number {
                let total = if kind == "counter" { "_total" } else { "" };
                let name = format!("mimalloc_{}{}{}{}", row.name, suffix, unit, total);
                metric(&mut page, &name, kind, &format!("{}{}", row.help, what));
                let _ = writeln!(page, "{} {}", name, number);
            }
        }
    }
    let classes = |page: &mut String, name: &str, numbers: &[(Option<usize>, i64)]| {
        for (size, number) in numbers {
            let size = size.map_or("larger".to_string(), |size| size.to_string());
            let _ = writeln!(page, "{}{{block_size=\"{}\"}} {}", name, size, number);
        }
    };
    let name = "mimalloc_class_pages";
    metric(&mut page, name, "gauge", "pages for blocks of one size");
    let pages = stats
        .size_classes()
        .map(|class| (class.block_size, class.pages.current));
    classes(&mut page, name, &pages.collect::<Vec<_>>());
    // With the feature `v2` this does not exist.
    #[cfg(mi_v3)]
    {
        let name = "mimalloc_class_blocks";
        metric(&mut page, name, "gauge", "blocks of one size in use");
        let blocks = stats
            .size_classes()
            .map(|class| (class.block_size, class.blocks.current));
        classes(&mut page, name, &blocks.collect::<Vec<_>>());
    }
    page
}

fn metric(page: &mut String, name: &str, kind: &str, help: &str) {
    let _ = writeln!(page, "# HELP {} {}", name, help);
    let _ = writeln!(page, "# TYPE {} {}", name, kind);
}
