//! The HTML report: one page, read from top to bottom: right or wrong, how fast, on what machine.

use std::fmt::Write as _;

use super::figures::{self, Quantile};
use crate::record::{PhaseRecord, RunRecord, RunStatus, SeriesRecord};
use crate::units::duration;
use crate::verdict;

mod causes;
mod conformance;
mod speed;

const STYLE: &str = include_str!("html/style.css");

/// The whole page.
pub(super) fn page(record: &RunRecord) -> String {
    let title = format!("authbench: {}", escape(&record.subject.name));
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <title>{title}</title><style>{STYLE}</style></head><body>\n"
    );
    banner(&mut page, record);
    page.push_str("<main>\n");
    headline_figures(&mut page, record);
    conformance::section(&mut page, record);
    speed::section(&mut page, record);
    run_facts(&mut page, record);
    reading(&mut page);
    page.push_str("</main>\n</body></html>\n");
    page
}

/// Text for a place between tags or in a quoted attribute.
pub(super) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}

/// The verdict, as a mark, a word and its reasons.
fn banner(page: &mut String, record: &RunRecord) {
    let verdict = &record.verdict;
    let tolerated = verdict::tolerated(record);
    let (class, mark, sentence) = match verdict.word.as_str() {
        "good" if tolerated.is_some() => ("warn", "!", "Not conformant, and good enough."),
        "good" => ("good", "✓", "Right, and measured."),
        "nonconformant" => ("bad", "✗", "Not conformant."),
        "threshold-missed" => ("warn", "!", "Right, and slower than its thresholds allow."),
        "invalid" => ("warn", "!", "The figures are not to be believed."),
        "interrupted" => ("warn", "■", "Stopped half-way; what was measured is here."),
        "testbed-failed" => (
            "bad",
            "!",
            "The testbed failed; nothing is said about the subject.",
        ),
        _ => ("warn", "…", "The run has not ended."),
    };
    let _ = write!(
        page,
        "<header class=\"banner {class}\"><p class=\"mark\" aria-hidden=\"true\">{mark}</p><div>\
         <h1>{}</h1><p class=\"sentence\">{sentence}</p>",
        escape(&record.subject.name)
    );
    let reasons: Vec<&String> = verdict.reasons.iter().chain(&tolerated).collect();
    if !reasons.is_empty() {
        page.push_str("<ul>");
        for reason in reasons {
            let _ = write!(page, "<li>{}</li>", escape(reason));
        }
        page.push_str("</ul>");
    }
    let _ = writeln!(
        page,
        "<p class=\"meta\">{} · scenario {} · exit code {}{}</p></div></header>",
        escape(&record.started_at),
        escape(&record.scenario.name),
        verdict.exit_code,
        if record.status == RunStatus::Complete {
            ""
        } else {
            " · incomplete"
        }
    );
}

/// Right or wrong, and how fast, in four figures.
fn headline_figures(page: &mut String, record: &RunRecord) {
    page.push_str("<section class=\"tiles\" aria-label=\"At a glance\">");
    if let Some(conformance) = &record.conformance {
        let asked = conformance
            .cases
            .iter()
            .filter(|case| case.observed.is_some() || case.outcome.is_failure())
            .count();
        let failing = verdict::failures(conformance).count();
        let (figure, note) = match &conformance.not_judged {
            Some(_) => ("–".to_owned(), "not judged".to_owned()),
            None => (
                format!("{}<small> of {asked}</small>", asked - failing),
                if failing == 0 {
                    "no failing case".to_owned()
                } else {
                    format!("{failing} failing")
                },
            ),
        };
        tile(page, "cases right", &figure, &note);
        if let Some(worst) = conformance.causes.first() {
            let count = conformance.causes.len().to_string();
            tile(page, "causes", &count, &escape(&worst.title));
        }
    }
    for phase in &record.phases {
        if let Some(series) = headline_series(phase) {
            let tail = Quantile::P99.of(series).map_or_else(
                || format!("max {}", duration(series.max_ns)),
                |p99| format!("p99 {}", duration(p99)),
            );
            let note = format!("p50 · {tail} · n = {}", series.count);
            tile(
                page,
                &phase.label(),
                &escape(&duration(series.p50_ns)),
                &escape(&note),
            );
        }
    }
    page.push_str("</section>\n");
}

/// `figure` is markup; the rest is escaped already.
fn tile(page: &mut String, label: &str, figure: &str, note: &str) {
    let _ = write!(
        page,
        "<div class=\"tile\"><p class=\"label\">{}</p><p class=\"figure\">{figure}</p><p class=\"note\">{note}</p></div>",
        escape(label)
    );
}

/// The series that stands for a phase: response time where there is an intended start, else the first one.
pub(super) fn headline_series(phase: &PhaseRecord) -> Option<&SeriesRecord> {
    let all = || phase.series.iter().filter(|series| series.class == "all");
    all()
        .find(|series| series.name == "response time")
        .or_else(|| all().next())
        .filter(|series| series.count > 0)
}

