//! A function behind an invoke endpoint, and one that is handed its events, asked by the real binary.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::process::Output;
use std::sync::Arc;

use crate::support::authbench;
use authorizer::{Authorizer, Settings};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use loadgen::record::Outcome;
use loadgen::record::{CaseRecord, RecordStore};
use loadgen::target::EMULATOR_PATH;
use serde_json::{Value, json};

/// What the endpoint does with the authorizer's answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Endpoint {
    /// 200 for a failure and nothing more, as the Runtime Interface Emulator answers.
    Emulator,
    /// `X-Amz-Function-Error`, as Lambda answers.
    Lambda,
    /// A permission for everything in place of the authorizer's, and a failure in its own words.
    Spoilt,
}

/// A port for the issuer that was free a moment ago.
fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    listener.local_addr().expect("an address").port()
}

fn authorizer(issuer_port: u16) -> Authorizer {
    let issuer = format!("http://127.0.0.1:{issuer_port}/");
    let settings = Settings::from_lookup(|name| {
        Some(match name {
            "AUDIENCE" => "https://planets.example.com/".to_owned(),
            "AUTHORIZER_ROUTES" => {
                "GET /planets all:read:planets; GET /planets/{id} all:read:planets".to_owned()
            }
            "JWKS_URI" => format!("{issuer}.well-known/jwks.json"),
            "TOKEN_ISSUER" => issuer.clone(),
            _ => return None,
        })
    })
    .expect("good settings");
    Authorizer::new(settings).expect("an authorizer")
}

async fn invoke(
    request: Request<hyper::body::Incoming>,
    endpoint: Endpoint,
    authorizer: Arc<Authorizer>,
) -> Result<Response<Full<Bytes>>, hyper::Error> {
    let mut response = Response::new(Full::default());
    if request.method() != Method::POST || request.uri().path() != EMULATOR_PATH {
        *response.status_mut() = StatusCode::NOT_FOUND;
        return Ok(response);
    }
    let event = request.into_body().collect().await?.to_bytes();
    let body = match (authorizer.authorize(&event).await, endpoint) {
        (Ok(answer), Endpoint::Spoilt) => {
            let mut answer: Value = serde_json::from_slice(&answer).expect("JSON");
            let everything =
                json!({"Effect": "Allow", "Action": "execute-api:Invoke", "Resource": "*"});
            answer["policyDocument"]["Statement"] = everything;
            answer.to_string()
        }
        (Ok(answer), _) => String::from_utf8(answer).expect("JSON is UTF-8"),
        (Err(error), endpoint) => {
            let message = match endpoint {
                Endpoint::Spoilt => "jwt expired".to_owned(),
                Endpoint::Emulator | Endpoint::Lambda => error.to_string(),
            };
            if endpoint == Endpoint::Lambda {
                let marked = "Unhandled".parse().expect("a header value");
                response
                    .headers_mut()
                    .insert("X-Amz-Function-Error", marked);
            }
            json!({"errorType": "Error", "errorMessage": message, "trace": []}).to_string()
        }
    };
    *response.body_mut() = Full::new(body.into());
    Ok(response)
}

/// Serves until the test's runtime ends.
async fn serve(endpoint: Endpoint, port: u16, issuer_port: u16) -> SocketAddr {
    let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, port))
        .await
        .expect("a port");
    let address = listener.local_addr().expect("an address");
    let authorizer = Arc::new(authorizer(issuer_port));
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let authorizer = Arc::clone(&authorizer);
            let answer = service_fn(move |request| {
                let authorizer = Arc::clone(&authorizer);
                async move { invoke(request, endpoint, authorizer).await }
            });
            let connection = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), answer);
            tokio::spawn(connection);
        }
    });
    address
}

