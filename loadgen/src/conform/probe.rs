//! What is asked before all cases, and again after one that got no decision: whether the target decides at all.

use mock_idp::{Minter, Recipe};

use crate::clock::unix_now;
use crate::target::{CaseRequest, Decision, Observation, RequestShape, Target};

/// A target that gives no decision on a genuine token; the text is what came instead.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct NoDecision(String);

/// Asks for a decision on a genuine token, over a connection of its own: one that was lost says nothing about the next.
/// Either decision is good; what is wanted is that there is one.
pub async fn ask_genuine(target: &Target, minter: &Minter) -> Result<Observation, NoDecision> {
    let token = minter
        .mint(&Recipe::default(), unix_now())
        .map_err(|error| NoDecision(error.to_string()))?;
    let answer = ask(target, &RequestShape::default(), &token).await?;
    match answer.decision {
        Decision::Allow | Decision::Deny => Ok(answer),
        Decision::Fault => Err(NoDecision(answer.summary())),
    }
}

/// Why cases would say nothing: a verdict on a single rule means nothing for a server that lets everybody in, or nobody.
pub(super) async fn not_judged(
    target: &Target,
    minter: &Minter,
) -> Result<Option<String>, NoDecision> {
    let genuine = ask_genuine(target, minter).await?;
    if genuine.decision == Decision::Deny {
        return Ok(Some(format!(
            "a genuine token is refused ({}): check issuer, audience, scope and JWKS of the target",
            genuine.summary()
        )));
    }
    let nobody = CaseRequest {
        authorization: Some("$absent".to_owned()),
        ..CaseRequest::default()
    };
    let answer = ask(target, &RequestShape::from(&nobody), "").await?;
    Ok((answer.decision == Decision::Allow)
        .then(|| "a request without any token is let in: the target protects nothing".to_owned()))
}

/// Whether a request without a token is let in at a path that there is not, as by a server that answers every unknown path
/// with its start page. Then being let in under another spelling of the path says nothing.
pub(super) async fn open_to_nonsense(target: &Target) -> bool {
    let nonsense = CaseRequest {
        authorization: Some("$absent".to_owned()),
        path: Some("{folder}/there-is-no-such-path".to_owned()),
        ..CaseRequest::default()
    };
    let answer = ask(target, &RequestShape::from(&nonsense), "").await;
    answer.is_ok_and(|answer| answer.decision == Decision::Allow)
}

/// Whether a refusal with this status may be one of the request's length, which says nothing about its token: RFC 9110 §15.5.1
/// and §15.5.14, RFC 6585 §5.
pub(super) fn says_too_long(status: u16) -> bool {
    matches!(status, 400 | 413 | 431)
}

/// Whether a genuine token of so many bytes is decided on, and not refused for its length; `false` where none can be made.
pub(super) async fn reads_tokens_of(target: &Target, minter: &Minter, length: usize) -> bool {
    let Ok(plain) = minter.mint(&Recipe::default(), unix_now()) else {
        return false;
    };
    // Four characters of base64url are three bytes of the payload.
    let padding = length.saturating_sub(plain.len()) / 4 * 3;
    let claims = serde_json::json!({ "claims": { "padding": format!("$fill:{padding}") } });
    let Ok(recipe) = serde_json::from_value::<Recipe>(claims) else {
        return false;
    };
    let Ok(token) = minter.mint(&recipe, unix_now()) else {
        return false;
    };
    let answer = ask(target, &RequestShape::default(), &token).await;
    answer
        .ok()
        .and_then(|answer| answer.status)
        .is_some_and(|status| !says_too_long(status))
}

async fn ask(
    target: &Target,
    shape: &RequestShape,
    token: &str,
) -> Result<Observation, NoDecision> {
    let request = target
        .prepare(shape, token)
        .map_err(|error| NoDecision(error.to_string()))?;
    Ok(target.connection().call(&request).await)
}
