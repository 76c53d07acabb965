//! The settings of an authorizer that verifies JWTs: `TOKEN_ISSUER`, `JWKS_URI`, `AUDIENCE`, `REQUIRED_SCOPE`, in a `.env`
//! file, in a function's environment or in a table of a document.

use super::arn::shortened;
use super::policy::is_open;
use super::rule::{Hits, Rule, Severity};

static ISSUER_SLASH: Rule = Rule {
    id: "config::issuer-without-trailing-slash",
    severity: Severity::Error,
    wrong: "an issuer at auth0.com without the slash at its end",
    why: "Auth0 writes iss with the slash and issuers are compared character by character, so every token is refused",
    source: "RFC 7519 section 4.1.1 and section 2 (StringOrURI); Auth0 documentation, \"Validate JSON Web Tokens\"",
};
static ISSUER_NOT_HTTPS: Rule = Rule {
    id: "config::issuer-not-https",
    severity: Severity::Error,
    wrong: "an issuer that is no https URL",
    why: "an OpenID or OAuth issuer is an https URL; the tokens' iss can then not be equal to this",
    source: "RFC 8414 section 2 (issuer)",
};
static HTTP_JWKS: Rule = Rule {
    id: "config::http-jwks",
    severity: Severity::Error,
    wrong: "keys fetched without TLS",
    why: "whoever is on the way can put in a key of his own and sign any token",
    source: "RFC 8414 section 2 (jwks_uri)",
};
static JWKS_DISCOVERY: Rule = Rule {
    id: "config::jwks-is-discovery",
    severity: Severity::Error,
    wrong: "the discovery document in place of the key set",
    why: "it has no keys member; it names the key set's address in jwks_uri",
    source: "RFC 8414 section 3; RFC 7517 section 5",
};
static JWKS_PATH: Rule = Rule {
    id: "config::jwks-path",
    severity: Severity::Warning,
    wrong: "a key set at auth0.com under another path than Auth0's",
    why: "Auth0 serves a tenant's keys at /.well-known/jwks.json",
    source: "Auth0 documentation, \"Locate JSON Web Key Sets\"",
};
static AUDIENCE_MANAGEMENT: Rule = Rule {
    id: "config::audience-is-management-api",
    severity: Severity::Warning,
    wrong: "the audience of Auth0's Management API",
    why: "tokens for managing the tenant are then good for this API too, and what this API gets can be used there",
    source: "RFC 8725 section 3.9 (use and validate audience); RFC 9700 section 2.3",
};
static MISSING: Rule = Rule {
    id: "config::setting-missing",
    severity: Severity::Error,
    wrong: "no issuer, no audience or no key set, or an empty one",
    why: "a verifier that is not told issuer and audience either does not start or does not check them",
    source: "RFC 8725 sections 3.8 and 3.9",
};
static WHITE_SPACE: Rule = Rule {
    id: "config::white-space",
    severity: Severity::Warning,
    wrong: "white space around a value (an error inside of quotes)",
    why: "some readers of .env files trim it; docker's --env-file, a shell and a pasted Lambda variable keep it, and the \
value is then equal to no claim",
    source: "RFC 7519 section 4.1.3 (the audience is compared as it is)",
};
static TWICE: Rule = Rule {
    id: "config::setting-twice",
    severity: Severity::Warning,
    wrong: "one setting twice with two values",
    why: "which of the two counts depends on who reads the file",
    source: "no standard; readers of .env files differ",
};

pub(super) const RULES: &[&Rule] = &[
    &ISSUER_SLASH,
    &ISSUER_NOT_HTTPS,
    &HTTP_JWKS,
    &JWKS_DISCOVERY,
    &JWKS_PATH,
    &AUDIENCE_MANAGEMENT,
    &MISSING,
    &WHITE_SPACE,
    &TWICE,
];

/// The settings that are known by name; the first three have to be there.
pub(super) const NAMES: [&str; 4] = ["TOKEN_ISSUER", "JWKS_URI", "AUDIENCE", "REQUIRED_SCOPE"];

/// One setting, and where its value starts.
#[derive(Debug, Clone)]
pub(super) struct Setting<'a> {
    pub(super) name: &'a str,
    pub(super) value: &'a str,
    pub(super) at: usize,
}

