//! The `Condition` element (IAM user guide, "Condition operators"): parsed once, evaluated for each call.
//!
//! String, numeric, date, Boolean, IP address and `Null` operators are known, with `IfExists`. Whatever is not (ARN and
//! binary operators, set operators, other keys, values that do not parse) is [`Verdict::Unknown`], which the statement
//! counts against the caller.

use std::net::IpAddr;

use serde_json::Value;

use super::context::{Key, RequestContext};
use super::document::PolicyError;
use super::{glob, instant};

/// Whether one condition holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Met,
    Unknown,
    Unmet,
}

/// One operator on one key, with the values to compare with.
#[derive(Debug, Clone)]
pub(super) struct Condition {
    /// `None` for an operator, a key or a value that the stand-in cannot judge.
    test: Option<Test>,
}

#[derive(Debug, Clone)]
struct Test {
    key: Key,
    operator: Operator,
    if_exists: bool,
    values: Vec<String>,
}

/// What is compared, and whether the outcome is turned round.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Operator {
    comparison: Comparison,
    negated: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Comparison {
    Bool,
    Date(Order),
    IpAddress,
    Null,
    Numeric(Order),
    StringEquals,
    StringEqualsIgnoreCase,
    StringLike,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
    Equal,
    Greater,
    GreaterOrEqual,
    Less,
    LessOrEqual,
}

impl Condition {
    /// Reads the whole `Condition` element.
    pub(super) fn parse_all(element: &Value) -> Result<Vec<Self>, PolicyError> {
        let operators = element.as_object().ok_or(PolicyError::Condition)?;
        let mut conditions = Vec::new();
        for (operator, keys) in operators {
            for (key, values) in keys.as_object().ok_or(PolicyError::Condition)? {
                conditions.push(Self {
                    test: Test::parse(operator, key, &values_of(values)?),
                });
            }
        }
        Ok(conditions)
    }

    pub(super) fn evaluate(&self, context: &RequestContext<'_>) -> Verdict {
        let Some(test) = &self.test else {
            return Verdict::Unknown;
        };
        test.evaluate(context)
    }
}

/// A scalar or a list of scalars, as texts: `true` and `"true"` are the same value to IAM.
fn values_of(element: &Value) -> Result<Vec<String>, PolicyError> {
    let scalar = |value: &Value| match value {
        Value::String(text) => Ok(text.clone()),
        Value::Bool(_) | Value::Number(_) => Ok(value.to_string()),
        Value::Array(_) | Value::Null | Value::Object(_) => Err(PolicyError::Condition),
    };
    match element {
        Value::Array(values) if !values.is_empty() => values.iter().map(scalar).collect(),
        value => Ok(vec![scalar(value)?]),
    }
}

impl Test {
    fn parse(operator: &str, key: &str, values: &[String]) -> Option<Self> {
        let (name, if_exists) = match operator.strip_suffix("IfExists") {
            Some(name) => (name, true),
            None => (operator, false),
        };
        let test = Self {
            key: Key::parse(key)?,
            operator: Operator::parse(name)?,
            if_exists,
            values: values.to_vec(),
        };
        // `NullIfExists` does not exist.
        let sound = !(if_exists && test.operator.comparison == Comparison::Null);
        (sound
            && test
                .values
                .iter()
                .all(|value| test.operator.comparison.accepts(value)))
        .then_some(test)
    }

    fn evaluate(&self, context: &RequestContext<'_>) -> Verdict {
        let verdict = |met: bool| if met { Verdict::Met } else { Verdict::Unmet };
        let value = context.value(self.key);
        if self.operator.comparison == Comparison::Null {
            return verdict(
                self.values
                    .iter()
                    .any(|wanted| wanted.eq_ignore_ascii_case("true") == value.is_none()),
            );
        }
        // An absent key fails a condition, except a negated one, which asks only that the key is not so.
        let Some(value) = value else {
            return verdict(self.negated_or_if_exists());
        };
        let mut matched = false;
        for wanted in &self.values {
            match self.operator.comparison.holds(&value, wanted) {
                Some(holds) => matched |= holds,
                None => return Verdict::Unknown,
            }
        }
        verdict(matched != self.operator.negated)
    }

    fn negated_or_if_exists(&self) -> bool {
        self.if_exists || self.operator.negated
    }
}

