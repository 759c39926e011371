//! JSON to values and back with `serde_json`, and again with typed records.

use crate::{hash, text};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::path::Path;

#[derive(Serialize, Deserialize)]
pub struct Record {
    pub id: u64,
    pub name: String,
    pub active: bool,
    pub score: f64,
    pub note: String,
    pub tags: Vec<String>,
    pub address: Address,
}

#[derive(Serialize, Deserialize)]
pub struct Address {
    pub street: String,
    pub city: String,
    pub zip: Option<String>,
    pub position: Vec<i64>,
}

pub fn records(records: &Path) -> Vec<Record> {
    serde_json::from_str(&text(records)).expect("the driver wrote such records")
}

pub fn round_trip(records: &Path) -> u64 {
    let values: Value = serde_json::from_str(&text(records)).expect("the driver wrote JSON");
    let written = serde_json::to_string(&values).expect("values can be written");
    drop(values);
    let mut records: Vec<Record> = serde_json::from_str(&written).expect("such records");
    records.sort_by(|one, other| one.name.cmp(&other.name).then(one.id.cmp(&other.id)));
    let sorted = serde_json::to_string_pretty(&records).expect("records can be written");
    hash(written.as_bytes()) ^ hash(sorted.as_bytes())
}
