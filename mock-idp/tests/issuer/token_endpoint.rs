use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jsonwebtoken::Algorithm;
use mock_idp::MockIdp;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::fixture::{AUTH0, OKTA, claims, keys, profile, start, verifies};
use crate::http::{Answer, exchange, post};

const FORM: &str = "\r\nContent-Type: application/x-www-form-urlencoded";
const JSON: &str = "\r\nContent-Type: application/json; charset=utf-8";
/// `ID` in the tables: the fixture's client with its secret, form-encoded.
const POSTED: &str = "client_id=client-1&client_secret=s3cret%3Awith+colon";
/// `GRANT` in the tables.
const GRANT: &str = "&grant_type=client_credentials";

/// One request of a table: profile, head (`form`, `json`, `none`, `basic ID:SECRET`, `authorization VALUE`), body.
struct Request {
    profile: &'static str,
    head: String,
    body: String,
}

/// The rows of a table, whose cells are separated by bars: a request and what is expected of its answer.
fn rows<const N: usize>(table: &'static str) -> impl Iterator<Item = (Request, [&'static str; N])> {
    table.trim().lines().map(|line| {
        let cells: Vec<_> = line.split('|').map(str::trim).collect();
        let [profile, head, body] = cells[..3] else {
            panic!("{line}")
        };
        let request = Request {
            profile: if profile == "okta" { OKTA } else { AUTH0 },
            head: head_lines(head),
            body: body.replace("ID", POSTED).replace("GRANT", GRANT),
        };
        (request, cells[3..].try_into().expect(line))
    })
}

fn head_lines(head: &str) -> String {
    match head.split_once(' ') {
        None if head == "form" => FORM.to_owned(),
        None if head == "json" => JSON.to_owned(),
        None if head == "none" => String::new(),
        Some(("basic", credentials)) => {
            format!(
                "{FORM}\r\nAuthorization: basic {}",
                STANDARD.encode(credentials)
            )
        }
        Some(("authorization", value)) => format!("{FORM}\r\nAuthorization: {value}"),
        _ => panic!("{head}"),
    }
}

async fn ask(idp: &MockIdp, request: &Request) -> Answer {
    let path = profile(request.profile).token_path();
    post(idp, &path, &request.head, &request.body).await
}

/// Profile, head, body; the token's audience, the granted scope.
const GRANTED: &str = r#"
okta  | basic client-1:s3cret%3Awith+colon | GRANT | https://api.example/ | read:planets read:moons
okta  | basic client-1:s3cret%3Awith+colon | GRANT&client_id=client-1 | https://api.example/ | read:planets read:moons
okta  | form | IDGRANT&scope= | https://api.example/ | read:planets read:moons
okta  | form | IDGRANT&scope=read%3Amoons&audience=x | https://api.example/ | read:moons
auth0 | basic client-1:s3cret%3Awith+colon | GRANT | https://api.example/ | read:planets read:moons
auth0 | form | IDGRANT&audience=https://other.example/&scope=read:planets | https://other.example/ | read:planets
auth0 | json | {"grant_type":"client_credentials","client_id":"client-1","client_secret":"s3cret:with colon","audience":"https://other.example/","unknown":""} | https://other.example/ | read:planets read:moons
"#;

#[tokio::test]
async fn client_credentials_give_a_token_in_every_accepted_form() {
    for (request, [audience, scope]) in rows(GRANTED) {
        let idp = start(request.profile).await;
        let answer = ask(&idp, &request).await;
        assert_eq!(answer.status, 200, "{}: {}", request.body, answer.body);
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        assert_eq!(answer.header("content-type"), Some("application/json"));
        let body = answer.json();
        let lifetime = profile(request.profile).token_lifetime_s();
        assert_eq!(body["token_type"], "Bearer");
        assert_eq!(body["expires_in"], json!(lifetime));
        assert_eq!(body["scope"], scope);

        let token = body["access_token"].as_str().unwrap();
        assert!(verifies(
            token,
            Algorithm::RS256,
            &keys().signing.public_jwk()
        ));
        let claims = claims(token);
        assert_eq!(claims["iss"], idp.issuer());
        let aud = &claims["aud"];
        assert_eq!(aud.get(0).unwrap_or(aud), audience);
        let lived = claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap();
        assert_eq!(lived, i64::from(lifetime));
    }
}

#[tokio::test]
async fn tokens_of_an_issuer_with_jti_differ_within_a_second() {
    let idp = start(OKTA).await;
    let (request, _) = rows::<2>(GRANTED).next().unwrap();
    let mut tokens = Vec::new();
    for _ in 0..2 {
        tokens.push(ask(&idp, &request).await.json()["access_token"].clone());
    }
    assert_ne!(tokens[0], tokens[1]);
}