async fn conform(folder: &Path, arguments: &[&str]) -> (Output, Vec<CaseRecord>) {
    let mut command = authbench(folder);
    command
        .args(["conform", "--out", "out", "--force"])
        .args(arguments);
    let output = tokio::task::spawn_blocking(move || command.output())
        .await
        .expect("no panic")
        .expect("authbench starts");
    let record = RecordStore::load(&folder.join("out"))
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)));
    let direct = arguments
        .iter()
        .any(|argument| argument.starts_with("authbench-"));
    assert_eq!(
        record.subject.kind,
        if direct { "lambda" } else { "invoke" }
    );
    (output, record.conformance.expect("judged").cases)
}

/// The cases of a run that finds nothing wrong.
async fn cases_of_a_good_run(arguments: &[&str]) -> Vec<CaseRecord> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (output, cases) = conform(folder.path(), arguments).await;
    let printed = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{printed}");
    cases
}

fn all_pass(cases: &[CaseRecord]) {
    for case in cases {
        let (id, reason) = (&case.id, &case.reason);
        assert_eq!(case.outcome, Outcome::Pass, "{id}: {reason:?}");
    }
}

async fn conform_at(endpoint: Endpoint) -> (Output, Vec<CaseRecord>) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let issuer_port = free_port();
    let address = serve(endpoint, 0, issuer_port).await;
    let url = format!("http://{address}{EMULATOR_PATH}");
    let listen = format!("127.0.0.1:{issuer_port}");
    let arguments = [
        "--invoke",
        &url,
        "--issuer-listen",
        &listen,
        "--filter",
        "apigw::",
        "--filter",
        "rfc6750::scope",
        "--filter",
        "cache::other-path",
    ];
    conform(folder.path(), &arguments).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_function_behind_either_kind_of_endpoint_is_judged_by_its_answers() {
    for endpoint in [Endpoint::Emulator, Endpoint::Lambda] {
        let (output, cases) = conform_at(endpoint).await;
        let printed = String::from_utf8_lossy(&output.stdout);
        assert_eq!(output.status.code(), Some(0), "{endpoint:?}: {printed}");
        let asked = |outcome| cases.iter().filter(|case| case.outcome == outcome).count();
        // What it takes beside TOKEN events, and what its routes are for, the command line does not say.
        let skipped: Vec<_> = cases
            .iter()
            .filter(|case| case.outcome == Outcome::Skip)
            .map(|case| case.reason.as_deref().unwrap_or_default())
            .collect();
        assert!(
            skipped
                .iter()
                .all(|reason| reason.contains("is not among the features")),
            "{skipped:?}"
        );
        assert!(asked(Outcome::Pass) > 20, "{printed}");
        let expired = cases
            .iter()
            .find(|case| case.id == "apigw::refusal-expired");
        let observed = expired.and_then(|case| case.observed.as_ref());
        assert_eq!(observed.and_then(|answer| answer.status), Some(401));
    }
}

