//! Event bytes in, answer bytes out, with the settings and the event of the well-known tutorial.

use std::{
    fs,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use authorizer::{Authorizer, AuthorizerError, DotenvFault, Rejection, Settings, SettingsError};
use serde_json::{Value, json};
use wiremock::{Mock, MockServer, ResponseTemplate, matchers::method};

use crate::tokens::{
    AUDIENCE, ISSUER, ISSUER_KEY, KID, NOW, SCOPE, changed, claims, claims_at, header, jwks,
    valid_token, with_claims, without,
};

pub(crate) fn at(seconds: i64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(u64::try_from(seconds).unwrap())
}

/// An endpoint that serves the issuer's key, and settings that name it.
async fn issuer() -> MockServer {
    let server = MockServer::start().await;
    let document = jwks(&[ISSUER_KEY.jwk(KID)]);
    Mock::given(method("GET"))
        .respond_with(ResponseTemplate::new(200).set_body_json(document))
        .mount(&server)
        .await;
    server
}

pub(crate) fn authorizer(server: &MockServer, scope: Option<&str>) -> Authorizer {
    let jwks_uri = format!("{}/.well-known/jwks.json", server.uri());
    let settings = Settings::from_lookup(|name| match name {
        "TOKEN_ISSUER" => Some(ISSUER.to_owned()),
        "JWKS_URI" => Some(jwks_uri.clone()),
        "AUDIENCE" => Some(AUDIENCE.to_owned()),
        "REQUIRED_SCOPE" => scope.map(str::to_owned),
        _ => None,
    });
    Authorizer::new(settings.unwrap()).unwrap()
}

pub(crate) fn event(token: &str) -> Vec<u8> {
    let event = json!({
        "type": "TOKEN",
        "authorizationToken": format!("Bearer {token}"),
        "methodArn": "arn:aws:execute-api:us-east-1:123456789012:abcdef123/test/GET/planets",
    });
    event.to_string().into_bytes()
}

async fn answer(authorizer: &Authorizer, event: &[u8]) -> Result<Value, AuthorizerError> {
    let answer = authorizer.answer(event, at(NOW)).await?;
    Ok(serde_json::to_value(&answer).unwrap())
}

fn rejection(error: AuthorizerError) -> Rejection {
    assert_eq!(error.to_string(), "Unauthorized");
    match error {
        AuthorizerError::Unauthorized(rejection) => rejection,
        other => panic!("expected a rejection, not {other:?}"),
    }
}

#[tokio::test]
async fn the_tutorials_event_gets_the_tutorials_answer() {
    let server = issuer().await;
    let token = with_claims(&json!({"sub": "C8npTEMVnBrILsBTI91MOh6dfuZbPVAU@clients"}));
    let event = format!(
        "{{\n    \"type\" : \"TOKEN\",\t \n    \"authorizationToken\" : \"Bearer {token}\",\n    \
         \"methodArn\":\"arn:aws:execute-api:us-east-1:1234567890:apiId/stage/method/resourcePath\"\n}}\t \n"
    );
    let answer = authorizer(&server, None)
        .answer(event.as_bytes(), at(NOW))
        .await;
    assert_eq!(
        serde_json::to_string(&answer.unwrap()).unwrap(),
        concat!(
            r#"{"principalId":"C8npTEMVnBrILsBTI91MOh6dfuZbPVAU@clients","#,
            r#""policyDocument":{"Version":"2012-10-17","Statement":[{"Action":"execute-api:Invoke","Effect":"Allow","#,
            r#""Resource":"arn:aws:execute-api:us-east-1:1234567890:apiId/stage/*/*"}]},"#,
            r#""context":{"scope":"openid read:planets"}}"#
        )
    );
}

#[tokio::test]
async fn authorize_reads_the_clock_and_writes_json() {
    let server = issuer().await;
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_secs();
    let claims = claims_at(i64::try_from(now).unwrap()).to_string();
    let token = ISSUER_KEY.sign(header().to_string(), claims);
    let authorizer = authorizer(&server, Some(SCOPE));
    let answer = authorizer.authorize(&event(&token)).await.unwrap();
    let answer: Value = serde_json::from_slice(&answer).unwrap();
    assert_eq!(answer["policyDocument"]["Statement"][0]["Effect"], "Allow");
    let long_expired = authorizer
        .authorize(&event(&valid_token_of_the_past()))
        .await;
    assert_eq!(rejection(long_expired.unwrap_err()), Rejection::Expired);
}

fn valid_token_of_the_past() -> String {
    ISSUER_KEY.sign(header().to_string(), claims_at(1_000_000_000).to_string())
}

#[tokio::test]
async fn a_token_without_the_required_scope_gets_an_explicit_deny() {
    let server = issuer().await;
    let unscoped = ISSUER_KEY.sign(header().to_string(), without(claims(), "scope").to_string());
    let cases = [
        (SCOPE, valid_token(), "Allow"),
        ("openid read:planets", valid_token(), "Allow"),
        ("read:planets write:planets", valid_token(), "Deny"),
        ("read:planet", valid_token(), "Deny"),
        ("READ:PLANETS", valid_token(), "Deny"),
        (SCOPE, unscoped, "Deny"),
        (SCOPE, with_claims(&json!({"scope": ""})), "Deny"),
        (
            SCOPE,
            with_claims(&json!({"scope": "profile,read:planets"})),
            "Deny",
        ),
        (
            SCOPE,
            with_claims(&json!({"scope": "profile\tread:planets"})),
            "Deny",
        ),
        (SCOPE, with_claims(&json!({"scope": "read:*"})), "Deny"),
        (SCOPE, with_claims(&json!({"scope": ["x", SCOPE]})), "Allow"),
    ];
    for (required, token, effect) in cases {
        let authorizer = authorizer(&server, Some(required));
        let answer = answer(&authorizer, &event(&token)).await.unwrap();
        let statement = &answer["policyDocument"]["Statement"][0];
        assert_eq!(statement["Effect"], effect, "{required}: {answer}");
        assert_eq!(
            statement["Resource"],
            "arn:aws:execute-api:us-east-1:123456789012:abcdef123/test/*/*"
        );
        assert_eq!(answer["principalId"], "user|1");
        assert!(answer["context"]["scope"].is_string());
    }
}

#[tokio::test]
async fn a_credential_is_refused_before_and_after_its_token_is_looked_at() {
    let server = issuer().await;
    let authorizer = authorizer(&server, None);
    let event = |authorization: &Value| {
        json!({"type": "TOKEN", "authorizationToken": authorization,
               "methodArn": "arn:aws:execute-api:us-east-1:1:a/s/GET/"})
        .to_string()
    };
    let token = valid_token();
    let cases = [
        (format!("bearer {token}"), None),
        (format!("BEARER   {token}"), None),
        (token.clone(), Some(Rejection::SchemeNotBearer)),
        (format!("Basic {token}"), Some(Rejection::SchemeNotBearer)),
        (
            format!("Bearer {token} "),
            Some(Rejection::CredentialsMalformed),
        ),
        (
            format!("Bearer {token}\n"),
            Some(Rejection::CredentialsMalformed),
        ),
        (
            format!("Bearer {token},"),
            Some(Rejection::SignatureEncoding),
        ),
        ("Bearer".to_owned(), Some(Rejection::CredentialsMissing)),
        (String::new(), Some(Rejection::CredentialsMissing)),
        (
            format!("Bearer {}", "a".repeat(300_000)),
            Some(Rejection::TokenTooLarge),
        ),
    ];
    for (authorization, expected) in cases {
        let outcome = answer(&authorizer, event(&json!(authorization)).as_bytes()).await;
        assert_eq!(
            outcome.err().map(rejection),
            expected,
            "{authorization:.30}"
        );
    }
    let no_token = r#"{"type":"TOKEN","methodArn":"arn:aws:execute-api:us-east-1:1:a/s/GET/"}"#;
    let outcome = answer(&authorizer, no_token.as_bytes()).await;
    assert_eq!(
        rejection(outcome.unwrap_err()),
        Rejection::CredentialsMissing
    );
}

#[tokio::test]
async fn an_event_that_is_no_token_event_is_the_platforms_fault() {
    let server = issuer().await;
    let authorizer = authorizer(&server, None);
    let token = valid_token();
    let arns = [
        "",
        "*",
        "arn:aws:execute-api:us-east-1:1:a/*/GET/",
        "arn:aws:s3:::bucket",
    ];
    let mut events: Vec<String> = ["", "null", "[]", "{}", "\u{0}", r#"{"type":"REQUEST"}"#]
        .map(str::to_owned)
        .to_vec();
    events.extend(arns.map(|arn| {
        json!({"type": "TOKEN", "authorizationToken": format!("Bearer {token}"), "methodArn": arn})
            .to_string()
    }));
    for event in events {
        let error = answer(&authorizer, event.as_bytes()).await.unwrap_err();
        assert!(matches!(error, AuthorizerError::Event(_)), "{event}");
        assert_eq!(error.to_string(), "malformed authorizer event");
    }
    assert!(matches!(
        answer(&authorizer, b"{\"type\":\"\xff\"}").await,
        Err(AuthorizerError::Event(_))
    ));
}

#[test]
fn the_tutorials_env_file_is_read_with_its_stray_white_space() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(".env");
    let text = "JWKS_URI=https://auth0user.auth0.com/.well-known/jwks.json\r\n\
                AUDIENCE=https://auth0user.auth0.com/api/v2/\t\r\n\
                \tTOKEN_ISSUER=https://auth0user.auth0.com/  \r\n";
    fs::write(&path, text).unwrap();
    let expected = Settings::from_lookup(|name| {
        let value = match name {
            "TOKEN_ISSUER" => "https://auth0user.auth0.com/",
            "JWKS_URI" => "https://auth0user.auth0.com/.well-known/jwks.json",
            "AUDIENCE" => "https://auth0user.auth0.com/api/v2/",
            _ => return None,
        };
        Some(value.to_owned())
    });
    assert_eq!(Settings::from_dotenv(&path).unwrap(), expected.unwrap());

    fs::write(&path, format!("{text}REQUIRED_SCOPES=read\n")).unwrap();
    let error = Settings::from_dotenv(&path).unwrap_err();
    assert!(
        error.to_string().contains(".env:4: unknown setting"),
        "{error}"
    );
    assert!(matches!(
        error,
        SettingsError::Dotenv {
            line: 4,
            fault: DotenvFault::Unknown,
            ..
        }
    ));

    fs::write(&path, "AUDIENCE=\nREQUIRED_SCOPE=\"\"\n").unwrap();
    let error = Settings::from_dotenv(&path).unwrap_err();
    let SettingsError::Incomplete { missing, empty } = error else {
        panic!("expected the missing settings, not {error}");
    };
    assert_eq!(missing, ["TOKEN_ISSUER", "JWKS_URI"]);
    assert_eq!(empty, ["AUDIENCE", "REQUIRED_SCOPE"]);
}

#[tokio::test]
async fn neither_errors_nor_debug_output_show_the_token_or_a_claim() {
    let server = issuer().await;
    let authorizer = authorizer(&server, None);
    let secret = "claim-that-must-stay-private";
    let token = ISSUER_KEY.sign(
        header().to_string(),
        changed(claims(), &json!({"sub": secret, "aud": secret})).to_string(),
    );
    let error = answer(&authorizer, &event(&token)).await.unwrap_err();
    let shown = format!("{error} {error:?}");
    assert!(
        !shown.contains(secret) && !shown.contains(&token[..20]),
        "{shown}"
    );
}
