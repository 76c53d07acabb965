//! How long a token gets the decision that it has to get, read from its claims.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use super::Wanted;
use crate::catalogue::Expectation;

/// For how long after `now` (seconds since the epoch) the token's times leave its decision as it is, a second less than it
/// says, because `now` has lost up to one. `None` for ever, or where the claims cannot be read.
pub(super) fn life(token: &str, wanted: Wanted, now: i64) -> Option<Duration> {
    let payload = token.split('.').nth(1)?;
    let claims: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).ok()?).ok()?;
    let after_now = |name: &str| {
        let seconds = claims.get(name)?.as_f64()?;
        #[expect(
            clippy::cast_precision_loss,
            reason = "seconds since the epoch stay below 2^53 for 285 million years"
        )]
        let left = seconds - now as f64;
        (left > 0.0).then_some(left)
    };
    let ends = match wanted {
        // A policy that refuses ends with its token, too: what comes then is another refusal, which is not cached.
        Wanted::Decision(Expectation::Allow | Expectation::Forbidden)
        | Wanted::Success
        | Wanted::Status(200..=299 | 403) => after_now("exp"),
        // What is refused for being too early is good some day.
        _ => ["nbf", "iat"]
            .into_iter()
            .filter_map(after_now)
            .reduce(f64::min),
    };
    ends.map(|left| Duration::try_from_secs_f64((left - 1.0).max(0.0)).unwrap_or(Duration::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lives(claims: &str, expected: Expectation) -> Option<Duration> {
        let token = format!("e30.{}.AA", URL_SAFE_NO_PAD.encode(claims));
        life(&token, Wanted::Decision(expected), 1000)
    }

    #[test]
    fn a_good_token_ends_and_a_bad_one_may_become_good() {
        let seconds = |seconds| Some(Duration::from_secs(seconds));
        for (claims, expected, wanted) in [
            (r#"{"exp":1300}"#, Expectation::Allow, seconds(299)),
            (
                r#"{"exp":1300.5}"#,
                Expectation::Allow,
                Some(Duration::from_millis(299_500)),
            ),
            (r#"{"exp":1300}"#, Expectation::Forbidden, seconds(299)),
            (r#"{"exp":900}"#, Expectation::Unauthorized, None),
            (
                r#"{"exp":1300,"nbf":1060}"#,
                Expectation::Unauthorized,
                seconds(59),
            ),
            (r#"{"sub":"x"}"#, Expectation::Allow, None),
            ("no claims", Expectation::Allow, None),
        ] {
            assert_eq!(lives(claims, expected), wanted, "{claims}");
        }
    }
}
