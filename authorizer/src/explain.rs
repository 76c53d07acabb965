//! Why a token is answered as it is: every check of the verification in its order, for a person.
//!
//! It calls the same functions as an answer does and adds nothing to their judgement. What it shows of a token is for the
//! person who holds it, and never for a log; the token itself is not shown.

use std::time::SystemTime;

use serde_json::Value;

use crate::{
    Answer, Authorizer, AuthorizerError, CompactJws, MethodArn, Rejection, VerifiedToken,
    authorizer::numeric_date, claims::Claims,
};

/// A check and how it ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// What was checked.
    pub name: &'static str,
    /// How it ended.
    pub verdict: CheckVerdict,
}

/// How a check ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CheckVerdict {
    /// Nothing can be said: the keys cannot be had. The text says why.
    Failed(String),
    /// An earlier check has decided.
    NotReached,
    /// Good. The text says what was found.
    Passed(String),
    /// The rule that the token breaks, and what was found.
    Refused(Rejection, String),
}

/// All checks of one token, and the answer that they lead to.
#[derive(Debug)]
pub struct Explanation {
    /// The checks in their order.
    pub checks: Vec<Check>,
    /// What the authorizer answers.
    pub answer: Result<Answer, AuthorizerError>,
    /// When the token expires, in seconds since the epoch, if it was accepted.
    pub expires_at: Option<i64>,
}

const FORM: &str = "form and header";
const ISSUER: &str = "issuer";
const RULES: &str = "algorithm, type and claims";
const KEY: &str = "key";
const SIGNATURE: &str = "signature";

/// The checks up to the one that decides.
struct Course(Vec<Check>);

impl Course {
    fn note(&mut self, name: &'static str, verdict: CheckVerdict) {
        self.0.push(Check { name, verdict });
    }

    /// Notes a step and passes its value on.
    fn step<T>(
        &mut self,
        name: &'static str,
        result: Result<T, Rejection>,
        found: impl Into<String>,
    ) -> Option<T> {
        let found = found.into();
        match result {
            Ok(value) => {
                self.note(name, CheckVerdict::Passed(found));
                Some(value)
            }
            Err(rejection) => {
                self.note(name, CheckVerdict::Refused(rejection, found));
                None
            }
        }
    }

    /// All five checks, those that were not reached among them.
    fn complete(mut self) -> Vec<Check> {
        for name in [FORM, ISSUER, RULES, KEY, SIGNATURE] {
            if !self.0.iter().any(|check| check.name == name) {
                self.note(name, CheckVerdict::NotReached);
            }
        }
        self.0
    }
}

impl Authorizer {
    /// Explains what is answered to a token on a call of `method_arn` at the time `now`.
    pub async fn explain(
        &self,
        token: &str,
        method_arn: &MethodArn<'_>,
        now: SystemTime,
    ) -> Explanation {
        let mut course = Course(Vec::new());
        self.walk(token, now, &mut course).await;
        let verified = self.verify(token, now).await;
        let expires_at = verified.as_ref().ok().map(VerifiedToken::expires_at);
        let answer = verified.and_then(|token| self.answer_to(&token, method_arn, None));
        Explanation {
            checks: course.complete(),
            answer,
            expires_at,
        }
    }

    async fn walk(&self, token: &str, now: SystemTime, course: &mut Course) -> Option<()> {
        let parsed = CompactJws::parse(token);
        let found = parsed.as_ref().map_or_else(
            |_| {
                format!(
                    "{} characters, {} dots",
                    token.len(),
                    token.matches('.').count()
                )
            },
            |jws| {
                let kid = jws
                    .kid()
                    .map_or_else(|| "no kid".to_owned(), |kid| format!("kid {kid:?}"));
                format!("alg {}, {kid}", jws.algorithm().name())
            },
        );
        let jws = course.step(FORM, parsed, found)?;
        let payload: Value = serde_json::from_slice(jws.unverified_payload()).unwrap_or_default();
        let claims = Claims::read(jws.unverified_payload());
        let named = claims.and_then(|claims| {
            let issuer = self.issuer_of(&claims)?;
            Ok((claims, issuer))
        });
        let (claims, index) = course.step(ISSUER, named, format!("iss {}", payload["iss"]))?;
        let issuer = self.issuer(index)?;
        let now_s = numeric_date(now);
        let candidate = issuer.verifier.examine(&jws, &claims, now_s);
        let candidate = course.step(RULES, candidate, facts(&payload, now_s))?;
        let key = match issuer.keys.key(jws.kid(), jws.algorithm(), now).await {
            Ok(key) => key,
            Err(error) => {
                let cause = std::error::Error::source(&error).map(|cause| format!(": {cause}"));
                course.note(
                    KEY,
                    CheckVerdict::Failed(format!("{error}{}", cause.unwrap_or_default())),
                );
                return None;
            }
        };
        let found = key
            .as_ref()
            .ok()
            .and_then(|key| key.kid())
            .map(|kid| format!("kid {kid:?} of the issuer's set"));
        let key = course.step(KEY, key, found.unwrap_or_default())?;
        let confirmed = candidate.confirm(&key);
        course.step(SIGNATURE, confirmed, jws.algorithm().name())?;
        Some(())
    }
}

/// The claims that the rules look at, as they are, and times as a distance.
fn facts(payload: &Value, now_s: i64) -> String {
    let mut facts = Vec::new();
    for name in [
        "aud",
        "client_id",
        "sub",
        "scope",
        "scp",
        "token_use",
        "typ",
    ] {
        if let Some(value) = payload.get(name) {
            facts.push(format!("{name} {value}"));
        }
    }
    for name in ["exp", "nbf", "iat"] {
        let Some(value) = payload.get(name) else {
            continue;
        };
        facts.push(
            match value.as_i64().map(|time| time.saturating_sub(now_s)) {
                Some(seconds @ 0..) => format!("{name} in {seconds} s"),
                Some(seconds) => format!("{name} {} s ago", seconds.saturating_neg()),
                None => format!("{name} {value}"),
            },
        );
    }
    facts.join(", ")
}
