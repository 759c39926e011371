//! Writes HTML pages of records with the template engine `minijinja`.

use crate::hash;
use crate::json::records;
use minijinja::value::Serde;
use minijinja::{context, Environment};
use std::path::Path;

/// Records of a page.
const PAGE: usize = 50;

const TEMPLATE: &str = r#"<!doctype html>
<title>Page {{ number }} of {{ pages }}</title>
<table class="records">
{%- for record in records %}
<tr class="{{ loop.cycle('odd', 'even') }}{% if record.active %} active{% endif %}">
  <td>{{ record.id }}</td>
  <td><a href="/records/{{ record.id }}?from={{ number }}">{{ record.name | title }}</a></td>
  <td>{{ record.score | round(2) }}</td>
  <td>{% if record.note %}<p>{{ record.note | trim | upper }}</p>{% else %}&ndash;{% endif %}</td>
  <td>{% for tag in record.tags | sort %}<b>{{ tag }}</b>{% if not loop.last %}, {% endif %}{% endfor %}</td>
  <td>{{ record.address.street }}, {{ record.address.city }} ({{ record.address.position | join(" / ") }})</td>
</tr>
{%- endfor %}
</table>
"#;

pub fn render(file: &Path) -> u64 {
    let records = records(file);
    let mut environment = Environment::new();
    environment
        .add_template("page.html", TEMPLATE)
        .unwrap_or_else(|error| panic!("{error}"));
    let template = environment.get_template("page.html").expect("just added");
    let pages = records.len().div_ceil(PAGE);
    let render = |(number, records): (usize, &[crate::json::Record])| {
        template
            .render(context! { number => number + 1, pages, records => Serde(records) })
            .unwrap_or_else(|error| panic!("{error}"))
    };
    let pages: Vec<String> = records.chunks(PAGE).enumerate().map(render).collect();
    let sums = pages.iter().map(|page| hash(page.as_bytes()));
    sums.fold(0, |sum: u64, one| sum.rotate_left(1) ^ one)
}
