//! Targets that die, hang or lose requests half-way, through the real binary: exit 14 with a diagnosis and not a verdict
//! on the target, within seconds, and what was found before is in the record.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Output, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use crate::support::authbench;
use loadgen::record::Outcome;
use loadgen::record::{RecordStore, RunRecord, RunStatus};

/// What a server does with a request.
#[derive(Clone, Copy)]
enum Answer {
    /// Closes the connection.
    Close,
    /// Keeps the client waiting.
    Hang,
    /// A status.
    Status(u16),
}

/// Answers on threads. `answer` is told the request's number, from 0, and whether it brings a token.
fn serve(
    listener: TcpListener,
    answer: impl Fn(usize, bool) -> Answer + Send + Sync + 'static,
) -> SocketAddr {
    let address = listener.local_addr().expect("an address");
    let (answer, asked) = (Arc::new(answer), Arc::new(AtomicUsize::new(0)));
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let (answer, asked) = (Arc::clone(&answer), Arc::clone(&asked));
            std::thread::spawn(move || answer_all(stream, &asked, &*answer));
        }
    });
    address
}

fn answer_all(
    mut stream: TcpStream,
    asked: &AtomicUsize,
    answer: &impl Fn(usize, bool) -> Answer,
) -> Option<()> {
    let reading = BufReader::new(stream.try_clone().ok()?);
    let mut token = false;
    for line in reading.split(b'\n') {
        let line = String::from_utf8_lossy(&line.ok()?)
            .trim()
            .to_ascii_lowercase();
        token |= line.starts_with("authorization: bearer ey");
        if !line.is_empty() {
            continue;
        }
        match answer(asked.fetch_add(1, Ordering::SeqCst), token) {
            Answer::Close => return None,
            Answer::Hang => {
                std::thread::park();
            }
            Answer::Status(status) => {
                let text = format!("HTTP/1.1 {status} X\r\ncontent-length: 0\r\n\r\n");
                stream.write_all(text.as_bytes()).ok()?;
            }
        }
        token = false;
    }
    Some(())
}

fn decision(token: bool) -> Answer {
    Answer::Status(if token { 200 } else { 401 })
}

fn anywhere() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").expect("a port")
}

#[test]
#[ignore = "the process that the other tests start: it ends after so many answers"]
fn dying_server() {
    let variable = |name: &str| std::env::var(name).expect(name);
    let address = format!("127.0.0.1:{}", variable("PORT"));
    let answers: usize = variable("ANSWERS").parse().expect("a number");
    let noise = "noise ".repeat(variable("NOISE_KB").parse::<usize>().expect("a number") * 170);
    let (ended, end) = mpsc::channel();
    let listener = TcpListener::bind(address).expect("the port");
    serve(listener, move |number, token| {
        if number < answers {
            // Without an end of line: a reader that waits for one would hold all of it.
            print!("{noise}");
            eprint!("{noise}");
            return decision(token);
        }
        // The other end is gone when this is not the first.
        let _ = ended.send(());
        Answer::Close
    });
    end.recv().expect("a last request");
    panic!("no memory left");
}

#[test]
#[ignore = "the process that other tests start: a function that refuses some events, and ends after it or lets the first one in"]
fn leaving_function() {
    let refused = std::env::var("REFUSED").expect("REFUSED");
    let let_in_once = std::env::var("LET_IN_ONCE").ok();
    let api = std::env::var("AWS_LAMBDA_RUNTIME_API").expect("a Runtime API");
    let call = |method: &str, path: &str, body: &str| -> (String, String) {
        let mut stream = TcpStream::connect(&api).expect("the Runtime API");
        let length = body.len();
        let head =
            format!("{method} /2018-06-01/runtime/invocation/{path} HTTP/1.1\r\nhost: {api}");
        let request =
            format!("{head}\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}");
        stream.write_all(request.as_bytes()).expect("a request");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
        (head.to_ascii_lowercase(), body.to_owned())
    };
    loop {
        let (head, event) = call("GET", "next", "");
        let id = head
            .lines()
            .find_map(|line| line.strip_prefix("lambda-runtime-aws-request-id: "));
        let id = id.expect("an id");
        let first = || {
            let file = let_in_once.as_ref()?;
            std::fs::File::create_new(file).ok()
        };
        if event.contains(&refused) && first().is_none() {
            call(
                "POST",
                &format!("{id}/error"),
                r#"{"errorMessage":"Unauthorized","errorType":"E"}"#,
            );
            if let_in_once.is_none() {
                return;
            }
            continue;
        }
        let policy = r#"{"principalId":"p","policyDocument":{"Version":"2012-10-17","Statement":
            [{"Action":"execute-api:Invoke","Effect":"Allow","Resource":"*"}]}}"#;
        call("POST", &format!("{id}/response"), policy);
    }
}

