//! `authbench load URL` against a server of the test's own: its counts, its exit codes, and the truth of its latencies.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Command, Output};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::{AUTHBENCH, key_cache};

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
    Command::new(AUTHBENCH)
        .arg("load")
        .args(arguments)
        .env("AUTHBENCH_CACHE", key_cache())
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

/// Standard output is the report's, so a run that takes long says on standard error how far it is.
#[test]
fn a_phase_longer_than_five_seconds_says_how_it_goes() {
    let url = format!("http://{}/", serve(|_| 200));
    let output = load(&[&url, "--rate", "50/s", "--duration", "6s", "--users", "2"]);
    let said = String::from_utf8_lossy(&output.stderr);
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(lines.len(), 1, "{said}");
    // How many they are is a matter of when the thread that says it runs, and they are 300 at most.
    let line = lines[0].strip_prefix("load            5 s  ");
    let done = line.and_then(|line| line.split(' ').next()?.parse::<u32>().ok());
    assert!(done.is_some_and(|done| (1..=300).contains(&done)), "{said}");
    let figures = " done, 0 wrong, 0 lost, 50/s, p50 ";
    assert!(lines[0].contains(figures), "{said}");
    assert!(!String::from_utf8_lossy(&output.stdout).contains(figures));
}

/// A limit that is broken is told when it is, and not when everything is over.
#[test]
fn a_breach_is_told_at_once_and_ends_a_load_that_is_to_fail_fast() {
    let url = format!("http://{}/", serve(|_| 200));
    let arguments = [
        &url,
        "--rate",
        "200/s",
        "--duration",
        "30s",
        "--threshold",
        "p50=1us",
    ];
    let started = Instant::now();
    let output = load(&[&arguments[..], &["--fail-fast"]].concat());
    assert!(started.elapsed() < Duration::from_secs(15));
    assert_eq!(output.status.code(), Some(11));
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(
        said.matches("BREACHED p50 above 1.00 µs").count(),
        1,
        "{said}"
    );
    let report = String::from_utf8_lossy(&output.stdout);
    assert!(report.contains("THRESHOLD-MISSED"), "{report}");
    assert!(
        report.contains("at its first breach: p50 above 1.00 µs"),
        "{report}"
    );
}

/// The body of an answer, `None` where nobody listens.
fn fetched(address: SocketAddr, path: &str) -> Option<String> {
    let mut stream = TcpStream::connect(address).ok()?;
    let request = format!("GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    answer
        .split_once("\r\n\r\n")
        .map(|(_, body)| body.to_owned())
}

/// What goose shows is what was measured, and it is over with the load.
#[test]
fn gooses_dashboard_is_there_while_the_load_runs_when_it_is_asked_for() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let url = format!("http://{}/", serve(|_| 200));
    let free = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
    let address = free.expect("a port");
    let mut child = Command::new(AUTHBENCH)
        .args(["load", &url, "--users", "1", "--duration", "5s", "--json"])
        .arg(format!("--goose-dashboard={address}"))
        .current_dir(folder.path())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .expect("authbench starts");
    let mut shown = 0;
    while child.try_wait().expect("its state").is_none() {
        let snapshot = fetched(address, "/api/v1/snapshot").unwrap_or_default();
        if let Ok(snapshot) = serde_json::from_str::<Value>(&snapshot) {
            let row = &snapshot["requests"][0];
            if row["name"] == "all" {
                shown = shown.max(row["request_count"].as_u64().unwrap_or_default());
            }
        }
    }
    let output = child.wait_with_output().expect("its output");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(said.contains(&format!("http://{address}/")), "{said}");
    let json: Value = serde_json::from_slice(&output.stdout).expect("our JSON and nothing else");
    let measured = json["requests"].as_u64().expect("a number");
    assert!(
        (10..=measured).contains(&shown),
        "{shown} of {measured} were shown"
    );
    let arrival = "closed loop, 1 user, goose's dashboard beside it";
    assert_eq!(json["arrival"], arrival);
    assert!(fetched(address, "/").is_none(), "it ends with the load");
    let refused = load(&[&url, "--goose-dashboard=0.0.0.0:5118"]);
    assert_eq!(refused.status.code(), Some(2));
}

