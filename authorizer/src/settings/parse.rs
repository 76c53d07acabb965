//! From settings as they are written to settings that mean something.

use std::fs;

use http::Uri;
use url::Url;

use super::{
    AnswerStyle, Grants, IssuerSettings, KeyFile, KeyOrigin, Settings, SettingsError, names,
    raw::{Origin, RawIssuer, RawSettings},
};
use crate::jwks::source::is_plain_loopback;
use crate::{
    Algorithm, Algorithms, CredentialForm, CredentialSource, Issuer, MAX_LEEWAY_S,
    MAX_TOKEN_CACHE_ENTRIES, RouteTable, Rules, Shape, TypeRule,
};

/// Seconds for which a verified token is remembered, if the settings say nothing: the default of API Gateway's own cache.
const TOKEN_CACHE_TTL_S: u16 = 300;

/// Most seconds for which it may be: the maximum of API Gateway's own cache.
const MAX_TOKEN_CACHE_TTL_S: u16 = 3_600;

impl Origin {
    /// What this source calls a setting.
    pub(super) fn name(self, environment: &'static str, file: &'static str) -> &'static str {
        match self {
            Origin::Environment => environment,
            Origin::File => file,
        }
    }

    fn invalid<T>(
        self,
        environment: &'static str,
        file: &'static str,
        problem: impl Into<String>,
    ) -> Result<T, SettingsError> {
        Err(SettingsError::Invalid {
            name: self.name(environment, file),
            problem: problem.into(),
        })
    }

    /// One of several words.
    fn word<T: Copy>(
        self,
        environment: &'static str,
        file: &'static str,
        value: Option<&str>,
        words: &[(&str, T)],
    ) -> Result<Option<T>, SettingsError> {
        let Some(value) = value else {
            return Ok(None);
        };
        let found = words.iter().find(|(word, _)| *word == value);
        let Some((_, meaning)) = found else {
            let known: Vec<_> = words.iter().map(|(word, _)| *word).collect();
            return self.invalid(
                environment,
                file,
                format!("is {value:?}; expected one of {}", known.join(", ")),
            );
        };
        Ok(Some(*meaning))
    }
}

impl RawSettings {
    pub(super) fn parse(self) -> Result<Settings, SettingsError> {
        let origin = self.origin;
        if self.issuer.is_empty() {
            return origin.invalid(
                names::TOKEN_ISSUER,
                "issuer",
                "is missing; add an [[issuer]]",
            );
        }
        let mut carried: Vec<String> = self.context.values().cloned().collect();
        carried.extend(self.api_key_claim.clone());
        let mut issuers: Vec<IssuerSettings> = Vec::new();
        for raw in self.issuer {
            let issuer = raw.parse(origin, &carried)?;
            if issuers
                .iter()
                .any(|other| other.rules.issuer == issuer.rules.issuer)
            {
                return origin.invalid(
                    names::TOKEN_ISSUER,
                    "issuer",
                    format!("{} is there twice", issuer.rules.issuer),
                );
            }
            issuers.push(issuer);
        }
        let answer = [
            ("policy", AnswerStyle::Policy),
            ("simple", AnswerStyle::Simple),
        ];
        let answer = origin.word(names::ANSWER, "answer", self.answer.as_deref(), &answer)?;
        let answer = answer.unwrap_or(AnswerStyle::Policy);
        let ends_with_token = self.policy_ends_with_token.unwrap_or(false);
        let grants = grants(origin, self.required_scopes, self.route, self.routes_text)?;
        if answer == AnswerStyle::Simple && (ends_with_token || matches!(grants, Grants::Routes(_)))
        {
            let problem = "is simple, which is one verdict for every route and has no end of its own; routes and a \
                           policy that ends with the token need policy";
            return origin.invalid(names::ANSWER, "answer", problem);
        }
        let entries = self.token_cache.unwrap_or(0);
        if entries > MAX_TOKEN_CACHE_ENTRIES {
            let problem = format!("is {entries}; at most {MAX_TOKEN_CACHE_ENTRIES} entries");
            return origin.invalid(names::TOKEN_CACHE, "token_cache", problem);
        }
        let ttl_s = self.token_cache_ttl_s.unwrap_or(TOKEN_CACHE_TTL_S);
        if !(1..=MAX_TOKEN_CACHE_TTL_S).contains(&ttl_s) {
            let problem = format!("is {ttl_s}; expected 1 to {MAX_TOKEN_CACHE_TTL_S} seconds");
            return origin.invalid(names::TOKEN_CACHE_TTL, "token_cache_ttl_s", problem);
        }
        Ok(Settings {
            issuers,
            grants,
            credential: credential(origin, self.token_header, self.token_form.as_deref())?,
            answer,
            policy_ends_with_token: ends_with_token,
            metrics: self.metrics.unwrap_or(false),
            token_cache_entries: entries,
            token_cache_ttl_s: ttl_s,
            context: checked_context(origin, self.context)?,
            api_key_claim: checked_claim(origin, self.api_key_claim)?,
            key_limits: self.keys.parse(origin)?,
        })
    }
}

