//! The Auth0 tutorial's own `event.json` and `.env` shapes, with a token minted for them: its `npm test`, and its answer.

use std::path::Path;

use crate::support::{run, text};

/// Serves the minted token's JWKS on a thread, one answer a connection.
fn serve_jwks(folder: &Path) -> String {
    use std::io::{Read, Write};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let base = format!("http://{}", listener.local_addr().expect("an address"));
    let output = run(folder, &["mint", "--jwks", "--base", &base]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let jwks = output.stdout;
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { continue };
            let mut request = [0; 4096];
            let _ = stream.read(&mut request);
            let head = format!(
                "HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
                jwks.len()
            );
            let _ = stream
                .write_all(head.as_bytes())
                .and_then(|()| stream.write_all(&jwks));
        }
    });
    base
}

const METHOD_ARN: &str = "arn:aws:execute-api:us-east-1:1234567890:apiId/stage/method/resourcePath";

fn tutorial_files(folder: &Path, base: &str, token: &str) {
    // The tutorial's own file has a tabulator behind the audience.
    let env = format!(
        "JWKS_URI={base}/.well-known/jwks.json\nAUDIENCE={base}/api/v2/\t\nTOKEN_ISSUER={base}/\n"
    );
    std::fs::write(folder.join(".env"), env).expect("written");
    let event = serde_json::json!({
        "type": "TOKEN",
        "authorizationToken": format!("Bearer {token}"),
        "methodArn": METHOD_ARN,
    });
    std::fs::write(folder.join("event.json"), event.to_string()).expect("written");
}

#[test]
fn the_tutorials_event_gives_the_tutorials_answer() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let base = serve_jwks(folder.path());
    let audience = format!("{base}/api/v2/");
    let mint = [
        "mint",
        "--base",
        &base,
        "--aud",
        &audience,
        "--scope",
        "read:planets write:planets",
    ];
    let token = text(&run(folder.path(), &mint).stdout);
    tutorial_files(folder.path(), &base, token.trim());
    let output = run(
        folder.path(),
        &["authorizer", "invoke", "event.json", "--env-file", ".env"],
    );
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let answer: serde_json::Value = serde_json::from_slice(&output.stdout).expect("a JSON answer");
    let principal = answer["principalId"].as_str().expect("a principalId");
    assert!(principal.ends_with("@clients"), "{principal}");
    assert_eq!(answer["context"]["scope"], "read:planets write:planets");
    let policy = &answer["policyDocument"];
    assert_eq!(policy["Version"], "2012-10-17");
    let statement = &policy["Statement"][0];
    assert_eq!(statement["Action"], "execute-api:Invoke");
    assert_eq!(statement["Effect"], "Allow");
    // The one difference: the policy covers the stage, because the gateway caches it for every method.
    assert_eq!(
        statement["Resource"],
        "arn:aws:execute-api:us-east-1:1234567890:apiId/stage/*/*"
    );
    let judged = gateway::policy::PolicyDocument::from_json(policy.to_string().as_bytes())
        .expect("a policy");
    let evaluation = judged.evaluate(
        gateway::policy::INVOKE,
        METHOD_ARN,
        &gateway::policy::RequestContext::default(),
    );
    assert_eq!(
        evaluation,
        gateway::policy::Evaluation::Allow,
        "it covers the tutorial's method"
    );
}

#[test]
fn the_settings_file_of_the_working_directory_is_read_unasked() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let base = serve_jwks(folder.path());
    let audience = format!("{base}/api/v2/");
    let token = text(
        &run(
            folder.path(),
            &["mint", "--base", &base, "--aud", &audience],
        )
        .stdout,
    );
    tutorial_files(folder.path(), &base, token.trim());
    let output = run(folder.path(), &["authorizer", "invoke", "event.json"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
}

#[test]
fn an_expired_token_is_unauthorized_and_says_why_at_the_desk() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let base = serve_jwks(folder.path());
    let audience = format!("{base}/api/v2/");
    let output = run(
        folder.path(),
        &[
            "mint",
            "--base",
            &base,
            "--aud",
            &audience,
            "--expires-in",
            "-60",
        ],
    );
    tutorial_files(folder.path(), &base, text(&output.stdout).trim());
    let output = run(
        folder.path(),
        &["authorizer", "invoke", "event.json", "--env-file", ".env"],
    );
    assert_eq!(output.status.code(), Some(1));
    let answer: serde_json::Value = serde_json::from_slice(&output.stdout).expect("a JSON answer");
    assert_eq!(
        answer,
        serde_json::json!({ "errorMessage": "Unauthorized" })
    );
    assert!(
        text(&output.stderr).contains("RFC 7519"),
        "{}",
        text(&output.stderr)
    );
}

/// A token for the tutorial's settings, minted with further arguments.
fn tutorial_token(folder: &Path, base: &str, further: &[&str]) -> String {
    let audience = format!("{base}/api/v2/");
    let mint = ["mint", "--base", base, "--aud", &audience];
    let output = run(folder, &[&mint, further].concat());
    assert!(output.status.success(), "{}", text(&output.stderr));
    text(&output.stdout).trim().to_owned()
}

