//! What the commands print, where they print it, and what they refuse.

use std::path::Path;
use std::process::Stdio;

use crate::support::{authbench, run, text};

/// The record of one case, in `folder/name`.
fn record(folder: &Path, name: &str) {
    let arguments = [
        "conform",
        "--target",
        "in-process",
        "--filter",
        "baseline::valid",
        "--out",
        name,
    ];
    let output = run(folder, &arguments);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
}

#[test]
fn a_full_disk_behind_standard_output_is_a_failure_and_a_reader_that_left_is_none() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for arguments in [&["mint"][..], &["list", "cases"], &["--help"]] {
        let full = std::fs::File::create("/dev/full").expect("Linux has it");
        let output = authbench(folder.path())
            .args(arguments)
            .stdout(full)
            .output()
            .expect("authbench starts");
        let message = text(&output.stderr);
        assert_eq!(output.status.code(), Some(14), "{arguments:?}: {message}");
        assert!(message.contains("standard output"), "{message}");
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        let output = authbench(folder.path())
            .args(arguments)
            .stdout(writer)
            .output()
            .expect("authbench starts");
        assert_eq!(output.status.code(), Some(0), "{arguments:?}");
    }
}

#[test]
fn a_claim_that_is_given_is_in_the_token_or_refused() {
    use base64::Engine as _;
    let folder = tempfile::tempdir().expect("a temporary folder");
    for (arguments, wanted) in [
        (
            &["mint", "--expires-in", "60", "--claim", "exp=5"][..],
            "--expires-in",
        ),
        (&["mint", "--claim", "=v"], "NAME=VALUE"),
    ] {
        let output = run(folder.path(), arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(text(&output.stderr).contains(wanted), "{arguments:?}");
    }
    let claims = |arguments: &[&str]| -> serde_json::Value {
        let token = text(&run(folder.path(), arguments).stdout);
        let payload = token.split('.').nth(1).expect("a payload");
        let bytes = base64::engine::general_purpose::URL_SAFE_NO_PAD
            .decode(payload)
            .expect("base64url");
        serde_json::from_slice(&bytes).expect("JSON")
    };
    let expired = claims(&["mint", "--expires-in", "-60"]);
    let (iat, exp) = (expired["iat"].as_i64(), expired["exp"].as_i64());
    assert!(
        iat < exp,
        "a token that expired was issued before: {expired}"
    );
    let issued = claims(&["mint", "--expires-in", "-60", "--claim", "iat=7"]);
    assert_eq!(issued["iat"], 7);
}

#[test]
fn one_bad_record_does_not_hide_the_others_and_one_page_takes_one_record() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    record(folder.path(), "good");
    std::fs::write(folder.path().join("bad.json"), "{}").expect("written");
    let output = run(folder.path(), &["report", "bad.json", "none", "good"]);
    let message = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{message}");
    assert!(
        message.contains("bad.json") && message.contains("none"),
        "{message}"
    );
    assert!(
        text(&output.stdout).contains("GOOD"),
        "the good one is shown"
    );
    let output = run(
        folder.path(),
        &["report", "--format", "html", "good", "good"],
    );
    assert_eq!(output.status.code(), Some(2));
    assert!(output.stdout.is_empty(), "two pages in one file are none");
}

#[test]
fn a_table_is_as_wide_as_the_terminal() {
    use std::io::Read as _;
    const COLUMNS: u16 = 30;
    let folder = tempfile::tempdir().expect("a temporary folder");
    record(folder.path(), "good");
    let report = || {
        let mut report = authbench(folder.path());
        report
            .args(["report", "good"])
            .env_remove("COLUMNS")
            .env("NO_COLOR", "1");
        report
    };
    let piped = report().output().expect("authbench starts");
    assert!(widest_rule(&text(&piped.stdout)) > usize::from(COLUMNS));

    let size = nix::pty::Winsize {
        ws_row: 24,
        ws_col: COLUMNS,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    let terminal = nix::pty::openpty(Some(&size), None).expect("a terminal");
    let mut report = report()
        .stdout(terminal.slave)
        .stderr(Stdio::null())
        .spawn()
        .expect("authbench starts");
    let mut shown = Vec::new();
    // A terminal whose other end is closed answers EIO after its last byte.
    let _ = std::fs::File::from(terminal.master).read_to_end(&mut shown);
    assert!(report.wait().expect("it ends").success());
    assert_eq!(widest_rule(&text(&shown)), usize::from(COLUMNS));
}

/// Columns of the widest line above, below or within a table.
fn widest_rule(report: &str) -> usize {
    report
        .lines()
        .filter(|line| line.starts_with('─'))
        .map(|line| line.trim_end().chars().count())
        .max()
        .expect("a table")
}

#[test]
fn a_bundle_is_built_where_the_source_is_and_nowhere_else() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let output = run(folder.path(), &["authorizer", "bundle", "--arch", "arm64"]);
    let message = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{message}");
    assert!(
        message.contains("source") && message.contains("--binary"),
        "{message}"
    );
    assert!(!folder.path().join("authorizer.zip").exists());
}