impl RawIssuer {
    fn parse(self, origin: Origin, carried: &[String]) -> Result<IssuerSettings, SettingsError> {
        let texts = self.audiences.iter().chain([&self.issuer]);
        if self.audiences.is_empty()
            || texts
                .into_iter()
                .any(|text| text.trim() != text || text.is_empty())
        {
            let problem = "is empty, or starts or ends with white space";
            return origin.invalid(names::AUDIENCE, "issuer or audiences", problem);
        }
        let keys = self.keys(origin)?;
        let leeway_s = self.leeway_s.unwrap_or(0);
        if leeway_s > MAX_LEEWAY_S {
            let problem = format!("is {leeway_s}; at most {MAX_LEEWAY_S} seconds");
            return origin.invalid(names::LEEWAY, "leeway_s", problem);
        }
        let shape = origin.word(names::SHAPE, "shape", self.shape.as_deref(), &Shape::ALL)?;
        let types = [
            ("either", TypeRule::Either),
            ("at+jwt", TypeRule::AccessToken),
            ("JWT", TypeRule::Jwt),
        ];
        let token_type = origin.word(
            names::TOKEN_TYPE,
            "token_type",
            self.token_type.as_deref(),
            &types,
        )?;
        let mut audiences = self.audiences.into_iter();
        let mut rules = Rules::new(self.issuer, audiences.next().unwrap_or_default())
            .shape(shape.unwrap_or(Shape::Plain))
            .leeway_s(leeway_s)
            .refuse_id_tokens(self.refuse_id_tokens.unwrap_or(true))
            .carry(carried.iter().cloned());
        for audience in audiences {
            rules = rules.or_audience(audience);
        }
        if let Some(token_type) = token_type {
            rules = rules.token_type(token_type);
        }
        if let Some(list) = self.algorithms {
            rules = rules.algorithms(algorithms(origin, &list)?);
        }
        Ok(IssuerSettings { rules, keys })
    }

    fn keys(&self, origin: Origin) -> Result<KeyOrigin, SettingsError> {
        let uri = self
            .jwks_uri
            .as_deref()
            .map(|text| jwks_uri(origin, text))
            .transpose()?;
        let file = self.jwks_file.as_deref().map(key_file).transpose()?;
        match (uri, file, self.discovery) {
            (None, None, true) => match Issuer::parse(&self.issuer) {
                Ok(issuer) => Ok(KeyOrigin::Discovery(issuer)),
                Err(error) => origin.invalid(
                    names::DISCOVERY,
                    "discovery",
                    format!("needs an issuer that is a URL: {error}"),
                ),
            },
            (Some(uri), None, false) => Ok(KeyOrigin::Uri(uri)),
            (None, Some(file), false) => Ok(KeyOrigin::File(file)),
            (Some(uri), Some(file), false) => Ok(KeyOrigin::Preloaded(file, uri)),
            (None, None, false) => origin.invalid(
                names::JWKS_URI,
                "jwks_uri",
                "is missing; give it, or a key file, or switch discovery on",
            ),
            (_, _, true) => origin.invalid(
                names::DISCOVERY,
                "discovery",
                "is on, and a key source is given, too; keep one",
            ),
        }
    }
}

/// Keys over plain HTTP could be anybody's, so `http` is for an issuer on the same machine only.
fn jwks_uri(origin: Origin, text: &str) -> Result<Uri, SettingsError> {
    let invalid = |problem: &str| origin.invalid(names::JWKS_URI, "jwks_uri", problem);
    let Ok(url) = Url::parse(text) else {
        return invalid(
            "is not a URL; expected https://{issuer}/.well-known/jwks.json or the like",
        );
    };
    if url.scheme() != "https" && !is_plain_loopback(&url) {
        return invalid("must start with https:// (http:// only for a loopback host)");
    }
    if !url.username().is_empty() || url.password().is_some() {
        return invalid("must not hold a user name or a password");
    }
    Uri::try_from(url.as_str()).or_else(|_| invalid("is not a URL that can be requested"))
}