/// RFC 6749 §5.2, and §2.3 and §3.2 for the forms of a request. Profile, head, body; status, `error`.
const REFUSED: &str = r#"
okta  | form | ID | 400 | invalid_request
okta  | form | ID&grant_type= | 400 | invalid_request
okta  | form | ID&grant_type=password | 400 | unsupported_grant_type
okta  | form | IDGRANTGRANT | 400 | invalid_request
okta  | form | IDGRANT&scope=a&scope=b | 400 | invalid_request
okta  | form | IDGRANT&scope=write%3Aplanets | 400 | invalid_scope
okta  | form | IDGRANT&scope=read:planets++read:moons | 400 | invalid_scope
okta  | form | IDGRANT&scope=%zz | 400 | invalid_request
okta  | form | GRANT | 401 | invalid_client
okta  | form | client_id=client-1GRANT | 401 | invalid_client
okta  | form | client_id=client-1&client_secret=wrongGRANT | 401 | invalid_client
okta  | form | client_id=nobody&client_secret=s3cretGRANT | 401 | invalid_client
okta  | form | client_id=idle&client_secret=idle-secretGRANT | 400 | unauthorized_client
okta  | basic client-1:wrong | GRANT | 401 | invalid_client
okta  | basic nobody: | GRANT | 401 | invalid_client
okta  | basic nobody | GRANT | 401 | invalid_client
okta  | authorization Basic ! | GRANT | 401 | invalid_client
okta  | authorization Bearer x | GRANT | 401 | invalid_client
okta  | basic client-1:s3cret%3Awith+colon | IDGRANT | 400 | invalid_request
okta  | basic client-1:s3cret%3Awith+colon | client_id=idleGRANT | 400 | invalid_request
okta  | none | IDGRANT | 400 | invalid_request
okta  | json | {"grant_type":"client_credentials","client_id":"client-1","client_secret":"s3cret:with colon"} | 400 | invalid_request
auth0 | json | {"grant_type":"client_credentials","grant_type":"client_credentials","client_id":"client-1","client_secret":"s3cret:with colon"} | 400 | invalid_request
auth0 | json | {"grant_type":1} | 400 | invalid_request
auth0 | json | [] | 400 | invalid_request
auth0 | json |  | 400 | invalid_request
auth0 | form | IDGRANT&audience=https://third.example/ | 403 | access_denied
"#;

#[tokio::test]
async fn refusals_are_those_of_the_rfc() {
    for (request, [status, error]) in rows(REFUSED) {
        let idp = start(request.profile).await;
        let answer = ask(&idp, &request).await;
        let refusal = answer.json();
        let given = (
            answer.status.to_string(),
            refusal["error"].as_str().unwrap(),
        );
        assert_eq!(
            given,
            (status.to_owned(), error),
            "{} {}",
            request.head,
            request.body
        );
        assert!(refusal["error_description"].is_string());
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        let challenge = answer.header("www-authenticate");
        let challenged = challenge.is_some_and(|text| text.starts_with("Basic"));
        assert_eq!(challenged, status == "401");
        assert!(refusal.get("access_token").is_none());
        assert!(!answer.body.contains("s3cret"), "{}", answer.body);
    }
}

#[tokio::test]
async fn body_beyond_16_kib_is_refused_declared_or_not() {
    let idp = start(OKTA).await;
    let megabyte = "a".repeat(1024 * 1024);
    let path = profile(OKTA).token_path();
    let chunked = format!("POST {path} HTTP/1.1{FORM}\r\nTransfer-Encoding: chunked");
    let chunk = format!("{:x}\r\n{megabyte}\r\n0\r\n\r\n", megabyte.len());
    for answer in [
        post(&idp, &path, FORM, &megabyte).await,
        exchange(&idp, &chunked, &chunk).await,
    ] {
        assert_eq!(answer.status, 413);
        assert_eq!(answer.json()["error"], "invalid_request");
    }
    let fits = Request {
        profile: OKTA,
        head: FORM.to_owned(),
        body: format!("{POSTED}{GRANT}&x={}", "a".repeat(16_000)),
    };
    assert_eq!(ask(&idp, &fits).await.status, 200);
}

/// The clock is tokio's and jumps to the next timer when nothing else can happen, so that no test waits for 5 s.
#[tokio::test(start_paused = true)]
async fn body_that_never_ends_is_given_up_after_5_seconds() {
    let idp = start(OKTA).await;
    let path = profile(OKTA).token_path();
    let mut stream = TcpStream::connect(idp.address()).await.unwrap();
    let head =
        format!("POST {path} HTTP/1.1\r\nHost: issuer{FORM}\r\nContent-Length: 100\r\n\r\ngrant");
    stream.write_all(head.as_bytes()).await.unwrap();
    let asked = tokio::time::Instant::now();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    assert!(asked.elapsed() >= std::time::Duration::from_secs(4));
    let body: Value = serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap();
    assert_eq!(body["error"], "invalid_request");
}
