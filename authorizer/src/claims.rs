//! The claims of an access token: their types (RFC 7519 §4.1) and the checks against what is expected.
//!
//! Pure: the time is an argument. It does not know whether the payload was signed; `verify` does.

use std::borrow::Cow;

use crate::{
    Rejection,
    strict_json::{Member, Number, ObjectFault, read_object},
};

/// Seconds for which an expired token is still taken, and a token that is not yet valid is taken early: none. Lambda's
/// clock is synchronised to within milliseconds, and `exp` is the issuer's word (RFC 7519 §4.1.4 allows a leeway, it does
/// not ask for one).
const LEEWAY_S: i64 = 0;

/// Seconds by which `iat` may lie in the future. RFC 7519 §4.1.6 has no rule; beyond a minute the issuer's clock is
/// broken or the token is made up. Wider than [`LEEWAY_S`], because a small skew here says nothing about validity.
const ISSUED_AT_LEEWAY_S: i64 = 60;

/// Largest magnitude of a `NumericDate`: 2^53, up to which every JSON reader agrees on an integer (RFC 7493 §2.2).
const MAX_NUMERIC_DATE: i64 = 1 << 53;

/// What the claims are compared with.
#[derive(Debug, Clone)]
pub(crate) struct Expected {
    pub(crate) issuer: String,
    pub(crate) audience: String,
}

/// The claims that matter once a token is accepted.
#[derive(Debug)]
pub(crate) struct CheckedClaims {
    pub(crate) principal: String,
    /// All scopes, separated by single spaces.
    pub(crate) scope: String,
    /// `exp`, rounded down, in seconds since the epoch.
    pub(crate) expires_at: i64,
}

/// Reads a payload and applies every claim rule to it. `now` is in seconds since the epoch.
pub(crate) fn check(
    payload: &[u8],
    expected: &Expected,
    now: i64,
) -> Result<CheckedClaims, Rejection> {
    let text = str::from_utf8(payload).map_err(|_| Rejection::PayloadNotJson)?;
    let [
        iss,
        aud,
        exp,
        nbf,
        iat,
        sub,
        scope,
        scp,
        client_id,
        cid,
        azp,
    ] = read_object(
        text,
        &[
            "iss",
            "aud",
            "exp",
            "nbf",
            "iat",
            "sub",
            "scope",
            "scp",
            "client_id",
            "cid",
            "azp",
        ],
    )
    .map_err(|fault| match fault {
        ObjectFault::DuplicateName => Rejection::PayloadDuplicateName,
        ObjectFault::NotAnObject => Rejection::PayloadNotObject,
        ObjectFault::NotJson => Rejection::PayloadNotJson,
        ObjectFault::TooDeep => Rejection::PayloadTooDeep,
    })?;
    check_issuer(&iss, &expected.issuer)?;
    check_audience(&aud, &expected.audience)?;
    let expires_at = check_expiry(&exp, now)?;
    check_not_before(&nbf, now)?;
    check_issued_at(&iat, now)?;
    Ok(CheckedClaims {
        principal: principal(sub, [client_id, cid, azp])?,
        scope: scopes(scope, scp)?,
        expires_at,
    })
}

/// `iss` is compared byte by byte, the trailing slash included (RFC 7519 §2 `StringOrURI`, RFC 8725 §3.8).
fn check_issuer(iss: &Member<'_>, expected: &str) -> Result<(), Rejection> {
    match iss {
        Member::Absent => Err(Rejection::IssuerMissing),
        Member::Text(iss) if iss == expected => Ok(()),
        Member::Text(_) => Err(Rejection::IssuerMismatch),
        _ => Err(Rejection::IssuerMalformed),
    }
}

/// `aud` is a string or an array of strings, one of which is ours (RFC 7519 §4.1.3).
fn check_audience(aud: &Member<'_>, expected: &str) -> Result<(), Rejection> {
    let named = match aud {
        Member::Absent => return Err(Rejection::AudienceMissing),
        Member::Text(aud) => aud == expected,
        Member::Texts(auds) => auds.iter().any(|aud| aud == expected),
        _ => return Err(Rejection::AudienceMalformed),
    };
    if named {
        Ok(())
    } else {
        Err(Rejection::AudienceMismatch)
    }
}

/// `exp` is required (RFC 9068 §2.2), and the time must be before it (RFC 7519 §4.1.4).
fn check_expiry(exp: &Member<'_>, now: i64) -> Result<i64, Rejection> {
    if *exp == Member::Absent {
        return Err(Rejection::ExpiryMissing);
    }
    let exp = NumericDate::from_member(exp).ok_or(Rejection::ExpiryMalformed)?;
    // `now` is whole seconds, rounded down. Rounding `exp` down, too, refuses a token within the second of a fractional
    // `exp`, never accepts one after it.
    if now < exp.floor.saturating_add(LEEWAY_S) {
        Ok(exp.floor)
    } else {
        Err(Rejection::Expired)
    }
}