fn key_file(path: &std::path::Path) -> Result<KeyFile, SettingsError> {
    let read = || -> std::io::Result<KeyFile> {
        Ok(KeyFile {
            path: path.to_owned(),
            document: fs::read(path)?,
            got_at: fs::metadata(path)?.modified()?,
        })
    };
    read().map_err(|source| SettingsError::Read {
        path: path.to_owned(),
        source,
    })
}

fn algorithms(origin: Origin, list: &[String]) -> Result<Algorithms, SettingsError> {
    let mut algorithms = Vec::new();
    for name in list {
        let Some(algorithm) = Algorithm::from_name(name) else {
            let known: Vec<_> = Algorithm::ALL
                .iter()
                .map(|algorithm| algorithm.name())
                .collect();
            let problem = format!("names {name:?}; expected some of {}", known.join(", "));
            return origin.invalid(names::ALGORITHMS, "algorithms", problem);
        };
        algorithms.push(algorithm);
    }
    match Algorithms::new(algorithms) {
        Some(algorithms) => Ok(algorithms),
        None => origin.invalid(
            names::ALGORITHMS,
            "algorithms",
            "is empty; name at least one",
        ),
    }
}

fn grants(
    origin: Origin,
    scopes: Option<Vec<String>>,
    routes: Option<Vec<crate::RawRoute>>,
    routes_text: Option<String>,
) -> Result<Grants, SettingsError> {
    let table = match routes_text {
        Some(text) => Some(RouteTable::parse(&text)?),
        None => routes.map(RouteTable::from_raw).transpose()?,
    };
    match (table, scopes) {
        (Some(_), Some(_)) => origin.invalid(
            names::REQUIRED_SCOPE,
            "required_scopes",
            "stands beside routes, which name their own scopes; keep one",
        ),
        (Some(table), None) => Ok(Grants::Routes(table)),
        // An empty list would let every token in, and nobody writes one for that.
        (None, Some(scopes)) if scopes.is_empty() => origin.invalid(
            names::REQUIRED_SCOPE,
            "required_scopes",
            "is empty; leave it out if every token will do",
        ),
        (None, scopes) => {
            let scopes = scopes.unwrap_or_default();
            if scopes.iter().all(|scope| is_scope(scope)) {
                Ok(Grants::Stage(scopes))
            } else {
                let problem = "holds a character that no scope has (RFC 6749 §3.3)";
                origin.invalid(names::REQUIRED_SCOPE, "required_scopes", problem)
            }
        }
    }
}

/// A scope token (RFC 6749 §3.3).
fn is_scope(scope: &str) -> bool {
    let is_scope_char = |byte: u8| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\';
    !scope.is_empty() && scope.bytes().all(is_scope_char)
}

fn credential(
    origin: Origin,
    header: Option<String>,
    form: Option<&str>,
) -> Result<CredentialSource, SettingsError> {
    let default = CredentialSource::default();
    let forms = [
        ("bearer", CredentialForm::Bearer),
        ("raw", CredentialForm::Raw),
    ];
    let form = origin.word(names::TOKEN_FORM, "token_form", form, &forms)?;
    let header = header.unwrap_or(default.header);
    if http::HeaderName::try_from(&header).is_err() {
        let problem = format!("is {header:?}, which is no name of a header field");
        return origin.invalid(names::TOKEN_HEADER, "token_header", problem);
    }
    Ok(CredentialSource {
        header,
        form: form.unwrap_or(default.form),
    })
}

fn checked_context(
    origin: Origin,
    context: std::collections::BTreeMap<String, String>,
) -> Result<std::collections::BTreeMap<String, String>, SettingsError> {
    if let Some(key) = context.keys().find(|key| !crate::is_context_key(key)) {
        let problem = format!("has the key {key:?}, which API Gateway or the scope has taken");
        return origin.invalid(names::CONTEXT, "context", problem);
    }
    if let Some((key, _)) = context.iter().find(|(_, claim)| claim.trim().is_empty()) {
        let problem = format!("names no claim for the key {key:?}");
        return origin.invalid(names::CONTEXT, "context", problem);
    }
    Ok(context)
}

fn checked_claim(origin: Origin, claim: Option<String>) -> Result<Option<String>, SettingsError> {
    if claim.as_ref().is_some_and(|claim| claim.trim().is_empty()) {
        return origin.invalid(names::API_KEY_CLAIM, "api_key_claim", "names no claim");
    }
    Ok(claim)
}
