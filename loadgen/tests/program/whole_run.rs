//! The whole bench through the real binary: real processes, real sockets, small numbers.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::support::{authbench, run, text, wait_until};
use loadgen::record::Outcome;
use loadgen::record::{CaseRecord, RecordStore, RunRecord, RunStatus};

const SCENARIO: &str = r#"
name = "small"
issuer = "auth0"
target = "authbench"
audience = "https://planets.example.com/"
scope = "read:planets"
[conformance]
gate = "high"
[[phase]]
kind = "cold-start"
samples = 2
cold_disk = 0
budget = "20s"
[[phase]]
kind = "verification"
users = 2
requests = 60
[phase.mix]
"baseline::valid" = 3
"rfc7519::exp-one-hour-past" = 1
"rfc7519::aud-wrong" = 1
"rfc6750::scope-missing" = 1
[[phase]]
kind = "cache-hit"
users = 2
requests = 200
"#;

fn small_scenario(folder: &Path) -> PathBuf {
    let path = folder.join("small.toml");
    std::fs::write(&path, SCENARIO).expect("written");
    path
}

fn load(folder: &Path) -> RunRecord {
    RecordStore::load(folder).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn a_run_leaves_a_record_and_a_report_and_is_good() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    small_scenario(folder.path());
    let output = run(folder.path(), &["run", "small.toml", "--out", "out"]);
    let printed = text(&output.stdout);
    assert_eq!(
        output.status.code(),
        Some(0),
        "{printed}\n{}",
        text(&output.stderr)
    );

    let record = load(&folder.path().join("out"));
    assert_eq!(record.status, RunStatus::Complete);
    every_case_passes(&record);
    every_phase_counts(&record);

    let html = std::fs::read_to_string(folder.path().join("out/report.html")).expect("the report");
    assert!(html.contains("authbench authorizer") && html.contains("<svg"));
    let report = run(folder.path(), &["report", "out"]);
    assert_eq!(report.status.code(), Some(0), "{}", text(&report.stderr));
    assert!(
        printed.contains(&text(&report.stdout)),
        "a report is made from the record alone"
    );
}

fn every_case_passes(record: &RunRecord) {
    let cases = &record
        .conformance
        .as_ref()
        .expect("conformance was asked")
        .cases;
    assert!(cases.len() >= 60, "{} cases", cases.len());
    // Behind the gateway its policy is not seen and covers the whole stage, and the gateway writes the answers and hands on no
    // token of 256 KB; `invoke_endpoint.rs` asks the rest.
    let elsewhere = |case: &CaseRecord| {
        let reason = case.reason.as_deref().unwrap_or_default();
        case.id.starts_with("apigw::")
            || case.id.contains("-method-")
            || reason.contains("which the gateway writes")
            || reason.contains("nobody has looked at this one")
            // It trusts the public authorities alone.
            || reason.contains("trusted-ca")
            // `invoke_endpoint.rs` asks the target that has two.
            || reason.contains("two-issuers")
            // It asks the target that takes them, too.
            || reason.contains("Amazon Cognito's tokens")
    };
    // A TOKEN event has no query, and keys are kept for as long as the settings say, whatever the issuer does.
    let by_design = [
        "rfc6750::good-in-field-forged-in-query",
        "rotation::withdrawn-and-cached-for-a-second",
    ];
    let is_right = |case: &CaseRecord| match case.outcome {
        Outcome::Note => by_design.contains(&case.id.as_str()),
        outcome => outcome == Outcome::Pass,
    };
    let (skipped, asked): (Vec<_>, Vec<_>) = cases
        .iter()
        .partition(|case| case.outcome == Outcome::Skip && elsewhere(case));
    assert!(skipped.iter().all(|case| case.reason.is_some()));
    let wrong: Vec<_> = asked
        .iter()
        .filter(|case| !is_right(case))
        .map(|case| &case.id)
        .collect();
    assert!(
        wrong.is_empty(),
        "our own authorizer and these cases: {wrong:?}"
    );
    assert!(asked.iter().all(|case| case.observed.is_some()));
}

