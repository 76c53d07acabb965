//! `authbench lint`: what is wrong with a policy, an authorizer's answer, a configuration or a document about them.
//!
//! Pure functions of the text. A check reports what is wrong for certain and leaves alone what is to be filled in:
//! `${account}`, `{stage}`, `<api>`.

mod answer;
mod arn;
mod document;
mod expression;
mod gateway_settings;
mod handler;
mod markup;
mod object;
mod policy;
mod report;
mod rule;
mod sentences;
mod settings;
mod syntax;
mod trust;

#[cfg(test)]
mod tests;

use document::JSON_SYNTAX;
use markup::Markdown;
use object::Shape;
pub use report::{Report, json, terminal};
use rule::Hits;
pub use rule::{Finding, Rule, Severity, rules};
use syntax::{Member, Node, Value};

/// What a file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The whole answer of an authorizer.
    Answer,
    /// Settings: `NAME=value` lines, TOML, or a JSON object or template.
    Config,
    /// Markdown, HTML or plain text.
    Document,
    /// The code of an authorizer for Node.js.
    Handler,
    /// An IAM policy about calling an API.
    Policy,
    /// The policy that says who may assume a role.
    Trust,
}

/// What the caller knows and the text may not say.
#[derive(Debug, Clone, Copy, Default)]
pub struct Options {
    /// What the file holds, when its content is not to decide.
    pub kind: Option<Kind>,
    /// How long the authorizer's answers are cached, in seconds.
    pub ttl_s: Option<u32>,
    /// Whether the answers may be those to an HTTP API, whose context may hold arrays and objects.
    pub http_api: bool,
}

/// Checks one text. The name helps to tell what it is: `.html`, `.toml`, `.env`, `.js`.
pub fn lint(name: &str, text: &str, options: Options) -> Vec<Finding> {
    let mut hits = Hits::default();
    // A byte-order mark is no part of the text, but stands before it.
    let body = text.strip_prefix('\u{feff}').unwrap_or(text);
    let skipped = text.len() - body.len();
    let html = is_html(name, body);
    let page = Markdown::new(body, html);
    let mut origin: Box<dyn Fn(usize) -> usize> = Box::new(|at| at);
    match options.kind.or_else(|| kind_of(name, body)) {
        Some(Kind::Config) => check_config(name, body, options, &mut hits),
        Some(Kind::Answer) => check_object(Some(Shape::Answer), name, body, options, &mut hits),
        Some(Kind::Policy) => check_object(Some(Shape::Policy), name, body, options, &mut hits),
        Some(Kind::Trust) => check_object(Some(Shape::Trust), name, body, options, &mut hits),
        Some(kind @ (Kind::Document | Kind::Handler)) => {
            document::check(&page, kind == Kind::Handler, options, &mut hits);
            origin = Box::new(|at| page.origin(at));
        }
        None => check_object(None, name, body, options, &mut hits),
    }
    let placed = hits
        .list
        .into_iter()
        .map(|hit| (origin(hit.at) + skipped, hit));
    let mut findings: Vec<Finding> = placed
        .map(|(at, hit)| {
            let (line, column) = place(text, at);
            Finding {
                rule: hit.rule,
                severity: hit.severity,
                line,
                column,
                message: hit.message,
                write: hit.write,
            }
        })
        .collect();
    findings.sort_by_key(|finding| (finding.line, finding.column, finding.rule.id));
    findings.dedup_by(|a, b| {
        (a.line, a.column, a.rule.id, &a.message) == (b.line, b.column, b.rule.id, &b.message)
    });
    findings
}

/// The kind, or nothing for a JSON object that has to be looked into.
fn kind_of(name: &str, text: &str) -> Option<Kind> {
    let ends = |extensions: &[&str]| has_extension(name, extensions);
    let file = name.rsplit('/').next().unwrap_or(name);
    let start = text.trim_start();
    if ends(&["js", "mjs", "cjs", "ts"]) {
        Some(Kind::Handler)
    } else if ends(&["toml"]) || file.starts_with(".env") || ends(&["env"]) || is_env(text) {
        Some(Kind::Config)
    } else if ends(&["json"]) || (start.starts_with('{') && syntax::read(start, 0).is_some()) {
        None
    } else if is_toml(text) {
        Some(Kind::Config)
    } else {
        Some(Kind::Document)
    }
}

