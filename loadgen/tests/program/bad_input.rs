//! Bad input and failing testbeds through the real binary: a named error within seconds, the right exit code, and no
//! process left behind.

use std::net::TcpListener;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::support::{run, text};

fn refused(folder: &Path, arguments: &[&str], exit: i32, parts: &[&str]) {
    let started = Instant::now();
    let output = run(folder, arguments);
    let message = text(&output.stderr) + &String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(exit), "{arguments:?}: {message}");
    for part in parts {
        assert!(
            message.contains(part),
            "{arguments:?}: {part:?} is missing in: {message}"
        );
    }
    assert!(
        started.elapsed() < Duration::from_secs(30),
        "{arguments:?} took {:?}",
        started.elapsed()
    );
}

#[test]
fn a_wrong_command_line_or_scenario_is_refused_with_exit_2() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let scenario = "name = \"s\"\nissuer = \"auth0\"\ntarget = \"authbench\"\naudience = \"a\"\nscope = \"s\"\nspeed = 1\n";
    std::fs::write(folder.path().join("s.toml"), scenario).expect("written");
    std::fs::write(folder.path().join("r.json"), "{\"schema_version\": 99}").expect("written");
    let table: [(&[&str], &[&str]); 21] = [
        (
            &["run", "s.toml"],
            &["s.toml", "line 6", "`speed`", "`issuer`"],
        ),
        (&["run", "quikc"], &["quikc", "quick"]),
        (&["run", "missing.toml"], &["missing.toml"]),
        (
            &["run", "--target", "nobody"],
            &["nobody", "express-oauth2-jwt-bearer"],
        ),
        (&["run", "--issuer", "nobody"], &["nobody", "auth0", "okta"]),
        (
            &["conform", "--url", "ftp://example.com/"],
            &["ftp://example.com/", "http://host:port/path"],
        ),
        (
            &["conform", "--filter", "no-such-case"],
            &["no-such-case", "list cases"],
        ),
        (
            &["conform", "--filter", "crit", "--severity", "critical"],
            &["\"crit\"", "severity critical", "list cases"],
        ),
        (
            &["conform", "--severity", "severe"],
            &["--severity", "severe", "critical"],
        ),
        (&["conform", "--level", "may-be"], &["--level", "MUST"]),
        (
            &["list", "issuers", "--severity", "high"],
            &["--severity", "list cases"],
        ),
        (&["load", "--duration", "5"], &["--duration", "\"250ms\""]),
        (&["load", "--threshold", "p75=1ms"], &["p75", "p99"]),
        (&["mint", "--case", "no::case"], &["no::case", "list cases"]),
        (&["report", "r.json"], &["r.json", "schema version 99"]),
        (&["authorizer", "invoke", "none.json"], &["none.json"]),
        (
            &["load", "--mix", "no::case=1"],
            &["--mix", "no::case", "list cases"],
        ),
        (
            &["load", "--mix", "rfc7517::use-enc=1"],
            &["--mix", "rfc7517::use-enc", "a key set, a listener"],
        ),
        (
            &["load", "--duration", "5s"],
            &["rate with duration", "minted before"],
        ),
        (&["load", "--requests", "200001"], &["200001", "200000"]),
        (&["run", "--force"], &["--out"]),
    ];
    for (arguments, parts) in table {
        refused(folder.path(), arguments, 2, parts);
    }
}

const OWN_CASE: &str = "group = \"own\"\ntitle = \"Own\"\n\n[[case]]\nid = \"own::tenant\"\ntitle = \"t\"\n\
    clause = \"c\"\nlevel = \"MUST\"\nseverity = \"high\"\nexpect = \"unauthorized\"\nimpact = \"i\"\nfix = \"f\"\ncause = \"own-rule\"\n";

#[test]
fn a_mistake_in_a_case_file_of_ones_own_is_told_with_file_line_and_key_before_anything_starts() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let recipe = |text: &str| format!("{OWN_CASE}[case.recipe]\n{text}\n");
    let table: [(&str, String, &[&str]); 7] = [
        (
            "typo.toml",
            OWN_CASE.replace("severity", "severty"),
            &["typo.toml", "line 9", "`severty`", "`severity`"],
        ),
        (
            "clash.toml",
            OWN_CASE.replace("own::tenant", "rfc7519::aud-wrong"),
            &["clash.toml:4", "rfc7519::aud-wrong", "audience.toml"],
        ),
        (
            "cause.toml",
            OWN_CASE.replace("own-rule", "bad-luck"),
            &["cause.toml:4", "own::tenant", "bad-luck", "own-rule"],
        ),
        (
            "word.toml",
            OWN_CASE.replace("own::tenant", "Tenant"),
            &["word.toml:4", "\"Tenant\"", "source::what"],
        ),
        (
            "fill.toml",
            recipe("claims = { iss = \"{isuer}\" }"),
            &["fill.toml:4", "own::tenant", "recipe", "`{isuer}`"],
        ),
        (
            "idle.toml",
            recipe("tamper = [{ cut-end = 0 }]"),
            &["idle.toml:4", "recipe", "tamper[0]"],
        ),
        (
            "method.toml",
            format!("{OWN_CASE}[case.request]\nmethod = \"A B\"\n"),
            &["method.toml:4", "request", "\"A B\""],
        ),
    ];
    for (name, text, parts) in table {
        std::fs::write(folder.path().join(name), text).expect("written");
        refused(
            folder.path(),
            &["conform", "--target", "in-process", "--cases", name],
            2,
            parts,
        );
    }
    refused(
        folder.path(),
        &["conform", "--cases", "none.toml"],
        2,
        &["none.toml"],
    );
    assert!(!folder.path().join("authbench-results").exists());
}

