//! `authbench survey` through the real binary: whoever cannot be asked is told by name, and the others are asked.

use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::path::Path;
use std::process::Stdio;

use crate::support::{authbench, open_server, run, said};
use loadgen::record::{RecordStore, RunStatus};

const CASE: [&str; 2] = ["--filter", "rfc7519::exp-one-hour-past"];

/// A page of somebody's own, with a place for the tables.
const PAGE: &str = "# Verifiers\n\n<!-- survey -->\nnothing yet\n<!-- /survey -->\n\nThe end.\n";

fn survey(folder: &Path, arguments: &[&str], exit: i32) -> String {
    let output = run(folder, &[&["survey"], arguments].concat());
    let said = said(&output);
    assert_eq!(output.status.code(), Some(exit), "{arguments:?}: {said}");
    said
}

fn target(folder: &Path, name: &str, command: &str) {
    let text = format!(
        "name = \"{name}\"\nkind = \"http\"\n[command]\n{command}\n[request]\npath = \"/\"\n"
    );
    std::fs::write(folder.join(format!("{name}.toml")), text).expect("written");
}

#[test]
fn whoever_cannot_be_asked_is_left_out_by_name_and_the_others_are_asked() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let folder = folder.path();
    target(
        folder,
        "elsewhere",
        "program = \"sh\"\nrequires = [\"no-such-program-7\"]",
    );
    let setup = "program = \"sh\"\nsetup = [\"sh\", \"-c\", \"echo no such package; exit 3\"]\nsetup_creates = \"p\"";
    target(folder, "unbuildable", setup);
    target(
        folder,
        "dies",
        "program = \"sh\"\nargs = [\"-c\", \"exit 7\"]",
    );
    std::fs::write(folder.join("page.md"), PAGE).expect("written");
    let targets = [
        "elsewhere.toml",
        "unbuildable.toml",
        "dies.toml",
        "in-process",
    ];
    let flags = ["--out", "out", "--markdown", "page.md"];
    // One that starts and dies is no verdict on anybody, and no good one either.
    let said = survey(folder, &[&targets[..], &flags, &CASE].concat(), 14);

    let page = std::fs::read_to_string(folder.join("page.md")).expect("the page");
    assert!(
        page.starts_with("# Verifiers\n") && page.ends_with("\nThe end.\n"),
        "{page}"
    );
    assert!(!page.contains("nothing yet"), "{page}");
    let saved = std::fs::read_to_string(folder.join("out/survey.md")).expect("the tables");
    for text in [&said, &page, &saved] {
        for part in [
            "| in-process | – | 1 | 0 |",
            "| dies | – | 0 | 0 |",
            "- elsewhere: left out: the target is not to be had here",
            "no-such-program-7",
            "- unbuildable: left out: setup",
            "no such package",
            "- dies: not asked to the end",
            "exit status: 7",
        ] {
            assert!(text.contains(part), "{part:?} is missing in: {text}");
        }
    }
    let record = RecordStore::load(&folder.join("out/in-process")).expect("a record");
    assert_eq!(record.status, RunStatus::Complete);
    assert!(folder.join("out/in-process/report.html").is_file());
    assert!(!folder.join("out/elsewhere").exists());

    // The records are measurements, and not replaced unasked.
    let again = survey(folder, &["in-process", "--out", "out", CASE[0], CASE[1]], 2);
    assert!(
        again.contains("in-process/run.json") && again.contains("--force"),
        "{again}"
    );
    survey(
        folder,
        &["in-process", "--out", "out", "--force", CASE[0], CASE[1]],
        0,
    );
}

#[test]
fn a_target_that_is_wrong_gives_exit_10() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    // Lets everybody in: not judged, which is wrong whatever the cases are.
    let address = open_server();
    let text = format!("name = \"open\"\nkind = \"http\"\nurl = \"http://{address}/\"\n");
    std::fs::write(folder.path().join("open.toml"), text).expect("written");
    let said = survey(
        folder.path(),
        &["open.toml", "--out", "out", CASE[0], CASE[1]],
        10,
    );
    assert!(
        said.contains("- open: not asked to the end: not judged"),
        "{said}"
    );
}

