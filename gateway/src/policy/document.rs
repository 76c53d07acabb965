//! The policy document as a value: what may stand in it, and what is refused.
//!
//! A document that IAM would not take is refused whole, because a statement that is dropped silently may have been the
//! Deny.

use serde_json::{Map, Value};

use super::condition::Condition;

/// The longest `Resource` pattern: 512 characters (API Gateway, "Output from a Lambda authorizer").
const RESOURCE_CHARS_MAX: usize = 512;

/// Patterns of one policy. A managed policy has at most 6,144 characters (IAM quotas), which is far fewer patterns; the
/// bound keeps the work of one evaluation finite.
const PATTERNS_MAX: usize = 1_000;

/// Versions of the policy language (IAM user guide, "Version").
const VERSIONS: [&str; 2] = ["2008-10-17", "2012-10-17"];

/// A policy that can be evaluated. Made from JSON only, so an evaluated policy is always a valid one.
#[derive(Debug, Clone)]
pub struct PolicyDocument {
    pub(super) statements: Vec<Statement>,
}

/// A policy document that is not one.
#[derive(Debug, thiserror::Error)]
pub enum PolicyError {
    /// `Condition` has another shape than operator, key, values.
    #[error(
        "`Condition` must be an object of operators, each an object of keys with scalar values"
    )]
    Condition,
    /// The effect is neither of the two words. Their case matters.
    #[error("`Effect` must be exactly `Allow` or `Deny`")]
    Effect,
    /// Not JSON.
    #[error("the policy is not JSON: {0}")]
    Json(#[source] serde_json::Error),
    /// A required element is missing, or an element and its opposite are both there.
    #[error("a statement needs exactly one of `{0}` and `Not{0}`, a string or a list of strings")]
    Patterns(&'static str),
    /// A resource pattern is longer than API Gateway takes.
    #[error("a resource has more than {RESOURCE_CHARS_MAX} characters")]
    ResourceTooLong,
    /// The document or its statements are of the wrong type.
    #[error(
        "the policy must be an object with a `Statement` that is an object or a list of objects"
    )]
    Shape,
    /// More patterns than one evaluation should try.
    #[error("the policy has more than {PATTERNS_MAX} actions and resources")]
    TooManyPatterns,
    /// An element that policies of an authorizer do not have.
    #[error("`{0}` is no element of an authorizer's policy")]
    UnknownElement(String),
    /// `${…}` in a pattern; the stand-in fills in no policy variables.
    #[error("policy variables such as `${{aws:SourceIp}}` are not supported in `{0}`")]
    Variable(&'static str),
    /// The version is neither of the two dates.
    #[error("`Version` must be `2012-10-17` or `2008-10-17`")]
    Version,
}

#[derive(Debug, Clone)]
pub(super) struct Statement {
    pub(super) effect: Effect,
    pub(super) action: Scope,
    pub(super) resource: Scope,
    pub(super) conditions: Vec<Condition>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Effect {
    Allow,
    Deny,
}

/// What an `Action`, `NotAction`, `Resource` or `NotResource` covers.
#[derive(Debug, Clone)]
pub(super) enum Scope {
    AnyOf(Vec<String>),
    NoneOf(Vec<String>),
}

impl PolicyDocument {
    /// Reads a policy document from JSON text.
    pub fn from_json(text: &[u8]) -> Result<Self, PolicyError> {
        Self::from_value(&serde_json::from_slice(text).map_err(PolicyError::Json)?)
    }