const HEAD: &str =
    "name = \"s\"\nissuer = \"auth0\"\ntarget = \"authbench\"\naudience = \"a\"\nscope = \"s\"\n";

/// What is wrong between two files is told before anything starts: no folder, no process, no port.
#[test]
fn a_name_that_leads_nowhere_is_told_with_file_and_line_before_anything_starts() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let write = |name: &str, text: &str| {
        std::fs::write(folder.path().join(name), text).expect("written");
    };
    let phase = "[[phase]]\nkind = \"verification\"\nusers = 1\nrequests = 5\n";
    write("empty.toml", HEAD);
    write(
        "filter.toml",
        &format!("{HEAD}[conformance]\ngate = \"high\"\nfilter = [\"rfc9999::\"]\n"),
    );
    write(
        "mix.toml",
        &format!("{HEAD}{phase}[phase.mix]\n\"no::case\" = 1\n"),
    );
    write("taken.toml", &format!("{HEAD}{phase}"));
    let divergence = "[[divergence]]\ncase = \"no::case\"\nobserved = \"allow\"\nreason = \"r\"\nexpires = \"2999-01-01\"\n";
    write(
        "divergence.toml",
        &format!("name = \"d\"\nkind = \"in-process\"\n{divergence}"),
    );
    std::fs::create_dir(folder.path().join("taken")).expect("a folder");
    write("taken/run.json", "{}");
    let table: [(&[&str], &[&str]); 5] = [
        (&["run", "empty.toml"], &["empty.toml", "[[phase]]"]),
        (
            &["run", "filter.toml"],
            &["filter.toml:8", "rfc9999::", "list cases"],
        ),
        (
            &["run", "mix.toml"],
            &["mix.toml:10", "no::case", "list cases"],
        ),
        (
            &["conform", "--target", "divergence.toml"],
            &["divergence.toml:4", "no::case", "list cases"],
        ),
        (
            &["run", "taken.toml", "--out", "taken"],
            &["taken/run.json", "--force"],
        ),
    ];
    for (arguments, parts) in table {
        refused(folder.path(), arguments, 2, parts);
    }
    assert!(!folder.path().join("authbench-results").exists());
    let kept = std::fs::read_to_string(folder.path().join("taken/run.json"));
    assert_eq!(kept.expect("still there"), "{}");
}

#[test]
fn the_issuer_profile_of_a_target_is_found_beside_it_and_a_wrong_one_is_told_with_its_place() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let targets = folder.path().join("targets");
    std::fs::create_dir(&targets).expect("a folder");
    let write = |name: &str, text: &str| std::fs::write(targets.join(name), text).expect("written");
    let profile = loadgen::builtin::ISSUERS
        .iter()
        .find(|file| file.name == "okta");
    write("own.toml", profile.expect("a profile").text);
    write("bad-profile.toml", "name = \"p\"\n");
    for (name, issuer) in [
        ("beside", "own.toml"),
        ("nobody", "nobdy"),
        ("nowhere", "none.toml"),
        ("bad", "bad-profile.toml"),
    ] {
        let target = format!("name = \"t\"\nkind = \"in-process\"\nissuer = \"{issuer}\"\n");
        write(&format!("{name}.toml"), &target);
    }
    let phase = "[[phase]]\nkind = \"cold-start\"\nsamples = 1\nbudget = \"1s\"\n";
    let head = HEAD.replace("auth0", "outh0");
    write("scenario.toml", &format!("{head}{phase}"));
    let case = "rfc7519::exp-one-hour-past";
    let conform = |rest: &[&'static str]| [&["conform", "--filter", case], rest].concat();
    for (arguments, exit, parts) in [
        (
            conform(&["--target", "targets/beside.toml"]),
            0,
            &["GOOD"][..],
        ),
        (
            conform(&["--target", "targets/nobody.toml"]),
            2,
            &["targets/nobody.toml:3", "\"nobdy\"", "cognito"],
        ),
        (
            conform(&["--target", "targets/nowhere.toml"]),
            2,
            &["targets/nowhere.toml:3", "targets/none.toml"],
        ),
        (
            conform(&["--target", "targets/bad.toml"]),
            2,
            &["targets/bad.toml:3", "targets/bad-profile.toml"],
        ),
        (
            vec!["run", "targets/scenario.toml"],
            2,
            &["targets/scenario.toml:2", "\"outh0\"", "okta"],
        ),
    ] {
        refused(folder.path(), &arguments, exit, parts);
    }
}

