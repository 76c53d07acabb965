//! The claims of an access token: their types (RFC 7519 §4.1) and the checks against the issuer's rules.
//!
//! Pure: the time is an argument. It does not know whether the payload was signed; `verify` does.

use crate::{
    ContextValue, Rejection, Rules, Shape,
    strict_json::{Member, Number, ObjectFault, Wanted, read_in_place, read_members},
};

/// Seconds by which `iat` may lie in the future, or the leeway where that is longer. RFC 7519 §4.1.6 has no rule; beyond
/// a minute the issuer's clock is broken or the token is made up. Wider than the leeway for `exp` and `nbf`, because a
/// small skew here says nothing about validity.
const ISSUED_AT_LEEWAY_S: i64 = 60;

/// Largest magnitude of a `NumericDate`: 2^53, up to which every JSON reader agrees on an integer (RFC 7493 §2.2).
const MAX_NUMERIC_DATE: i64 = 1 << 53;

/// Declares the claims that some rule looks at, once for the reader and once for the rules.
macro_rules! claims {
    ($($name:ident)+) => {
        #[expect(non_camel_case_types, reason = "these are the names of the claims")]
        enum Place { $($name),+ }

        static NAMES: Wanted<{ [$(stringify!($name)),+].len() }> =
            Wanted::new([$(stringify!($name)),+]);

        /// The claims that some rule looks at, as the payload has them.
        #[derive(Debug)]
        pub(crate) struct Claims<'a> {
            text: &'a str,
            members: [Member<'a>; [$(stringify!($name)),+].len()],
        }

        impl<'a> Claims<'a> {
            $(fn $name(&self) -> &Member<'a> {
                &self.members[Place::$name as usize]
            })+
        }
    };
}

claims! {
    iss aud exp nbf iat sub jti scope scp roles client_id cid azp typ token_use at_hash c_hash
}

/// The claims that matter once a token is accepted.
#[derive(Debug)]
pub(crate) struct CheckedClaims {
    /// The principal, then all scopes, separated by single spaces.
    text: String,
    principal_bytes: usize,
    /// `exp`, rounded down, in seconds since the epoch.
    pub(crate) expires_at: i64,
    /// The first second at which the token is refused as expired.
    pub(crate) accepted_until: i64,
    /// The claims that the rules carry, as far as the token has them with a value that an answer can hold.
    pub(crate) carried: Vec<(String, ContextValue)>,
}

impl CheckedClaims {
    pub(crate) fn principal(&self) -> &str {
        &self.text[..self.principal_bytes]
    }

    /// All scopes, separated by single spaces.
    pub(crate) fn scope(&self) -> &str {
        &self.text[self.principal_bytes..]
    }

    #[cfg(test)]
    pub(crate) fn for_tests(principal: &str, expires_at: i64) -> CheckedClaims {
        CheckedClaims {
            text: principal.to_owned(),
            principal_bytes: principal.len(),
            expires_at,
            accepted_until: expires_at,
            carried: Vec::new(),
        }
    }
}

impl<'a> Claims<'a> {
    pub(crate) fn read(payload: &'a [u8]) -> Result<Claims<'a>, Rejection> {
        let text = str::from_utf8(payload).map_err(|_| Rejection::PayloadNotJson)?;
        let mut claims = Claims {
            text,
            members: [const { Member::Absent }; _],
        };
        match read_in_place(text, &NAMES, &mut claims.members) {
            Ok(()) => Ok(claims),
            Err(ObjectFault::DuplicateName) => Err(Rejection::PayloadDuplicateName),
            Err(ObjectFault::NotAnObject) => Err(Rejection::PayloadNotObject),
            Err(ObjectFault::NotJson) => Err(Rejection::PayloadNotJson),
            Err(ObjectFault::TooDeep) => Err(Rejection::PayloadTooDeep),
        }
    }

    /// `iss`, which says whose rules and keys apply. Compared byte by byte, the trailing slash included (RFC 7519 §2
    /// `StringOrURI`, RFC 8725 §3.8).
    pub(crate) fn issuer(&self) -> Result<&str, Rejection> {
        match self.iss() {
            Member::Absent => Err(Rejection::IssuerMissing),
            Member::Text(iss) => Ok(iss),
            _ => Err(Rejection::IssuerMalformed),
        }
    }

    /// Applies every claim rule. `now` is in seconds since the epoch.
    pub(crate) fn check(&self, rules: &Rules, now: i64) -> Result<CheckedClaims, Rejection> {
        if self.issuer()? != rules.issuer {
            return Err(Rejection::IssuerMismatch);
        }
        check_audience(self.audience(rules.shape)?, &rules.audiences)?;
        let expires_at = check_expiry(self.exp(), now, rules.leeway_s)?;
        check_not_before(self.nbf(), now, rules.leeway_s)?;
        check_issued_at(self.iat(), now, rules.leeway_s.max(ISSUED_AT_LEEWAY_S))?;
        if rules.refuse_id_tokens && self.is_id_token() {
            return Err(Rejection::IdToken);
        }
        self.check_shape(rules.shape)?;
        let application_roles = match rules.shape {
            Shape::Entra => self.roles(),
            _ => &Member::Absent,
        };
        let principal = principal(self.sub(), [self.client_id(), self.cid(), self.azp()])?;
        // Room at once where the scopes are one text, as they nearly always are.
        let scope_bytes = match self.scope() {
            Member::Text(scopes) => scopes.len(),
            _ => 0,
        };
        let mut text = String::with_capacity(principal.len() + scope_bytes);
        text.push_str(principal);
        push_scopes(&mut text, [self.scope(), self.scp(), application_roles])?;
        Ok(CheckedClaims {
            text,
            principal_bytes: principal.len(),
            expires_at,
            accepted_until: expires_at.saturating_add(rules.leeway_s),
            carried: carried(self.text, &rules.carried),
        })
    }

    /// What is held against the audiences. `client_id` is the identifier of one client (RFC 8693 §4.3), and no list.
    fn audience(&self, shape: Shape) -> Result<&Member<'a>, Rejection> {
        match shape {
            Shape::Cognito => match self.client_id() {
                Member::Texts(_) => Err(Rejection::AudienceMalformed),
                client => Ok(client),
            },
            _ => Ok(self.aud()),
        }
    }

