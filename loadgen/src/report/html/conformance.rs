//! The conformance part: what is wrong first, then every case at a glance, then the tables.

use std::fmt::Write as _;

use super::super::figures::{fingerprint, outcome, skipped_by_reason};
use super::{causes, escape};
use crate::record::{CaseRecord, ConformanceRecord, Outcome, RunRecord};
use crate::verdict;

pub(super) fn section(page: &mut String, record: &RunRecord) {
    let Some(conformance) = &record.conformance else {
        return;
    };
    page.push_str("<section><h2>Conformance</h2>");
    if let Some(reason) = &conformance.not_judged {
        let _ = writeln!(
            page,
            "<p class=\"callout bad\">Not judged: {}</p></section>",
            escape(reason)
        );
        return;
    }
    all_right(page, conformance);
    causes::list(page, conformance);
    grid(page, conformance);
    if let Some(found) = &conformance.fingerprint {
        let told = escape(&fingerprint(found));
        let _ = writeln!(page, "<p>Found out before: the target {told}.</p>");
    }
    remarks(page, conformance);
    tables(page, conformance);
    page.push_str("</section>\n");
}

/// Says that nothing failed, where nothing did.
fn all_right(page: &mut String, conformance: &ConformanceRecord) {
    if verdict::failures(conformance).next().is_none() {
        let asked = conformance
            .cases
            .iter()
            .filter(|case| case.observed.is_some())
            .count();
        let _ = write!(
            page,
            "<p>All {asked} cases that were asked got the decision that they had to get.</p>"
        );
    }
}

/// What came, in a few words.
pub(super) fn got(case: &CaseRecord) -> String {
    let Some(observed) = &case.observed else {
        return "nothing".to_owned();
    };
    let status = observed
        .status
        .map_or_else(|| observed.decision.clone(), |status| status.to_string());
    match (&observed.rule, &case.reason) {
        (Some(rule), _) => format!("{status} by {rule}"),
        (None, Some(reason)) => format!("{status} ({reason})"),
        (None, None) => status,
    }
}

/// The class and the letter of an outcome: never the colour alone.
fn cell(outcome: Outcome) -> (&'static str, &'static str) {
    match outcome {
        Outcome::DivergenceGone
        | Outcome::Fault
        | Outcome::Overreach
        | Outcome::UnexpectedAllow
        | Outcome::UnexpectedDeny => ("fail", "✗"),
        Outcome::KnownDivergence => ("known", "k"),
        Outcome::Note => ("noted", "n"),
        Outcome::Pass => ("pass", "✓"),
        Outcome::Skip => ("skip", "–"),
        Outcome::WrongStatus => ("noted", "s"),
    }
}

/// Every case as one cell, a row a group.
fn grid(page: &mut String, conformance: &ConformanceRecord) {
    page.push_str("<div class=\"cases\">");
    for (group, cases) in groups(conformance) {
        let passed = cases
            .iter()
            .filter(|case| case.outcome == Outcome::Pass)
            .count();
        let _ = write!(
            page,
            "<div class=\"row\"><span class=\"name\">{}</span><span class=\"count\">{passed}/{}</span><span class=\"cells\">",
            escape(group),
            cases.len()
        );
        for case in cases {
            let (class, mark) = cell(case.outcome);
            let _ = write!(
                page,
                "<i class=\"cell {class}\" title=\"{}: {}\">{mark}</i>",
                escape(&case.title),
                outcome(case.outcome)
            );
        }
        page.push_str("</span></div>");
    }
    page.push_str(
        "<p class=\"legend\"><i class=\"cell pass\">✓</i> as expected <i class=\"cell fail\">✗</i> fails \
         <i class=\"cell noted\">n</i> note <i class=\"cell noted\">s</i> denied with another status \
         <i class=\"cell known\">k</i> known divergence <i class=\"cell skip\">–</i> skipped</p></div>",
    );
}

/// Groups in the order of the record.
fn groups(conformance: &ConformanceRecord) -> Vec<(&str, Vec<&CaseRecord>)> {
    let mut groups: Vec<(&str, Vec<&CaseRecord>)> = Vec::new();
    for case in &conformance.cases {
        match groups.iter_mut().find(|(name, _)| *name == case.group) {
            Some((_, cases)) => cases.push(case),
            None => groups.push((&case.group, vec![case])),
        }
    }
    groups
}

/// What is neither a pass nor a failure, each kind by itself.
fn remarks(page: &mut String, conformance: &ConformanceRecord) {
    let kinds = [
        (
            Outcome::WrongStatus,
            "Denied as it had to be, with another status",
        ),
        (
            Outcome::Note,
            "Notes: half of the industry answers so, or the rule leaves it open",
        ),
        (Outcome::KnownDivergence, "Known divergences"),
    ];
    for (kind, title) in kinds {
        let cases: Vec<&CaseRecord> = conformance
            .cases
            .iter()
            .filter(|case| case.outcome == kind)
            .collect();
        if cases.is_empty() {
            continue;
        }
        let _ = write!(page, "<h3>{title}</h3><ul class=\"remarks\">");
        for case in cases {
            let reason = case
                .reason
                .as_deref()
                .map(|reason| format!(": {reason}"))
                .unwrap_or_default();
            let answer = if case.observed.is_some() {
                format!("expected {}, got {}", case.expected.word(), got(case))
            } else {
                String::new()
            };
            let _ = write!(
                page,
                "<li>{} <span class=\"muted\">{}, <code>{}</code>. {}{}</span></li>",
                escape(&case.title),
                escape(&case.clause),
                escape(&case.id),
                escape(&answer),
                escape(&reason)
            );
        }
        page.push_str("</ul>");
    }
    not_asked(page, conformance);
}

/// What was not asked, by reason.
fn not_asked(page: &mut String, conformance: &ConformanceRecord) {
    let reasons = skipped_by_reason(conformance);
    if reasons.is_empty() {
        return;
    }
    page.push_str("<h3>Not asked</h3><ul class=\"remarks\">");
    for (reason, ids) in reasons {
        let count = ids.len();
        let ids: Vec<String> = ids
            .iter()
            .map(|id| format!("<code>{}</code>", escape(id)))
            .collect();
        let _ = write!(
            page,
            "<li>{count}: {} <details><summary class=\"muted\">which</summary><span class=\"muted\">{}</span></details></li>",
            escape(reason),
            ids.join(", ")
        );
    }
    page.push_str("</ul>");
}

fn tables(page: &mut String, conformance: &ConformanceRecord) {
    page.push_str("<h3>Every case</h3>");
    for (group, cases) in groups(conformance) {
        let _ = write!(
            page,
            "<details><summary>{} <span class=\"muted\">{} cases</span></summary><div class=\"scroll\"><table><thead><tr>\
             <th scope=\"col\"></th><th scope=\"col\">case</th><th scope=\"col\">severity</th><th scope=\"col\">level</th>\
             <th scope=\"col\">rule</th><th scope=\"col\">expected</th><th scope=\"col\">got</th></tr></thead><tbody>",
            escape(group),
            cases.len()
        );
        for case in cases {
            let (class, mark) = cell(case.outcome);
            let _ = write!(
                page,
                "<tr><td><i class=\"cell {class}\">{mark}</i></td><td>{}<br><code>{}</code></td><td>{}</td><td>{}</td>\
                 <td>{}</td><td>{}</td><td>{}</td></tr>",
                escape(&case.title),
                escape(&case.id),
                case.severity.word(),
                case.level.word(),
                escape(&case.clause),
                case.expected.word(),
                escape(&got(case))
            );
        }
        page.push_str("</tbody></table></div></details>");
    }
}
