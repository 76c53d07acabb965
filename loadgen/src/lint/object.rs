//! What an object is: a policy, a trust policy, an authorizer's answer, a part of a configuration; or none of them, and
//! then its members are looked at.

use super::arn::{self, Arn};
use super::policy::{self, Use};
use super::rule::Hits;
use super::settings::{self, Setting};
use super::syntax::{Node, Value};
use super::{Options, answer, gateway_settings, sentences, trust};

/// The kinds that can be told from an object's members.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    Answer,
    Event,
    Policy,
    Settings,
    Trust,
}

/// Checks what is known in a value, at any depth. Says whether there was anything.
pub(super) fn check(node: &Node, text: &str, options: Options, hits: &mut Hits) -> bool {
    if let Some(shape) = shape(node) {
        check_as(shape, node, text, options, hits);
        return true;
    }
    let mut options = options;
    if gateway_settings::is_about_it(node) {
        gateway_settings::check(node, hits);
        let ttl_s = gateway_settings::ttl_s(node).map(|seconds| {
            if seconds > 0.0 {
                3600.0_f64.min(seconds)
            } else {
                0.0
            }
        });
        options.ttl_s = options
            .ttl_s
            .or_else(|| format!("{:.0}", ttl_s?).parse().ok());
    }
    if node.any(&["openapi", "swagger"]).is_some() {
        gateway_settings::check_openapi(node, hits);
    }
    gateway_settings::check_sam(node, hits);
    if let Some(runtime) = node.get("Runtime")
        && let Some(id) = runtime.text()
    {
        sentences::check_runtime_id(id, runtime.at, hits);
    }
    let mut known = gateway_settings::is_about_it(node);
    for member in node.members() {
        known |= check(&member.node, text, options, hits);
    }
    if let Value::Array(items) = &node.value {
        for item in items {
            known |= check(item, text, options, hits);
        }
    }
    known
}

/// Checks an object as what it is said to be.
pub(super) fn check_as(shape: Shape, node: &Node, text: &str, options: Options, hits: &mut Hits) {
    match shape {
        Shape::Answer => answer::check(node, text, options, hits),
        Shape::Event => check_event(node, hits),
        Shape::Policy => policy::check(node, Use::Attached, hits),
        Shape::Settings => check_settings(node, hits),
        Shape::Trust => trust::check(node, hits),
    }
}

fn shape(node: &Node) -> Option<Shape> {
    let has = |key: &str| node.get(key).is_some();
    if has("methodArn") || has("routeArn") {
        return (has("type") || has("authorizationToken")).then_some(Shape::Event);
    }
    let written_out = |key: &str| {
        node.get(key)
            .is_some_and(|node| matches!(node.value, Value::Object(_)))
    };
    // The context that an integration gets also has a principalId, beside any name but these.
    if written_out("policyDocument")
        || has("isAuthorized")
        || (has("principalId") && (has("policyDocument") || has("usageIdentifierKey")))
    {
        return Some(Shape::Answer);
    }
    if settings::NAMES[..3].iter().filter(|name| has(name)).count() >= 2 {
        return Some(Shape::Settings);
    }
    let each = node.get("Statement").map_or(&[][..], Node::each);
    let is_statement = |node: &Node| {
        node.any(&["Effect", "Action", "Resource", "Principal"])
            .is_some()
    };
    if !each.iter().any(is_statement) {
        return None;
    }
    let assumes = |node: &Node| {
        let actions = policy::texts(node, "Action");
        node.any(&["Resource", "NotResource"]).is_none()
            && actions.iter().any(|(action, _)| action.starts_with("sts:"))
            || node.get("Principal").is_some()
                && actions
                    .iter()
                    .any(|(action, _)| action.starts_with("sts:Assume"))
    };
    Some(if each.iter().any(assumes) {
        Shape::Trust
    } else {
        Shape::Policy
    })
}

fn check_event(node: &Node, hits: &mut Hits) {
    if let Some(node) = node.any(&["methodArn", "routeArn"])
        && let Some(arn) = node.text().and_then(Arn::parse)
    {
        arn::check_account(&arn, node.at, hits);
    }
}

fn check_settings(node: &Node, hits: &mut Hits) {
    let settings: Vec<Setting<'_>> = node
        .members()
        .iter()
        .filter_map(|member| {
            let name = settings::NAMES.iter().find(|name| **name == member.key)?;
            let value = member.node.text()?;
            // Behind the quote.
            let at = member.node.at + 1;
            Some(Setting { name, value, at })
        })
        .collect();
    // A value that is an expression or comes from elsewhere in a template is there, though not to be read.
    if settings.len()
        == node
            .members()
            .iter()
            .filter(|m| settings::NAMES.contains(&m.key.as_str()))
            .count()
    {
        settings::check_all(&settings, node.at, hits);
    } else {
        for setting in &settings {
            settings::check(setting, hits);
        }
    }
    for setting in &settings {
        settings::check_white_space(setting, true, hits);
    }
}
