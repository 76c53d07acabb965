//! What a target does, found out before the first case: which algorithms it takes, where it looks for a token, whether it
//! looks at the scope, where its answer names the caller. None of it is judged here; a question about what the target does not
//! do at all says nothing.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use mock_idp::{Minter, Recipe};
use serde_json::{Value, json};

use crate::catalogue::Feature;
use crate::clock::unix_now;
use crate::record::FingerprintRecord;
use crate::target::{CaseRequest, Decision, RequestShape, Target};

/// Signature algorithms that one RSA key can make (RFC 7518 §3.3 and §3.5), as recipes.
const ALGORITHMS: [(&str, &str); 4] = [
    ("RS256", ""),
    (
        "RS384",
        r#"{"header": {"alg": "RS384"}, "sign": {"rsa": "pkcs1-sha384"}}"#,
    ),
    (
        "RS512",
        r#"{"header": {"alg": "RS512"}, "sign": {"rsa": "pkcs1-sha512"}}"#,
    ),
    (
        "PS256",
        r#"{"header": {"alg": "PS256"}, "sign": {"rsa": "pss-sha256"}}"#,
    ),
];

/// A token without a scope, by each name that issuers have for it.
const NO_SCOPE: &str =
    r#"{"claims": {"scope": "$absent", "scp": "$absent", "permissions": "$absent"}}"#;

/// Two callers, whose names are in no answer by chance.
const CALLERS: [&str; 2] = ["authbench|caller-5f0c2a", "authbench|caller-b81e97"];

/// Where a token may be sent, RFC 6750 §2 first.
fn places() -> [(&'static str, CaseRequest); 5] {
    let elsewhere = |request: CaseRequest| CaseRequest {
        authorization: Some("$absent".to_owned()),
        ..request
    };
    let header = |name: &str, value: &str| {
        elsewhere(CaseRequest {
            headers: vec![(name.to_owned(), value.to_owned())],
            ..CaseRequest::default()
        })
    };
    [
        ("Authorization: Bearer", CaseRequest::default()),
        (
            "Authorization without a scheme",
            CaseRequest {
                authorization: Some("{token}".to_owned()),
                ..CaseRequest::default()
            },
        ),
        (
            "query access_token",
            elsewhere(CaseRequest {
                query: Some("access_token={token}".to_owned()),
                ..CaseRequest::default()
            }),
        ),
        (
            "cookie access_token",
            header("cookie", "access_token={token}"),
        ),
        ("X-Access-Token", header("x-access-token", "{token}")),
    ]
}

/// Asks. `None` for a target that does not let a genuine token in: of such a one nothing can be found out.
pub(crate) async fn take(target: &Target, minter: &Minter) -> Option<FingerprintRecord> {
    let asker = Asker { target, minter };
    let genuine = RequestShape::default();
    let mut algorithms = Vec::new();
    for (name, recipe) in ALGORITHMS {
        if asker.lets_in(recipe, &genuine).await == Some(true) {
            algorithms.push(name.to_owned());
        } else if algorithms.is_empty() {
            return None;
        }
    }
    let mut token_places = Vec::new();
    for (name, request) in places() {
        if asker.lets_in("", &RequestShape::from(&request)).await == Some(true) {
            token_places.push(name.to_owned());
        }
    }
    Some(FingerprintRecord {
        algorithms,
        token_places,
        scope_required: asker.lets_in(NO_SCOPE, &genuine).await.map(|in_| !in_),
        principal_echo: asker.principal_echo().await,
    })
}

/// What a target that nobody has described is asked about. One that does not look at the scope is not asked about scopes; a
/// function is asked through the routes of the API in front.
pub(crate) fn features(found: Option<&FingerprintRecord>, is_function: bool) -> Vec<Feature> {
    let mut features = vec![Feature::KeySet];
    let scope_required = found.and_then(|found| found.scope_required);
    features.extend((scope_required != Some(false)).then_some(Feature::Scope));
    features.extend(is_function.then_some(Feature::Routes));
    let echo = found.and_then(|found| found.principal_echo.as_ref());
    features.extend(echo.map(|_| Feature::PrincipalEcho));
    features
}

/// What the issuer's tokens are, told from a genuine one.
pub(crate) fn token_features(minter: &Minter) -> Vec<Feature> {
    let genuine = minter.mint(&Recipe::default(), unix_now()).ok();
    let claims = genuine.as_deref().and_then(claims).unwrap_or_default();
    let has = |name: &str| claims.get(name).is_some();
    if has("aud") {
        vec![Feature::Aud]
    } else if has("client_id") && has("token_use") {
        vec![Feature::Cognito]
    } else {
        Vec::new()
    }
}

/// The claims of a token, unverified.
fn claims(token: &str) -> Option<Value> {
    let payload = URL_SAFE_NO_PAD.decode(token.split('.').nth(1)?).ok()?;
    serde_json::from_slice(&payload).ok()
}

struct Asker<'a> {
    target: &'a Target,
    minter: &'a Minter,
}