/// Writes a target file that starts [`dying_server`].
fn dying_target(folder: &Path, answers: usize) {
    noisy_target(folder, answers, 0);
}

/// The same of a server that prints so much for each answer, on both of its outputs.
fn noisy_target(folder: &Path, answers: usize, kb: usize) {
    let own = std::env::current_exe().expect("this test's own path");
    let text = format!(
        "name = \"dying\"\nkind = \"http\"\n[command]\nprogram = '{}'\n\
         args = [\"--ignored\", \"--exact\", \"failing_targets::dying_server\", \"--nocapture\"]\n\
         [command.env]\nPORT = \"{{port}}\"\nANSWERS = \"{answers}\"\nNOISE_KB = \"{kb}\"\n[request]\npath = \"/planets\"\n",
        own.display()
    );
    std::fs::write(folder.join("dying.toml"), text).expect("written");
}

fn run(folder: &Path, arguments: &[&str], exit: i32, parts: &[&str]) -> RunRecord {
    let started = Instant::now();
    let Output {
        status,
        stdout,
        stderr,
    } = authbench(folder)
        .args(arguments)
        .args(["--out", "out"])
        .output()
        .expect("authbench starts");
    let printed = String::from_utf8_lossy(&stdout) + String::from_utf8_lossy(&stderr);
    assert_eq!(status.code(), Some(exit), "{arguments:?}: {printed}");
    assert!(
        started.elapsed() < Duration::from_secs(30),
        "{arguments:?} took {:?}",
        started.elapsed()
    );
    let record = RecordStore::load(&folder.join("out")).unwrap_or_else(|error| panic!("{error}"));
    let reasons = record.verdict.reasons.join("\n");
    for part in parts {
        assert!(reasons.contains(part), "{part:?} is missing in: {reasons}");
    }
    record
}

#[test]
fn a_server_that_dies_among_the_cases_is_told_with_the_case_and_the_cases_before_are_kept() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    dying_target(folder.path(), 50);
    let record = run(
        folder.path(),
        &["conform", "--target", "dying.toml"],
        14,
        &[
            "stopped answering after case ",
            "exit status: 101",
            "dying_server",
        ],
    );
    assert_eq!(record.status, RunStatus::Failed);
    let cases = record.conformance.expect("what was asked").cases;
    assert!((30..=50).contains(&cases.len()), "{} cases", cases.len());
    let faults = cases.iter().filter(|case| case.outcome == Outcome::Fault);
    assert_eq!(faults.count(), 1, "the last one alone");
}

/// Writes a target file that starts [`leaving_function`].
fn leaving_target(folder: &Path, environment: &str) {
    let own = std::env::current_exe().expect("this test's own path");
    let text = format!(
        "name = \"leaving\"\nkind = \"lambda\"\n[command]\nprogram = '{}'\n\
         args = [\"--ignored\", \"--exact\", \"failing_targets::leaving_function\", \"--nocapture\"]\n\
         [command.env]\n{environment}\n",
        own.display()
    );
    std::fs::write(folder.join("leaving.toml"), text).expect("written");
}

/// Asks [`leaving_function`] one sequence of these steps and nothing else.
fn play(folder: &Path, environment: &str, steps: &str, exit: i32) -> loadgen::record::CaseRecord {
    leaving_target(folder, environment);
    let sequence = format!(
        "group = \"own\"\ntitle = \"Own\"\n[[sequence]]\nid = \"own::refused-there\"\ntitle = \"t\"\nclause = \"c\"\n\
         level = \"MUST\"\nseverity = \"low\"\ncause = \"own-rule\"\nimpact = \"i\"\nfix = \"f\"\nstep = [\n{steps}]\n"
    );
    std::fs::write(folder.join("own.toml"), sequence).expect("written");
    let selection = ["--cases", "own.toml", "--filter", "own::"];
    let arguments = [&["conform", "--target", "leaving.toml"], &selection[..]].concat();
    let record = run(folder, &arguments, exit, &[]);
    let mut cases = record.conformance.expect("asked").cases;
    assert_eq!(cases.len(), 1);
    cases.remove(0)
}

