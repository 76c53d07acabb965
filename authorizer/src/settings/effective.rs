//! The settings as they count, written as the TOML file that gives the same ones: every default is said, and what follows
//! from the settings stands beside them as a comment. There is no secret among them.

use std::fmt::{self, Write as _};

use super::{AnswerStyle, Grants, IssuerSettings, KeyOrigin, Settings, key_limits};
use crate::{Algorithm, CredentialForm, Shape, TypeRule};

impl fmt::Display for Settings {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let limits = self.key_limits;
        writeln!(
            out,
            "# A key that the issuer withdraws works for at most {} s more, and for {} s in an outage of the issuer.",
            limits.revocation_bound().as_secs(),
            limits.revocation_bound_in_an_outage().as_secs()
        )?;
        if let Grants::Stage(scopes) = &self.grants {
            // An empty list is no setting: without one, every verified token will do.
            let comment = if scopes.is_empty() { "# " } else { "" };
            writeln!(out, "{comment}required_scopes = {}", list(scopes))?;
        }
        writeln!(out, "answer = {}", text(answer_name(self.answer)))?;
        writeln!(
            out,
            "policy_ends_with_token = {}",
            self.policy_ends_with_token
        )?;
        writeln!(out, "metrics = {}", self.metrics)?;
        writeln!(out, "token_cache = {}", self.token_cache_entries)?;
        writeln!(out, "token_cache_ttl_s = {}", self.token_cache_ttl_s)?;
        writeln!(out, "token_header = {}", text(&self.credential.header))?;
        let form = form_name(self.credential.form);
        writeln!(out, "token_form = {}", text(form))?;
        if let Some(claim) = &self.api_key_claim {
            writeln!(out, "api_key_claim = {}", text(claim))?;
        }
        writeln!(out, "\n[keys]")?;
        for (key, value) in key_limits::keys(&limits) {
            writeln!(out, "{key} = {value}")?;
        }
        for issuer in &self.issuers {
            writeln!(out)?;
            issuer.fmt(out)?;
        }
        if let Grants::Routes(table) = &self.grants {
            write!(out, "\n{}", table.to_toml())?;
        }
        if !self.context.is_empty() {
            writeln!(out, "\n[context]")?;
            for (key, claim) in &self.context {
                writeln!(out, "{} = {}", text(key), text(claim))?;
            }
        }
        Ok(())
    }
}

impl fmt::Display for IssuerSettings {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rules = &self.rules;
        let algorithms: Vec<_> = rules.algorithms.iter().map(Algorithm::name).collect();
        writeln!(out, "[[issuer]]")?;
        writeln!(out, "issuer = {}", text(&rules.issuer))?;
        writeln!(out, "audiences = {}", list(&rules.audiences))?;
        match &self.keys {
            KeyOrigin::Discovery(_) => writeln!(out, "discovery = true")?,
            KeyOrigin::File(file) => writeln!(out, "jwks_file = {}", path(&file.path))?,
            KeyOrigin::Preloaded(file, uri) => {
                writeln!(out, "jwks_file = {}", path(&file.path))?;
                writeln!(out, "jwks_uri = {}", text(&uri.to_string()))?;
            }
            KeyOrigin::Uri(uri) => writeln!(out, "jwks_uri = {}", text(&uri.to_string()))?,
        }
        writeln!(out, "algorithms = {}", list(&algorithms))?;
        writeln!(out, "leeway_s = {}", rules.leeway_s)?;
        writeln!(out, "token_type = {}", text(type_name(rules.token_type)))?;
        writeln!(out, "shape = {}", text(shape_name(rules.shape)))?;
        writeln!(out, "refuse_id_tokens = {}", rules.refuse_id_tokens)
    }
}

pub(super) fn answer_name(answer: AnswerStyle) -> &'static str {
    match answer {
        AnswerStyle::Policy => "policy",
        AnswerStyle::Simple => "simple",
    }
}

pub(super) fn form_name(form: CredentialForm) -> &'static str {
    match form {
        CredentialForm::Bearer => "bearer",
        CredentialForm::Raw => "raw",
    }
}

pub(super) fn type_name(rule: TypeRule) -> &'static str {
    match rule {
        TypeRule::AccessToken => "at+jwt",
        TypeRule::Either => "either",
        TypeRule::Jwt => "JWT",
    }
}

pub(super) fn shape_name(shape: Shape) -> &'static str {
    // The last of the names: `auth0` is another word for `plain`.
    let names = Shape::ALL.iter().rev();
    let mut names = names.filter(|(_, known)| *known == shape);
    names.next().map_or("plain", |(name, _)| name)
}

fn path(path: &std::path::Path) -> String {
    text(&path.to_string_lossy())
}

/// A basic string of TOML.
pub(crate) fn text(value: &str) -> String {
    let mut quoted = String::from('"');
    for char in value.chars() {
        match char {
            '"' | '\\' => quoted.extend(['\\', char]),
            char if char.is_control() => {
                // Writing into a `String` does not fail.
                let _ = write!(quoted, "\\u{:04x}", u32::from(char));
            }
            char => quoted.push(char),
        }
    }
    quoted.push('"');
    quoted
}

/// An array of basic strings.
pub(crate) fn list(values: &[impl AsRef<str>]) -> String {
    let values: Vec<_> = values.iter().map(|value| text(value.as_ref())).collect();
    format!("[{}]", values.join(", "))
}
