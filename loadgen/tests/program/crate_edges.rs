//! The judge and the judged share no code: they meet on the wire alone.

use std::process::Command;

#[test]
fn authorizer_mock_idp_and_gateway_do_not_know_each_other() {
    let output = Command::new(env!("CARGO"))
        .args([
            "metadata",
            "--format-version",
            "1",
            "--no-deps",
            "--offline",
        ])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo runs");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let metadata: serde_json::Value =
        serde_json::from_slice(&output.stdout).expect("cargo metadata is JSON");
    let floor = ["authorizer", "gateway", "mock-idp"];
    let mut seen = 0;
    for package in metadata["packages"].as_array().expect("packages") {
        let name = package["name"].as_str().expect("a name");
        if !floor.contains(&name) {
            continue;
        }
        seen += 1;
        for dependency in package["dependencies"].as_array().expect("dependencies") {
            let other = dependency["name"].as_str().expect("a name");
            assert!(
                !floor.contains(&other),
                "{name} depends on {other}: no edge among {floor:?}, not even for tests"
            );
            assert_ne!(other, "loadgen", "{name} depends on the bench above it");
        }
    }
    assert_eq!(seen, floor.len());
}

#[test]
fn one_file_names_goose_one_hdrhistogram_one_lambda_runtime() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    for (word, allowed) in [
        ("goose::", "loadgen/src/load/users.rs"),
        ("hdrhistogram::", "loadgen/src/recorder.rs"),
        ("lambda_runtime::", "authorizer/src/lambda.rs"),
    ] {
        let mut naming = Vec::new();
        for folder in [
            "authorizer/src",
            "gateway/src",
            "loadgen/src",
            "mock-idp/src",
        ] {
            sources_naming(&root.join(folder), word, &mut naming);
        }
        let names: Vec<String> = naming
            .iter()
            .map(|path| {
                path.strip_prefix(&root)
                    .expect("below the root")
                    .to_string_lossy()
                    .into_owned()
            })
            .collect();
        assert_eq!(names, [allowed], "files that name {word}");
    }
}

fn sources_naming(folder: &std::path::Path, word: &str, naming: &mut Vec<std::path::PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("a source folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            sources_naming(&path, word, naming);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = std::fs::read_to_string(&path).expect("a source file");
            // A comment may speak of a crate; code may not.
            let names = |line: &str| !line.trim_start().starts_with("//") && line.contains(word);
            if text.lines().any(names) {
                naming.push(path);
            }
        }
    }
}