impl Asker<'_> {
    /// Whether the target lets in a recipe's token; `None` for a token that cannot be made, and for no decision.
    async fn lets_in(&self, recipe: &str, shape: &RequestShape) -> Option<bool> {
        let recipe = match recipe {
            "" => Recipe::default(),
            text => serde_json::from_str(text).ok()?,
        };
        let token = self.minter.mint(&recipe, unix_now()).ok()?;
        let request = self.target.prepare(shape, &token).ok()?;
        match self.target.connection().call(&request).await.decision {
            Decision::Allow => Some(true),
            Decision::Deny => Some(false),
            Decision::Fault => None,
        }
    }

    /// Where the answer names the caller, as a JSON pointer (RFC 6901). Asked with two callers: a name that stays the same is
    /// nobody's.
    async fn principal_echo(&self) -> Option<String> {
        let mut found = None;
        for caller in CALLERS {
            let recipe = json!({"claims": {"sub": caller}});
            let recipe: Recipe = serde_json::from_value(recipe).ok()?;
            let token = self.minter.mint(&recipe, unix_now()).ok()?;
            let request = self.target.prepare(&RequestShape::default(), &token).ok()?;
            let (_, said) = self.target.connection().call_for(&request).await;
            let pointer = pointer_to(&said.json()?, caller)?;
            if found.as_ref().is_some_and(|known| *known != pointer) {
                return None;
            }
            found = Some(pointer);
        }
        found
    }
}

/// The pointer to the first text of this value.
fn pointer_to(value: &Value, text: &str) -> Option<String> {
    let below = |name: &str, value: &Value| {
        let name = name.replace('~', "~0").replace('/', "~1");
        Some(format!("/{name}{}", pointer_to(value, text)?))
    };
    match value {
        Value::String(found) if found == text => Some(String::new()),
        Value::Array(items) => {
            let mut items = items.iter().enumerate();
            items.find_map(|(index, item)| below(&index.to_string(), item))
        }
        Value::Object(members) => members.iter().find_map(|(name, value)| below(name, value)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use mock_idp::MintDefaults;

    use super::*;
    use crate::conform::tests::minter;
    use crate::target::{ScriptedAnswer, ScriptedTarget};

    async fn found(script: &[u16]) -> Option<FingerprintRecord> {
        let answers = script.iter().map(|status| ScriptedAnswer {
            status: *status,
            latency: Duration::ZERO,
        });
        let target = Target::Scripted(Arc::new(ScriptedTarget::new(answers.collect())));
        take(&target, &minter()).await
    }

    #[test]
    fn the_recipes_are_recipes() {
        for (name, text) in ALGORITHMS.into_iter().skip(1).chain([("scope", NO_SCOPE)]) {
            let recipe =
                serde_json::from_str(text).unwrap_or_else(|error| panic!("{name}: {error}"));
            minter()
                .mint(&recipe, 0)
                .unwrap_or_else(|error| panic!("{name}: {error}"));
        }
    }

    #[tokio::test]
    async fn what_is_let_in_is_what_the_target_does() {
        let strict = found(&[200, 401, 401, 401, 200, 401, 401, 401, 401, 403]).await;
        let strict = strict.expect("a genuine token is let in");
        assert_eq!(strict.algorithms, ["RS256"]);
        assert_eq!(strict.token_places, ["Authorization: Bearer"]);
        assert_eq!(strict.scope_required, Some(true));
        assert_eq!(
            features(Some(&strict), false),
            [Feature::KeySet, Feature::Scope]
        );
        let lax = found(&[200, 401, 401, 200, 200, 401, 200, 401, 401, 200]).await;
        let lax = lax.expect("a genuine token is let in");
        assert_eq!(lax.algorithms, ["RS256", "PS256"]);
        let places = ["Authorization: Bearer", "query access_token"];
        assert_eq!(lax.token_places, places);
        assert_eq!(
            features(Some(&lax), true),
            [Feature::KeySet, Feature::Routes]
        );
    }

    #[test]
    fn the_issuers_tokens_tell_whether_their_audience_is_an_api_or_the_client() {
        for (profile, features) in [
            ("auth0", [Feature::Aud]),
            ("cognito", [Feature::Cognito]),
            ("okta", [Feature::Aud]),
        ] {
            let profile = crate::builtin::issuer(profile).expect("a built-in issuer");
            let minter = Minter::new(
                profile,
                "http://127.0.0.1:1/".to_owned(),
                MintDefaults::default(),
                crate::issuer::test_keys(),
            );
            assert_eq!(token_features(&minter), features);
        }
    }

    #[test]
    fn a_caller_is_found_where_an_answer_names_it() {
        let answer = json!({"id": 1, "users": [{"a/b": "other"}, {"a/b": "who"}]});
        assert_eq!(pointer_to(&answer, "who").as_deref(), Some("/users/1/a~1b"));
        assert_eq!(pointer_to(&answer, "nobody"), None);
    }

    #[tokio::test]
    async fn of_a_target_that_refuses_a_genuine_token_nothing_is_said() {
        assert!(found(&[401]).await.is_none());
        assert!(found(&[503]).await.is_none());
    }
}
