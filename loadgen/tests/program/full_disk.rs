//! Records that cannot be written, through the real binary: nothing that was measured is lost, and it is said where it is.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::process::{Command, Output};

use crate::support::{AUTHBENCH, holds, key_cache, text};
use loadgen::record::{RecordStore, RunRecord, RunStatus};

const SCENARIO: &str = r#"
name = "small"
issuer = "auth0"
target = "in-process"
audience = "https://planets.example.com/"
scope = "read:planets"
[conformance]
filter = ["rfc7519::exp"]
gate = "high"
[[phase]]
kind = "verification"
users = 1
requests = 200
"#;

/// A server that dies at once. Its setup runs when the record has been begun, and does something to its folder.
fn target(setup: &str) -> String {
    format!(
        "name = \"t\"\nkind = \"http\"\n[command]\nprogram = \"sh\"\nargs = [\"-c\", \"exit 7\"]\n\
         setup = [\"sh\", \"-c\", \"{setup}; touch done\"]\nsetup_creates = \"done\"\nworking_dir = \".\"\n\
         [request]\npath = \"/\"\n"
    )
}

fn command(folder: &Path, program: &str) -> Command {
    let mut command = Command::new(program);
    std::fs::create_dir_all(folder.join("tmp")).expect("made");
    command
        .current_dir(folder)
        .env("AUTHBENCH_CACHE", key_cache())
        .env("TMPDIR", folder.join("tmp"));
    command
}

fn run(folder: &Path, target_file: &str) -> Output {
    std::fs::write(folder.join("small.toml"), SCENARIO).expect("written");
    command(folder, AUTHBENCH)
        .args(["run", "small.toml", "--target", target_file, "--out", "out"])
        .output()
        .expect("authbench starts")
}

#[test]
fn a_folder_that_vanishes_meanwhile_is_made_again() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let folder = folder.path();
    std::fs::write(folder.join("t.toml"), target("rm -r out")).expect("written");
    let output = run(folder, "t.toml");
    let said = text(&output.stderr);
    // The target dies, which is not what this is about: its record is where it was meant to be.
    assert!(!said.contains("cannot write"), "{said}");
    let record = RecordStore::load(&folder.join("out")).expect("a record");
    assert_eq!(record.status, RunStatus::Failed);
    assert!(folder.join("out/report.html").is_file());
}

#[test]
fn a_record_that_its_folder_does_not_take_is_kept_elsewhere_and_its_place_is_told() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let folder = folder.path();
    let in_its_place = target("rm -r out; touch out");
    std::fs::write(folder.join("t.toml"), in_its_place).expect("written");
    let output = run(folder, "t.toml");
    assert_eq!(output.status.code(), Some(14));
    let said = text(&output.stderr);
    holds(
        &said,
        &["cannot write out/run.json", "--out", "Not a directory"],
    );
    let place = said
        .lines()
        .find_map(|line| line.strip_prefix("the record is "))
        .unwrap_or_else(|| panic!("no place is told: {said}"));
    let own = format!("authbench-rescued-{}", nix::unistd::geteuid());
    let own = folder.join("tmp").join(own);
    assert!(Path::new(place).starts_with(&own), "{place}");
    let mode = std::fs::metadata(&own).expect("it is there").mode();
    assert_eq!(mode & 0o777, 0o700);
    let record = RecordStore::load(Path::new(place)).expect("a record");
    assert_eq!(record.status, RunStatus::Failed);
    // The report is beside it, and everything was printed all the same.
    let report = Path::new(place).with_file_name("report.html");
    assert!(report.is_file());
    holds(&text(&output.stdout), &["TESTBED-FAILED", place]);
}

/// As on a full disk: a file takes so many bytes and no more, wherever it is.
fn with_files_of(bytes: u64, folder: &Path, arguments: &str) -> Output {
    std::fs::write(folder.join("small.toml"), SCENARIO).expect("written");
    // In units of 512 bytes (POSIX ulimit); without the trap the signal ends the process instead.
    let script = format!(
        "trap '' XFSZ; ulimit -f {}; exec \"$0\" {arguments}",
        bytes / 512
    );
    command(folder, "sh")
        .args(["-c", &script, AUTHBENCH])
        .output()
        .expect("sh starts")
}

#[test]
fn a_record_that_no_disk_takes_goes_to_standard_error_whole() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let folder = folder.path();
    // The record as it begins is of 1 to 2 KB, and of more than 8 KB with a histogram.
    let output = with_files_of(4096, folder, "run small.toml --out out");
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(14), "{said}");
    holds(
        &said,
        &[
            "cannot write out/run.json",
            "File too large",
            "the run goes on, and tries again",
            "authbench-rescued",
        ],
    );
    assert_eq!(said.matches("tries again").count(), 1, "{said}");
    let json = said
        .lines()
        .find(|line| line.starts_with('{'))
        .unwrap_or_else(|| panic!("no record: {said}"));
    let record: RunRecord = serde_json::from_str(json).expect("the record");
    assert_eq!(record.status, RunStatus::Complete);
    assert_eq!(record.phases[0].requests, 200);
    assert_eq!(record.verdict.word, "good");
    holds(&text(&output.stdout), &["GOOD", "verification"]);
    // The save of before anything was measured is whole, and no half of a file takes room.
    let first = RecordStore::load(&folder.join("out")).expect("the first save");
    assert_eq!(first.status, RunStatus::Running);
    let left: Vec<_> = std::fs::read_dir(folder.join("out"))
        .expect("it is there")
        .collect();
    assert_eq!(left.len(), 1, "{left:?}");
}

#[test]
fn a_folder_that_takes_nothing_is_told_before_anything_is_measured() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let folder = folder.path();
    let output = with_files_of(0, folder, "run small.toml --out out");
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(14), "{said}");
    holds(
        &said,
        &["cannot write out/run.json", "--out", "File too large"],
    );
    assert!(!said.contains("verification"), "{said}");
    std::fs::write(folder.join("file"), "").expect("written");
    for (place, cause) in [
        ("file/out", "Not a directory"),
        ("/dev/full/out", "Not a directory"),
    ] {
        let output = command(folder, AUTHBENCH)
            .args(["run", "small.toml", "--out", place])
            .output()
            .expect("authbench starts");
        assert_eq!(output.status.code(), Some(14));
        holds(&text(&output.stderr), &[place, "--out", cause]);
    }
}
