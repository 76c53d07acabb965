//! What a document says in words: runtimes, names, CORS.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use regex::Regex;

use super::handler::expression;
use super::rule::{Hits, Rule, Severity};

pub(super) static RUNTIME: Rule = Rule {
    id: "document::runtime-retired",
    severity: Severity::Warning,
    wrong: "a Lambda runtime that AWS has deprecated",
    why: "it gets no security updates, and functions cannot be made with it for long, if they still can",
    source: "Lambda developer guide, \"Lambda runtimes\" (deprecated runtimes)",
};
pub(super) static SAML_NAME: Rule = Rule {
    id: "trust::saml-provider-name-mismatch",
    severity: Severity::Error,
    wrong: "a SAML provider that is named one way where it is made and another way in an ARN",
    why: "the ARN names a provider that does not exist, so AssumeRoleWithSAML is refused",
    source: "IAM user guide, \"IAM identifiers\" (ARNs); STS API reference, AssumeRoleWithSAML (PrincipalArn)",
};
pub(super) static CORS: Rule = Rule {
    id: "document::cors-on-success-only",
    severity: Severity::Note,
    wrong: "CORS headers on the methods' own responses, and no word of gateway responses",
    why: "401 and 403 come from API Gateway and not from the method; without the header a page sees a CORS error in their place",
    source: "API Gateway developer guide, \"CORS for REST APIs in API Gateway\"; \"Gateway responses for REST APIs\"",
};

static SPOKEN_RUNTIME: LazyLock<Regex> =
    LazyLock::new(|| expression(r"(?:Node\.js|Python|Ruby|\.NET Core|Go) (\d+)(\.\d+|\.x)?"));
static CODED_RUNTIME: LazyLock<Regex> = LazyLock::new(|| {
    expression(r"[`'\s](nodejs\d+\.\w+|python\d\.\d+|go1\.x|dotnetcore\d\.\d|ruby\d\.\d)[`'\s,]")
});
static PROVIDER_MADE: LazyLock<Regex> = LazyLock::new(|| {
    expression(
        r#"(?:[Nn]ame (?:the|your|this|a) SAML (?:identity )?provider[^`"“*\n.]{0,40}[`"“*]+|create-saml-provider[^\n]*--name[ =]["']?)([\w.-]+)"#,
    )
});
static PROVIDER_USED: LazyLock<Regex> = LazyLock::new(|| expression(r"saml-provider/([\w.-]*\w)"));

/// Deprecated runtimes: identifier, spoken name, and the month of deprecation on the page "Lambda runtimes".
const RETIRED: [(&str, &str, &str); 21] = [
    ("nodejs", "Node.js 0.10", "October 2016"),
    ("nodejs4.3", "Node.js 4.3", "March 2020"),
    ("nodejs6.10", "Node.js 6.10", "August 2019"),
    ("nodejs8.10", "Node.js 8.10", "March 2020"),
    ("nodejs10.x", "Node.js 10", "July 2021"),
    ("nodejs12.x", "Node.js 12", "March 2023"),
    ("nodejs14.x", "Node.js 14", "December 2023"),
    ("nodejs16.x", "Node.js 16", "June 2024"),
    ("nodejs18.x", "Node.js 18", "September 2025"),
    ("python2.7", "Python 2.7", "July 2021"),
    ("python3.6", "Python 3.6", "July 2022"),
    ("python3.7", "Python 3.7", "December 2023"),
    ("python3.8", "Python 3.8", "October 2024"),
    ("go1.x", "Go 1.x", "January 2024"),
    ("provided", "provided", "January 2024"),
    ("dotnetcore1.0", ".NET Core 1.0", "June 2019"),
    ("dotnetcore2.0", ".NET Core 2.0", "May 2019"),
    ("dotnetcore2.1", ".NET Core 2.1", "January 2022"),
    ("dotnetcore3.1", ".NET Core 3.1", "April 2023"),
    ("ruby2.5", "Ruby 2.5", "July 2021"),
    ("ruby2.7", "Ruby 2.7", "December 2023"),
];

pub(super) fn check(text: &str, hits: &mut Hits) {
    check_runtimes(text, hits);
    check_saml_names(text, hits);
    check_cors(text, hits);
}

/// Checks the value of `Runtime` in a template.
pub(super) fn check_runtime_id(id: &str, at: usize, hits: &mut Hits) {
    if let Some((id, _, month)) = RETIRED.iter().find(|(known, _, _)| *known == id) {
        retired(id, month, at, hits);
    }
}

fn retired(name: &str, month: &str, at: usize, hits: &mut Hits) {
    let message = format!("{name} has been deprecated since {month}");
    hits.add(
        &RUNTIME,
        at,
        message,
        "a runtime of the present list, such as nodejs24.x or provided.al2023",
    );
}

/// A runtime counts where it is to be chosen: on a line about the runtime, or by its identifier in code.
fn check_runtimes(text: &str, hits: &mut Hits) {
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        if line.contains("untime") {
            for found in SPOKEN_RUNTIME.find_iter(line) {
                let name = found.as_str().trim_end_matches(".x");
                let known = RETIRED
                    .iter()
                    .find(|(_, spoken, _)| spoken.trim_end_matches(".x") == name);
                if let Some((_, spoken, month)) = known {
                    retired(spoken, month, start + found.start(), hits);
                }
            }
        }
        start += line.len();
    }
    for captures in CODED_RUNTIME.captures_iter(text) {
        if let Some(id) = captures.get(1) {
            check_runtime_id(id.as_str(), id.start(), hits);
        }
    }
}

/// Compares the names that a document gives to SAML providers with those in its ARNs.
fn check_saml_names(text: &str, hits: &mut Hits) {
    let names: BTreeSet<&str> = PROVIDER_MADE
        .captures_iter(text)
        .filter_map(|captures| {
            captures
                .get(1)
                .map(|name| name.as_str().trim_end_matches('.'))
        })
        .collect();
    if names.is_empty() {
        return;
    }
    for name in PROVIDER_USED
        .captures_iter(text)
        .filter_map(|captures| captures.get(1))
    {
        if !names.contains(name.as_str()) {
            let given = names.iter().copied().collect::<Vec<_>>().join(", ");
            hits.add(
                &SAML_NAME,
                name.start(),
                format!(
                    "saml-provider/{}, but the provider was named {given}",
                    name.as_str()
                ),
                format!("saml-provider/{given}"),
            );
        }
    }
}

/// A document that sets CORS headers for a REST API behind an authorization, and leaves out the refusals.
fn check_cors(text: &str, hits: &mut Hits) {
    const REFUSALS: [&str; 6] = [
        "ateway response",
        "ateway Response",
        "GatewayResponse",
        "gateway-response",
        "DEFAULT_4XX",
        "HTTP API",
    ];
    let header = text.find("Access-Control-Allow-Origin");
    let guarded = text.contains("AWS_IAM") || text.contains("uthorizer");
    if let Some(at) = header
        && guarded
        && text.contains("API Gateway")
        && text.contains("OPTIONS")
        && !REFUSALS.iter().any(|word| text.contains(word))
    {
        hits.add(
            &CORS,
            at,
            "the header is set on the methods' responses alone",
            "gateway responses DEFAULT_4XX and DEFAULT_5XX with Access-Control-Allow-Origin",
        );
    }
}
