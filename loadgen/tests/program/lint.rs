//! `authbench lint` through the real binary: exit codes, standard input and both outputs.

use std::io::Write as _;
use std::path::Path;
use std::process::{Output, Stdio};

use crate::support::authbench;

const TRUST: &str = r#"{"Version": "2012-10-17", "Statement": [
  {"Effect": "Allow", "Principal": {"Service": "apigateway.amazonaws.com"}, "Action": "sts:AssumeRole"}]}"#;

fn lint(folder: &Path, arguments: &[&str], input: &str) -> (i32, String) {
    let mut child = authbench(folder)
        .arg("lint")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("authbench starts");
    let mut stdin = child.stdin.take().expect("a pipe");
    // A command that reads no standard input may have gone.
    let _ = stdin.write_all(input.as_bytes());
    drop(stdin);
    let Output {
        status,
        stdout,
        stderr,
    } = child.wait_with_output().expect("authbench ends");
    let text = String::from_utf8_lossy(&stdout).into_owned() + &String::from_utf8_lossy(&stderr);
    (status.code().expect("an exit code"), text)
}

#[test]
fn the_exit_code_says_whether_something_is_wrong() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path();
    let write = |name: &str, text: &[u8]| std::fs::write(path.join(name), text).expect("written");
    write("good.json", TRUST.as_bytes());
    write(
        "bad.json",
        TRUST.replace("2012-10-17", "2019-01-01").as_bytes(),
    );
    write("runtime.md", b"Runtime: `Node.js 8.10`\n");
    write("bytes.md", b"\xff\xfe");
    let table: [(&[&str], i32, &str); 8] = [
        (&["good.json"], 0, "1 file: 0 errors, 0 warnings, 0 notes"),
        (
            &["good.json", "bad.json"],
            10,
            "bad.json:1:13 error trust::policy-version: ",
        ),
        (
            &["runtime.md"],
            0,
            "runtime.md:1:11 warning document::runtime-retired: ",
        ),
        (&["--deny", "warnings", "runtime.md"], 10, "1 warning"),
        (&["--kind", "trust", "good.json"], 0, "0 errors"),
        (&["missing.json"], 2, "missing.json"),
        (&["bytes.md"], 2, "no UTF-8"),
        (&[], 2, "FILE"),
    ];
    for (arguments, exit, part) in table {
        let (code, text) = lint(path, arguments, "");
        assert_eq!(code, exit, "{arguments:?}: {text}");
        assert!(text.contains(part), "{arguments:?}: {text}");
    }
}

#[test]
fn standard_input_is_a_file_and_json_is_an_array() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let bad = TRUST.replace("2012-10-17", "2019-01-01");
    let (code, text) = lint(folder.path(), &["--json", "-"], &bad);
    assert_eq!(code, 10, "{text}");
    let array: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(array[0]["file"], "-");
    assert_eq!(array[0]["rule"], "trust::policy-version");
    assert_eq!(array[0]["severity"], "error");
    let (code, text) = lint(folder.path(), &["--json", "-"], TRUST);
    assert_eq!((code, text.as_str()), (0, "[]\n"));
}
