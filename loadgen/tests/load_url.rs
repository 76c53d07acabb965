//! `authbench load URL` against a server of the test's own: its counts, its exit codes, and the truth of its latencies.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Output};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::Value;

/// Serves each connection on a thread; `answer` sees the request's head and gives the status.
fn serve(answer: impl Fn(&str) -> u16 + Send + Sync + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    let answer = Arc::new(answer);
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let answer = Arc::clone(&answer);
            std::thread::spawn(move || connection(stream, &*answer));
        }
    });
    address
}

fn connection(mut stream: TcpStream, answer: &(dyn Fn(&str) -> u16 + Send + Sync)) -> Option<()> {
    stream.set_nodelay(true).ok()?;
    let (mut head, mut buffer) = (String::new(), [0; 4096]);
    loop {
        let count = stream.read(&mut buffer).ok().filter(|count| *count > 0)?;
        head.push_str(&String::from_utf8_lossy(&buffer[..count]));
        if head.ends_with("\r\n\r\n") {
            let status = answer(&head);
            let text = format!("HTTP/1.1 {status} X\r\ncontent-length: 2\r\n\r\nok");
            stream.write_all(text.as_bytes()).ok()?;
            head.clear();
        }
    }
}

fn load(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_authbench"))
        .arg("load")
        .args(arguments)
        .env(
            "AUTHBENCH_CACHE",
            Path::new(env!("CARGO_TARGET_TMPDIR")).join("keys"),
        )
        .output()
        .expect("authbench starts")
}

fn json(arguments: &[&str], exit: i32) -> Value {
    let output = load(&[arguments, &["--json"]].concat());
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(exit), "{said}{errors}");
    serde_json::from_str(&said).unwrap_or_else(|error| panic!("{error}: {said}"))
}

#[test]
fn every_answer_is_held_against_the_expected_status() {
    let url = format!(
        "http://{}/x",
        serve(|head| if head.starts_with("GET") { 200 } else { 405 })
    );
    let good = json(&[&url, "--requests", "200", "--users", "3"], 0);
    assert_eq!(good["requests"], 200);
    assert_eq!(good["unexpected"], 0);
    for quantile in ["p50", "p90", "p99", "p999", "max"] {
        assert!(good["latency_us"][quantile].as_f64() > Some(0.0), "{good}");
    }
    let other = json(&[&url, "--requests", "20", "--expect", "404"], 10);
    assert_eq!(other["unexpected"], 20);
    assert_eq!(other["samples"][0]["observed"], "200");
    assert!(other["latency_us"].is_null(), "nothing right was measured");
    // 405 is what had to come, and so it is a sample and no lost request.
    let refused = ["--requests", "20", "-X", "DELETE", "--expect", "405"];
    let refused = json(&[&[url.as_str()][..], &refused].concat(), 0);
    assert_eq!(
        (&refused["unexpected"], &refused["lost"]),
        (&0.into(), &0.into())
    );
}

#[test]
fn headers_and_tokens_are_sent_in_turn() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let heard = Arc::clone(&seen);
    let url = format!(
        "http://{}/x",
        serve(move |head| {
            heard
                .lock()
                .expect("no panic")
                .push(head.to_ascii_lowercase());
            200
        })
    );
    let folder = tempfile::tempdir().expect("a temporary folder");
    let pool = folder.path().join("tokens");
    std::fs::write(&pool, "alpha\n\nbeta\n").expect("written");
    let pool = pool.to_string_lossy().into_owned();
    let arguments = [
        &url,
        "--requests",
        "4",
        "--users",
        "1",
        "--token-pool",
        &pool,
        "-H",
        "x-a: b",
    ];
    json(&arguments, 0);
    let heads = seen.lock().expect("no panic").clone();
    let tokens: Vec<&str> = heads
        .iter()
        .filter_map(|head| head.split("authorization: bearer ").nth(1)?.lines().next())
        .collect();
    assert_eq!(tokens, ["alpha", "beta", "alpha", "beta"]);
    assert!(heads.iter().all(|head| head.contains("x-a: b\r\n")));
}