#[test]
fn every_answer_is_held_against_the_expected_status() {
    let url = format!(
        "http://{}/x",
        serve(|head| if head.starts_with("GET") { 200 } else { 405 })
    );
    let good = json(&[&url, "--requests", "2000", "--users", "3"], 0);
    assert_eq!(good["requests"], 2000);
    assert_eq!(good["unexpected"], 0);
    for quantile in ["p50", "p90", "p95", "p99", "p999", "max"] {
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

    // Nine requests in ten by the first of two.
    seen.lock().expect("no panic").clear();
    let arguments = [&url, "--requests", "1000", "--token-pool", &pool];
    json(
        &[&arguments[..], &["--popularity", "hot=0.9:0.5"]].concat(),
        0,
    );
    let heads = seen.lock().expect("no panic").clone();
    let alpha = heads.iter().filter(|head| head.contains("bearer alpha"));
    let alpha = alpha.count();
    assert!((850..=950).contains(&alpha), "{alpha} of {}", heads.len());
}

/// Eight callers, of whom one sends nearly everything. Their tokens end before the phase does.
#[test]
fn the_tokens_of_a_cached_phase_are_said_by_flags() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let out = folder.path().join("out");
    let output = load(&[
        "--phase",
        "cache-hit",
        "--population",
        "8",
        "--popularity",
        "zipf=9",
        "--token-lifetime",
        "7s",
        "--rate",
        "50/s",
        "--duration",
        "9s",
        "--users",
        "2",
        "--out",
        &out.to_string_lossy(),
    ]);
    let errors = String::from_utf8_lossy(&output.stderr);
    // A busy machine may be late, which is nothing about tokens.
    let record = std::fs::read_to_string(out.join("run.json"));
    let record = record.unwrap_or_else(|error| panic!("{error}: {errors}"));
    let record: Value = serde_json::from_str(&record).expect("JSON");
    let phase = &record["phases"][0];
    assert_eq!(
        (&phase["requests"], &phase["errors"]),
        (&450.into(), &0.into())
    );
    let tokens = &phase["tokens"];
    // Of the second in which it is minted a part has begun.
    assert_eq!(
        (&tokens["population"], &tokens["lifetime_s"]),
        (&8.into(), &6.into())
    );
    assert_eq!(tokens["popularity"], "Zipf 9");
    assert!(tokens["refreshes"].as_u64() > Some(0), "{tokens}");
}