#[test]
fn another_issuer_profile_than_that_of_the_target_is_refused_by_both_names() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for command in [
        &["conform", "--target", "authbench-cognito"][..],
        &["load", "--target", "authbench-cognito"],
        &["run", "--target", "authbench-cognito"],
        &[
            "run",
            "--target",
            "in-process",
            "--target",
            "authbench-cognito",
        ],
        &["survey", "--setup-only"],
    ] {
        let arguments = [command, &["--issuer", "okta"]].concat();
        let parts = ["\"okta\"", "\"cognito\"", "target authbench-cognito:6"];
        refused(folder.path(), &arguments, 2, &parts);
    }
}

#[test]
fn a_run_that_skips_everything_is_invalid() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let text = format!("{HEAD}[[phase]]\nkind = \"cold-start\"\nsamples = 3\nbudget = \"5s\"\n");
    std::fs::write(folder.path().join("cold.toml"), text).expect("written");
    let arguments = ["run", "cold.toml", "--target", "in-process"];
    refused(folder.path(), &arguments, 13, &["nothing was measured"]);
}

#[test]
fn a_cause_is_told_once() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    std::fs::write(folder.path().join("bad.toml"), "name = \"x\"\nspeed = 1\n").expect("written");
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("an address").to_string();
    let table: [(&[&str], &str); 4] = [
        (&["conform", "--issuer", "bad.toml"], "unknown field"),
        (&["conform", "--issuer", "none.toml"], "os error 2"),
        (&["serve", "gateway", "--listen", &address], "os error 98"),
        (
            &["conform", "--issuer-listen", &address, "--out", "o"],
            "os error 98",
        ),
    ];
    for (arguments, cause) in table {
        let output = run(folder.path(), arguments);
        let message = text(&output.stderr) + &String::from_utf8_lossy(&output.stdout);
        assert_eq!(
            message.matches(cause).count(),
            1,
            "{arguments:?}: {message}"
        );
    }
}

/// Writes a target file that starts a shell script, and returns its name.
fn target(folder: &Path, name: &str, kind: &str, script: &str, rest: &str) -> String {
    let file = format!("{name}.toml");
    let text = format!(
        "name = \"{name}\"\nkind = \"{kind}\"\n[command]\nprogram = \"sh\"\nargs = [\"-c\", '''{script}''']\n{rest}"
    );
    std::fs::write(folder.join(&file), text).expect("written");
    file
}

#[test]
fn a_testbed_that_does_not_stand_is_named_with_exit_14_and_leaves_no_process() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path();
    let http = "[request]\npath = \"/\"\n[ready]\ntimeout = \"500ms\"\n";
    // The number after `sleep` is how the test finds a process that was left behind.
    let mark = format!("98765.{}", std::process::id());
    let dies = target(path, "dies", "http", "echo no database >&2; exit 3", http);
    let hangs = target(path, "hangs", "http", &format!("sleep {mark} & wait"), http);
    let exits = target(
        path,
        "exits",
        "lambda",
        "echo broken bootstrap >&2; exit 1",
        "",
    );
    std::fs::write(
        path.join("absent.toml"),
        "name = \"absent\"\nkind = \"http\"\n[command]\nprogram = \"no-such-program\"\n[request]\npath = \"/\"\n",
    )
    .expect("written");
    let keyless = "name = \"keyless\"\nkind = \"lambda\"\n[command]\nprogram = \"{authbench}\"\nargs = [\"bootstrap\"]\n\
        [command.env]\nTOKEN_ISSUER = \"{issuer}\"\nJWKS_URI = \"http://127.0.0.1:1/keys\"\nAUDIENCE = \"{audience}\"\n";
    std::fs::write(path.join("keyless.toml"), keyless).expect("written");
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("an address").to_string();

    let table: [(&[&str], &[&str]); 6] = [
        (
            &["conform", "--target", &dies],
            &["exit status: 3", "no database"],
        ),
        (
            &["conform", "--target", &hangs],
            &["not ready within 500ms", "[ready] timeout"],
        ),
        (
            &["conform", "--target", "absent.toml"],
            &["no-such-program", "program"],
        ),
        (&["conform", "--target", &exits], &["broken bootstrap"]),
        (
            &["conform", "--target", "keyless.toml"],
            &["no decision", "JWKS was fetched 0 times"],
        ),
        (&["conform", "--issuer-listen", &address], &[&address]),
    ];
    for (arguments, parts) in table {
        refused(path, arguments, 14, parts);
    }
    assert_eq!(
        processes_with(&mark),
        Vec::<String>::new(),
        "a child outlived the bench"
    );
}

/// Command lines of running processes that hold a text.
fn processes_with(text: &str) -> Vec<String> {
    let entries = std::fs::read_dir("/proc").expect("a /proc file system");
    entries
        .filter_map(|entry| std::fs::read(entry.ok()?.path().join("cmdline")).ok())
        .map(|line| String::from_utf8_lossy(&line).replace('\0', " "))
        .filter(|line| line.contains(text))
        .collect()
}