#[test]
fn setup_only_installs_and_asks_nobody() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let folder = folder.path();
    let setup = "program = \"sh\"\nsetup = [\"mkdir\", \"there\"]\nsetup_creates = \"there\"\nworking_dir = \".\"";
    target(folder, "builds", setup);
    target(
        folder,
        "elsewhere",
        "program = \"sh\"\nrequires = [\"no-such-program-7\"]",
    );
    let said = survey(
        folder,
        &["builds.toml", "elsewhere.toml", "--setup-only"],
        0,
    );
    assert!(said.contains("1 of 2 targets are installed"), "{said}");
    assert!(said.contains("elsewhere is left out"), "{said}");
    assert!(folder.join("there").is_dir() && !folder.join("authbench-results").exists());
    survey(folder, &["elsewhere.toml", "--setup-only"], 14);
}

#[test]
fn a_mistake_is_told_before_anything_starts() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let folder = folder.path();
    std::fs::write(folder.join("page.md"), "<!-- survey -->\n").expect("written");
    std::fs::create_dir(folder.join("in")).expect("made");
    target(folder, "in/same", "program = \"sh\"");
    target(folder, "same", "program = \"sh\"");
    let table: [(&[&str], &[&str]); 5] = [
        (&["nobody"], &["nobody", "in-process"]),
        (
            &["in-process", "--filter", "no-such-case"],
            &["no-such-case"],
        ),
        (
            &["in-process", "--markdown", "page.md"],
            &["page.md", "the second is missing"],
        ),
        (&["in-process", "--markdown", "none.md"], &["none.md"]),
        (
            &["same.toml", "in/same.toml"],
            &["two targets are called same"],
        ),
    ];
    for (arguments, parts) in table {
        let said = survey(folder, arguments, 2);
        for part in parts {
            assert!(said.contains(part), "{part:?} is missing in: {said}");
        }
    }
    assert!(!folder.join("authbench-results").exists());
}

#[test]
fn what_was_asked_before_a_signal_is_in_the_tables() {
    use nix::sys::signal::{Signal, kill};
    let folder = tempfile::tempdir().expect("a temporary folder");
    // Connections are taken by the system, and nobody reads what they bring.
    let mute = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = mute.local_addr().expect("an address");
    for name in ["mute", "later"] {
        let text = format!("name = \"{name}\"\nkind = \"http\"\nurl = \"http://{address}/\"\n");
        std::fs::write(folder.path().join(format!("{name}.toml")), text).expect("written");
    }
    let targets = ["survey", "in-process", "mute.toml", "later.toml"];
    let flags = ["--out", "out", CASE[0], CASE[1]];
    let mut bench = authbench(folder.path())
        .args([&targets[..], &flags].concat())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("authbench starts");
    let told = BufReader::new(bench.stderr.take().expect("its standard error"));
    let mut told = told.lines().map_while(Result::ok);
    assert!(told.any(|line| line.contains("asking mute")));
    let id = i32::try_from(bench.id()).expect("a process id");
    kill(nix::unistd::Pid::from_raw(id), Signal::SIGINT).expect("a signal is sent");
    // Read on, so that it can go on writing.
    told.for_each(drop);
    assert_eq!(bench.wait().expect("authbench ends").code(), Some(130));
    let tables = std::fs::read_to_string(folder.path().join("out/survey.md")).expect("the tables");
    for part in [
        "| in-process | – | 1 | 0 |",
        "- mute: not asked to the end: stopped by a signal",
        "- later: left out: stopped by a signal before its turn",
    ] {
        assert!(tables.contains(part), "{part:?} is missing in: {tables}");
    }
    let record = RecordStore::load(&folder.path().join("out/mute")).expect("a record");
    assert_eq!(record.status, RunStatus::Interrupted);
}

/// Some of them name an issuer profile of their own.
#[test]
fn every_built_in_target_is_planned_with_the_tokens_that_it_takes() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    // The page is looked for once all are planned, and before any is installed.
    let said = survey(folder.path(), &["--markdown", "missing.md"], 2);
    assert!(said.contains("--markdown missing.md"), "{said}");
}
