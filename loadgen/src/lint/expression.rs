//! The expression that a TOKEN authorizer's gateway holds a token against before it asks the function
//! (`identityValidationExpression`).
//!
//! Judged by trying it: on a token of letters, digits and dots, and on the same with one more character of base64url.
//! A match anywhere in the value counts, the most lenient reading, so that what is reported is refused under any.

use regex::Regex;

use super::arn::shortened;
use super::rule::{Hits, Rule, Severity};

static REFUSES_BASE64URL: Rule = Rule {
    id: "config::validation-expression-refuses-base64url",
    severity: Severity::Error,
    wrong: "a validation expression without `-` or without `_`",
    why: "both are digits of base64url; nearly every signature has one, and such a token gets 401 before the authorizer is asked",
    source: "RFC 4648 section 5; RFC 7515 section 2; API Gateway REST API reference, Authorizer (identityValidationExpression)",
};
static INVALID: Rule = Rule {
    id: "config::validation-expression-invalid",
    severity: Severity::Error,
    wrong: "a validation expression that is no regular expression",
    why: "it can match no token",
    source: "API Gateway REST API reference, Authorizer (identityValidationExpression)",
};
static RANGE: Rule = Rule {
    id: "config::validation-expression-range",
    severity: Severity::Warning,
    wrong: "the range `A-z`",
    why: "it runs from A over [ \\ ] ^ _ ` to z: it lets the underscore in by accident and five other characters with it, and \
whoever mends it to A-Z refuses the underscore",
    source: "RFC 4648 section 5, table 2",
};
static ACCEPTS_EMPTY: Rule = Rule {
    id: "config::validation-expression-accepts-empty",
    severity: Severity::Note,
    wrong: "a validation expression that lets an empty token through",
    why: "the authorizer is invoked, and paid, for a header with the scheme alone",
    source: "RFC 6750 section 2.1 (a credential has at least one character)",
};

pub(super) const RULES: &[&Rule] = &[&REFUSES_BASE64URL, &INVALID, &RANGE, &ACCEPTS_EMPTY];

/// What to write: the three parts of a compact JWS (RFC 7515 section 7.1) behind the scheme.
const GOOD: &str = "^Bearer [-0-9a-zA-Z_]+\\.[-0-9a-zA-Z_]+\\.[-0-9a-zA-Z_]+$";

/// Longer expressions are not compiled: an authorizer's has some fifty characters.
const EXPRESSION_BYTES_MAX: usize = 4096;

/// Three parts of letters and digits, and the same with a place for one more character in each part.
const PLAIN: &str = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhIn0.c2lnbmF0dXJl0123456789ABCXYZxyz";
const WITH: &str = "eyJhbGciOiJSUzI1NiJ9.eyJzd~IiOiJhIn0.c2lnbm~F0dXJl0123456789ABCXYZxyz";

pub(super) fn check(expression: &str, at: usize, hits: &mut Hits) {
    if expression.len() > EXPRESSION_BYTES_MAX || expression.contains("${") {
        return;
    }
    if expression.contains("A-z") {
        let message = format!("{} has the range A-z", shortened(expression));
        hits.add(&RANGE, at, message, GOOD);
    }
    let Ok(compiled) = Regex::new(expression) else {
        check_invalid(expression, at, hits);
        return;
    };
    // The scheme that the expression expects is the one under which it takes a token at all.
    let Some(scheme) = ["Bearer ", "bearer ", ""]
        .iter()
        .find(|scheme| compiled.is_match(&format!("{scheme}{PLAIN}")))
    else {
        return;
    };
    let refused: Vec<&str> = ["-", "_"]
        .into_iter()
        .filter(|c| !compiled.is_match(&format!("{scheme}{}", WITH.replace('~', c))))
        .collect();
    if !refused.is_empty() {
        // 342 digits is a signature of RSA with 2048 bits: 1 - (1 - refused/64)^342.
        let share = if refused.len() == 1 { "99.5" } else { "99.998" };
        hits.add(
            &REFUSES_BASE64URL,
            at,
            format!(
                "{} refuses {}: about {share} % of RS256 tokens with a 2048-bit key",
                shortened(expression),
                refused.join(" and ")
            ),
            GOOD,
        );
    }
    if !scheme.is_empty() && compiled.is_match(scheme) {
        let message = format!("{} accepts the scheme alone", shortened(expression));
        hits.add(&ACCEPTS_EMPTY, at, message, GOOD);
    }
}

/// API Gateway's expressions know constructs that ours do not; with one of them nothing can be said.
fn check_invalid(expression: &str, at: usize, hits: &mut Hits) {
    let foreign = [
        "(?", "++", "*+", "?+", "}+", "&&", "\\p", "\\Q", "\\h", "\\Z", "\\G", "\\k", "\\1", "\\2",
    ];
    if !foreign
        .iter()
        .any(|construct| expression.contains(construct))
    {
        let message = format!("{} is no regular expression", shortened(expression));
        hits.add(&INVALID, at, message, GOOD);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(expression: &str) -> Vec<&'static str> {
        let mut hits = Hits::default();
        check(expression, 0, &mut hits);
        hits.list
            .iter()
            .map(|hit| hit.rule.id.rsplit('-').next().unwrap_or_default())
            .collect()
    }

    #[test]
    fn an_expression_is_judged_by_the_tokens_that_it_refuses() {
        assert_eq!(found(GOOD), [""; 0]);
        assert_eq!(found("^Bearer [-0-9a-zA-Z\\._]+$"), [""; 0]);
        assert_eq!(found("Bearer .+"), [""; 0]);
        assert_eq!(found("^[\\w-]+\\.[\\w-]+\\.[\\w-]+$"), [""; 0]);
        assert_eq!(found("^Bearer [-0-9a-zA-Z\\.]+$"), ["base64url"]);
        assert_eq!(found("^Bearer [A-Za-z0-9.]+$"), ["base64url"]);
        assert_eq!(found("^Bearer [-0-9a-zA-z\\.]*$"), ["range", "empty"]);
        assert_eq!(found("^Bearer [a-z"), ["invalid"]);
        // Not ours to judge: a look-ahead, and tokens that are no JWT.
        assert_eq!(found("^(?=Bearer ).+$"), [""; 0]);
        assert_eq!(found("^(allow|deny)$"), [""; 0]);
    }
}