    /// Whether the token says of itself that it is an ID token: it holds the hash of another token (OpenID Connect Core
    /// §3.1.3.6, §3.3.2.11), or the issuer's own mark (Cognito's `token_use`, Keycloak's `typ`). Not by `nonce`: older
    /// Keycloak versions put it into access tokens, too.
    fn is_id_token(&self) -> bool {
        *self.at_hash() != Member::Absent
            || *self.c_hash() != Member::Absent
            || is_text(self.token_use(), "id")
            || is_text(self.typ(), "ID")
    }

    fn check_shape(&self, shape: Shape) -> Result<(), Rejection> {
        let required: &[&Member<'_>] = match shape {
            Shape::Cognito if !is_text(self.token_use(), "access") => {
                return Err(Rejection::TypeNotAccessToken);
            }
            Shape::Keycloak if !is_text(self.typ(), "Bearer") => {
                return Err(Rejection::TypeNotAccessToken);
            }
            Shape::Cognito | Shape::Entra | Shape::Keycloak | Shape::Plain => &[],
            Shape::Okta => &[self.cid()],
            Shape::Rfc9068 if *self.iat() == Member::Absent => return Err(Rejection::ClaimMissing),
            Shape::Rfc9068 => &[self.sub(), self.client_id(), self.jti()],
        };
        let is_there =
            |member: &&Member<'_>| matches!(member, Member::Text(text) if !text.is_empty());
        if required.iter().all(is_there) {
            Ok(())
        } else {
            Err(Rejection::ClaimMissing)
        }
    }
}

/// The values of some claims. One that is null, an array or an object is left out, because an answer that held it would be
/// invalid as a whole; so is an integer beyond 64 bits, which would come out as another one.
fn carried(text: &str, names: &[String]) -> Vec<(String, ContextValue)> {
    if names.is_empty() {
        return Vec::new();
    }
    let members = read_members(text, names).unwrap_or_default();
    let values = names.iter().zip(members).filter_map(|(name, member)| {
        let value = match member {
            Member::Bool(value) => ContextValue::from(value),
            Member::Number(Number::Integer(value)) => ContextValue::from(value),
            Member::Number(Number::Large(value)) => ContextValue::Number(value.into()),
            Member::Number(Number::Float(value)) if is_exact(value) => {
                ContextValue::Number(serde_json::Number::from_f64(value)?)
            }
            Member::Text(value) => ContextValue::from(&*value),
            _ => return None,
        };
        Some((name.clone(), value))
    });
    values.collect()
}

/// Whether a double says what was written: beyond 2^53 it may stand for an integer that it does not hold.
fn is_exact(value: f64) -> bool {
    whole(value.trunc()).is_some()
}

fn is_text(member: &Member<'_>, wanted: &str) -> bool {
    matches!(member, Member::Text(text) if text == wanted)
}

