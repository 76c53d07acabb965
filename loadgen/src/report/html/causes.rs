//! What is wrong, worst first: a card for each cause, with the cases that it explains folded into it.

use std::fmt::Write as _;

use super::super::figures::outcome;
use super::conformance::got;
use super::escape;
use crate::record::{CaseRecord, CauseRecord, ConformanceRecord, Outcome};

/// So many cases are shown unfolded.
const CASES_UNFOLDED: usize = 3;

pub(super) fn list(page: &mut String, conformance: &ConformanceRecord) {
    let stale: Vec<&CaseRecord> = conformance
        .cases
        .iter()
        .filter(|case| case.outcome == Outcome::DivergenceGone)
        .collect();
    if conformance.causes.is_empty() && stale.is_empty() {
        return;
    }
    page.push_str("<ol class=\"failures\">");
    for cause in &conformance.causes {
        card(page, cause, conformance);
    }
    if !stale.is_empty() {
        page.push_str("<li><p><b>Declared divergences that are gone</b></p>");
        cases(page, &stale);
        page.push_str("</li>");
    }
    page.push_str("</ol>");
}

fn card(page: &mut String, cause: &CauseRecord, conformance: &ConformanceRecord) {
    let severity = cause.severity.word();
    let weakness = cause
        .cwe
        .as_deref()
        .map(|cwe| format!("{} · ", escape(cwe)))
        .unwrap_or_default();
    let _ = write!(
        page,
        "<li class=\"b-{severity}\"><p><span class=\"chip s-{severity}\">{severity}</span> <b>{}</b> \
         <span class=\"muted\">{weakness}{} case{}</span></p><p>{} <em>{}</em></p>",
        escape(&cause.title),
        cause.cases.len(),
        if cause.cases.len() == 1 { "" } else { "s" },
        escape(&cause.why),
        escape(&cause.fix),
    );
    if !cause.cves.is_empty() {
        let _ = write!(
            page,
            "<p class=\"muted\">The same mistake in other verifiers: {}</p>",
            escape(&cause.cves.join(", "))
        );
    }
    let own: Vec<&CaseRecord> = cause
        .cases
        .iter()
        .filter_map(|id| conformance.cases.iter().find(|case| case.id == *id))
        .collect();
    cases(page, &own);
    page.push_str("</li>");
}

fn cases(page: &mut String, cases: &[&CaseRecord]) {
    let open = if cases.len() <= CASES_UNFOLDED {
        " open"
    } else {
        ""
    };
    let _ = write!(
        page,
        "<details{open}><summary>the cases</summary><div class=\"scroll\"><table><tbody>"
    );
    for case in cases {
        let _ = write!(
            page,
            "<tr><td class=\"s-{severity}\">{severity}</td><td>{}<br><code>{}</code></td><td>{}, {}<br>\
             <span class=\"muted\">{} {}</span></td><td>expected {}, got {}:<br>{}</td></tr>",
            escape(&case.title),
            escape(&case.id),
            case.level.word(),
            escape(&case.clause),
            escape(&case.impact),
            escape(&case.fix),
            case.expected.word(),
            escape(&got(case)),
            outcome(case.outcome),
            severity = case.severity.word(),
        );
    }
    page.push_str("</tbody></table></div></details>");
}
