//! Settings that cannot be used: each fault names the file, and the line or the key.

use authorizer::{Settings, SettingsError};

use super::{FIRST, SECOND, settings};

/// The message of a file that has to be refused.
fn fault(text: &str) -> String {
    let error = settings(text).expect_err(text);
    assert!(matches!(error, SettingsError::File { .. }), "{error:?}");
    let message = error.to_string();
    assert!(message.contains("settings.toml: "), "{message}");
    message
}

fn assert_names(text: &str, words: &[&str]) {
    let message = fault(text);
    for word in words {
        assert!(message.contains(word), "no {word:?} in: {message}");
    }
}

#[test]
fn a_text_that_is_no_settings_file_is_refused_with_its_line() {
    for (text, line) in [
        ("required_scope = [\"a\"]".to_owned(), "line 1"),
        ("\n\nanswer = policy\n".to_owned(), "line 3"),
        ("token_cache = \"many\"".to_owned(), "line 1"),
        ("token_cache = -1".to_owned(), "line 1"),
        (format!("{FIRST}leeway = 3\n"), "line 6"),
        (format!("{FIRST}leeway_s = 70000\n"), "line 6"),
        (format!("{FIRST}discovery = \"yes\"\n"), "line 6"),
        (
            format!("{FIRST}[[route]]\nmethods = [\"GET\"]\npath = \"/\"\nscopes = [\"a\"]\n"),
            "line 9",
        ),
        (format!("{FIRST}[context]\na = 1\n"), "line 7"),
    ] {
        assert_names(&text, &[line]);
    }
    assert_names(
        "required_scope = [\"a\"]",
        &["`required_scope`", "required_scopes"],
    );
    assert_names(
        "[[issuer]]\nissuer = \"a\"\njwks_file = \"keys.json\"",
        &["audiences"],
    );
}

#[test]
fn a_word_that_is_none_is_refused_with_those_that_are() {
    let top = |line: &str| format!("{line}\n{FIRST}");
    let in_issuer = |line: &str| format!("{FIRST}{line}");
    let rows = [
        (top("answer = \"Simple\""), "answer", "policy, simple"),
        (top("token_form = \"basic\""), "token_form", "bearer, raw"),
        (top("token_header = \"a b\""), "token_header", "a b"),
        (top("token_header = \"\""), "token_header", "\"\""),
        (in_issuer("shape = \"Okta\""), "shape", "okta"),
        (
            in_issuer("token_type = \"jwt\""),
            "token_type",
            "at+jwt, JWT",
        ),
        (in_issuer("algorithms = [\"none\"]"), "algorithms", "none"),
        (in_issuer("algorithms = [\"HS256\"]"), "algorithms", "RS256"),
        (in_issuer("algorithms = [\"rs256\"]"), "algorithms", "RS256"),
        (in_issuer("algorithms = []"), "algorithms", "empty"),
        (in_issuer("leeway_s = 301"), "leeway_s", "300"),
        (
            in_issuer("jwks_uri = \"http://issuer.example/\""),
            "jwks_uri",
            "https",
        ),
        (in_issuer("discovery = true"), "discovery", "keep one"),
    ];
    for (text, key, hint) in rows {
        assert_names(&text, &[&format!("setting {key}"), hint]);
    }
}

#[test]
fn settings_that_contradict_each_other_are_refused() {
    let route = "[[route]]\nmethods = [\"GET\"]\npath = \"/\"\nany_of = [\"a\"]";
    let rows = [
        (format!("answer = \"simple\"\n{FIRST}{route}"), "answer"),
        (
            format!("answer = \"simple\"\npolicy_ends_with_token = true\n{FIRST}"),
            "answer",
        ),
        (
            format!("required_scopes = [\"a\"]\n{FIRST}{route}"),
            "required_scopes",
        ),
        (format!("{FIRST}{SECOND}{FIRST}"), "issuer"),
    ];
    for (text, key) in rows {
        assert_names(&text, &[&format!("setting {key}")]);
    }
    assert_names(
        &format!("{FIRST}{FIRST}"),
        &["https://issuer.example/", "twice"],
    );
}

#[test]
fn a_list_that_is_there_but_empty_is_refused() {
    // It would mean that every token may do everything.
    assert_names(
        &format!("required_scopes = []\n{FIRST}"),
        &["required_scopes"],
    );
    assert_names(&format!("route = []\n{FIRST}"), &["route"]);
    assert_names("issuer = []\n", &["issuer"]);
    assert_names(
        &FIRST.replace("\"https://api.example/\"", ""),
        &["audiences"],
    );
    for claim in ["", " "] {
        assert_names(
            &format!("api_key_claim = \"{claim}\"\n{FIRST}"),
            &["api_key_claim"],
        );
        assert_names(
            &format!("context = {{ a = \"{claim}\" }}\n{FIRST}"),
            &["context"],
        );
    }
}