#[test]
fn cases_of_ones_own_are_asked_beside_the_built_in_ones_and_fail_on_decides_the_exit_code() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    // Nothing of this token is wrong, so that a verifier that lets it in is reported: a failure that is known.
    let own = "group = \"own\"\ntitle = \"Own\"\n[[case]]\nid = \"own::good\"\ntitle = \"t\"\nclause = \"c\"\n\
               level = \"MUST\"\nseverity = \"medium\"\nexpect = \"unauthorized\"\nimpact = \"i\"\nfix = \"f\"\ncause = \"own-rule\"\n";
    std::fs::write(folder.path().join("own.toml"), own).expect("written");
    let base = ["conform", "--target", "in-process", "--cases", "own.toml"];
    for (arguments, code, failing) in [
        (&["--filter", "own::"][..], 10, true),
        (&["--filter", "own::", "--fail-on", "medium"], 10, true),
        (&["--filter", "own::", "--fail-on", "high"], 0, true),
        (
            &[
                "--severity",
                "high",
                "--level",
                "must",
                "--filter",
                "::aud-",
            ],
            0,
            false,
        ),
    ] {
        let output = run(folder.path(), &[&base[..], arguments].concat());
        let printed = text(&output.stdout);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {printed}");
        assert_eq!(
            printed.contains("1 failing case below high"),
            code == 0 && failing,
            "{printed}"
        );
        assert_eq!(
            printed.contains("own::good"),
            failing,
            "{arguments:?}: {printed}"
        );
    }
    let scenario = "name = \"s\"\nissuer = \"auth0\"\ntarget = \"in-process\"\n\
                    audience = \"https://planets.example.com/\"\nscope = \"read:planets\"\ncases = [\"own.toml\"]\n\
                    [conformance]\ngate = \"high\"\nfilter = [\"own::\"]\n";
    std::fs::write(folder.path().join("s.toml"), scenario).expect("written");
    let output = run(folder.path(), &["run", "s.toml"]);
    assert_eq!(output.status.code(), Some(10), "{}", text(&output.stderr));
    let listed = text(
        &run(
            folder.path(),
            &[
                "list",
                "cases",
                "--cases",
                "own.toml",
                "--severity",
                "medium",
            ],
        )
        .stdout,
    );
    assert!(
        listed.contains("own::good") && listed.contains("baseline::valid"),
        "{listed}"
    );
    assert!(
        !listed.contains("rfc7519::aud-slash-added"),
        "it is of low severity: {listed}"
    );
}

#[test]
fn a_case_is_shown_with_its_reason_its_exact_request_and_its_token() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let shown = |id: &str| {
        let output = run(folder.path(), &["case", id]);
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        text(&output.stdout)
    };
    let none = shown("rfc8725::alg-none");
    for part in [
        "critical · MUST · RFC 8725 §3.2",
        "conformance/header.toml:",
        "expected  401",
        "fix       ",
        "CWE-347",
        "header = {\"alg\":\"none\"}",
        "sign = \"none\"",
        "GET /planets HTTP/1.1\nhost: 127.0.0.1:8080\nauthorization: Bearer ey",
        "\"alg\": \"none\"",
        "signature  empty",
    ] {
        assert!(none.contains(part), "{part:?} is missing in: {none}");
    }
    let twice = shown("rfc7515::alg-twice");
    assert_eq!(
        twice.matches("\"alg\":\"").count(),
        2,
        "both are shown: {twice}"
    );
    assert!(shown("rfc9110::authorization-not-ascii").contains("\\x"));
    assert!(shown("rfc7515::many-dots").contains("of 8001 parts"));
    assert!(!shown("rfc6750::no-authorization").contains("\nauthorization: "));

    let alone = run(
        folder.path(),
        &["case", "rfc8725::alg-none", "--token-only"],
    );
    let token = text(&alone.stdout);
    assert!(token.starts_with("ey") && token.ends_with(".\n"), "{token}");
    assert_eq!(token.lines().count(), 1);
    let sequence = run(folder.path(), &["case", "cache::exp-passes"]);
    assert_eq!(sequence.status.code(), Some(0));
    let shown = text(&sequence.stdout);
    for part in [
        "cache.toml:",
        "send short: let in, otherwise skipped: ",
        "wait 6s\n",
        "send short: refused, tried for 9s\n",
        "the token short, of 3 parts",
        "\"exp\": ",
    ] {
        assert!(shown.contains(part), "{part:?} is missing in: {shown}");
    }
    let several = run(
        folder.path(),
        &["case", "cache::exp-passes", "--token-only"],
    );
    assert_eq!(several.status.code(), Some(2));
    let unknown = run(folder.path(), &["case", "no::case"]);
    assert_eq!(unknown.status.code(), Some(2));
    assert!(text(&unknown.stderr).contains("list cases"));
}
