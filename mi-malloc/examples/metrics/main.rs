//! The statistics in Prometheus' text format, for a page that Prometheus reads:
//!
//! ```text
//! cargo run --example metrics
//! ```

use mi_malloc::stats::Stats;

mod prometheus;

#[global_allocator]
static GLOBAL: mi_malloc::MiMalloc = mi_malloc::MiMalloc;

fn main() {
    let kept: Vec<String> = (0..10_000).map(|number| number.to_string()).collect();
    print!("{}", prometheus::page(&Stats::now()));
    drop(kept);
}