#[test]
fn a_number_out_of_bounds_is_refused() {
    for (line, key, bound) in [
        ("token_cache = 65537", "token_cache", "65536"),
        ("token_cache_ttl_s = 0", "token_cache_ttl_s", "3600"),
        ("token_cache_ttl_s = 3601", "token_cache_ttl_s", "3600"),
    ] {
        assert_names(
            &format!("{line}\n{FIRST}"),
            &[&format!("setting {key}"), bound],
        );
    }
    assert!(
        settings(&format!(
            "token_cache = 65536\ntoken_cache_ttl_s = 3600\n{FIRST}"
        ))
        .is_ok()
    );
}

#[test]
fn a_key_of_the_context_that_is_taken_is_refused() {
    for key in ["scope", "principalId", "integrationLatency", "claims", ""] {
        let text = format!("{FIRST}[context]\n\"{key}\" = \"sub\"");
        assert_names(&text, &["setting context", &format!("{key:?}")]);
    }
}

#[test]
fn a_route_that_cannot_be_used_is_named() {
    let rows = [
        (
            "methods = [\"GET\"]\npath = \"planets\"\nany_of = [\"a\"]",
            "planets",
        ),
        (
            "methods = [\"FETCH\"]\npath = \"/\"\nany_of = [\"a\"]",
            "FETCH",
        ),
        ("methods = [\"GET\"]\npath = \"/a\"", "/a"),
        ("methods = [\"GET\"]\npath = \"/a\"\nany_of = []", "/a"),
        ("methods = [\"GET\"]\npath = \"/a\"\nno_scope = false", "/a"),
    ];
    for (route, word) in rows {
        assert_names(&format!("{FIRST}[[route]]\n{route}"), &[word]);
    }
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let error = settings(&FIRST.replace("keys.json", "absent.json")).unwrap_err();
    assert!(matches!(error, SettingsError::Read { .. }), "{error:?}");
    assert!(error.to_string().contains("absent.json"), "{error}");
    let error = Settings::from_toml("/absent/settings.toml").unwrap_err();
    assert!(
        error.to_string().contains("/absent/settings.toml"),
        "{error}"
    );
}

#[test]
fn the_environment_and_a_file_do_not_mix() {
    let lookup = |name: &str| match name {
        "AUTHORIZER_CONFIG" => Some("/absent/settings.toml".to_owned()),
        "AUDIENCE" => Some("a".to_owned()),
        _ => None,
    };
    let error = Settings::from_lookup(lookup).unwrap_err();
    assert!(error.to_string().contains("setting AUDIENCE"), "{error}");
}

#[test]
fn the_environment_is_held_to_the_same_rules() {
    let rows = [
        ("AUTHORIZER_ALGORITHMS", "RS256 none"),
        ("AUTHORIZER_ANSWER", "yes"),
        ("AUTHORIZER_API_KEY_CLAIM", " key"),
        ("AUTHORIZER_CONTEXT", "tenant"),
        ("AUTHORIZER_CONTEXT", "=org"),
        ("AUTHORIZER_CONTEXT", "tenant="),
        ("AUTHORIZER_CONTEXT", "scope=org"),
        ("AUTHORIZER_CONTEXT", "tenant=org tenant=group"),
        ("AUTHORIZER_DISCOVERY", "true"),
        ("AUTHORIZER_DISCOVERY", "on"),
        ("AUTHORIZER_ID_TOKENS", "no"),
        ("AUTHORIZER_LEEWAY_S", "-1"),
        ("AUTHORIZER_LEEWAY_S", "301"),
        ("AUTHORIZER_POLICY_ENDS_WITH_TOKEN", "1"),
        ("AUTHORIZER_SHAPE", "google"),
        ("AUTHORIZER_TOKEN_CACHE", "1e3"),
        ("AUTHORIZER_TOKEN_CACHE", "65537"),
        ("AUTHORIZER_TOKEN_CACHE_TTL_S", "0"),
        ("AUTHORIZER_TOKEN_FORM", "Bearer"),
        ("AUTHORIZER_TOKEN_HEADER", "x y"),
        ("AUTHORIZER_TOKEN_TYPE", "at+JWT"),
    ];
    for (changed, value) in rows {
        let error = Settings::from_lookup(|name| match name {
            "TOKEN_ISSUER" => Some("https://issuer.example/".to_owned()),
            "JWKS_URI" => Some("https://issuer.example/jwks.json".to_owned()),
            "AUDIENCE" => Some("https://api.example/".to_owned()),
            _ => (name == changed).then(|| value.to_owned()),
        });
        match error {
            Err(SettingsError::Invalid { name, .. }) => assert_eq!(name, changed, "{value}"),
            other => panic!("{changed}={value}: {other:?}"),
        }
    }
    for routes in [";", " ; ", "GET /a", "GET /a any:"] {
        let error = Settings::from_lookup(|name| match name {
            "TOKEN_ISSUER" => Some("https://issuer.example/".to_owned()),
            "JWKS_URI" => Some("https://issuer.example/jwks.json".to_owned()),
            "AUDIENCE" => Some("https://api.example/".to_owned()),
            _ => (name == "AUTHORIZER_ROUTES").then(|| routes.to_owned()),
        });
        assert!(matches!(error, Err(SettingsError::Routes(_))), "{routes:?}");
    }
}
