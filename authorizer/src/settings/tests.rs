//! The settings through each of their sources.

use std::time::Duration;

use super::{
    names::{AUDIENCE, JWKS_URI, REQUIRED_SCOPE, TOKEN_ISSUER},
    *,
};

fn complete(name: &str) -> Option<String> {
    let value = match name {
        "TOKEN_ISSUER" => "https://issuer.example/",
        "JWKS_URI" => "https://issuer.example/.well-known/jwks.json",
        "AUDIENCE" => "https://api.example/",
        _ => return None,
    };
    Some(value.to_owned())
}

fn with(changed: &str, value: Option<&str>) -> Result<Settings, SettingsError> {
    Settings::from_lookup(|name| {
        if name == changed {
            value.map(str::to_owned)
        } else {
            complete(name)
        }
    })
}

#[test]
fn all_missing_and_empty_settings_are_named_at_once() {
    let Err(SettingsError::Incomplete { missing, empty }) = Settings::from_lookup(|_| None) else {
        panic!("expected the missing settings");
    };
    assert_eq!(missing, ["TOKEN_ISSUER", "JWKS_URI", "AUDIENCE"]);
    assert!(empty.is_empty());
    for name in NAMES.into_iter().filter(|name| *name != CONFIG) {
        for blank in ["", "  ", "\t"] {
            let Err(SettingsError::Incomplete { missing, empty }) = with(name, Some(blank)) else {
                panic!("an empty {name} was taken");
            };
            assert!(missing.is_empty());
            assert_eq!(empty, [name]);
        }
    }
}

#[test]
fn the_scope_is_optional_and_may_be_several() {
    let grants = |scope| with(REQUIRED_SCOPE, scope).unwrap().grants;
    assert_eq!(grants(None), Grants::Stage(vec![]));
    assert_eq!(
        grants(Some("read:a write:a")),
        Grants::Stage(vec!["read:a".to_owned(), "write:a".to_owned()])
    );
}

#[test]
fn values_that_cannot_be_right_are_refused_by_name() {
    let cases = [
        (JWKS_URI, "jwks.json"),
        (JWKS_URI, "ftp://issuer.example/jwks.json"),
        (JWKS_URI, "file:///etc/passwd"),
        (JWKS_URI, "http://issuer.example/jwks.json"),
        (JWKS_URI, "http://127.0.0.1.example/jwks.json"),
        (JWKS_URI, "http://localhost.example/jwks.json"),
        (JWKS_URI, "https://user:secret@issuer.example/jwks.json"),
        (JWKS_URI, " https://issuer.example/jwks.json"),
        (TOKEN_ISSUER, "https://issuer.example/ "),
        (AUDIENCE, "\thttps://api.example/"),
        (REQUIRED_SCOPE, "read:\"x\""),
        (REQUIRED_SCOPE, "lesen:ä"),
    ];
    for (changed, value) in cases {
        match with(changed, Some(value)) {
            Err(SettingsError::Invalid { name, .. }) => assert_eq!(name, changed, "{value}"),
            other => panic!("{changed}={value}: {other:?}"),
        }
    }
    for value in [
        "http://127.0.0.1:8080/jwks.json",
        "http://localhost/jwks.json",
        "http://[::1]:80/jwks.json",
        "https://issuer.example/jwks.json",
    ] {
        assert!(with(JWKS_URI, Some(value)).is_ok(), "{value}");
    }
}

#[test]
fn the_effective_settings_give_the_same_settings_again() {
    let folder = tempfile::tempdir().unwrap();
    let mut environment = vec![];
    environment.push(with(REQUIRED_SCOPE, Some("read:a write:a")).unwrap());
    environment.push(
        with(
            "AUTHORIZER_ROUTES",
            Some("GET,HEAD /a/{id} any:r,w; * /b none; PUT /a/{id} all:r,w"),
        )
        .unwrap(),
    );
    environment.push(
        with(
            "AUTHORIZER_CONTEXT",
            Some("tenant=https://x/\"tenant\" plan=p"),
        )
        .unwrap(),
    );
    environment.push(with("AUTHORIZER_SHAPE", Some("okta")).unwrap());
    environment.push(with(AUDIENCE, Some("a b")).unwrap());
    for settings in environment {
        let path = folder.path().join("authorizer.toml");
        std::fs::write(&path, settings.to_string()).unwrap();
        let again =
            Settings::from_toml(&path).unwrap_or_else(|error| panic!("{error}\n{settings}"));
        assert_eq!(again, settings, "{settings}");
    }
}

#[test]
fn the_file_of_the_guide_is_taken() {
    let guide = include_str!("../../../docs/authorizer.md");
    let (_, file) = guide.split_once("```toml\n").expect("the guide has a file");
    let (file, _) = file.split_once("```").expect("the file ends");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("authorizer.toml");
    std::fs::write(&path, file).unwrap();
    let settings = Settings::from_toml(&path).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(settings.issuers.len(), 2);
    assert!(matches!(settings.grants, Grants::Routes(_)));
}

#[test]
fn the_life_of_keys_is_bounded_by_settings_within_their_bounds() {
    let limits = |name, value| {
        with(name, Some(value))
            .unwrap()
            .key_limits
            .settings()
            .to_owned()
    };
    // The ages below the upper bound follow it.
    let short = limits("AUTHORIZER_KEYS_MAX_AGE_S", "30");
    let seconds = Duration::from_secs;
    assert_eq!(short.max_max_age, seconds(30));
    assert_eq!(short.default_max_age, seconds(30));
    assert_eq!(short.min_max_age, seconds(30));
    let quick = limits("AUTHORIZER_KEYS_DEADLINE_MS", "200");
    assert_eq!(quick.deadline, Duration::from_millis(200));
    assert_eq!(quick.connect_timeout, Duration::from_millis(200));
    let calm = limits("AUTHORIZER_KEYS_UNKNOWN_KID_COOLDOWN_S", "300");
    assert_eq!(calm.unknown_kid_cooldown, seconds(300));
    assert_eq!(calm.absent_kid_memory, seconds(300));
    let never = limits("AUTHORIZER_KEYS_STALE_S", "0");
    assert_eq!(never.stale_bound, Duration::ZERO);
    assert_eq!(
        limits("AUTHORIZER_KEYS_MAX_BYTES", "2048").max_body_bytes,
        2_048
    );
    let refused = [
        (
            "AUTHORIZER_KEYS_MAX_AGE_S",
            "9",
            "is 9s; expected 10s to 86400s",
        ),
        (
            "AUTHORIZER_KEYS_MAX_AGE_S",
            "86401",
            "is 86401s; expected 10s to 86400s",
        ),
        (
            "AUTHORIZER_KEYS_STALE_S",
            "86401",
            "is 86401s; expected 0s to 86400s",
        ),
        (
            "AUTHORIZER_KEYS_UNKNOWN_KID_COOLDOWN_S",
            "0",
            "is 0s; expected 1s to 300s",
        ),
        (
            "AUTHORIZER_KEYS_DEADLINE_MS",
            "4001",
            "is 4.001s; expected 50ms to 4s",
        ),
        (
            "AUTHORIZER_KEYS_MAX_BYTES",
            "7",
            "is 7; expected 1024 to 1048576",
        ),
        (
            "AUTHORIZER_KEYS_MAX_BYTES",
            "-1",
            "is \"-1\"; expected a whole number",
        ),
    ];
    for (name, value, problem) in refused {
        let error = with(name, Some(value)).unwrap_err().to_string();
        assert_eq!(error, format!("setting {name} {problem}"));
    }
}
