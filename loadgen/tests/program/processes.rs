//! What the bench starts, through the real binary: ended with it, and quoted without its tokens.

use std::path::Path;
use std::process::Stdio;

use crate::support::{authbench, wait_until};

const HTTP: &str = "[request]\npath = \"/\"\n[ready]\ntimeout = \"500ms\"\n";

/// A token of somebody, as a server logs it.
const TOKEN: &str = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ1c2VyIn0.c2lnbmF0dXJl";

/// The variable that makes this binary a server that takes connections and never answers.
const MUTE_PORT: &str = "MUTE_PORT";

/// Writes `t.toml`: an http target whose `[command]` these lines are.
fn target(folder: &Path, lines: &str) {
    write_target(folder, "http", &format!("{lines}\n{HTTP}"));
}

fn write_target(folder: &Path, kind: &str, command: &str) {
    let text = format!("name = \"t\"\nkind = \"{kind}\"\n[command]\n{command}\n");
    std::fs::write(folder.join("t.toml"), text).expect("written");
}

/// Asks the target, which cannot work, and returns everything that is said and saved.
fn failure(folder: &Path) -> String {
    // What an earlier call has left; the first one finds nothing.
    let _ = std::fs::remove_dir_all(folder.join("out"));
    let output = authbench(folder)
        .args(["conform", "--target", "t.toml", "--out", "out"])
        .output()
        .expect("authbench starts");
    let mut said = String::from_utf8_lossy(&output.stderr).into_owned();
    said += &String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(14), "{said}");
    for file in ["run.json", "report.html"] {
        said += &std::fs::read_to_string(folder.join("out").join(file)).expect(file);
    }
    said
}

#[test]
fn a_message_quotes_what_a_process_printed_and_no_token() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let stay = format!("sleep 98765.{}", std::process::id());
    let table = [
        (
            format!("program = \"sh\"\nargs = [\"-c\", \"echo Authorization: Bearer $T; exit 3\"]\nenv = {{ T = \"{TOKEN}\" }}"),
            "Authorization: Bearer [token]",
        ),
        (
            format!("program = \"sh\"\nargs = [\"-c\", \"printf 'no line break'; {stay}\"]"),
            "no line break",
        ),
        (
            "program = \"sh\"\nargs = []\nsetup = [\"sh\", \"-c\", \"echo no such package; exit 1\"]\nsetup_creates = \"packages\""
                .to_owned(),
            "no such package",
        ),
        (
            "program = \"sh\"\nrequires = [\"sh\", \"no-such-program-7\"]\nsetup = [\"sh\", \"-c\", \"echo set up; exit 1\"]\nsetup_creates = \"packages\""
                .to_owned(),
            "requires `no-such-program-7`, which is not in PATH",
        ),
    ];
    for (lines, wanted) in table {
        target(folder.path(), &lines);
        let said = failure(folder.path());
        assert!(said.contains(wanted), "{wanted:?} is missing in: {said}");
        assert!(!said.contains("eyJ"), "a token in: {said}");
    }
}

#[test]
fn what_a_lambda_says_about_its_own_failure_is_in_the_message() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let settings = "[command.env]\nTOKEN_ISSUER = \"{issuer}\"\nAUDIENCE = \"{audience}\"";
    let table = [
        (
            format!("program = \"{{authbench}}\"\nargs = [\"bootstrap\"]\n{settings}"),
            &[
                "INIT failed: Authorizer.Settings",
                "JWKS_URI",
                "printed last",
            ][..],
        ),
        (
            "program = \"false\"".to_owned(),
            &[
                "INIT failed: Runtime.ExitError",
                "exit status: 1",
                "printed nothing",
            ],
        ),
        // Lambda's own 10 s of INIT are waited for, since the gateway knows what it waits for and the client does not.
        (
            format!(
                "program = \"sleep\"\nargs = [\"98763.{}\"]",
                std::process::id()
            ),
            &["500 by R-FN-500", "INIT timed out after 10.00 seconds"],
        ),
    ];
    for (command, wanted) in table {
        write_target(folder.path(), "lambda", &command);
        let said = failure(folder.path());
        for part in wanted {
            assert!(said.contains(part), "{part:?} is missing in: {said}");
        }
    }
}

#[test]
fn a_built_in_target_brings_its_files_and_needs_no_checkout() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().expect("a temporary folder");
    // Stand-ins for what is not installed everywhere: one looks for the lock file, the other prints what it would run.
    for (name, script) in [
        ("npm", "test -f package-lock.json && mkdir node_modules"),
        ("node", "head -n 1 \"$1\"; exit 3"),
    ] {
        let path = folder.path().join(name);
        std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).expect("written");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755))
            .expect("executable");
    }
    let own_first = std::env::join_paths(std::iter::once(folder.path().to_owned()).chain(
        std::env::split_paths(&std::env::var_os("PATH").expect("a PATH")),
    ))
    .expect("a PATH");
    let output = authbench(folder.path())
        .args(["conform", "--target", "express-oauth2-jwt-bearer"])
        .env("PATH", own_first)
        .env("AUTHBENCH_CACHE", folder.path().join("cache"))
        .output()
        .expect("authbench starts");
    let said = String::from_utf8_lossy(&output.stderr) + String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(14), "{said}");
    assert!(said.contains("exit status: 3"), "{said}");
    assert!(
        said.contains("A resource server as the library's README builds one"),
        "{said}"
    );
}