    /// Reads a policy document from a JSON value.
    pub fn from_value(document: &Value) -> Result<Self, PolicyError> {
        let document = document.as_object().ok_or(PolicyError::Shape)?;
        known(document, &["Id", "Statement", "Version"])?;
        // Policy variables exist only in the later language; the earlier one has literal braces and is the default.
        let version = match document.get("Version") {
            None => VERSIONS[0],
            Some(version) => version
                .as_str()
                .filter(|version| VERSIONS.contains(version))
                .ok_or(PolicyError::Version)?,
        };
        let variables = version == VERSIONS[1];
        let statements = match document.get("Statement") {
            Some(statement @ Value::Object(_)) => vec![Statement::parse(statement, variables)?],
            Some(Value::Array(statements)) => statements
                .iter()
                .map(|statement| Statement::parse(statement, variables))
                .collect::<Result<_, _>>()?,
            _ => return Err(PolicyError::Shape),
        };
        let patterns: usize = statements
            .iter()
            .map(|s: &Statement| s.action.len() + s.resource.len())
            .sum();
        if patterns > PATTERNS_MAX {
            return Err(PolicyError::TooManyPatterns);
        }
        Ok(Self { statements })
    }
}

impl Statement {
    fn parse(statement: &Value, variables: bool) -> Result<Self, PolicyError> {
        let statement = statement.as_object().ok_or(PolicyError::Shape)?;
        known(
            statement,
            &[
                "Action",
                "Condition",
                "Effect",
                "NotAction",
                "NotResource",
                "Resource",
                "Sid",
            ],
        )?;
        let effect = match statement.get("Effect").and_then(Value::as_str) {
            Some("Allow") => Effect::Allow,
            Some("Deny") => Effect::Deny,
            _ => return Err(PolicyError::Effect),
        };
        let action = Scope::parse(statement, "Action", "NotAction")?;
        let resource = Scope::parse(statement, "Resource", "NotResource")?;
        if resource
            .patterns()
            .iter()
            .any(|pattern| pattern.chars().count() > RESOURCE_CHARS_MAX)
        {
            return Err(PolicyError::ResourceTooLong);
        }
        if variables
            && resource
                .patterns()
                .iter()
                .any(|pattern| pattern.contains("${"))
        {
            return Err(PolicyError::Variable("Resource"));
        }
        let conditions = statement
            .get("Condition")
            .map_or_else(|| Ok(Vec::new()), Condition::parse_all)?;
        Ok(Self {
            effect,
            action,
            resource,
            conditions,
        })
    }
}

impl Scope {
    fn parse(
        statement: &Map<String, Value>,
        name: &'static str,
        opposite: &str,
    ) -> Result<Self, PolicyError> {
        match (statement.get(name), statement.get(opposite)) {
            (Some(element), None) => patterns(element).map(Self::AnyOf),
            (None, Some(element)) => patterns(element).map(Self::NoneOf),
            _ => None,
        }
        .ok_or(PolicyError::Patterns(name))
    }

    fn patterns(&self) -> &[String] {
        match self {
            Self::AnyOf(patterns) | Self::NoneOf(patterns) => patterns,
        }
    }

    fn len(&self) -> usize {
        self.patterns().len()
    }
}

/// A string or a list of strings that is not empty.
fn patterns(element: &Value) -> Option<Vec<String>> {
    match element {
        Value::String(pattern) => Some(vec![pattern.clone()]),
        Value::Array(list) if !list.is_empty() => list
            .iter()
            .map(|item| item.as_str().map(str::to_owned))
            .collect(),
        _ => None,
    }
}

fn known(object: &Map<String, Value>, names: &[&str]) -> Result<(), PolicyError> {
    match object.keys().find(|key| !names.contains(&key.as_str())) {
        Some(unknown) => Err(PolicyError::UnknownElement(unknown.clone())),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_document_that_iam_would_not_take_is_refused_whole() {
        let allow = json!({"Effect": "Allow", "Action": "*", "Resource": "*"});
        for (document, want) in [
            (json!([]), "must be an object"),
            (json!({"Version": "2012-10-17"}), "`Statement`"),
            (
                json!({"Version": "2017-08-07", "Statement": []}),
                "`Version`",
            ),
            (json!({"Statement": [allow, "x"]}), "`Statement`"),
            (
                json!({"Statement": {"Effect": "allow", "Action": "*", "Resource": "*"}}),
                "`Effect`",
            ),
            (
                json!({"Statement": {"Action": "*", "Resource": "*"}}),
                "`Effect`",
            ),
            (
                json!({"Statement": {"Effect": "Deny", "Resource": "*"}}),
                "`Action`",
            ),
            (
                json!({"Statement": {"Effect": "Deny", "Action": "*", "NotAction": "*", "Resource": "*"}}),
                "`Action`",
            ),
            (
                json!({"Statement": {"Effect": "Deny", "Action": "*", "Resource": []}}),
                "`Resource`",
            ),
            (
                json!({"Statement": {"Effect": "Deny", "Action": "*", "Resource": [7]}}),
                "`Resource`",
            ),
            (
                json!({"Statement": {"Effect": "Deny", "Action": "*", "Resource": "x".repeat(513)}}),
                "512",
            ),
            (
                json!({"Statement": {"Effect": "Deny", "Action": "*", "Resource": "*", "effect": "Allow"}}),
                "`effect`",
            ),
            (
                json!({"Statement": {"Effect": "Deny", "Action": "*", "Resource": "*", "Condition": []}}),
                "`Condition`",
            ),
            (
                json!({"Version": "2012-10-17", "Statement": {"Effect": "Deny", "Action": "*", "Resource": "${aws:userid}"}}),
                "variables",
            ),
            (json!({"Statement": vec![allow; 501]}), "1000"),
        ] {
            let message = PolicyDocument::from_value(&document)
                .expect_err("this document is wrong")
                .to_string();
            assert!(message.contains(want), "{document}: {message}");
        }
        assert!(matches!(
            PolicyDocument::from_json(b"{"),
            Err(PolicyError::Json(_))
        ));
    }
}
