use mock_idp::{BodyFormat, ClientAuthentication, IssuerProfile};

use crate::fixture::{AUTH0, COGNITO, OKTA, profile};

#[test]
fn shipped_profiles_say_where_things_are() {
    let auth0 = profile(AUTH0);
    assert_eq!(auth0.name(), "auth0");
    assert_eq!(auth0.issuer("https://t.auth0.com"), "https://t.auth0.com/");
    assert_eq!(auth0.jwks_path(), "/.well-known/jwks.json");
    assert_eq!(auth0.token_path(), "/oauth/token");
    assert_eq!(auth0.token_lifetime_s(), 86_400);
    assert_eq!(
        auth0.token_request_bodies(),
        [BodyFormat::Form, BodyFormat::Json]
    );
    assert_eq!(
        auth0.client_authentication(),
        [
            ClientAuthentication::ClientSecretBasic,
            ClientAuthentication::ClientSecretPost
        ]
    );

    let okta = profile(OKTA);
    assert_eq!(okta.name(), "okta");
    assert_eq!(
        okta.issuer("https://o.okta.com"),
        "https://o.okta.com/oauth2/default"
    );
    assert_eq!(okta.jwks_path(), "/oauth2/default/v1/keys");
    assert_eq!(okta.token_path(), "/oauth2/default/v1/token");
    assert_eq!(okta.discovery_paths().len(), 2);
    assert_eq!(okta.token_request_bodies(), [BodyFormat::Form]);
    assert_eq!(
        okta.user("silver").unwrap().scopes,
        ["openid", "http://myapp.com/scp/silver"]
    );
    assert_eq!(okta.user("bronze").unwrap().scopes, ["openid"]);
}

#[test]
fn profile_that_makes_no_sense_is_refused_by_key() {
    for (from, to, expected) in [
        ("name = \"okta\"", "name = \"okta\"\nnmae = 1", "nmae"),
        ("name = \"okta\"", "", "name"),
        ("lifetime_s = 3600", "lifetime = 3600", "lifetime"),
        ("lifetime_s = 3600", "lifetime_s = 0", "lifetime_s"),
        ("lifetime_s = 3600", "lifetime_s = \"1h\"", "lifetime_s"),
        (
            "issuer = \"{base}/",
            "issuer = \"https://okta.com/",
            "issuer",
        ),
        (
            "authorization_server_id = \"default\"",
            "",
            "authorization_server_id",
        ),
        ("jwks = \"/oauth2", "jwks = \"oauth2", "paths"),
        (
            "jwks = \"/oauth2/{authorization_server_id}/v1/keys\"",
            "jwks = \"/healthz\"",
            "healthz",
        ),
        ("/v1/token\"", "/v1/keys\"", "paths"),
        (
            "audience_form = \"string\"",
            "audience_form = \"strin\"",
            "strin",
        ),
        (
            "audience_form = \"string\"",
            "audience_form = \"string\"\nadditional_audiences = [\"x\"]",
            "additional_audiences",
        ),
        (
            "audience_form = \"string\"",
            "audience_form = \"absent\"\nadditional_audiences = [\"x\"]",
            "additional_audiences",
        ),
        (
            "client_subject = \"{client_id}\"",
            "client_subject = \"{client}\"",
            "client_subject",
        ),
        ("ver = 1", "ver = \"$nwo\"", "token.claims"),
        ("\"e\", \"n\"]", "\"e\"]", "jwks.members"),
        ("\"e\", \"n\"]", "\"e\", \"n\", \"n\"]", "jwks.members"),
        ("\"e\", \"n\"]", "\"e\", \"n\", \"x5c\"]", "x5c"),
        ("must-revalidate\"", "must-revalidate\\n\"", "cache_control"),
        ("bodies = [\"form\"]", "bodies = []", "token_endpoint"),
        ("name = \"bronze\"", "name = \"silver\"", "users"),
        (
            "{ uid = \"00u5t60iloOHN9pBi0h8\" }",
            "{ uid = \"{id}\" }",
            "users.claims",
        ),
    ] {
        assert!(OKTA.contains(from), "{from}");
        let error = IssuerProfile::parse(&OKTA.replacen(from, to, 1)).unwrap_err();
        let shown = match std::error::Error::source(&error) {
            Some(source) => format!("{error}: {source}"),
            None => error.to_string(),
        };
        assert!(shown.contains(expected), "{to}: {shown}");
    }
    let refusal = AUTH0.replace("refusal_status = 403", "refusal_status = 200");
    let error = IssuerProfile::parse(&refusal).unwrap_err().to_string();
    assert!(error.contains("refusal_status"), "{error}");
}

#[test]
fn an_audience_that_no_token_has_cannot_be_asked_for() {
    let asked = format!(
        "{COGNITO}\n[token_endpoint.audience]\nparameter = \"audience\"\nrefusal_status = 400\nrefusal_error = \"e\"\n\
         refusal_description = \"d\"\n"
    );
    let error = IssuerProfile::parse(&asked).unwrap_err().to_string();
    assert!(error.contains("token_endpoint.audience"), "{error}");
}