/// The time must not be before `nbf`, if there is one (RFC 7519 §4.1.5).
fn check_not_before(nbf: &Member<'_>, now: i64) -> Result<(), Rejection> {
    if *nbf == Member::Absent {
        return Ok(());
    }
    let nbf = NumericDate::from_member(nbf).ok_or(Rejection::NotBeforeMalformed)?;
    if nbf.ceil <= now.saturating_add(LEEWAY_S) {
        Ok(())
    } else {
        Err(Rejection::NotYetValid)
    }
}

fn check_issued_at(iat: &Member<'_>, now: i64) -> Result<(), Rejection> {
    if *iat == Member::Absent {
        return Ok(());
    }
    let iat = NumericDate::from_member(iat).ok_or(Rejection::IssuedAtMalformed)?;
    if iat.ceil <= now.saturating_add(ISSUED_AT_LEEWAY_S) {
        Ok(())
    } else {
        Err(Rejection::IssuedInFuture)
    }
}

/// Who the token speaks for: `sub`, or, in a client's own token without one, the client identifier (RFC 9068 §2.2
/// `client_id`, Okta's `cid`, OpenID Connect's `azp`, in this order). API Gateway is always given a principal.
fn principal(sub: Member<'_>, clients: [Member<'_>; 3]) -> Result<String, Rejection> {
    match sub {
        Member::Text(sub) if !sub.is_empty() => Ok(sub.into_owned()),
        Member::Absent => clients
            .into_iter()
            .find_map(|client| match client {
                Member::Text(client) if !client.is_empty() => Some(client.into_owned()),
                _ => None,
            })
            .ok_or(Rejection::PrincipalMissing),
        _ => Err(Rejection::SubjectMalformed),
    }
}

/// All scopes, separated by single spaces: those of `scope` (RFC 9068 §2.2.3), or of `scp` (Okta, Microsoft) where there
/// is no `scope`. Both are held to their type even if only one counts: a malformed list is invalid, not empty.
fn scopes(scope: Member<'_>, scp: Member<'_>) -> Result<String, Rejection> {
    let scope = scope_list(scope)?;
    let scp = scope_list(scp)?;
    Ok(scope.or(scp).unwrap_or_default())
}

fn scope_list(member: Member<'_>) -> Result<Option<String>, Rejection> {
    match member {
        Member::Absent => Ok(None),
        Member::Text(text) => Ok(Some(single_spaced(text))),
        // A space inside an element would turn one scope into two in the space-separated list that is passed on.
        Member::Texts(texts) if texts.iter().all(|t| !t.is_empty() && !t.contains(' ')) => {
            Ok(Some(texts.join(" ")))
        }
        _ => Err(Rejection::ScopeMalformed),
    }
}

/// Scope tokens are separated by single spaces and by nothing else (RFC 6749 §3.3); surplus ones are dropped.
fn single_spaced(text: Cow<'_, str>) -> String {
    if text.split(' ').any(str::is_empty) {
        let tokens: Vec<_> = text.split(' ').filter(|token| !token.is_empty()).collect();
        return tokens.join(" ");
    }
    text.into_owned()
}

/// A `NumericDate` (RFC 7519 §2): seconds since the epoch, a fraction allowed.
#[derive(Debug, Clone, Copy)]
struct NumericDate {
    floor: i64,
    ceil: i64,
}

impl NumericDate {
    /// Nothing but a number within ±2^53 is a date; a string of digits is not.
    fn from_member(member: &Member<'_>) -> Option<NumericDate> {
        let Member::Number(number) = member else {
            return None;
        };
        let (floor, ceil) = match *number {
            Number::Integer(seconds) => (seconds, seconds),
            Number::Float(seconds) => (whole(seconds.floor())?, whole(seconds.ceil())?),
            Number::TooLarge => return None,
        };
        let range = -MAX_NUMERIC_DATE..=MAX_NUMERIC_DATE;
        (range.contains(&floor) && range.contains(&ceil)).then_some(NumericDate { floor, ceil })
    }
}

/// The integer that `seconds` is, unless it lies outside of ±2^53 or is no number at all.
fn whole(seconds: f64) -> Option<i64> {
    // 2^53, exactly; `NumericDate::from_member` holds the same bound for integers.
    const BOUND: f64 = 9_007_199_254_740_992.0;
    if !(-BOUND..=BOUND).contains(&seconds) {
        return None;
    }
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a whole number within ±2^53 converts exactly"
    )]
    Some(seconds as i64)
}