fn has_extension(name: &str, extensions: &[&str]) -> bool {
    let extension = name.rsplit_once('.').map_or("", |(_, extension)| extension);
    extensions
        .iter()
        .any(|wanted| extension.eq_ignore_ascii_case(wanted))
}

fn is_html(name: &str, text: &str) -> bool {
    let start: String = text.trim_start().chars().take(14).collect();
    let start = start.to_ascii_lowercase();
    has_extension(name, &["html", "htm"])
        || start.starts_with("<!doctype html")
        || start.starts_with("<html")
}

/// Nothing but assignments and remarks, and a setting that we know.
fn is_env(text: &str) -> bool {
    let lines = || {
        text.lines()
            .map(str::trim)
            .filter(|line| !line.is_empty() && !line.starts_with('#'))
    };
    let assigns = |line: &str| {
        let name = line.split_once('=').map(|(name, _)| name.trim());
        name.is_some_and(|name| {
            name.bytes()
                .all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_')
        })
    };
    lines().all(assigns) && !settings::lines(text, true).is_empty()
}

fn is_toml(text: &str) -> bool {
    toml_node(text).is_some_and(|node| gateway_settings::is_about_it(&node))
}

fn check_config(name: &str, text: &str, options: Options, hits: &mut Hits) {
    let start = text.trim_start();
    if start.starts_with('{') {
        return check_object(None, name, text, options, hits);
    }
    if let Some(node) = toml_node(text).filter(|_| !is_env(text)) {
        object::check(&node, text, options, hits);
        return;
    }
    let found = settings::lines(text, true);
    let settings: Vec<_> = found.iter().map(|(setting, _)| setting.clone()).collect();
    settings::check_all(&settings, 0, hits);
    for (setting, quoted) in &found {
        settings::check_white_space(setting, *quoted, hits);
    }
}

fn check_object(shape: Option<Shape>, name: &str, text: &str, options: Options, hits: &mut Hits) {
    let strict = serde_json::from_str::<serde_json::Value>(text);
    if let Err(error) = &strict
        && (has_extension(name, &["json"]) || options.kind.is_some())
    {
        let line: usize = text
            .split_inclusive('\n')
            .take(error.line().saturating_sub(1))
            .map(str::len)
            .sum();
        let at = (line + error.column().saturating_sub(1)).min(text.len());
        hits.add(
            &JSON_SYNTAX,
            at,
            error.to_string(),
            "JSON: quoted keys, no comments, no comma at the end",
        );
    }
    let start = text.find(['{', '[']).unwrap_or(text.len());
    if let Some(node) = syntax::read(text, start) {
        match shape {
            Some(shape) => object::check_as(shape, &node, text, options, hits),
            None => {
                object::check(&node, text, options, hits);
            }
        }
    }
}

/// TOML as the same kind of value as JSON.
fn toml_node(text: &str) -> Option<Node> {
    let table = toml::de::DeTable::parse(text).ok()?;
    Some(Node {
        at: 0,
        end: text.len(),
        value: Value::Object(toml_members(table.get_ref())),
    })
}

fn toml_members(table: &toml::de::DeTable<'_>) -> Vec<Member> {
    let member = |(key, value): (&toml::Spanned<_>, &toml::Spanned<toml::de::DeValue<'_>>)| {
        let key: &toml::Spanned<toml::de::DeString<'_>> = key;
        Member {
            key: key.get_ref().to_string(),
            at: key.span().start,
            node: toml_value(value),
        }
    };
    table.iter().map(member).collect()
}

fn toml_value(value: &toml::Spanned<toml::de::DeValue<'_>>) -> Node {
    use toml::de::DeValue;
    let span = value.span();
    let value = match value.get_ref() {
        DeValue::String(text) => Value::Text(text.to_string()),
        DeValue::Integer(number) => Value::Number(number.to_string()),
        DeValue::Float(number) => Value::Number(number.to_string()),
        DeValue::Boolean(value) => Value::Boolean(*value),
        DeValue::Datetime(time) => Value::Text(time.to_string()),
        DeValue::Array(items) => Value::Array(items.iter().map(toml_value).collect()),
        DeValue::Table(table) => Value::Object(toml_members(table)),
    };
    Node {
        at: span.start,
        end: span.end,
        value,
    }
}

/// Line and character of a byte, both from 1.
fn place(text: &str, at: usize) -> (usize, usize) {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    let before = &text[..at];
    let line = before.rfind('\n').map_or(0, |end| end + 1);
    (
        before.matches('\n').count() + 1,
        before[line..].chars().count() + 1,
    )
}
