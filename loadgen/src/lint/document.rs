//! Documents about authorizers, such as tutorials: what stands in their code blocks, tables and sentences, and what does
//! not agree within one document.

use std::ops::Range;
use std::sync::LazyLock;

use regex::Regex;

use super::arn::{self, Arn};
use super::markup::{self, Markdown};
use super::rule::{Hits, Rule, Severity};
use super::{Options, expression, gateway_settings, handler, object, sentences, settings, syntax};

pub(super) static JSON_SYNTAX: Rule = Rule {
    id: "document::json-syntax",
    severity: Severity::Error,
    wrong: "a JSON file that is no JSON",
    why: "nothing reads it",
    source: "RFC 8259",
};

pub(super) const RULES: &[&Rule] = &[&JSON_SYNTAX, &sentences::RUNTIME, &sentences::CORS];

static TTL_SHAPE: LazyLock<Regex> = LazyLock::new(|| {
    handler::expression(
        r#"(?:[aA]uthorizerResultTtlInSeconds|resultTtlInSeconds|authorizer_result_ttl\w*|ReauthorizeEvery)["'`]?\s*[:=]\s*["'`]?(\d+)"#,
    )
});
static EXPRESSION_SHAPE: LazyLock<Regex> = LazyLock::new(|| {
    handler::expression(
        r#"(?:[`"'](\^?\(?[Bb]earer[^`"'\n]*\[[^`"'\n]*)[`"'])|(?:[iI]dentity_?[vV]alidation_?[eE]xpression|ValidationExpression)\s*[:=]\s*(\^[^\n]*[^\s,])"#,
    )
});
static ARN_SHAPE: LazyLock<Regex> =
    LazyLock::new(|| handler::expression(r#"arn:aws[a-z-]*:[a-z0-9-]+:[^\s"'`<>()\\,;]*"#));

/// How much is read in search of objects, as a multiple of the document's length: braces that never close could each be
/// read to the end. A tutorial needs less than once its length.
const READ_FACTOR: usize = 32;

pub(super) fn check(page: &Markdown, code: bool, options: Options, hits: &mut Hits) {
    let text = page.text.as_str();
    let mut options = options;
    options.ttl_s = options.ttl_s.or_else(|| stated_ttl_s(text));
    options.http_api |= text.contains("HTTP API");
    let covered = check_objects(text, options, hits);
    check_settings(text, hits);
    check_rows(text, hits);
    check_expressions(text, &covered, hits);
    check_arns(text, &covered, hits);
    if code {
        handler::check(text, 0..text.len(), hits);
        return;
    }
    for (word, range) in markup::fences(text) {
        if ["", "js", "javascript", "node", "ts", "typescript", "mjs"].contains(&word.as_str()) {
            handler::check(text, range, hits);
        }
    }
    sentences::check(text, hits);
}

/// Finds the objects of a text, wherever they stand, and checks those that are ours. Returns what they cover.
fn check_objects(text: &str, options: Options, hits: &mut Hits) -> Vec<Range<usize>> {
    let mut covered = Vec::new();
    let mut budget = text.len() * READ_FACTOR;
    let mut at = 0;
    while let Some(brace) = text[at..].find('{') {
        let start = at + brace;
        at = start + 1;
        let (node, looked_at) = syntax::read_counting(text, start);
        budget = budget.saturating_sub(looked_at);
        if let Some(node) = node
            && object::check(&node, text, options, hits)
        {
            at = node.end;
            covered.push(node.at..node.end);
        }
        if budget == 0 {
            break;
        }
    }
    covered
}

/// Lines of the form `NAME=value`. Several one below the other are a whole file; one alone is a mention.
fn check_settings(text: &str, hits: &mut Hits) {
    let line_of = |at: usize| text[..at].matches('\n').count();
    let found = settings::lines(text, false);
    let mut group: Vec<settings::Setting<'_>> = Vec::new();
    let mut last = 0;
    for (setting, quoted) in found {
        settings::check_white_space(&setting, quoted, hits);
        let line = line_of(setting.at);
        if !group.is_empty() && line > last + 2 {
            check_group(&group, hits);
            group.clear();
        }
        last = line;
        group.push(setting);
    }
    check_group(&group, hits);
}

fn check_group(group: &[settings::Setting<'_>], hits: &mut Hits) {
    match group {
        [] => {}
        [one] => settings::check(one, hits),
        [first, ..] => settings::check_all(group, first.at, hits),
    }
}

/// Rows of tables whose first cell names a setting.
fn check_rows(text: &str, hits: &mut Hits) {
    for row in markup::rows(text) {
        let [(first, _), (second, at), ..] = row[..] else {
            continue;
        };
        let name = first.trim_matches(['`', '*', ' ']);
        if let Some(name) = settings::NAMES.iter().find(|known| **known == name) {
            for (value, at) in markup::spans(second, at) {
                // Other words of the cell may stand in backticks too; only a URL is a value for certain.
                if value.contains("://") {
                    settings::check(&settings::Setting { name, value, at }, hits);
                }
            }
        } else if let Some(ttl_s) = row_ttl_s(name, second) {
            gateway_settings::check_ttl(ttl_s, at, hits);
        }
    }
}

fn row_ttl_s(name: &str, value: &str) -> Option<f64> {
    let is_ttl = name.contains("TTL") || name.contains("ResultTtl");
    let value = value.trim_matches(['`', '*', ' ']);
    is_ttl.then(|| value.parse().ok()).flatten()
}

/// The cache time that a document tells its reader to set, in a table or as an inline setting.
fn stated_ttl_s(text: &str) -> Option<u32> {
    let rows = markup::rows(text);
    let in_table = rows.iter().find_map(|row| match row[..] {
        [(name, _), (value, _), ..] => row_ttl_s(name, value),
        _ => None,
    });
    let inline = || TTL_SHAPE.captures(text)?[1].parse().ok();
    let seconds = in_table.or_else(inline)?;
    format!("{seconds:.0}").parse().ok()
}

/// Validation expressions beside objects: in quotes or backticks, or as a line of YAML.
fn check_expressions(text: &str, covered: &[Range<usize>], hits: &mut Hits) {
    for captures in EXPRESSION_SHAPE.captures_iter(text) {
        let Some(found) = captures.get(1).or_else(|| captures.get(2)) else {
            continue;
        };
        if !is_covered(covered, found.start()) {
            // In a table a bar is escaped, and in a string a backslash is.
            let expression = found.as_str().replace("\\|", "|").replace("\\\\", "\\");
            expression::check(&expression, found.start(), hits);
        }
    }
}

/// ARNs beside objects. The ARN of a request has no wildcard, and may well be the root's.
fn check_arns(text: &str, covered: &[Range<usize>], hits: &mut Hits) {
    for found in ARN_SHAPE.find_iter(text) {
        if is_covered(covered, found.start()) {
            continue;
        }
        let written = found.as_str().trim_end_matches(['.', ':']);
        let Some(parsed) = Arn::parse(written) else {
            continue;
        };
        arn::check_account(&parsed, found.start(), hits);
        if parsed.service == "execute-api" && written.contains('*') {
            arn::check_coverage(written, &parsed, found.start(), hits);
        }
    }
}

fn is_covered(covered: &[Range<usize>], at: usize) -> bool {
    covered.iter().any(|range| range.contains(&at))
}
