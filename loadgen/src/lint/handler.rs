//! The code of an authorizer for Node.js, as far as a look at its text can say something for certain.

use std::ops::Range;
use std::sync::LazyLock;

use regex::Regex;

use super::rule::{Hits, Rule, Severity};

static CALLBACK: Rule = Rule {
    id: "handler::callback-style",
    severity: Severity::Warning,
    wrong: "a handler that ends through context.fail, context.succeed, context.done or a callback",
    why: "the runtime of nodejs24.x has none of them: it refuses a handler of three arguments at start, and without the \
third every refused token ends in 500 in place of 401",
    source: "AWS Compute Blog, \"Node.js 24 runtime now available in AWS Lambda\"",
};
static LOGS_TOKEN: Rule = Rule {
    id: "handler::logs-the-token",
    severity: Severity::Warning,
    wrong: "the whole event, or the token, in the log",
    why: "whoever reads the log can call the API until the token expires",
    source: "RFC 6750 section 5.3 (safeguard bearer tokens)",
};
static RATE_LIMIT: Rule = Rule {
    id: "handler::jwks-rate-limit",
    severity: Severity::Warning,
    wrong: "a limit on key-set requests a minute that strangers can use up",
    why: "as many tokens with an invented kid as the limit allows, and the next good token with a new key is refused",
    source: "RFC 8725 section 3.10 (do not trust received claims)",
};

pub(super) const RULES: &[&Rule] = &[&CALLBACK, &LOGS_TOKEN, &RATE_LIMIT];

static CALLBACK_SHAPE: LazyLock<Regex> = LazyLock::new(|| {
    expression(
        r"context\.(?:fail|succeed|done)\s*\(|handler\s*=\s*(?:async\s*)?(?:function\s*\w*\s*)?\(\s*\w+\s*,\s*\w+\s*,\s*\w+\s*\)",
    )
});
static LOG_SHAPE: LazyLock<Regex> = LazyLock::new(|| {
    expression(
        r"console\.\w+\((?:[^)\n]*,\s*)?(?:JSON\.stringify\(\s*)?(?:event|params)(?:\.authorizationToken|\.headers)?\s*[,)]",
    )
});
static RATE_SHAPE: LazyLock<Regex> =
    LazyLock::new(|| expression(r"jwksRequestsPerMinute\s*:\s*\d+"));

/// Compiles an expression of this program.
pub(super) fn expression(text: &str) -> Regex {
    Regex::new(text).expect("an expression of ours is compiled in a test")
}

/// Checks the code in one range of a text.
pub(super) fn check(text: &str, range: Range<usize>, hits: &mut Hits) {
    let code = &text[range.clone()];
    // Other functions log their events as well, and are not what this is about.
    let authorizes = [
        "methodArn",
        "routeArn",
        "authorizationToken",
        "policyDocument",
    ]
    .iter()
    .any(|word| text.contains(word));
    if !authorizes {
        return;
    }
    let mut each = |shape: &Regex, rule: &'static Rule, what: &str, write: &str| {
        for found in shape.find_iter(code) {
            // What is commented out does nothing.
            let line = code[..found.start()].rfind('\n').map_or(0, |end| end + 1);
            if !code[line..found.start()].contains("//") {
                let shown = found.as_str().trim();
                hits.add(
                    rule,
                    range.start + found.start(),
                    format!("{shown} {what}"),
                    write,
                );
            }
        }
    };
    each(
        &CALLBACK_SHAPE,
        &CALLBACK,
        "is gone from nodejs24.x",
        "async (event) => { … } that returns the answer, and throws new Error(\"Unauthorized\") for 401",
    );
    each(
        &LOG_SHAPE,
        &LOGS_TOKEN,
        "writes the token to the log",
        "what is needed for support and no more: the request id and the token's sub",
    );
    each(
        &RATE_SHAPE,
        &RATE_LIMIT,
        "can be used up by strangers",
        "a pause between two fetches for unknown kids that leaves the known keys in use",
    );
}