/// `aud` is a string or an array of strings (RFC 7519 §4.1.3); one of them has to be one of ours.
fn check_audience(aud: &Member<'_>, ours: &[String]) -> Result<(), Rejection> {
    let is_ours = |aud: &str| ours.iter().any(|ours| ours == aud);
    let named = match aud {
        Member::Absent => return Err(Rejection::AudienceMissing),
        Member::Text(aud) => is_ours(aud),
        Member::Texts(auds) => auds.iter().any(|aud| is_ours(&aud)),
        _ => return Err(Rejection::AudienceMalformed),
    };
    if named {
        Ok(())
    } else {
        Err(Rejection::AudienceMismatch)
    }
}

/// `exp` is required (RFC 9068 §2.2), and the time must be before it (RFC 7519 §4.1.4).
fn check_expiry(exp: &Member<'_>, now: i64, leeway_s: i64) -> Result<i64, Rejection> {
    if *exp == Member::Absent {
        return Err(Rejection::ExpiryMissing);
    }
    let exp = NumericDate::from_member(exp).ok_or(Rejection::ExpiryMalformed)?;
    // `now` is whole seconds, rounded down. Rounding `exp` down, too, refuses a token within the second of a fractional
    // `exp`, never accepts one after it.
    if now < exp.floor.saturating_add(leeway_s) {
        Ok(exp.floor)
    } else {
        Err(Rejection::Expired)
    }
}

/// The time must not be before `nbf`, if there is one (RFC 7519 §4.1.5).
fn check_not_before(nbf: &Member<'_>, now: i64, leeway_s: i64) -> Result<(), Rejection> {
    if *nbf == Member::Absent {
        return Ok(());
    }
    let nbf = NumericDate::from_member(nbf).ok_or(Rejection::NotBeforeMalformed)?;
    if nbf.ceil <= now.saturating_add(leeway_s) {
        Ok(())
    } else {
        Err(Rejection::NotYetValid)
    }
}

fn check_issued_at(iat: &Member<'_>, now: i64, leeway_s: i64) -> Result<(), Rejection> {
    if *iat == Member::Absent {
        return Ok(());
    }
    let iat = NumericDate::from_member(iat).ok_or(Rejection::IssuedAtMalformed)?;
    if iat.ceil <= now.saturating_add(leeway_s) {
        Ok(())
    } else {
        Err(Rejection::IssuedInFuture)
    }
}

/// Who the token speaks for: `sub`, or, in a client's own token without one, the client identifier (RFC 9068 §2.2
/// `client_id`, Okta's `cid`, OpenID Connect's `azp`, in this order). API Gateway is always given a principal.
fn principal<'a>(sub: &'a Member<'_>, clients: [&'a Member<'_>; 3]) -> Result<&'a str, Rejection> {
    match sub {
        Member::Text(sub) if !sub.is_empty() => Ok(sub),
        Member::Absent => clients
            .into_iter()
            .find_map(|client| match client {
                Member::Text(client) if !client.is_empty() => Some(&**client),
                _ => None,
            })
            .ok_or(Rejection::PrincipalMissing),
        _ => Err(Rejection::SubjectMalformed),
    }
}

/// Appends all scopes, separated by single spaces: those of `scope` (RFC 9068 §2.2.3), of `scp` (Okta, Microsoft) where
/// there is no `scope`, of `roles` where they count and there is neither. All are held to their type even if only one
/// counts: a malformed list is invalid, not empty.
fn push_scopes(text: &mut String, members: [&Member<'_>; 3]) -> Result<(), Rejection> {
    let mut end = None;
    for member in members {
        push_scope_list(text, member)?;
        match end {
            Some(end) => text.truncate(end),
            None if *member == Member::Absent => {}
            None => end = Some(text.len()),
        }
    }
    Ok(())
}

fn push_scope_list(text: &mut String, member: &Member<'_>) -> Result<(), Rejection> {
    let start = text.len();
    let mut push = |scope: &str| {
        if text.len() > start {
            text.push(' ');
        }
        text.push_str(scope);
    };
    match member {
        Member::Absent => {}
        // Scope tokens are separated by single spaces and by nothing else (RFC 6749 §3.3); surplus ones are dropped.
        Member::Text(scopes) => scopes
            .split(' ')
            .filter(|scope| !scope.is_empty())
            .for_each(push),
        Member::Texts(scopes) => {
            for scope in scopes.iter() {
                // A space inside an element would turn one scope into two in the list that is passed on.
                if scope.is_empty() || scope.contains(' ') {
                    return Err(Rejection::ScopeMalformed);
                }
                push(&scope);
            }
        }
        _ => return Err(Rejection::ScopeMalformed),
    }
    Ok(())
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
            Number::Large(_) => return None,
        };
        let range = -MAX_NUMERIC_DATE..=MAX_NUMERIC_DATE;
        // What is no integer is far within the range, so the two are within it together.
        range
            .contains(&floor)
            .then_some(NumericDate { floor, ceil })
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
