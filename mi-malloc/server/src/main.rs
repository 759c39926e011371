//! A web server on mi-malloc: it keeps documents, and counts their words.
//!
//! ```sh
//! cargo run --release -p server -- 127.0.0.1:8080
//! curl -X PUT localhost:8080/documents/a -H 'Content-Type: application/json' -d '{"text": "to be or not to be"}'
//! curl localhost:8080/documents/a
//! curl localhost:8080/metrics              # for Prometheus
//! pprof -http=: http://localhost:8080/debug/pprof/heap
//! cargo run --release -p server --bin load -- 127.0.0.1:8080
//! ```

use axum::extract::{Path, State};
use axum::http::{header::CONTENT_TYPE, StatusCode};
use axum::response::IntoResponse;
use axum::routing::{get, put};
use axum::{Json, Router};
use mi_malloc::{purge, stats::Stats};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::sync::{Arc, RwLock};
use std::time::Duration;

/// The statistics in Prometheus' text format.
#[path = "../../examples/metrics/prometheus.rs"]
mod prometheus;

#[global_allocator]
static GLOBAL: mi_malloc::MiMalloc = mi_malloc::MiMalloc;

// Measured with `load` on two processors, MiB resident 8 seconds after all but 1 % of the documents were deleted, in two
// runs: 118 and 130 with mimalloc's own values, 94 and 98 with the first of these, 74 and 94 with both (from 474, 446 and
// 445 at the peak). (Before the first became the default, and with a delay of 0.4 s: `arena_purge_mult` was 4.) Neither `page_full_retain: Some(0)` nor the heap profile made a difference that could be told from
// that between runs, also in processor time.
#[cfg(mi_v3)]
mi_malloc::options! {
    // Give back ranges of 64 KiB, and not only whole huge pages: what stays is a little of everything.
    allow_thp: Thp::LargeBlocks,
    // The background thread looks four times a second anyway.
    purge_delay: Duration::from_millis(100),
}

fn main() -> std::io::Result<()> {
    let address = std::env::args().nth(1);
    let address = address.as_deref().unwrap_or("127.0.0.1:8080");

    // Free memory goes back to the system also while nobody sends requests.
    let _background = purge::Background::start(Duration::from_millis(250))?;
    #[cfg(mi_v3)]
    profile::start();

    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    // What a worker has freed goes where the background thread finds it.
    runtime.enable_io().on_thread_park(purge::on_thread_idle);
    #[cfg(mi_v3)]
    runtime.on_thread_start(mi_malloc::profile::include_thread);
    runtime.build()?.block_on(async {
        let listener = tokio::net::TcpListener::bind(address).await?;
        println!("http://{}", listener.local_addr()?);
        axum::serve(listener, routes()).await
    })
}

fn routes() -> Router {
    let routes = Router::new()
        .route("/documents/{name}", put(store).get(show).delete(remove))
        .route("/metrics", get(metrics))
        .with_state(Documents::default());
    #[cfg(mi_v3)]
    let routes = routes.route("/debug/pprof/heap", get(profile::heap));
    routes
}

type Documents = Arc<RwLock<HashMap<String, HashMap<String, u32>>>>;

#[derive(Deserialize)]
struct Document {
    text: String,
}

#[derive(Serialize)]
struct Words {
    words: u32,
    most_frequent: Vec<Frequency>,
}

#[derive(Serialize)]
struct Frequency {
    word: String,
    count: u32,
}

impl Words {
    fn of(counts: &HashMap<String, u32>) -> Words {
        let mut most_frequent: Vec<_> = counts
            .iter()
            .map(|(word, count)| Frequency {
                word: word.clone(),
                count: *count,
            })
            .collect();
        most_frequent.sort_by(|a, b| (b.count, &a.word).cmp(&(a.count, &b.word)));
        most_frequent.truncate(10);
        Words {
            words: counts.values().sum(),
            most_frequent,
        }
    }
}

async fn store(
    State(documents): State<Documents>,
    Path(name): Path<String>,
    Json(document): Json<Document>,
) -> Json<Words> {
    let mut counts = HashMap::new();
    for word in document.text.split_whitespace() {
        *counts.entry(word.to_lowercase()).or_insert(0) += 1;
    }
    let words = Words::of(&counts);
    let replaced = documents.write().unwrap().insert(name, counts);
    drop(replaced); // without the lock
    Json(words)
}

async fn show(
    State(documents): State<Documents>,
    Path(name): Path<String>,
) -> Result<Json<Words>, StatusCode> {
    let documents = documents.read().unwrap();
    let counts = documents.get(&name).ok_or(StatusCode::NOT_FOUND)?;
    Ok(Json(Words::of(counts)))
}

async fn remove(State(documents): State<Documents>, Path(name): Path<String>) -> StatusCode {
    let removed = documents.write().unwrap().remove(&name);
    match removed {
        Some(_) => StatusCode::NO_CONTENT,
        None => StatusCode::NOT_FOUND,
    }
}

async fn metrics() -> impl IntoResponse {
    let page = prometheus::page(&Stats::now());
    ([(CONTENT_TYPE, "text/plain; version=0.0.4")], page)
}

/// A heap profile for as long as the server runs. (v2 has no profiler.)
#[cfg(mi_v3)]
mod profile {
    use super::*;
    use mi_malloc::profile::{self, Interval, Profile};
    use std::sync::OnceLock;

    static PROFILE: OnceLock<Profile> = OnceLock::new();

    pub fn start() {
        match profile::start(Interval::default()) {
            Ok(profile) => drop(PROFILE.set(profile)),
            Err(error) => eprintln!("no heap profile: {error}"),
        }
    }

    /// In a server that others reach, not on a port that they reach: it tells much about the program.
    pub async fn heap() -> Result<impl IntoResponse, StatusCode> {
        let profile = PROFILE.get().ok_or(StatusCode::SERVICE_UNAVAILABLE)?;
        let mut body = Vec::new();
        let dumped = profile.dump(&mut body);
        dumped.map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
        Ok(([(CONTENT_TYPE, "application/octet-stream")], body))
    }
}
