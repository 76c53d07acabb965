//! Placeholders and directives: what stands in a recipe or profile for a value that only the mint knows.
//!
//! `{name}` is filled in inside a text; `$name` stands for a whole JSON value. Purely textual: no clock, no signing.

use serde_json::{Map, Number, Value};

use crate::minter::Lacking;

/// A filled text has at most this many bytes: far above API Gateway's header limit of 10,240 bytes, and far below what
/// could harm the machine that mints.
pub(crate) const FILLED_BYTES_MAX: usize = 1024 * 1024;

/// The longest of many members, its comma included.
const MEMBER_BYTES_MAX: usize = "\"m000000\":0,".len();

/// What the placeholders stand for.
pub(crate) struct Bindings<'a> {
    /// The names and their texts.
    pub(crate) names: Vec<(&'static str, &'a str)>,
    /// Seconds since the epoch.
    pub(crate) now: i64,
    /// `$issuer_jwk` and `$attacker_jwk`.
    pub(crate) jwks: Vec<(&'static str, &'a Value)>,
    /// What has no value here, and why.
    pub(crate) lacking: Vec<(&'static str, Lacking)>,
}

/// Why a text cannot be filled in.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FillError {
    /// A `$name` that means nothing.
    #[error(
        "directive `{0}` is unknown: use $absent, $null, $now, $now+300, $now-300, $now+0.5, $issuer_jwk, \
         $attacker_jwk, $attacker_ed25519_jwk, $attacker_p256_jwk, $attacker_x5c, $issuer_x5t_s256, $fill:2000, or $$… for a text that starts with a dollar sign"
    )]
    Directive(String),
    /// A placeholder, or a signature, for which a key is lacking.
    #[error(transparent)]
    Lacking(#[from] Lacking),
    /// A `{name}` that means nothing.
    #[error("placeholder `{{{name}}}` is unknown: use one of {known}")]
    Placeholder {
        /// The name.
        name: String,
        /// The names that would be right here.
        known: String,
    },
    /// The offset after `now` is no number, or the sum is none.
    #[error(
        "`{0}` must be `now`, or `now` with a sign and a number of seconds, such as now+300 or now-0.5"
    )]
    Time(String),
    /// More than 1 MiB.
    #[error("text of `{0}` would exceed 1 MiB")]
    TooLong(String),
}

