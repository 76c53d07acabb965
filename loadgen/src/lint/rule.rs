//! What a rule is, what a finding is, and the list of all rules.

use std::fmt;

use serde::Serialize;

/// How much a finding weighs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Refused by AWS, or refuses or admits other requests than it says.
    Error,
    /// Works, and is worth a thought.
    Note,
    /// Works in some setting only, or is a risk.
    Warning,
}

impl fmt::Display for Severity {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(match self {
            Self::Error => "error",
            Self::Note => "note",
            Self::Warning => "warning",
        })
    }
}

/// One thing that can be wrong. Its id is part of the public interface.
#[derive(Debug)]
pub struct Rule {
    /// `group::fault`.
    pub id: &'static str,
    /// What a finding weighs unless the check says less.
    pub severity: Severity,
    /// What is wrong, in a few words.
    pub wrong: &'static str,
    /// What comes of it.
    pub why: &'static str,
    /// The page or section that says so.
    pub source: &'static str,
}

/// One rule broken at one place.
#[derive(Debug, Clone)]
pub struct Finding {
    /// The rule that is broken.
    pub rule: &'static Rule,
    /// The weight of this finding.
    pub severity: Severity,
    /// The line in the file, from 1.
    pub line: usize,
    /// The character in the line, from 1.
    pub column: usize,
    /// What is wrong at this place.
    pub message: String,
    /// What to write instead.
    pub write: String,
}

/// Every rule, in the order of the documentation.
pub fn rules() -> impl Iterator<Item = &'static Rule> {
    [
        super::policy::RULES,
        super::arn::RULES,
        super::answer::RULES,
        super::trust::RULES,
        super::settings::RULES,
        super::expression::RULES,
        super::gateway_settings::RULES,
        super::handler::RULES,
        super::document::RULES,
    ]
    .into_iter()
    .flatten()
    .copied()
}

/// What the checks of one text have found, at byte offsets.
#[derive(Debug, Default)]
pub(super) struct Hits {
    pub(super) list: Vec<Hit>,
}

#[derive(Debug)]
pub(super) struct Hit {
    pub(super) rule: &'static Rule,
    pub(super) severity: Severity,
    pub(super) at: usize,
    pub(super) message: String,
    pub(super) write: String,
}

impl Hits {
    pub(super) fn add(
        &mut self,
        rule: &'static Rule,
        at: usize,
        message: impl Into<String>,
        write: impl Into<String>,
    ) {
        self.weigh(rule, rule.severity, at, message, write);
    }

    /// A finding that weighs otherwise than its rule.
    pub(super) fn weigh(
        &mut self,
        rule: &'static Rule,
        severity: Severity,
        at: usize,
        message: impl Into<String>,
        write: impl Into<String>,
    ) {
        debug_assert!(
            rules().any(|known| known.id == rule.id),
            "{} is not in the list of rules",
            rule.id
        );
        self.list.push(Hit {
            rule,
            severity,
            at,
            message: message.into(),
            write: write.into(),
        });
    }
}