#[test]
fn what_makes_no_sense_is_refused_with_its_flag() {
    let url = "http://127.0.0.1:1/";
    let table: [(&[&str], &[&str]); 7] = [
        (&["https://127.0.0.1/"], &["https://127.0.0.1/"]),
        (&[url, "--mix", "a=1"], &["--mix"]),
        (
            &[url, "-H", "no-colon"],
            &["no-colon", "accept: application/json"],
        ),
        (
            &[url, "--stage", "5:1"],
            &["--stage", "5:1", "100/s..500/s:30s"],
        ),
        (&[url, "--stage", "0/s:1s"], &["no request"]),
        (&[url, "--poisson"], &["rate"]),
        (&["--expect", "200"], &["URL"]),
    ];
    for (arguments, parts) in table {
        let output = load(arguments);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {said}");
        for part in parts {
            assert!(said.contains(part), "{part:?} is missing in: {said}");
        }
    }
    let gone = json(&[url, "--requests", "500"], 14);
    assert!(
        gone["samples"][0]["observed"]
            .as_str()
            .expect("a text")
            .contains("refused")
    );
}

const PERIOD: Duration = Duration::from_secs(1);
/// The last quarter of each period is a stall, so that the first request is answered at once.
const STALL_BEGINS: Duration = Duration::from_millis(750);
const RATE: u32 = 400;
const SECONDS: u32 = 4;

/// A server that answers nothing for a quarter of each second, and keeps the instants of its own stalls.
struct Stalling {
    started: Instant,
    first: Mutex<Option<Instant>>,
}

impl Stalling {
    /// The end of the stall that an instant is in.
    fn end(&self, now: Instant) -> Option<Instant> {
        let since = now.saturating_duration_since(self.started);
        let into = Duration::from_nanos(
            u64::try_from(since.as_nanos() % PERIOD.as_nanos()).expect("below a second"),
        );
        (into >= STALL_BEGINS).then(|| now + PERIOD.saturating_sub(into))
    }
}

#[expect(clippy::disallowed_methods, reason = "a server that stalls for a time")]
fn stall(end: Instant) {
    std::thread::sleep(end.saturating_duration_since(Instant::now()));
}

/// The truth is what each request would have waited that was sent when it was due: until the end of the stall that it fell
/// into, and nothing that can be seen at this scale otherwise.
#[test]
fn response_times_are_those_of_the_requests_that_were_due() {
    let stalling = Arc::new(Stalling {
        started: Instant::now(),
        first: Mutex::new(None),
    });
    let server = Arc::clone(&stalling);
    let url = format!(
        "http://{}/",
        serve(move |_| {
            let now = Instant::now();
            server.first.lock().expect("no panic").get_or_insert(now);
            if let Some(end) = server.end(now) {
                stall(end);
            }
            200
        })
    );
    let (rate, duration) = (format!("{RATE}/s"), format!("{SECONDS}s"));
    // As many connections as a stall piles up requests, and some more.
    let users = (RATE / 4 + 50).to_string();
    let output = load(&[
        &url,
        "--rate",
        &rate,
        "--duration",
        &duration,
        "--users",
        &users,
        "--json",
    ]);
    let said: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let start = stalling.first.lock().expect("no panic").expect("a request");
    let mut truth: Vec<Duration> = (0..RATE * SECONDS)
        .map(|index| {
            let due = start + index * Duration::from_secs(1) / RATE;
            stalling.end(due).unwrap_or(due).duration_since(due)
        })
        .collect();
    truth.sort_unstable();
    let latency = |name: &str| {
        let us = said["latency_us"][name].as_f64().expect(name);
        Duration::from_secs_f64(us / 1e6)
    };
    for (name, in_a_thousand) in [("p90", 900), ("p99", 990), ("p999", 999), ("max", 1000)] {
        let place = (truth.len() * in_a_thousand).div_ceil(1000) - 1;
        let wanted = truth[place];
        // 2 % of the truth, and what a busy machine adds to a wait of a quarter of a second.
        let tolerance = wanted / 50 + Duration::from_millis(20);
        assert!(
            latency(name).abs_diff(wanted) <= tolerance,
            "{name}: {:?} and not {wanted:?}: {said}",
            latency(name)
        );
    }
    assert_eq!(said["requests"], RATE * SECONDS);
    let median = latency("p50");
    assert!(
        median < Duration::from_millis(20),
        "three of four requests meet no stall: {median:?}"
    );
}