/// A sequence that is refused at a path of its own.
const REFUSED_THERE: &str = "{ mint = \"a\" },\n{ send = [\"a\"], expect = \"allow\" },\n\
    { send = [\"a\"], expect = \"refused\", path = \"/7\" },\n";

#[test]
fn a_function_whose_process_ends_within_a_sequence_is_at_fault_though_the_next_one_answers() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let leaves = "REFUSED = \"/planets/7\"";
    let judged = play(folder.path(), leaves, REFUSED_THERE, 10);
    assert_eq!(judged.outcome, Outcome::Fault);
    let reason = judged.reason.as_deref();
    assert_eq!(reason, Some("a process of the target ended"));
    assert!(judged.flaky.is_empty());

    // No stranger did that.
    let folder = tempfile::tempdir().expect("a temporary folder");
    let steps = format!("{{ fail = \"close\" }},\n{REFUSED_THERE}");
    let judged = play(folder.path(), leaves, &steps, 0);
    assert_eq!(judged.outcome, Outcome::Note);
    assert_eq!(
        judged.reason.as_deref(),
        Some("a process of the target ended")
    );
}

#[test]
fn a_sequence_that_passes_now_and_then_fails_and_is_told_as_changing() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("let-in");
    let environment = format!(
        "REFUSED = \"/planets/7\"\nLET_IN_ONCE = '{}'",
        file.display()
    );
    let judged = play(folder.path(), &environment, REFUSED_THERE, 10);
    assert_eq!(judged.outcome, Outcome::UnexpectedAllow);
    assert_eq!(judged.flaky, [200, 401, 401]);
    let reason = judged.reason.as_deref().unwrap_or_default();
    assert!(reason.contains("of 3 plays 2 passed"), "{reason}");
}

#[test]
fn a_function_whose_process_ends_after_its_answer_is_at_fault_though_the_next_one_answers() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    leaving_target(folder.path(), "REFUSED = \"Basic \"");
    let filters = [
        "--filter",
        "rfc6750::basic-scheme",
        "--filter",
        "rfc9110::scheme-upper-case",
    ];
    let arguments = [&["conform", "--target", "leaving.toml"], &filters[..]].concat();
    let record = run(folder.path(), &arguments, 10, &["1 low case fails"]);
    let cases = record.conformance.expect("asked").cases;
    let found: Vec<_> = cases
        .iter()
        .map(|case| (case.id.as_str(), case.outcome, case.reason.as_deref()))
        .collect();
    let ended = Some("a process of the target ended");
    assert_eq!(
        found,
        [
            ("rfc9110::scheme-upper-case", Outcome::Pass, None),
            ("rfc6750::basic-scheme", Outcome::Fault, ended),
        ]
    );
}

#[test]
fn a_server_that_floods_its_log_is_asked_to_the_end_and_quoted_briefly() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    noisy_target(folder.path(), 60, 1_000);
    let record = run(
        folder.path(),
        &["conform", "--target", "dying.toml", "--filter", "rfc6750::"],
        10,
        &["fail"],
    );
    let cases = record.conformance.expect("asked").cases;
    let asked = cases.iter().filter(|case| case.observed.is_some());
    assert!(asked.count() >= 10, "{cases:?}");
    let kept = std::fs::metadata(folder.path().join("out/run.json")).expect("a record");
    assert!(kept.len() < 1_000_000, "{} bytes", kept.len());
}

