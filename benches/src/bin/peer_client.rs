//! Two clients of other makers as load generators, for the comparison in `peers/load.mjs`: a bare hyper connection for each
//! user, and goose with its own client. Prints one JSON object.

use std::time::{Duration, Instant};

use bytes::Bytes;
use goose::prelude::*;
use http_body_util::{BodyExt as _, Empty};
use hyper::Request;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpStream;

type Failure = Box<dyn std::error::Error + Send + Sync>;

const USAGE: &str = "usage: peer_client hyper|goose http://HOST:PORT/PATH USERS SECONDS [RATE]";

fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (kind, url, users, seconds, rate) = match &arguments[..] {
        [kind, url, users, seconds] => (kind, url, users.parse()?, seconds.parse()?, None),
        [kind, url, users, seconds, rate] => {
            let rate = Some(rate.parse()?);
            (kind, url, users.parse()?, seconds.parse()?, rate)
        }
        _ => return Err(USAGE.into()),
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let answer = match (kind.as_str(), rate) {
        ("hyper", None) => runtime.block_on(hyper(url, users, seconds))?,
        ("goose", rate) => runtime.block_on(goose(url, users, seconds, rate))?,
        _ => return Err(USAGE.into()),
    };
    std::io::Write::write_all(&mut std::io::stdout(), format!("{answer}\n").as_bytes())?;
    Ok(())
}

/// A closed loop over connections of hyper's own, each answer read to its end.
async fn hyper(url: &str, users: usize, seconds: u64) -> Result<Value, Failure> {
    let rest = url.strip_prefix("http://").ok_or(USAGE)?;
    let (authority, path) = rest.split_once('/').ok_or(USAGE)?;
    let (authority, path) = (authority.to_owned(), format!("/{path}"));
    let end = Instant::now() + Duration::from_secs(seconds);
    let mut all = tokio::task::JoinSet::new();
    for _ in 0..users {
        all.spawn(hyper_user(authority.clone(), path.clone(), end));
    }
    let mut latencies = Vec::new();
    for user in all.join_all().await {
        latencies.extend(user?);
    }
    latencies.sort_unstable();
    let at = |in_a_thousand| {
        latencies
            .get(place(latencies.len(), in_a_thousand))
            .copied()
    };
    Ok(said(latencies.len(), |in_a_thousand| {
        at(in_a_thousand).unwrap_or(0)
    }))
}

/// Where the value at a quantile stands among so many in their order.
fn place(count: usize, in_a_thousand: usize) -> usize {
    (count * in_a_thousand).div_ceil(1000).saturating_sub(1)
}

/// Latencies in nanoseconds.
fn said(requests: usize, at: impl Fn(usize) -> u64) -> Value {
    let latency =
        json!({ "p50": at(500), "p95": at(950), "p99": at(990), "p999": at(999), "max": at(1000) });
    json!({ "requests": requests, "latency_ns": latency })
}

async fn hyper_user(authority: String, path: String, end: Instant) -> Result<Vec<u64>, Failure> {
    let stream = TcpStream::connect(&authority).await?;
    stream.set_nodelay(true)?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let driving = tokio::spawn(connection);
    let mut latencies = Vec::with_capacity(1 << 20);
    loop {
        let request = Request::get(&path)
            .header("host", &authority)
            .body(Empty::<Bytes>::new())?;
        let sent = Instant::now();
        if sent >= end {
            driving.abort();
            return Ok(latencies);
        }
        let answer = sender.send_request(request).await?;
        let _ = answer.into_body().collect().await?;
        latencies.push(u64::try_from(sent.elapsed().as_nanos())?);
    }
}

/// Goose as its documentation has it: its client, its metrics, its throttle.
async fn goose(
    url: &str,
    users: usize,
    seconds: u64,
    rate: Option<usize>,
) -> Result<Value, Failure> {
    let slash = url.strip_prefix("http://").and_then(|rest| rest.find('/'));
    let (host, path) = url.split_at(slash.ok_or(USAGE)? + "http://".len());
    let path = path.to_owned();
    let get: TransactionFunction = std::sync::Arc::new(move |user| {
        let path = path.clone();
        Box::pin(async move {
            let answer = user.get(&path).await?;
            if let Ok(response) = answer.response {
                let _ = response.bytes().await;
            }
            Ok(())
        })
    });
    let mut configuration = goose::config::GooseConfiguration::default();
    configuration.host = Some(host.to_owned());
    configuration.users = Some(users);
    configuration.increase_rate = Some("10000".to_owned());
    configuration.run_time = Some(format!("{seconds}s"));
    configuration.throttle_requests = rate;
    configuration.quiet = 2;
    configuration.no_print_metrics = true;
    configuration.no_telnet = true;
    let metrics = Box::pin(
        GooseAttack::initialize_with_config(configuration)?
            .register_scenario(Scenario::new("get").register_transaction(Transaction::new(get)))
            .execute(),
    )
    .await?;
    let request = metrics.requests.values().next().ok_or("no request")?;
    let times = &request.raw_data;
    let mut buckets: Vec<(u64, usize)> = times.times_us.iter().map(|(us, n)| (*us, *n)).collect();
    buckets.sort_unstable();
    let at = |in_a_thousand| {
        let mut left = place(times.counter, in_a_thousand);
        let holds = buckets.iter().find(|(_, count)| {
            let holds = left < *count;
            left = left.saturating_sub(*count);
            holds
        });
        let us = holds.filter(|_| in_a_thousand < 1000);
        us.map_or(times.maximum_time_us, |(us, _)| *us) * 1000
    };
    Ok(said(times.counter, at))
}