#[test]
fn what_makes_no_sense_is_refused_with_its_flag() {
    let url = "http://127.0.0.1:1/";
    let table: [(&[&str], &[&str]); 12] = [
        (&[url, "--popularity", "uniform"], &["--token-pool"]),
        (&["--population", "8"], &["verification", "population"]),
        (&["--popularity", "often"], &["often", "zipf=1.1"]),
        (&["tcp://127.0.0.1/"], &["tcp://127.0.0.1/"]),
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
        (&[url, "--users", "0"], &["users is 0", "1024"]),
        (
            &[url, "-H", "authorization: Bearer {token}"],
            &["--header", "--token-pool"],
        ),
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

/// A server that answers nothing for a quarter of each second, and keeps what it did with each request.
struct Stalling {
    started: Instant,
    log: Mutex<Vec<Handled>>,
}

/// One request, by the number that it carries.
#[derive(Clone, Copy)]
struct Handled {
    index: u32,
    came: Instant,
    answered: Instant,
}

impl Stalling {
    /// How much is left of the stall that an instant is in.
    fn left(&self, now: Instant) -> Duration {
        let since = now.saturating_duration_since(self.started);
        let into = Duration::from_nanos(
            u64::try_from(since.as_nanos() % PERIOD.as_nanos()).expect("below a second"),
        );
        if into < STALL_BEGINS {
            return Duration::ZERO;
        }
        PERIOD.saturating_sub(into)
    }

    fn handle(&self, head: &str) -> u16 {
        let came = Instant::now();
        stall(self.left(came));
        let token = head.split("authorization: Bearer ").nth(1);
        let number = token.and_then(|rest| rest.lines().next());
        let index = number.and_then(|number| number.parse().ok());
        self.log.lock().expect("no panic").push(Handled {
            index: index.expect("each request carries its number"),
            came,
            answered: Instant::now(),
        });
        200
    }
}

#[expect(clippy::disallowed_methods, reason = "a server that stalls for a time")]
fn stall(time: Duration) {
    std::thread::sleep(time);
}

/// What each request waited from when it was due until the server answered it, by the server's own log, sorted.
fn truth(log: &[Handled]) -> Vec<Duration> {
    let due = |index: u32| index * Duration::from_secs(1) / RATE;
    // No request comes before it is due, and on the fastest way hardly after.
    let start = log
        .iter()
        .map(|handled| handled.came.checked_sub(due(handled.index)))
        .map(|start| start.expect("the clock began before the load"))
        .min()
        .expect("a request");
    let waited = |handled: &Handled| handled.answered - (start + due(handled.index));
    let mut truth: Vec<Duration> = log.iter().map(waited).collect();
    truth.sort_unstable();
    truth
}

/// What a busy machine disturbs; an engine that is wrong is wrong each time.
const TRIES: usize = 4;

#[test]
fn response_times_are_those_of_the_requests_that_were_due() {
    let mut told = String::new();
    for _ in 0..TRIES {
        match held_against_the_truth() {
            Ok(()) => return,
            Err(difference) => told = difference,
        }
    }
    panic!("{told}");
}

fn held_against_the_truth() -> Result<(), String> {
    let stalling = Arc::new(Stalling {
        started: Instant::now(),
        log: Mutex::default(),
    });
    let server = Arc::clone(&stalling);
    let url = format!("http://{}/", serve(move |head| server.handle(head)));
    let folder = tempfile::tempdir().expect("a temporary folder");
    let pool = folder.path().join("numbers");
    let numbers: Vec<String> = (0..RATE * SECONDS).map(|n| n.to_string()).collect();
    std::fs::write(&pool, numbers.join("\n")).expect("written");
    let pool = pool.to_string_lossy();
    let (rate, duration) = (format!("{RATE}/s"), format!("{SECONDS}s"));
    // Fewer connections than a stall piles up requests: the others wait for one, which is in no service time.
    let arguments = ["--rate", &rate, "--duration", &duration, "--users", "20"];
    let output = load(
        &[
            &[url.as_str(), "--json", "--token-pool", &pool][..],
            &arguments,
        ]
        .concat(),
    );
    let said: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let log = stalling.log.lock().expect("no panic").clone();
    let truth = truth(&log);
    assert_eq!(truth.len(), numbers.len());
    let quantile = |of: &str, name: &str| {
        let us = said[of][name].as_f64().expect(name);
        Duration::from_secs_f64(us / 1e6)
    };
    for (name, in_a_thousand) in [
        ("p90", 900),
        ("p95", 950),
        ("p99", 990),
        ("p999", 999),
        ("max", 1000),
    ] {
        let wanted = truth[(truth.len() * in_a_thousand).div_ceil(1000) - 1];
        // 2 % of the truth, and what an answer takes to be read.
        let tolerance = wanted / 50 + Duration::from_millis(10);
        let told = quantile("latency_us", name);
        if told.abs_diff(wanted) > tolerance {
            return Err(format!("{name}: {told:?} and not {wanted:?}: {said}"));
        }
    }
    // 20 requests of a stall's 100 were sent into it: a tool that times from sending finds one in twenty slow, not a fourth.
    let (service, response) = (quantile("service_us", "p90"), quantile("latency_us", "p90"));
    if service * 3 < response {
        Ok(())
    } else {
        Err(format!("{service:?} and {response:?}: {said}"))
    }
}
