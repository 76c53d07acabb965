//! An event as the platform or whoever invokes the function sends it, answered end to end.
//!
//! `T` in place of a token stands for a good one. Whatever is allowed is one stage of one API and nothing wider.

#![no_main]

use std::{
    pin::pin,
    sync::LazyLock,
    task::{Context, Poll, Waker},
    time::{Duration, UNIX_EPOCH},
};

use authorizer::{Authorizer, Settings};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

static AUTHORIZERS: LazyLock<[Authorizer; 2]> = LazyLock::new(|| {
    let file = std::env::temp_dir().join(format!("fuzz-keys-{}.json", std::process::id()));
    std::fs::write(&file, fuzz::KEYS).expect("a temporary file can be written");
    let authorizer = |further: [(&str, &str); 3]| {
        let settings = Settings::from_lookup(|name| {
            let value = match name {
                "TOKEN_ISSUER" => fuzz::ISSUER,
                "AUDIENCE" => fuzz::AUDIENCE,
                "AUTHORIZER_JWKS_FILE" => file.to_str()?,
                _ => further.iter().find(|(known, _)| *known == name)?.1,
            };
            Some(value.to_owned())
        });
        Authorizer::new(settings.expect("complete settings")).expect("a usable key")
    };
    [
        authorizer([
            ("AUTHORIZER_ANSWER", "simple"),
            ("AUTHORIZER_TOKEN_CACHE", "4"),
            ("AUTHORIZER_CONTEXT", "subject=sub"),
        ]),
        authorizer([
            ("AUTHORIZER_TOKEN_FORM", "raw"),
            ("AUTHORIZER_TOKEN_HEADER", "x-token"),
            (
                "AUTHORIZER_ROUTES",
                "GET /planets any:a; * /files/{proxy+} any:zz",
            ),
        ]),
    ]
});

fuzz_target!(|input: &[u8]| {
    let Ok(text) = str::from_utf8(input) else {
        return;
    };
    let with_token = text
        .replace("Bearer T\"", &format!("Bearer {}\"", fuzz::TOKEN))
        .replace("\"T\"", &format!("\"{}\"", fuzz::TOKEN));
    let now = UNIX_EPOCH + Duration::from_secs(fuzz::NOW.unsigned_abs());
    for authorizer in AUTHORIZERS.iter() {
        let answer = pin!(authorizer.answer(with_token.as_bytes(), now));
        // Keys of a file are at hand, so nothing is waited for.
        let Poll::Ready(answer) = answer.poll(&mut Context::from_waker(Waker::noop())) else {
            panic!("an answer was waited for");
        };
        if let Ok(answer) = answer {
            check(&serde_json::to_value(&answer).expect("an answer always serializes"));
        }
    }
});

fn check(answer: &Value) {
    let Some(statements) = answer["policyDocument"]["Statement"].as_array() else {
        assert!(answer["isAuthorized"].is_boolean());
        return;
    };
    for statement in statements {
        let resources = match &statement["Resource"] {
            Value::Array(resources) => resources.clone(),
            one => vec![one.clone()],
        };
        for resource in resources {
            let resource = resource.as_str().expect("a text");
            let stage: String = resource.split('/').take(2).collect();
            assert!(resource.starts_with("arn:aws") && !stage.contains(['*', '?']));
        }
    }
}
