//! Which scopes a route asks for, and which combinations of routes a token can reach.

use super::route_fault::{MAX_SCOPES, RouteFault};

/// What a route asks of the token's scopes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ScopeRule {
    AllOf(Vec<String>),
    AnyOf(Vec<String>),
    /// Every verified token will do.
    NoneNeeded,
}

impl ScopeRule {
    /// Whether a token is let in by this rule; `holds` says whether it has a scope.
    pub(super) fn is_met(&self, holds: impl Fn(&str) -> bool) -> bool {
        match self {
            Self::AllOf(scopes) => scopes.iter().all(|scope| holds(scope)),
            Self::AnyOf(scopes) => scopes.iter().any(|scope| holds(scope)),
            Self::NoneNeeded => true,
        }
    }

    /// The scopes that each token needs to be let in, and with which it is; none where there is a choice.
    pub(super) fn required(&self) -> &[String] {
        match self {
            Self::AllOf(scopes) => scopes,
            Self::AnyOf(scopes) if scopes.len() == 1 => scopes,
            Self::AnyOf(_) | Self::NoneNeeded => &[],
        }
    }

    /// Whether some token meets all of `met` and does not meet this rule.
    ///
    /// More scopes never close a route, so only the least sets of scopes that meet `met` have to be tried.
    pub(super) fn can_fail_while(&self, met: [&ScopeRule; 2]) -> bool {
        let [first, second] = met.map(ScopeRule::least_sets);
        first.iter().any(|first| {
            second.iter().any(|second| {
                !self.is_met(|scope| [first, second].iter().any(|set| set.contains(&scope)))
            })
        })
    }

    /// The sets of scopes that meet the rule and none of whose subsets does.
    fn least_sets(&self) -> Vec<Vec<&str>> {
        match self {
            Self::AllOf(scopes) => vec![scopes.iter().map(String::as_str).collect()],
            Self::AnyOf(scopes) => scopes.iter().map(|scope| vec![scope.as_str()]).collect(),
            Self::NoneNeeded => vec![Vec::new()],
        }
    }
}

/// Takes a list of scopes that a route may name.
pub(super) fn checked_scopes(scopes: Vec<String>) -> Result<Vec<String>, RouteFault> {
    match scopes.len() {
        0 => return Err(RouteFault::EmptyScopes),
        1..=MAX_SCOPES => {}
        many => return Err(RouteFault::TooManyScopes(many)),
    }
    for scope in &scopes {
        if scope.is_empty() {
            return Err(RouteFault::EmptyScope);
        }
        if let Some(found) = scope.chars().find(|c| !is_scope_char(*c)) {
            let scope = scope.clone();
            return Err(RouteFault::ScopeChar { scope, found });
        }
    }
    Ok(scopes)
}

/// `scope-token = 1*( %x21 / %x23-5B / %x5D-7E )` (RFC 6749 §3.3).
fn is_scope_char(c: char) -> bool {
    c.is_ascii_graphic() && c != '"' && c != '\\'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_can_fail_exactly_when_some_token_meets_the_others_only() {
        let list = |scopes: &str| scopes.split(' ').map(str::to_owned).collect();
        let (any, all) = (
            |scopes| ScopeRule::AnyOf(list(scopes)),
            |scopes| ScopeRule::AllOf(list(scopes)),
        );
        for (rule, met, want) in [
            (any("a"), [any("a"), any("b")], false),
            (any("a"), [any("a c"), any("b")], true),
            (any("a b"), [any("a"), any("b")], false),
            (all("a b"), [any("a"), any("b")], false),
            (all("a b"), [any("a"), any("a b")], true),
            (any("a"), [all("a b"), ScopeRule::NoneNeeded], false),
            (
                any("a"),
                [ScopeRule::NoneNeeded, ScopeRule::NoneNeeded],
                true,
            ),
            (ScopeRule::NoneNeeded, [any("a"), any("b")], false),
        ] {
            let [first, second] = &met;
            assert_eq!(
                rule.can_fail_while([first, second]),
                want,
                "{rule:?} {met:?}"
            );
        }
    }
}