fn every_phase_counts(record: &RunRecord) {
    let phases: Vec<_> = record
        .phases
        .iter()
        .map(|phase| (phase.kind.as_str(), phase.requests))
        .collect();
    assert_eq!(
        phases,
        [("cold-start", 2), ("verification", 60), ("cache-hit", 200)]
    );
    let counter = |kind: usize, name: &str| {
        record.phases[kind]
            .counters
            .iter()
            .find(|counter| counter.name == name)
            .expect(name)
            .moved
    };
    assert_eq!(
        counter(1, "authorizer invocations"),
        60,
        "each token is new"
    );
    assert_eq!(counter(2, "authorizer invocations"), 0, "the cache decides");
    assert_eq!(counter(2, "policy cache hits"), 200);
    let spans: Vec<_> = record.phases[0]
        .series
        .iter()
        .filter(|series| series.class == "all")
        .map(|series| series.name.as_str())
        .collect();
    assert_eq!(
        spans,
        [
            "total",
            "process start",
            "init",
            "first decision",
            "to the keys",
            "after the keys"
        ]
    );
    let keys = &record.phases[0].series[4];
    assert!(
        keys.min_ns > 10_000,
        "a fetch takes longer than {} ns",
        keys.min_ns
    );
    assert!(record.calibration.is_some());
}

/// A server that answers 200 to whoever brings any token at all: the commonest fatal mistake.
#[test]
fn a_subject_that_does_not_verify_fails_the_gate_and_is_not_timed() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    small_scenario(folder.path());
    let server = broken_verifier();
    let file = format!("name = \"broken\"\nkind = \"http\"\nurl = \"http://{server}/planets\"\n");
    std::fs::write(folder.path().join("broken.toml"), file).expect("written");
    let output = run(
        folder.path(),
        &[
            "run",
            "small.toml",
            "--target",
            "broken.toml",
            "--out",
            "out",
        ],
    );
    assert_eq!(output.status.code(), Some(10), "{}", text(&output.stderr));
    let record = load(&folder.path().join("out"));
    assert!(record.phases.is_empty(), "a wrong answer has no latency");
    assert_eq!(record.skipped.len(), 3);
    let cases = record.conformance.expect("conformance was asked").cases;
    let outcome = |id: &str| cases.iter().find(|case| case.id == id).expect(id).outcome;
    assert_eq!(outcome("baseline::valid"), Outcome::Pass);
    for id in [
        "rfc7519::exp-one-hour-past",
        "rfc7519::aud-wrong",
        "rfc6750::scope-missing",
    ] {
        assert_eq!(outcome(id), Outcome::UnexpectedAllow, "{id}");
    }
}

/// Serves on a thread for as long as the test runs.
fn broken_verifier() -> std::net::SocketAddr {
    use std::io::{BufRead, BufReader, Write};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { continue };
            std::thread::spawn(move || {
                let Ok(reading) = stream.try_clone() else {
                    return;
                };
                let mut authorized = false;
                for line in BufReader::new(reading).split(b'\n') {
                    let Ok(line) = line else { return };
                    let line = String::from_utf8_lossy(&line).trim().to_ascii_lowercase();
                    authorized |= line.starts_with("authorization: bearer ");
                    if line.is_empty() {
                        let status = if authorized {
                            "200 OK"
                        } else {
                            "401 Unauthorized"
                        };
                        let answer = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n");
                        if stream.write_all(answer.as_bytes()).is_err() {
                            return;
                        }
                        authorized = false;
                    }
                }
            });
        }
    });
    address
}