fn run_facts(page: &mut String, record: &RunRecord) {
    let machine = &record.machine;
    let invocation = if record.subject.invocation.is_empty() {
        "in this process"
    } else {
        &record.subject.invocation
    };
    let facts = [
        (
            "Subject",
            format!("{} ({})", record.subject.description, record.subject.kind),
        ),
        ("Started as", invocation.to_owned()),
        (
            "Scenario",
            format!(
                "{} ({}), seed {}",
                record.scenario.description, record.scenario.source, record.scenario.seed
            ),
        ),
        (
            "Issuer",
            format!(
                "profile {}, iss {}, signing key {}, {} JWKS fetches",
                record.issuer.profile,
                record.issuer.issuer,
                record.issuer.signing_key,
                record.issuer.jwks_fetches
            ),
        ),
        (
            "Machine",
            format!(
                "{}, {} cores, {} MiB, {}, {}, load average {:.2} at the start",
                machine.cpu,
                machine.cores,
                machine.memory_mib,
                machine.os,
                machine.architecture,
                machine.load_average
            ),
        ),
        (
            "Build",
            format!(
                "authbench {}, {} build",
                record.authbench_version, machine.build
            ),
        ),
        (
            "Length",
            duration(record.elapsed_ms.saturating_mul(1_000_000)),
        ),
    ];
    page.push_str("<section><h2>What was measured, and where</h2><table class=\"facts\"><tbody>");
    for (name, value) in facts {
        let _ = write!(
            page,
            "<tr><th scope=\"row\">{name}</th><td>{}</td></tr>",
            escape(&value)
        );
    }
    page.push_str("</tbody></table></section>\n");
}

fn reading(page: &mut String) {
    page.push_str(
        "<section class=\"reading\"><h2>How to read this</h2><ul>\
         <li>Service time runs from the moment a request was sent to the last byte of its answer; response time from the \
         moment it should have been sent. A closed loop has no such moment, and so no response time.</li>\
         <li>A wrong decision is a failure and in no latency figure.</li>\
         <li>A quantile is given where at least one sample lies beyond it; a dash stands for the others.</li>\
         <li>Everything ran on one machine, over loopback, and the generator, the gateway and the issuer share its cores \
         with the subject. The figures compare runs on this machine. They are not those of AWS.</li>\
         <li>The gateway is a stand-in; nothing here was confirmed on an AWS account.</li></ul></section>\n",
    );
}

/// A table of the quantiles of some series.
pub(super) fn quantile_table(page: &mut String, series: &[&SeriesRecord]) {
    page.push_str("<table class=\"quantiles\"><thead><tr><th scope=\"col\">series</th><th scope=\"col\">n</th><th scope=\"col\">min</th>");
    for quantile in Quantile::ALL {
        let _ = write!(page, "<th scope=\"col\">{}</th>", quantile.name());
    }
    page.push_str("<th scope=\"col\">max</th></tr></thead><tbody>");
    for series in series {
        let name = if series.class == "all" {
            series.name.clone()
        } else {
            format!("{}, {}", series.name, series.class)
        };
        let _ = write!(
            page,
            "<tr><th scope=\"row\">{}</th><td>{}</td><td>{}</td>",
            escape(&name),
            series.count,
            duration(series.min_ns)
        );
        for quantile in Quantile::ALL {
            let _ = write!(page, "<td>{}</td>", quantile.text(series));
        }
        let _ = write!(page, "<td>{}</td></tr>", duration(series.max_ns));
    }
    page.push_str("</tbody></table>");
}

/// The figures module's rate, for the sections.
pub(super) fn rate(per_second: f64) -> String {
    figures::rate(per_second)
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;

    #[test]
    fn a_page_loads_nothing_from_elsewhere_and_stays_small() {
        let page = page(&sample::failing());
        for forbidden in ["<link", "<script", "src=", "@import", "url(", "<iframe"] {
            assert!(!page.contains(forbidden), "{forbidden}");
        }
        assert!(page.len() < 1_000_000, "{} bytes", page.len());
        assert!(page.contains("<svg"));
    }

    #[test]
    fn ten_minutes_of_two_phases_stay_below_a_megabyte() {
        let mut record = sample::failing();
        for phase in &mut record.phases {
            phase.kind = "verification".to_owned();
            phase.elapsed_ms = 600_000;
            // Five octaves, and no two neighbours of the same shade: as bad as it gets.
            phase.timeline = (0..600)
                .map(|second| {
                    sample::second(second, 60..100, |bucket| 1 << ((bucket + second) % 12))
                })
                .collect();
        }
        let page = page(&record);
        assert!(page.contains("class=\"h6\""), "there is a heat map");
        assert!(page.len() < 1_000_000, "{} bytes", page.len());
    }

    #[test]
    fn a_name_is_text_and_never_markup() {
        let mut record = sample::failing();
        record.subject.name = "<script>alert('x')</script>".to_owned();
        record
            .verdict
            .reasons
            .push("a <b>bold</b> reason".to_owned());
        let conformance = record.conformance.as_mut().expect("judged");
        conformance.causes[0].why = "<script>why</script>".to_owned();
        conformance.causes[0].cves = vec!["<b>bold".to_owned()];
        conformance.cases[42].clause = "<b>bold".to_owned();
        let page = page(&record);
        assert!(!page.contains("<script>") && !page.contains("<b>bold"));
        assert!(page.contains("&lt;script&gt;alert(&#39;x&#39;)"));
    }

    #[test]
    fn causes_with_their_cases_come_before_everything_else_of_conformance() {
        let page = page(&sample::failing());
        let cause = page.find("The expiry is not checked").expect("the cause");
        let failing = page
            .find("let in, and had to be refused")
            .expect("the failing case");
        let grid = page.find("class=\"cases\"").expect("the grid of all cases");
        assert!(cause < failing && failing < grid);
    }

    #[test]
    fn a_run_that_was_stopped_says_so() {
        let mut record = sample::failing();
        record.status = RunStatus::Interrupted;
        record.verdict.word = "interrupted".to_owned();
        let page = page(&record);
        assert!(page.contains("Stopped half-way") && page.contains("incomplete"));
    }
}