impl Operator {
    fn parse(name: &str) -> Option<Self> {
        let plain = |comparison| {
            Some(Self {
                comparison,
                negated: false,
            })
        };
        let not = |comparison| {
            Some(Self {
                comparison,
                negated: true,
            })
        };
        match name {
            "Bool" => plain(Comparison::Bool),
            "IpAddress" => plain(Comparison::IpAddress),
            "NotIpAddress" => not(Comparison::IpAddress),
            "Null" => plain(Comparison::Null),
            "StringEquals" => plain(Comparison::StringEquals),
            "StringNotEquals" => not(Comparison::StringEquals),
            "StringEqualsIgnoreCase" => plain(Comparison::StringEqualsIgnoreCase),
            "StringNotEqualsIgnoreCase" => not(Comparison::StringEqualsIgnoreCase),
            "StringLike" => plain(Comparison::StringLike),
            "StringNotLike" => not(Comparison::StringLike),
            _ => {
                let (kind, order): (fn(Order) -> Comparison, &str) =
                    match name.strip_prefix("Numeric") {
                        Some(order) => (Comparison::Numeric, order),
                        None => (Comparison::Date, name.strip_prefix("Date")?),
                    };
                match order {
                    "Equals" => plain(kind(Order::Equal)),
                    "NotEquals" => not(kind(Order::Equal)),
                    "GreaterThan" => plain(kind(Order::Greater)),
                    "GreaterThanEquals" => plain(kind(Order::GreaterOrEqual)),
                    "LessThan" => plain(kind(Order::Less)),
                    "LessThanEquals" => plain(kind(Order::LessOrEqual)),
                    _ => None,
                }
            }
        }
    }
}

impl Comparison {
    /// Whether a value of the policy is one that this operator can compare with.
    fn accepts(self, wanted: &str) -> bool {
        match self {
            Self::Bool | Self::Null => {
                wanted.eq_ignore_ascii_case("true") || wanted.eq_ignore_ascii_case("false")
            }
            Self::Date(_) => instant::parse(wanted).is_some(),
            Self::IpAddress => network(wanted).is_some(),
            Self::Numeric(_) => wanted.parse::<f64>().is_ok_and(f64::is_finite),
            // A policy variable would have to be filled in first.
            Self::StringEquals | Self::StringEqualsIgnoreCase | Self::StringLike => {
                !wanted.contains("${")
            }
        }
    }

    /// Whether the request's value stands in this relation to the policy's; `None` when it is of another kind.
    fn holds(self, value: &str, wanted: &str) -> Option<bool> {
        match self {
            Self::Bool | Self::StringEqualsIgnoreCase => Some(value.eq_ignore_ascii_case(wanted)),
            Self::Date(order) => {
                Some(order.holds(instant::parse(value)?.cmp(&instant::parse(wanted)?)))
            }
            Self::IpAddress => {
                let address = value.parse::<IpAddr>().ok()?;
                let (base, prefix) = network(wanted)?;
                Some(contains(base, prefix, address))
            }
            Self::Null => None,
            Self::Numeric(order) => {
                let (value, wanted) = (value.parse::<f64>().ok()?, wanted.parse::<f64>().ok()?);
                Some(order.holds(value.partial_cmp(&wanted)?))
            }
            Self::StringEquals => Some(value == wanted),
            Self::StringLike => Some(glob::matches(wanted, value)),
        }
    }
}

impl Order {
    fn holds(self, ordering: std::cmp::Ordering) -> bool {
        match self {
            Self::Equal => ordering.is_eq(),
            Self::Greater => ordering.is_gt(),
            Self::GreaterOrEqual => ordering.is_ge(),
            Self::Less => ordering.is_lt(),
            Self::LessOrEqual => ordering.is_le(),
        }
    }
}

/// `192.0.2.0/24`, or an address alone, which is a network of one.
fn network(text: &str) -> Option<(IpAddr, u32)> {
    let (address, prefix) = text
        .split_once('/')
        .map_or((text, None), |(address, prefix)| (address, Some(prefix)));
    let address = address.parse::<IpAddr>().ok()?;
    let bits = if address.is_ipv4() { 32 } else { 128 };
    let prefix = prefix.map_or(Some(bits), |prefix| prefix.parse().ok())?;
    (prefix <= bits).then_some((address, prefix))
}

fn contains(base: IpAddr, prefix: u32, address: IpAddr) -> bool {
    match (base, address) {
        (IpAddr::V4(base), IpAddr::V4(address)) => {
            let mask = u32::MAX.checked_shl(32 - prefix).unwrap_or(0);
            base.to_bits() & mask == address.to_bits() & mask
        }
        (IpAddr::V6(base), IpAddr::V6(address)) => {
            let mask = u128::MAX.checked_shl(128 - prefix).unwrap_or(0);
            base.to_bits() & mask == address.to_bits() & mask
        }
        (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => false,
    }
}