#[test]
fn ctrl_c_ends_the_children_and_keeps_the_finished_phases() {
    use nix::sys::signal::{Signal, kill};
    let folder = tempfile::tempdir().expect("a temporary folder");
    let endless = SCENARIO.replace("requests = 200", "duration = \"300s\"");
    std::fs::write(folder.path().join("endless.toml"), endless).expect("written");
    let mut child = authbench(folder.path())
        .args(["run", "endless.toml", "--out", "out"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("authbench starts");
    let id = i32::try_from(child.id()).expect("a process id");
    // The verification phase is saved before the endless one begins.
    let record_path = folder.path().join("out/run.json");
    wait_until("two phases are saved", || {
        std::fs::read_to_string(&record_path).is_ok_and(|json| json.contains("\"verification\""))
    });
    wait_until("the subject runs", || !children_of(id).is_empty());
    let subject = children_of(id);
    kill(nix::unistd::Pid::from_raw(id), Signal::SIGINT).expect("a signal is sent");
    let started = Instant::now();
    let status = child.wait().expect("authbench ends");
    assert!(
        started.elapsed() < Duration::from_secs(15),
        "it took {:?}",
        started.elapsed()
    );
    assert_eq!(status.code(), Some(130));
    let record = load(&folder.path().join("out"));
    assert_eq!(record.status, RunStatus::Interrupted);
    let kinds: Vec<_> = record
        .phases
        .iter()
        .map(|phase| phase.kind.as_str())
        .collect();
    assert!(
        kinds.starts_with(&["cold-start", "verification"]),
        "{kinds:?}"
    );
    for process in subject {
        let gone = !Path::new(&format!("/proc/{process}")).exists();
        assert!(gone, "child {process} outlived the bench");
    }
}

/// Ids of the processes that a process has started (`/proc/<pid>/stat`, field 4 of proc(5)).
fn children_of(parent: i32) -> Vec<i32> {
    let entries = std::fs::read_dir("/proc").expect("a /proc file system");
    entries
        .filter_map(|entry| {
            let entry = entry.ok()?;
            let id: i32 = entry.file_name().to_str()?.parse().ok()?;
            let stat = std::fs::read_to_string(entry.path().join("stat")).ok()?;
            let after_name = stat.rsplit_once(')')?.1;
            let of: i32 = after_name.split_ascii_whitespace().nth(1)?.parse().ok()?;
            (of == parent).then_some(id)
        })
        .collect()
}

#[test]
fn the_okta_profile_several_scopes_and_the_in_process_target_are_good() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for arguments in [
        &["conform", "--issuer", "okta", "--out", "okta"][..],
        &["conform", "--target", "in-process", "--out", "in-process"],
        // Okta's tokens hold scopes as a list, in which one item with a blank is another scope.
        &[
            "load",
            "--issuer",
            "okta",
            "--scope",
            "read:planets read:moons",
            "--requests",
            "20",
            "--users",
            "1",
            "--out",
            "scopes",
        ],
    ] {
        let output = run(folder.path(), arguments);
        assert_eq!(
            output.status.code(),
            Some(0),
            "{arguments:?}: {}{}",
            text(&output.stdout),
            text(&output.stderr)
        );
    }
}

const COURSE: &str = r#"
name = "course"
issuer = "auth0"
target = "authbench"
audience = "https://planets.example.com/"
scope = "read:planets"
[[phase]]
kind = "verification"
name = "outage"
# One environment: another that is started in the outage has no keys, and loses what it is asked.
users = 1
rate = "100/s"
duration = "3s"
limits = { wrong_decisions = 0, lost = 0, jwks_fetches = 20, memory_growth_mb = 500 }
[[phase.event]]
at = "2s"
serve = "rotated"
[[phase.event]]
at = "500ms"
fail = { status = 503 }
[phase.mix]
"baseline::valid" = 1
"rfc7515::unknown-kid-attacker-key" = 1
"#;

#[test]
fn what_happens_to_the_issuer_is_on_the_clock_of_the_phase_and_limits_are_judged() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let write = |text: &str| std::fs::write(folder.path().join("c.toml"), text).expect("written");
    write(COURSE);
    run(folder.path(), &["run", "c.toml", "--out", "out"]);
    let record = load(&folder.path().join("out"));
    let phase = &record.phases[0];
    let happened: Vec<_> = phase
        .events
        .iter()
        .map(|event| event.what.as_str())
        .collect();
    assert_eq!(
        happened,
        ["the issuer fails: status", "the issuer publishes Rotated"]
    );
    assert!((500..2000).contains(&phase.events[0].after_ms));
    assert!(phase.events[1].after_ms >= 2000);
    assert!(phase.memory.len() >= 3, "{:?}", phase.memory);
    assert!(
        phase
            .memory
            .iter()
            .all(|sample| sample.resident_bytes > 1_000_000)
    );
    assert!(
        phase.limits.iter().all(|limit| limit.kept),
        "{:?}",
        phase.limits
    );
    let fetches = phase.limit("jwks_fetches").expect("a limit");
    assert_eq!((fetches.most, fetches.kept), (20, true));
}