/// Checks settings that stand together and are all there is.
pub(super) fn check_all(settings: &[Setting<'_>], at: usize, hits: &mut Hits) {
    for (index, setting) in settings.iter().enumerate() {
        check(setting, hits);
        let other =
            |earlier: &&Setting<'_>| earlier.name == setting.name && earlier.value != setting.value;
        if settings[..index].iter().any(|earlier| other(&earlier)) {
            let message = format!("{} has another value above", setting.name);
            hits.add(&TWICE, setting.at, message, "one line");
        }
    }
    for name in &NAMES[..3] {
        if !settings.iter().any(|setting| setting.name == *name) {
            hits.add(
                &MISSING,
                at,
                format!("{name} is missing"),
                format!("{name}=…"),
            );
        }
    }
}

/// Checks one setting by itself.
pub(super) fn check(setting: &Setting<'_>, hits: &mut Hits) {
    let value = setting.value;
    if value.trim().is_empty() {
        if setting.name != "REQUIRED_SCOPE" {
            let write = format!("{}=…", setting.name);
            hits.add(
                &MISSING,
                setting.at,
                format!("{} is empty", setting.name),
                write,
            );
        }
        return;
    }
    match setting.name {
        "TOKEN_ISSUER" => check_issuer(value.trim(), setting.at, hits),
        "JWKS_URI" => check_jwks(value.trim(), setting.at, hits),
        "AUDIENCE" => check_audience(value.trim(), setting.at, hits),
        _ => {}
    }
}

/// Says where white space stands around a value. `before` is the text from the name to the value.
pub(super) fn check_white_space(setting: &Setting<'_>, quoted: bool, hits: &mut Hits) {
    let value = setting.value;
    let body = value.trim();
    if value == body || body.is_empty() {
        return;
    }
    let behind = value.trim_end().len();
    let (what, at) = if value.trim_end() == value {
        (&value[..value.len() - value.trim_start().len()], setting.at)
    } else {
        (&value[behind..], setting.at + behind)
    };
    let kind = if what.contains('\t') {
        "a tab"
    } else {
        "a space"
    };
    let severity = if quoted {
        Severity::Error
    } else {
        WHITE_SPACE.severity
    };
    hits.weigh(
        &WHITE_SPACE,
        severity,
        at,
        format!("{kind} beside the value of {}", setting.name),
        format!("{}={body}", setting.name),
    );
}

/// The host of a URL, with or without placeholders in it.
fn host(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.split('/').next().unwrap_or_default()
}

fn at_auth0(url: &str) -> bool {
    host(url).ends_with(".auth0.com")
}

fn is_loopback(url: &str) -> bool {
    let host = host(url);
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    ["localhost", "127.0.0.1", "[::1]", "host.docker.internal"].contains(&name)
}

fn check_issuer(issuer: &str, at: usize, hits: &mut Hits) {
    if at_auth0(issuer) && !issuer.ends_with('/') {
        hits.add(
            &ISSUER_SLASH,
            at,
            format!("{} has no slash at its end", shortened(issuer)),
            format!("{issuer}/"),
        );
    }
    if !issuer.starts_with("https://") && !is_loopback(issuer) && !is_open(issuer) {
        let bare = issuer.trim_start_matches("http://");
        hits.add(
            &ISSUER_NOT_HTTPS,
            at,
            format!("{} is no https URL", shortened(issuer)),
            format!("https://{bare}"),
        );
    }
}

fn check_jwks(uri: &str, at: usize, hits: &mut Hits) {
    if uri.starts_with("http://") && !is_loopback(uri) {
        let write = uri.replacen("http://", "https://", 1);
        hits.add(
            &HTTP_JWKS,
            at,
            format!("{} is fetched without TLS", shortened(uri)),
            write,
        );
    }
    let path = uri.split('?').next().unwrap_or_default();
    if path.ends_with("/openid-configuration") || path.ends_with("/oauth-authorization-server") {
        let message = format!("{} is the discovery document", shortened(uri));
        hits.add(
            &JWKS_DISCOVERY,
            at,
            message,
            "the URL that the document has in jwks_uri",
        );
    } else if at_auth0(uri) && !path.ends_with("/.well-known/jwks.json") {
        let write = format!("https://{}/.well-known/jwks.json", host(uri));
        hits.add(
            &JWKS_PATH,
            at,
            format!("{} is not where Auth0 has its keys", shortened(uri)),
            write,
        );
    }
}

fn check_audience(audience: &str, at: usize, hits: &mut Hits) {
    if at_auth0(audience) && audience.trim_end_matches('/').ends_with("/api/v2") {
        hits.add(
            &AUDIENCE_MANAGEMENT,
            at,
            format!("{} is Auth0's Management API", shortened(audience)),
            "the identifier of the API that is protected, such as https://orders.example.com/",
        );
    }
}

/// Settings of the form `NAME=value`, one a line, and whether each value is quoted. Spaces before the sign belong to the
/// finding about white space, so `loose` takes them; a document may show a program's assignments.
pub(super) fn lines(text: &str, loose: bool) -> Vec<(Setting<'_>, bool)> {
    let mut found = Vec::new();
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        found.extend(line_setting(line, start, loose));
        start += line.len();
    }
    found
}

fn line_setting(line: &str, start: usize, loose: bool) -> Option<(Setting<'_>, bool)> {
    let line = line.trim_end_matches(['\n', '\r']);
    let body = line.trim_start_matches([' ', '\t', '>']);
    let body = body.strip_prefix("export ").unwrap_or(body);
    let (left, value) = body.split_once('=')?;
    let name = if loose { left.trim_end() } else { left };
    let name = *NAMES.iter().find(|known| **known == name)?;
    let mut at = start + (line.len() - value.len());
    let trimmed = value.trim();
    let quoted = ['"', '\''].iter().find(|quote| {
        trimmed.len() > 1 && trimmed.starts_with(**quote) && trimmed.ends_with(**quote)
    });
    if quoted.is_some() {
        at += value.len() - value.trim_start().len() + 1;
        let value = &trimmed[1..trimmed.len() - 1];
        return Some((Setting { name, value, at }, true));
    }
    // What stands behind a number sign is a remark, and so is the space before it.
    let value = value
        .split_once(" #")
        .map_or(value, |(value, _)| value.trim_end());
    // `AUDIENCE == expected` is a program's comparison.
    (!value.starts_with('=')).then_some((Setting { name, value, at }, false))
}