#[test]
fn a_server_that_dies_under_load_ends_the_phase_and_the_samples_before_are_kept() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    dying_target(folder.path(), 200);
    let record = run(
        folder.path(),
        &["load", "--target", "dying.toml", "--requests", "5000"],
        14,
        &[
            "stopped answering after the phase verification",
            "exit status: 101",
            "the target lost ",
        ],
    );
    assert_eq!(record.status, RunStatus::Failed);
    let phase = &record.phases[0];
    assert!(phase.interrupted);
    assert!((150..=200).contains(&phase.requests), "{}", phase.requests);
    assert!(
        phase.errors < 300,
        "{} requests to a dead port",
        phase.errors
    );
}

#[test]
fn a_target_without_a_decision_is_no_nonconformant_one() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let broken = serve(anywhere(), |_, _| Answer::Status(503));
    let url = format!("http://{broken}/planets");
    let record = run(
        folder.path(),
        &["load", "--url", &url],
        14,
        &["no decision on a genuine token: 503"],
    );
    assert!(
        record.phases.is_empty(),
        "no load on a target that decides nothing"
    );

    let text = "name = \"exits\"\nkind = \"lambda\"\n[command]\nprogram = \"false\"\n";
    std::fs::write(folder.path().join("exits.toml"), text).expect("written");
    let text = "name = \"cold\"\nissuer = \"auth0\"\ntarget = \"exits.toml\"\naudience = \"a\"\nscope = \"s\"\n\
                [[phase]]\nkind = \"cold-start\"\nsamples = 5\nbudget = \"20s\"\n";
    std::fs::write(folder.path().join("cold.toml"), text).expect("written");
    let record = run(
        folder.path(),
        &["run", "cold.toml", "--force"],
        14,
        &[
            "no decision on a genuine token",
            "cold start: the target lost 1 request:",
        ],
    );
    let phase = &record.phases[0];
    assert_eq!((phase.wrong_decisions, phase.errors), (0, 1));
}

#[test]
fn lost_requests_are_the_testbeds_and_the_run_goes_on() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let flaky = serve(anywhere(), |number, token| match number % 20 {
        19 => Answer::Close,
        _ => decision(token),
    });
    let url = format!("http://{flaky}/planets");
    let record = run(
        folder.path(),
        &["load", "--url", &url, "--requests", "200", "--users", "1"],
        14,
        &["verification: the target lost 10 requests: no decision came"],
    );
    assert_eq!(record.status, RunStatus::Complete);
    assert_eq!(
        (record.phases[0].requests, record.phases[0].errors),
        (190, 10)
    );
}

#[test]
fn a_case_without_a_decision_is_its_own_finding_while_the_target_decides() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let server = serve(anywhere(), |number, token| match number {
        // Beyond what is asked before the first case.
        40 => Answer::Close,
        _ => decision(token),
    });
    let url = format!("http://{server}/planets");
    let record = run(folder.path(), &["conform", "--url", &url], 10, &[]);
    let cases = record.conformance.expect("asked").cases;
    assert!(cases.len() > 200, "{} cases", cases.len());
    let faults = cases.iter().filter(|case| case.outcome == Outcome::Fault);
    assert_eq!(faults.count(), 1);
}

#[test]
fn a_signal_does_not_wait_for_a_target_that_hangs() {
    use nix::sys::signal::{Signal, kill};
    let folder = tempfile::tempdir().expect("a temporary folder");
    for command in ["conform", "load"] {
        let (hanging, hangs) = mpsc::channel();
        let server = serve(anywhere(), move |number, token| {
            if number < 8 {
                return decision(token);
            }
            // The test waits for the first alone.
            let _ = hanging.send(());
            Answer::Hang
        });
        let url = format!("http://{server}/planets");
        let mut child = authbench(folder.path())
            .args([command, "--url", &url, "--out", command])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("authbench starts");
        hangs
            .recv_timeout(Duration::from_secs(30))
            .expect("a request that hangs");
        let started = Instant::now();
        let id = i32::try_from(child.id()).expect("a process id");
        kill(nix::unistd::Pid::from_raw(id), Signal::SIGINT).expect("a signal is sent");
        let status = child.wait().expect("authbench ends");
        assert_eq!(status.code(), Some(130), "{command}");
        assert!(
            started.elapsed() < Duration::from_secs(5),
            "{command} took {:?}",
            started.elapsed()
        );
        let record = RecordStore::load(&folder.path().join(command)).expect("the record");
        assert_eq!(record.status, RunStatus::Interrupted);
    }
}