impl Bindings<'_> {
    /// Every name that a profile's templates may use, and no value.
    pub(crate) fn for_checking() -> Self {
        Self {
            names: [
                "issuer",
                "audience",
                "scope",
                "client_id",
                "kid",
                "attacker_kid",
                "jwks_uri",
            ]
            .map(|name| (name, ""))
            .to_vec(),
            now: 0,
            jwks: Vec::new(),
            lacking: Vec::new(),
        }
    }

    /// Fills in every `{name}` of a text. Braces around anything that is not shaped like a name (JSON!) stay.
    pub(crate) fn fill_text(&self, text: &str) -> Result<String, FillError> {
        let mut filled = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(open) = rest.find('{') {
            filled.push_str(&rest[..open]);
            rest = &rest[open + 1..];
            match rest.find('}').filter(|end| is_name(&rest[..*end])) {
                Some(end) => {
                    filled.push_str(&self.placeholder(&rest[..end])?);
                    rest = &rest[end + 1..];
                }
                None => filled.push('{'),
            }
        }
        filled.push_str(rest);
        Ok(filled)
    }

    /// Fills in a value at any depth; `None` where it is to be absent.
    pub(crate) fn fill_value(&self, value: &Value) -> Result<Option<Value>, FillError> {
        Ok(Some(match value {
            Value::String(text) if text.starts_with('$') => return self.directive(text),
            Value::String(text) => Value::String(self.fill_text(text)?),
            Value::Array(items) => {
                let mut filled = Vec::with_capacity(items.len());
                for item in items {
                    filled.extend(self.fill_value(item)?);
                }
                Value::Array(filled)
            }
            Value::Object(members) => {
                let mut filled = Map::new();
                self.merge(&mut filled, members)?;
                Value::Object(filled)
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
        }))
    }

    /// Applies changes to an object, member by member. A member that is there keeps its place.
    pub(crate) fn merge(
        &self,
        object: &mut Map<String, Value>,
        changes: &Map<String, Value>,
    ) -> Result<(), FillError> {
        for (name, change) in changes {
            let name = self.fill_text(name)?;
            match self.fill_value(change)? {
                Some(value) => {
                    object.insert(name, value);
                }
                None => {
                    object.shift_remove(&name);
                }
            }
        }
        Ok(())
    }

    fn placeholder(&self, name: &str) -> Result<String, FillError> {
        if let Some((_, text)) = self.names.iter().find(|(known, _)| *known == name) {
            return Ok((*text).to_owned());
        }
        self.had(name)?;
        if name.starts_with("now") {
            return numeric_date(name, self.now).map(|number| number.to_string());
        }
        if let Some(depth) = name.strip_prefix("nested:") {
            let depth: usize = depth.parse().map_err(|_| self.unknown(name))?;
            if depth > FILLED_BYTES_MAX / 2 {
                return Err(FillError::TooLong(name.to_owned()));
            }
            return Ok(format!("{}{}", "[".repeat(depth), "]".repeat(depth)));
        }
        if let Some(depth) = name.strip_prefix("unclosed:") {
            let depth: usize = depth.parse().map_err(|_| self.unknown(name))?;
            if depth > FILLED_BYTES_MAX {
                return Err(FillError::TooLong(name.to_owned()));
            }
            return Ok("[".repeat(depth));
        }
        if let Some(count) = name.strip_prefix("members:") {
            let count: usize = count.parse().map_err(|_| self.unknown(name))?;
            if count > FILLED_BYTES_MAX / MEMBER_BYTES_MAX {
                return Err(FillError::TooLong(name.to_owned()));
            }
            let members: Vec<String> = (0..count)
                .map(|member| format!("\"m{member}\":0"))
                .collect();
            return Ok(members.join(","));
        }
        Err(self.unknown(name))
    }

    fn had(&self, name: &str) -> Result<(), FillError> {
        match self.lacking.iter().find(|(lacking, _)| *lacking == name) {
            Some((_, why)) => Err((*why).into()),
            None => Ok(()),
        }
    }

    fn unknown(&self, name: &str) -> FillError {
        let mut known: Vec<_> = self
            .names
            .iter()
            .map(|(known, _)| format!("{{{known}}}"))
            .collect();
        known.extend(
            ["{now}", "{nested:1500}", "{unclosed:1500}", "{members:500}"].map(str::to_owned),
        );
        FillError::Placeholder {
            name: name.to_owned(),
            known: known.join(", "),
        }
    }

    fn directive(&self, text: &str) -> Result<Option<Value>, FillError> {
        let name = &text[1..];
        if let Some(literal) = name.strip_prefix('$') {
            return Ok(Some(Value::String(format!(
                "${}",
                self.fill_text(literal)?
            ))));
        }
        if let Some((_, jwk)) = self.jwks.iter().find(|(known, _)| *known == name) {
            return Ok(Some((*jwk).clone()));
        }
        self.had(name)?;
        if let Some(count) = name.strip_prefix("fill:") {
            let count: usize = count
                .parse()
                .map_err(|_| FillError::Directive(text.to_owned()))?;
            if count > FILLED_BYTES_MAX {
                return Err(FillError::TooLong(text.to_owned()));
            }
            return Ok(Some(Value::String("x".repeat(count))));
        }
        match name {
            "absent" => Ok(None),
            "null" => Ok(Some(Value::Null)),
            _ if name.starts_with("now") => Ok(Some(Value::Number(numeric_date(name, self.now)?))),
            _ => Err(FillError::Directive(text.to_owned())),
        }
    }
}

/// Lower-case letters first, then also digits, `_`, `:`, and the characters of an offset. No JSON text is shaped so.
fn is_name(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_lowercase())
        && text
            .chars()
            .all(|char| matches!(char, 'a'..='z' | '0'..='9' | '_' | ':' | '+' | '-' | '.'))
}

/// `now`, `now+300`, `now-300`: an integer; `now+0.5`: a float. A `NumericDate` may be either (RFC 7519 §2).
fn numeric_date(expression: &str, now: i64) -> Result<Number, FillError> {
    let wrong = || FillError::Time(expression.to_owned());
    let offset = expression.strip_prefix("now").ok_or_else(wrong)?;
    if offset.is_empty() {
        return Ok(now.into());
    }
    if !offset.starts_with(['+', '-']) {
        return Err(wrong());
    }
    if offset.contains('.') {
        let offset: f64 = offset.parse().map_err(|_| wrong())?;
        #[expect(
            clippy::cast_precision_loss,
            reason = "seconds since the epoch stay below 2^53 for 285 million years"
        )]
        return Number::from_f64(now as f64 + offset).ok_or_else(wrong);
    }
    let offset: i64 = offset.parse().map_err(|_| wrong())?;
    now.checked_add(offset).map(Number::from).ok_or_else(wrong)
}
