//! The real binary: what it says when it cannot start, and one event through the Lambda Runtime API.

use std::{
    process::{Child, Command, Output, Stdio},
    time::{Duration, SystemTime},
};

use serde_json::{Value, json};
use wiremock::{
    Mock, MockServer, Request, ResponseTemplate,
    matchers::{method, path, path_regex},
};

use crate::{
    events::event,
    tokens::{AUDIENCE, ISSUER, ISSUER_KEY, KID, claims_at, header, jwks},
};

const NEXT: &str = "/2018-06-01/runtime/invocation/next";

/// The binary in an empty folder and an empty environment.
fn bootstrap(folder: &tempfile::TempDir, variables: &[(&str, &str)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bootstrap"));
    command
        .env_clear()
        .envs(variables.iter().copied())
        .current_dir(folder.path())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

fn run(variables: &[(&str, &str)]) -> (Output, String) {
    let folder = tempfile::tempdir().unwrap();
    let output = bootstrap(&folder, variables).output().unwrap();
    let stderr = String::from_utf8(output.stderr.clone()).unwrap();
    (output, stderr)
}

#[test]
fn without_settings_it_does_not_start_and_names_them_all() {
    let (output, stderr) = run(&[]);
    assert_eq!(output.status.code(), Some(1));
    for name in ["TOKEN_ISSUER", "JWKS_URI", "AUDIENCE"] {
        assert!(stderr.contains(name), "{stderr}");
    }
    let settings = [
        ("TOKEN_ISSUER", ISSUER),
        ("JWKS_URI", "https://issuer.example/jwks.json"),
        ("AUDIENCE", AUDIENCE),
        ("REQUIRED_SCOPE", ""),
    ];
    let (output, stderr) = run(&settings);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        stderr.contains("empty settings: REQUIRED_SCOPE"),
        "{stderr}"
    );
    let (output, stderr) = run(&settings[..3]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr.contains("AWS_LAMBDA_RUNTIME_API"), "{stderr}");
}

#[test]
fn an_unpacked_bundle_finds_its_settings_file_without_any_variable() {
    let folder = tempfile::tempdir().unwrap();
    let start = |settings: &str| {
        std::fs::write(
            folder.path().join(".env"),
            "AUTHORIZER_CONFIG=authorizer.toml\n",
        )
        .unwrap();
        std::fs::write(folder.path().join("authorizer.toml"), settings).unwrap();
        let output = bootstrap(&folder, &[]).output().unwrap();
        String::from_utf8(output.stderr).unwrap()
    };
    let settings = format!(
        "[[issuer]]\nissuer = {ISSUER:?}\naudiences = [{AUDIENCE:?}]\njwks_uri = \"https://issuer.example/jwks.json\"\n"
    );
    // The settings are there: what is missing next is Lambda.
    let stderr = start(&settings);
    assert!(stderr.contains("AWS_LAMBDA_RUNTIME_API"), "{stderr}");
    let stderr = start(&format!("{settings}leeway_s = 999\n"));
    assert!(
        stderr.contains("authorizer.toml: line 5: setting leeway_s"),
        "{stderr}"
    );
}

/// What Lambda is told of a start with these settings, which is what is printed, too.
async fn failed_start(settings: &[(&'static str, &str)]) -> String {
    let runtime_api = MockServer::start().await;
    Mock::given(method("POST"))
        .and(path("/2018-06-01/runtime/init/error"))
        .respond_with(ResponseTemplate::new(202))
        .expect(1)
        .mount(&runtime_api)
        .await;
    let mut variables: Vec<(&'static str, String)> = vec![
        ("AWS_LAMBDA_RUNTIME_API", runtime_api.address().to_string()),
        ("AWS_LAMBDA_FUNCTION_NAME", "authorizer".to_owned()),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128".to_owned()),
        ("AWS_LAMBDA_FUNCTION_VERSION", "1".to_owned()),
    ];
    variables.extend(
        settings
            .iter()
            .map(|(name, value)| (*name, (*value).to_owned())),
    );
    let (_, stderr) = tokio::task::spawn_blocking(move || {
        let variables: Vec<_> = variables
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        run(&variables)
    })
    .await
    .unwrap();
    let requests = runtime_api.received_requests().await.unwrap();
    let report: Value = requests[0].body_json().unwrap();
    let message = report["errorMessage"].as_str().unwrap().to_owned();
    assert!(stderr.contains(&message), "{stderr}");
    message
}

#[tokio::test]
async fn a_failed_start_is_reported_to_lambda_with_all_that_is_wrong() {
    let message = failed_start(&[]).await;
    assert!(
        message.contains("TOKEN_ISSUER, JWKS_URI, AUDIENCE"),
        "{message}"
    );
    let required = [
        ("TOKEN_ISSUER", ISSUER),
        ("AUDIENCE", AUDIENCE),
        ("JWKS_URI", "http://127.0.0.1:9/"),
    ];
    let routes = [
        required[0],
        required[1],
        required[2],
        ("AUTHORIZER_ROUTES", "GET /a any:x; GET /a any:y"),
    ];
    let message = failed_start(&routes).await;
    assert!(
        message.contains("AUTHORIZER_ROUTES") && message.contains("GET /a"),
        "{message}"
    );
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("empty.json");
    std::fs::write(&file, r#"{"keys":[]}"#).unwrap();
    let keys = [
        required[0],
        required[1],
        ("AUTHORIZER_JWKS_FILE", file.to_str().unwrap()),
    ];
    let message = failed_start(&keys).await;
    assert!(
        message.contains("empty.json") && message.contains("no usable key"),
        "{message}"
    );
}

/// Ends the process with the test, whatever the outcome.
struct Function(Child);

impl Drop for Function {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Runs the binary with these events, one after the other, and returns what it posted, path and body, and its stderr.
async fn invoke(
    jwks_uri: &str,
    further: &[(&str, &str)],
    events: Vec<Vec<u8>>,
) -> (Vec<(String, Value)>, String) {
    let runtime_api = MockServer::start().await;
    let count = events.len();
    for (index, event) in events.into_iter().enumerate() {
        let answer = ResponseTemplate::new(200)
            .insert_header("lambda-runtime-aws-request-id", format!("request-{index}"))
            .insert_header("lambda-runtime-deadline-ms", "4102444800000")
            .set_body_raw(event, "application/json");
        Mock::given(path(NEXT))
            .respond_with(answer)
            .up_to_n_times(1)
            .mount(&runtime_api)
            .await;
    }
    let idle = ResponseTemplate::new(200).set_delay(Duration::from_mins(10));
    Mock::given(path(NEXT))
        .respond_with(idle)
        .mount(&runtime_api)
        .await;
    let (sender, mut posted) = tokio::sync::mpsc::unbounded_channel();
    let on_post = move |request: &Request| {
        let body = request.body_json().unwrap();
        sender.send((request.url.path().to_owned(), body)).unwrap();
        ResponseTemplate::new(202)
    };
    Mock::given(method("POST"))
        .and(path_regex("^/2018-06-01/runtime/invocation/"))
        .respond_with(on_post)
        .mount(&runtime_api)
        .await;
    let folder = tempfile::tempdir().unwrap();
    // One setting comes from the file beside the function.
    std::fs::write(
        folder.path().join(".env"),
        format!("AUDIENCE={AUDIENCE}\t\n"),
    )
    .unwrap();
    let address = runtime_api.address().to_string();
    let mut variables = vec![
        ("AWS_LAMBDA_RUNTIME_API", &*address),
        ("AWS_LAMBDA_FUNCTION_NAME", "authorizer"),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128"),
        ("AWS_LAMBDA_FUNCTION_VERSION", "1"),
        ("TOKEN_ISSUER", ISSUER),
        ("JWKS_URI", jwks_uri),
    ];
    variables.extend(further);
    let mut function = Function(bootstrap(&folder, &variables).spawn().unwrap());
    let mut answers = Vec::new();
    for _ in 0..count {
        let answer = tokio::time::timeout(Duration::from_secs(20), posted.recv());
        answers.push(answer.await.expect("an answer in time").unwrap());
    }
    function.0.kill().unwrap();
    let mut stderr = String::new();
    let mut pipe = function.0.stderr.take().unwrap();
    std::io::Read::read_to_string(&mut pipe, &mut stderr).unwrap();
    (answers, stderr)
}

fn token_of_today() -> String {
    let now = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap();
    let claims = claims_at(i64::try_from(now.as_secs()).unwrap());
    ISSUER_KEY.sign(header().to_string(), claims.to_string())
}

#[tokio::test]
async fn events_are_answered_over_the_runtime_api() {
    let issuer = MockServer::start().await;
    Mock::given(method("GET"))
        .respond_with(ResponseTemplate::new(200).set_body_json(jwks(&[ISSUER_KEY.jwk(KID)])))
        .expect(1)
        .mount(&issuer)
        .await;
    let token = token_of_today();
    let (input, signature) = token.rsplit_once('.').unwrap();
    let reversed: String = signature.chars().rev().collect();
    let events = vec![
        event(&token),
        event(&format!("{input}.")),
        b"{}".to_vec(),
        event(&token),
        event(&format!("{input}.{reversed}")),
    ];
    let (answers, stderr) = invoke(&issuer.uri(), &[], events).await;
    let posted = |index: usize, kind: &str| {
        let (path, body) = &answers[index];
        assert_eq!(
            *path,
            format!("/2018-06-01/runtime/invocation/request-{index}/{kind}")
        );
        body
    };
    let allowed = posted(0, "response");
    assert_eq!(allowed["principalId"], "user|1");
    assert_eq!(allowed["policyDocument"]["Statement"][0]["Effect"], "Allow");
    assert_eq!(posted(1, "error")["errorMessage"], "Unauthorized");
    assert_eq!(
        posted(2, "error")["errorMessage"],
        "malformed authorizer event"
    );
    assert_eq!(posted(3, "response"), allowed);
    assert_eq!(posted(4, "error")["errorMessage"], "Unauthorized");

    let lines: Vec<Value> = stderr
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines.len(), 3, "only the failures are logged: {stderr}");
    assert_eq!(lines[0]["reason"], "signature-missing");
    assert_eq!(lines[0]["token_sha256_8"].as_str().unwrap().len(), 16);
    assert_eq!(lines[1]["reason"], "event-malformed");
    assert!(
        !stderr.contains(&token[..30]) && !stderr.contains("user|1"),
        "{stderr}"
    );
}

#[tokio::test]
async fn a_deny_leaves_its_reason_in_the_log() {
    let issuer = MockServer::start().await;
    Mock::given(method("GET"))
        .respond_with(ResponseTemplate::new(200).set_body_json(jwks(&[ISSUER_KEY.jwk(KID)])))
        .mount(&issuer)
        .await;
    let scope = [("REQUIRED_SCOPE", "rule:planets")];
    let (answers, stderr) = invoke(&issuer.uri(), &scope, vec![event(&token_of_today())]).await;
    let (_, body) = &answers[0];
    assert_eq!(body["policyDocument"]["Statement"][0]["Effect"], "Deny");
    let line: Value = serde_json::from_str(stderr.trim_end()).unwrap();
    assert_eq!(line["reason"], "scope-missing");
    assert_eq!(line["token_sha256_8"].as_str().unwrap().len(), 16);
}

#[tokio::test]
async fn an_issuer_that_is_down_does_not_fail_the_start() {
    let issuer = MockServer::start().await;
    Mock::given(method("GET"))
        .respond_with(ResponseTemplate::new(503))
        .mount(&issuer)
        .await;
    let (answers, stderr) = invoke(&issuer.uri(), &[], vec![event(&token_of_today())]).await;
    let (path, body) = &answers[0];
    assert!(path.ends_with("/request-0/error"), "{path}");
    assert_eq!(body["errorMessage"], json!("signing keys unavailable"));
    let reasons: Vec<Value> = stderr
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(
        reasons.len(),
        2,
        "one at the start, one for the event: {stderr}"
    );
    assert_eq!(reasons[0]["issuer"], ISSUER);
    assert_eq!(reasons[1]["reason"], "keys-unavailable");
    assert_eq!(
        reasons[1]["causes"][1],
        "the JWKS endpoint answered with status 503 Service Unavailable, expected 200"
    );
}
