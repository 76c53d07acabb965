//! One route of the API: its verbs, its path and the scopes that it asks for.

use std::{fmt, str::FromStr};

use serde::Deserialize;

use super::{
    route_fault::RouteFault,
    route_path::RoutePath,
    scope_rule::{ScopeRule, checked_scopes},
};
use crate::{
    VerifiedToken,
    settings::effective::{list, text},
};

/// The verbs that a method of API Gateway can have, which are those that `ANY` stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Verb {
    Delete,
    Get,
    Head,
    Options,
    Patch,
    Post,
    Put,
}

impl Verb {
    pub(super) const ALL: [Verb; 7] = [
        Verb::Delete,
        Verb::Get,
        Verb::Head,
        Verb::Options,
        Verb::Patch,
        Verb::Post,
        Verb::Put,
    ];

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Verb::Delete => "DELETE",
            Verb::Get => "GET",
            Verb::Head => "HEAD",
            Verb::Options => "OPTIONS",
            Verb::Patch => "PATCH",
            Verb::Post => "POST",
            Verb::Put => "PUT",
        }
    }
}

/// The verbs of a route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verbs {
    /// `*`, or `ANY`: each verb that no other route with this path names.
    Any,
    Listed(Vec<Verb>),
}

impl Verbs {
    fn parse<'a>(words: impl IntoIterator<Item = &'a str>) -> Result<Verbs, RouteFault> {
        let mut listed = Vec::new();
        let mut any = false;
        for word in words {
            let verb = Verb::ALL.into_iter().find(|verb| verb.as_str() == word);
            match (word, verb) {
                _ if any => return Err(RouteFault::Verb(word.to_owned())),
                ("*", _) if listed.is_empty() => any = true,
                (_, None) => return Err(RouteFault::Verb(word.to_owned())),
                (_, Some(verb)) if listed.contains(&verb) => {
                    return Err(RouteFault::VerbTwice(word.to_owned()));
                }
                (_, Some(verb)) => listed.push(verb),
            }
        }
        match (any, listed.is_empty()) {
            (true, _) => Ok(Verbs::Any),
            (false, true) => Err(RouteFault::Verb(String::new())),
            (false, false) => Ok(Verbs::Listed(listed)),
        }
    }

    /// Whether the route names this verb itself.
    pub(super) fn lists(&self, verb: Verb) -> bool {
        matches!(self, Verbs::Listed(listed) if listed.contains(&verb))
    }
}

/// A route: which requests it is for, and which scopes a token needs to call it.
///
/// As one line of text it is three words, verbs, path and scopes. The scopes are `any:` or `all:` and a list, or `none`:
///
/// ```text
/// GET,HEAD /planets/{id} any:read:planets,admin
/// * /files/{proxy+} all:files,admin
/// GET /health none
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    pub(super) verbs: Verbs,
    pub(super) path: RoutePath,
    pub(super) scopes: ScopeRule,
}

impl Route {
    /// Whether a verified token has the scopes of the route.
    pub(crate) fn is_open_to(&self, token: &VerifiedToken) -> bool {
        self.scopes.is_met(|scope| token.has_scope(scope))
    }

    /// The scopes without which nobody gets in; none where the route leaves a choice.
    pub(crate) fn required_scopes(&self) -> &[String] {
        self.scopes.required()
    }

    /// The route as a table of TOML.
    pub(super) fn to_toml(&self) -> String {
        let methods = match &self.verbs {
            Verbs::Any => vec!["*"],
            Verbs::Listed(listed) => listed.iter().map(|verb| verb.as_str()).collect(),
        };
        let scopes = match &self.scopes {
            ScopeRule::AllOf(scopes) => format!("all_of = {}", list(scopes)),
            ScopeRule::AnyOf(scopes) => format!("any_of = {}", list(scopes)),
            ScopeRule::NoneNeeded => "no_scope = true".to_owned(),
        };
        format!(
            "[[route]]\nmethods = {}\npath = {}\n{scopes}\n",
            list(&methods),
            text(&self.path.to_string())
        )
    }
}

impl FromStr for Route {
    type Err = RouteFault;

    fn from_str(text: &str) -> Result<Route, RouteFault> {
        let words: Vec<&str> = text.split_ascii_whitespace().collect();
        let [verbs, path, scopes] = words[..] else {
            return Err(RouteFault::Form);
        };
        let list = |scopes: &str| {
            let scopes = scopes.split(',').filter(|_| !scopes.is_empty());
            checked_scopes(scopes.map(str::to_owned).collect())
        };
        let scopes = match scopes.split_once(':') {
            Some(("all", scopes)) => ScopeRule::AllOf(list(scopes)?),
            Some(("any", scopes)) => ScopeRule::AnyOf(list(scopes)?),
            None if scopes == "none" => ScopeRule::NoneNeeded,
            _ => return Err(RouteFault::Form),
        };
        Ok(Route {
            verbs: Verbs::parse(verbs.split(','))?,
            path: RoutePath::parse(path)?,
            scopes,
        })
    }
}

/// A route as a file has it, not yet checked: `methods`, `path`, and exactly one of `any_of`, `all_of` and `no_scope`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawRoute {
    methods: Vec<String>,
    path: String,
    any_of: Option<Vec<String>>,
    all_of: Option<Vec<String>>,
    /// Whether every verified token will do. It has to be said: a forgotten list must not open a route.
    #[serde(default)]
    no_scope: bool,
}

impl RawRoute {
    /// What an error calls this route.
    pub(super) fn name(&self) -> String {
        format!("{} {}", self.methods.join(","), self.path)
    }
}

impl TryFrom<RawRoute> for Route {
    type Error = RouteFault;

    fn try_from(raw: RawRoute) -> Result<Route, RouteFault> {
        let scopes = match (raw.any_of, raw.all_of, raw.no_scope) {
            (Some(scopes), None, false) => ScopeRule::AnyOf(checked_scopes(scopes)?),
            (None, Some(scopes), false) => ScopeRule::AllOf(checked_scopes(scopes)?),
            (None, None, true) => ScopeRule::NoneNeeded,
            _ => return Err(RouteFault::ScopeRule),
        };
        Ok(Route {
            verbs: Verbs::parse(raw.methods.iter().map(String::as_str))?,
            path: RoutePath::parse(&raw.path)?,
            scopes,
        })
    }
}

/// Verbs and path, which is what an error calls a route.
impl fmt::Display for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.verbs {
            Verbs::Any => f.write_str("*")?,
            Verbs::Listed(listed) => {
                let words: Vec<&str> = listed.iter().map(|verb| verb.as_str()).collect();
                f.write_str(&words.join(","))?;
            }
        }
        write!(f, " {}", self.path)
    }
}
