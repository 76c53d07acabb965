//! A run of several targets through the real binary: rounds in turn, one table, and whoever cannot be measured by name.

use std::path::Path;

use crate::support::{authbench, holds, open_server, said};
use loadgen::record::RecordStore;
use serde_json::Value;

const SCENARIO: &str = r#"
name = "small"
issuer = "auth0"
target = "in-process"
audience = "https://planets.example.com/"
scope = "read:planets"
[conformance]
filter = ["rfc7519::exp-one-hour-past"]
gate = "high"
[[phase]]
kind = "cold-start"
samples = 2
budget = "20s"
[[phase]]
kind = "verification"
users = 1
requests = 120
[[phase]]
kind = "cache-hit"
users = 1
requests = 120
"#;

/// A page of somebody's own, with a place for the table.
const PAGE: &str =
    "# Speed\n\n<!-- comparison -->\nnothing yet\n<!-- /comparison -->\n\nThe end.\n";

fn run(folder: &Path, arguments: &[&str], exit: i32) -> String {
    let output = authbench(folder)
        .arg("run")
        .args(arguments)
        .env("GITHUB_STEP_SUMMARY", folder.join("summary.md"))
        .output()
        .expect("authbench starts");
    let said = said(&output);
    assert_eq!(output.status.code(), Some(exit), "{arguments:?}: {said}");
    said
}

fn write(folder: &Path, name: &str, text: &str) {
    std::fs::write(folder.join(name), text).expect("written");
}

#[test]
fn targets_are_measured_in_turn_and_put_into_one_table() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let folder = folder.path();
    write(folder, "small.toml", SCENARIO);
    write(folder, "page.md", PAGE);
    let missing = "name = \"x\"\nkind = \"http\"\n[command]\nprogram = \"sh\"\nrequires = [\"no-such-program-7\"]\n[request]\npath = \"/\"\n";
    write(folder, "elsewhere.toml", missing);
    let targets = ["authbench", "elsewhere.toml", "in-process"];
    let mut arguments = vec!["small.toml"];
    arguments.extend(targets.iter().flat_map(|target| ["--target", target]));
    arguments.extend(["--rounds", "2", "--out", "out", "--markdown", "page.md"]);
    let said = run(folder, &arguments, 0);

    let turns: Vec<&str> = said
        .lines()
        .filter(|line| line.contains("of 2: "))
        .collect();
    assert_eq!(
        turns,
        [
            "authbench: round 1 of 2: authbench",
            "authbench: round 1 of 2: in-process",
            "authbench: round 2 of 2: in-process",
            "authbench: round 2 of 2: authbench",
        ]
    );
    let page = std::fs::read_to_string(folder.join("page.md")).expect("the page");
    assert!(
        page.starts_with("# Speed\n") && page.ends_with("\nThe end.\n"),
        "{page}"
    );
    assert!(!page.contains("nothing yet"), "{page}");
    let saved = std::fs::read_to_string(folder.join("out/comparison.md")).expect("the table");
    let summary = std::fs::read_to_string(folder.join("summary.md")).expect("the summary");
    for text in [&page, &saved, &summary] {
        holds(
            text,
            &[
                "× authbench",
                "| verification | authbench | 240 |",
                "|  | in-process | 240 |",
                "| cache hit | authbench | 240 |",
                "- in-process: cache hit: not measured: no gateway",
                "- in-process: cold start: not measured: no process",
                "- elsewhere: left out: the target is not to be had here",
                "2 rounds in turn",
                " cores ",
            ],
        );
    }
    holds(
        &said,
        &["× authbench", "no-such-program-7", "out/comparison.json"],
    );

    files(folder);

    // The records are measurements, and not replaced unasked.
    let again = run(folder, &["small.toml", "--rounds", "1", "--out", "out"], 2);
    holds(&again, &["in-process/round-1/run.json", "--force"]);
    run(
        folder,
        &["small.toml", "--rounds", "1", "--out", "out", "--force"],
        0,
    );
}

/// What programs read: the table as JSON, and the records.
fn files(folder: &Path) {
    let json = std::fs::read_to_string(folder.join("out/comparison.json")).expect("the JSON");
    let json: Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(json["reference"], "authbench");
    let rows = &json["phases"][1]["rows"];
    assert_eq!(rows[0]["ratio"]["median"], 1.0);
    assert!(rows[1]["ratio"]["median"].as_f64() > Some(0.0), "{rows}");
    assert_eq!(json["phases"][0]["rows"][0]["count"], 4);

    // Cases are asked in the first round alone.
    for (path, cases) in [
        ("out/in-process/round-1", true),
        ("out/in-process/round-2", false),
    ] {
        let record = RecordStore::load(&folder.join(path)).expect("a record");
        assert_eq!(record.conformance.is_some(), cases, "{path}");
        assert!(folder.join(path).join("report.html").is_file());
    }
}

#[test]
fn a_target_that_is_wrong_is_not_timed_and_the_others_are() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let folder = folder.path();
    write(folder, "small.toml", SCENARIO);
    let address = open_server();
    let open = format!("name = \"open\"\nkind = \"http\"\nurl = \"http://{address}/\"\n");
    write(folder, "open.toml", &open);
    let arguments = [
        "small.toml",
        "--target",
        "open.toml",
        "--target",
        "in-process",
        "--rounds",
        "2",
    ];
    let said = run(folder, &arguments, 10);
    holds(
        &said,
        &[
            "open: took no part after round 1",
            "× in-process",
            "round 2 of 2: in-process",
        ],
    );
    assert!(!said.contains("round 2 of 2: open"), "{said}");
}

#[test]
fn a_mistake_is_told_before_anything_starts() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let folder = folder.path();
    write(folder, "small.toml", SCENARIO);
    write(folder, "page.md", "<!-- comparison -->\n");
    let cases = SCENARIO.split("[[phase]]").next().expect("a part");
    write(folder, "cases.toml", cases);
    let table: [(&[&str], &[&str]); 5] = [
        (
            &["small.toml", "--target", "in-process", "--target", "nobody"],
            &["nobody"],
        ),
        (
            &[
                "small.toml",
                "--target",
                "in-process",
                "--target",
                "in-process",
            ],
            &["two targets are called in-process"],
        ),
        (
            &["small.toml", "--markdown", "page.md"],
            &["page.md", "the second is missing"],
        ),
        (&["small.toml", "--rounds", "0"], &["--rounds"]),
        (
            &["cases.toml", "--rounds", "2"],
            &["no [[phase]]", "authbench survey"],
        ),
    ];
    for (arguments, parts) in table {
        holds(&run(folder, arguments, 2), parts);
    }
    assert!(!folder.join("authbench-results").exists());
}