#[test]
#[ignore = "the process that the next test starts"]
fn endpoint_server() {
    let port = |name: &str| {
        let text = std::env::var(name).expect(name);
        text.parse().expect("a port")
    };
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        serve(Endpoint::Emulator, port("PORT"), port("ISSUER_PORT")).await;
        std::future::pending::<()>().await;
    });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_endpoint_that_the_bench_starts_is_asked_at_the_emulators_path() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let own = std::env::current_exe().expect("this test's own path");
    let issuer_port = free_port();
    let text = format!(
        "name = \"started\"\nkind = \"invoke\"\nfeatures = [\"scope\", \"request-event\"]\n[command]\n\
         program = '{}'\nargs = [\"--ignored\", \"--exact\", \"invoke_endpoint::endpoint_server\"]\n[command.env]\n\
         PORT = \"{{port}}\"\nISSUER_PORT = \"{issuer_port}\"\n[invoke]\nevent = \"request\"\n",
        own.display()
    );
    std::fs::write(folder.path().join("started.toml"), text).expect("written");
    let listen = format!("127.0.0.1:{issuer_port}");
    let arguments = [
        "--target",
        "started.toml",
        "--issuer-listen",
        &listen,
        "--filter",
        "apigw::",
        "--filter",
        "rfc6750::",
    ];
    let (output, cases) = conform(folder.path(), &arguments).await;
    let printed = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{printed}");
    let request = cases.iter().find(|case| case.id == "apigw::request-event");
    assert_eq!(request.map(|case| case.outcome), Some(Outcome::Pass));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_policy_for_everything_and_an_error_in_other_words_are_told() {
    let (output, cases) = conform_at(Endpoint::Spoilt).await;
    assert_eq!(output.status.code(), Some(10));
    let found = |id: &str| {
        let case = cases.iter().find(|case| case.id == id).expect(id);
        (
            case.outcome,
            case.reason.clone().unwrap_or_default(),
            case.cause.clone(),
        )
    };
    let (outcome, reason, cause) = found("apigw::policy-other-account");
    assert_eq!(
        (outcome, cause.as_str()),
        (Outcome::UnexpectedAllow, "policy-too-wide")
    );
    assert!(reason.contains("the policy says: Allow *"), "{reason}");
    let (outcome, reason, cause) = found("apigw::refusal-expired");
    assert_eq!(
        (outcome, cause.as_str()),
        (Outcome::Fault, "refusal-by-error")
    );
    assert!(
        reason.contains("jwt expired") && reason.contains("Unauthorized"),
        "{reason}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn our_own_authorizer_passes_every_question_about_policies_when_asked_directly() {
    let arguments = [
        "--target",
        "authbench-direct",
        "--filter",
        "apigw::",
        "--filter",
        "cache::other-",
        "--filter",
        "cache::refused-method",
        "--filter",
        "cache::principals-",
    ];
    let cases = cases_of_a_good_run(&arguments).await;
    all_pass(&cases);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn behind_the_gateway_cached_policies_are_asked_by_method_and_path() {
    let arguments = [
        "--target",
        "authbench-routes",
        "--filter",
        "apigw::policy-sibling",
        "--filter",
        "cache::other-",
        "--filter",
        "cache::refused-method",
        "--filter",
        "cache::principals-",
    ];
    let cases = cases_of_a_good_run(&arguments).await;
    for case in &cases {
        let hidden = case.id.starts_with("apigw::");
        let wanted = if hidden { Outcome::Skip } else { Outcome::Pass };
        assert_eq!(case.outcome, wanted, "{}: {:?}", case.id, case.reason);
        let reason = case.reason.as_deref().unwrap_or_default();
        assert!(!hidden || reason.contains("ask = \"direct\""), "{reason}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_trusted_issuers_each_signs_for_itself_alone() {
    let arguments = [
        "--target",
        "authbench-two-issuers",
        "--filter",
        "another-trusted-issuer",
    ];
    let cases = cases_of_a_good_run(&arguments).await;
    assert_eq!(cases.len(), 3);
    all_pass(&cases);
}

/// The profile is the target file's own.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cognitos_tokens_are_taken_by_client_and_kind_and_not_asked_about_aud() {
    let arguments = [
        "--target",
        "authbench-cognito",
        "--filter",
        "baseline::",
        "--filter",
        "cognito::",
        "--filter",
        "one-of-two-scopes",
        "--filter",
        "aud-wrong",
    ];
    let cases = cases_of_a_good_run(&arguments).await;
    assert!(
        cases
            .iter()
            .any(|case| case.id == "cognito::client-id-wrong")
    );
    for case in &cases {
        let about_aud = case.id.contains("aud-");
        let wanted = if about_aud {
            Outcome::Skip
        } else {
            Outcome::Pass
        };
        assert_eq!(case.outcome, wanted, "{}: {:?}", case.id, case.reason);
        let reason = case.reason.as_deref().unwrap_or_default();
        assert!(!about_aud || reason.contains("do not have"), "{reason}");
    }
}