#[test]
fn a_token_is_explained_check_by_check_and_never_shown() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let base = serve_jwks(folder.path());
    let good = tutorial_token(folder.path(), &base, &[]);
    let expired = tutorial_token(folder.path(), &base, &["--expires-in", "-60"]);
    let short = tutorial_token(folder.path(), &base, &["--expires-in", "100"]);
    tutorial_files(folder.path(), &base, &good);
    // Not one of the four characters that 256 bytes can end with.
    let forged = format!("{}B", &good[..good.len() - 1]);
    let cases: [(&str, i32, &[&str]); 4] = [
        (
            &good,
            0,
            &[
                "ok  signature",
                "API Gateway calls the API and caches the answer for 300 s",
            ],
        ),
        (&short, 0, &["the cached answer outlives it by 20"]),
        (
            &expired,
            1,
            &[
                "NO  algorithm, type and claims",
                "expired (RFC 7519 §4.1.4)",
                "-  signature",
                "answers 401 and caches nothing",
            ],
        ),
        (&forged, 1, &["NO ", "answers 401"]),
    ];
    for (token, code, expected) in cases {
        let output = run(folder.path(), &["explain", token]);
        let printed = text(&output.stdout);
        assert_eq!(
            output.status.code(),
            Some(code),
            "{printed}{}",
            text(&output.stderr)
        );
        for part in expected {
            assert!(printed.contains(part), "{part:?} is missing in:\n{printed}");
        }
        assert!(!printed.contains(&token[..40]), "{printed}");
    }
}

#[test]
fn the_settings_are_printed_as_they_count() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    tutorial_files(folder.path(), "http://127.0.0.1:1", "x");
    let output = run(folder.path(), &["authorizer", "config"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let printed = text(&output.stdout);
    assert!(
        printed.contains("issuer = \"http://127.0.0.1:1/\""),
        "{printed}"
    );
    // What was printed is a file of settings.
    std::fs::write(folder.path().join("authorizer.toml"), &printed).expect("written");
    let again = run(
        folder.path(),
        &["authorizer", "config", "--config", "authorizer.toml"],
    );
    assert_eq!(text(&again.stdout), printed);
    std::fs::write(
        folder.path().join("wrong.toml"),
        printed.replace("leeway_s", "leway_s"),
    )
    .expect("written");
    let wrong = run(
        folder.path(),
        &["authorizer", "config", "--config", "wrong.toml"],
    );
    assert_eq!(wrong.status.code(), Some(2));
    let message = text(&wrong.stderr);
    assert!(
        message.contains("wrong.toml") && message.contains("leway_s"),
        "{message}"
    );
}

#[test]
fn a_snippet_follows_from_the_settings_of_the_working_directory_or_of_a_file() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let issuer = |name: &str| {
        format!(
            "[[issuer]]\nissuer = \"https://{name}.example/\"\naudiences = [\"api\"]\ndiscovery = true\n"
        )
    };
    std::fs::write(folder.path().join("one.toml"), issuer("a")).expect("written");
    let two = issuer("a") + &issuer("b");
    std::fs::write(folder.path().join("two.toml"), two).expect("written");
    let env = "TOKEN_ISSUER=https://a.example/\nAUDIENCE=api\nAUTHORIZER_DISCOVERY=on\n";
    std::fs::write(folder.path().join(".env"), env).expect("written");
    let snippet = |arguments: &[&str]| {
        let output = run(
            folder.path(),
            &[&["authorizer", "snippet"], arguments].concat(),
        );
        let code = output.status.code();
        (code, text(&output.stdout), text(&output.stderr))
    };
    let (code, sam, message) = snippet(&["sam", "--api", "http", "--ttl", "60", "--arch", "arm64"]);
    assert_eq!(code, Some(0), "{message}");
    for line in [
        "TOKEN_ISSUER: \"https://a.example/\"",
        "AUTHORIZER_DISCOVERY: \"on\"",
        "ReauthorizeEvery: 60",
        "[arm64]",
        "AWS::Serverless::HttpApi",
    ] {
        assert!(sam.contains(line), "{line}: {sam}");
    }
    let (code, terraform, message) = snippet(&["terraform", "--config", "two.toml"]);
    assert_eq!(code, Some(0), "{message}");
    assert!(
        terraform.contains("AUTHORIZER_CONFIG = \"/var/task/authorizer.toml\""),
        "{terraform}"
    );
    // Without a bundle, two issuers have no place.
    std::fs::write(folder.path().join(".env"), "AUTHORIZER_CONFIG=two.toml\n").expect("written");
    let (code, _, message) = snippet(&["sam"]);
    assert_eq!(code, Some(2));
    assert!(
        message.contains("one issuer, and there are 2") && message.contains("--config"),
        "{message}"
    );
    assert_eq!(
        snippet(&["sam", "--config", "one.toml", "--ttl", "3601"]).0,
        Some(2)
    );
}