#[test]
fn a_working_directory_that_is_missing_is_named() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    target(
        folder.path(),
        "program = \"sh\"\nworking_dir = \"elsewhere\"",
    );
    let said = failure(folder.path());
    assert!(
        said.contains("working_dir elsewhere is no folder"),
        "{said}"
    );
}

#[test]
fn serve_gateway_tells_the_developer_what_the_caller_is_not_told() {
    use nix::sys::signal::{Signal, kill};
    use std::io::{BufRead as _, BufReader, Read as _, Write as _};
    let folder = tempfile::tempdir().expect("a temporary folder");
    write_target(
        folder.path(),
        "lambda",
        &format!(
            "program = \"sh\"\nargs = [\"-c\", \"echo no module for $T >&2; exit 1\"]\nenv = {{ T = \"{TOKEN}\" }}"
        ),
    );
    let mut gateway = authbench(folder.path())
        .args([
            "serve",
            "gateway",
            "--target",
            "t.toml",
            "--listen",
            "127.0.0.1:0",
        ])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("authbench starts");
    let mut printed = BufReader::new(gateway.stdout.take().expect("its output"));
    let mut url = String::new();
    printed.read_line(&mut url).expect("where it listens");
    let authority = url
        .trim()
        .strip_prefix("planets  http://")
        .and_then(|rest| rest.split('/').next())
        .expect("an address");
    let mut caller = std::net::TcpStream::connect(authority).expect("a connection");
    let request = "GET /test/planets HTTP/1.1\r\nhost: g\r\nauthorization: Bearer a\r\nconnection: close\r\n\r\n";
    caller.write_all(request.as_bytes()).expect("a request");
    let mut answer = String::new();
    caller.read_to_string(&mut answer).expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 500"), "{answer}");

    let id = i32::try_from(gateway.id()).expect("a process id");
    kill(nix::unistd::Pid::from_raw(id), Signal::SIGINT).expect("a signal is sent");
    let output = gateway.wait_with_output().expect("it ends");
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(
        String::from_utf8_lossy(&output.stderr),
        "authorizer | no module for [token]\n\
         authbench: INIT failed: Runtime.ExitError: RequestId: INIT Error: Runtime exited with error: exit status: 1\n"
    );
}

#[test]
fn a_server_that_connects_and_never_answers_is_described_as_such() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let own = std::env::current_exe().expect("this binary");
    let lines = format!(
        "program = {own:?}\nargs = [\"--exact\", \"processes::the_mute_server_takes_connections_and_never_answers\"]\n\
         [command.env]\n{MUTE_PORT} = \"{{port}}\""
    );
    target(folder.path(), &lines);
    let said = failure(folder.path());
    assert!(said.contains("connected, and no answer"), "{said}");
}

/// In a test run this passes at once; started by the bench it is the server.
#[test]
fn the_mute_server_takes_connections_and_never_answers() {
    let Ok(port) = std::env::var(MUTE_PORT) else {
        return;
    };
    let listener = std::net::TcpListener::bind(format!("127.0.0.1:{port}")).expect("the port");
    let mut held = Vec::new();
    for stream in listener.incoming() {
        held.push(stream);
    }
}

#[test]
fn ctrl_c_during_a_setup_ends_it_whole_and_the_next_run_sets_up_again() {
    use nix::sys::signal::{Signal, kill};
    let folder = tempfile::tempdir().expect("a temporary folder");
    // The number after `sleep` is how the test finds the process. `true` keeps the shell from becoming it.
    let mark = format!("98764.{}", std::process::id());
    let setup = |then: &str| {
        format!(
            "program = \"no-such-program\"\n\
             setup = [\"sh\", \"-c\", \"mkdir -p packages; {then}; true\"]\nsetup_creates = \"packages\""
        )
    };
    target(folder.path(), &setup(&format!("sleep {mark}")));
    let mut bench = authbench(folder.path())
        .args(["conform", "--target", "t.toml", "--out", "out"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("authbench starts");
    wait_until("the setup runs", || running(&mark) > 1);
    let id = i32::try_from(bench.id()).expect("a process id");
    kill(nix::unistd::Pid::from_raw(id), Signal::SIGINT).expect("a signal is sent");
    assert_eq!(bench.wait().expect("authbench ends").code(), Some(130));
    wait_until("the setup is gone", || running(&mark) == 0);

    target(folder.path(), &setup("echo once more > again"));
    failure(folder.path());
    assert!(
        folder.path().join("again").exists(),
        "half a setup counts as none"
    );
    std::fs::remove_file(folder.path().join("again")).expect("it is there");
    failure(folder.path());
    assert!(
        !folder.path().join("again").exists(),
        "a whole one is not repeated"
    );
}

/// How many processes have a text in their command lines.
fn running(text: &str) -> usize {
    let entries = std::fs::read_dir("/proc").expect("a /proc file system");
    entries
        .filter_map(|entry| std::fs::read(entry.ok()?.path().join("cmdline")).ok())
        .filter(|line| String::from_utf8_lossy(line).contains(text))
        .count()
}
