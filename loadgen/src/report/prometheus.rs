//! The record as metrics in Prometheus's text exposition format 0.0.4, for the textfile collector of `node_exporter` or a push
//! gateway.
//!
//! Each metric is one group with its HELP and TYPE, and no two samples have the same labels: a reader refuses the whole file
//! otherwise. Words of the verdict and outcomes of cases are all there, with 0 where they are not the case, so that a query
//! never meets yesterday's word.

use std::collections::BTreeSet;
use std::fmt::{Display, Write as _};

use super::figures::Quantile;
use crate::clock::unix_of_rfc3339;
use crate::exit::Exit;
use crate::record::{Outcome, PhaseRecord, RunRecord, SeriesRecord};

/// The words that a saved record's verdict can have; `running` is that of a run that has not ended.
const WORDS: [&str; 7] = [
    Exit::Good.word(),
    Exit::Nonconformant.word(),
    Exit::ThresholdMissed.word(),
    Exit::Invalid.word(),
    Exit::TestbedFailed.word(),
    Exit::Interrupted.word(),
    "running",
];

/// A phase's counter: its name, its HELP, and where it is found.
type Counter = (&'static str, &'static str, fn(&PhaseRecord) -> u64);

/// Counters of a phase.
const COUNTERS: [Counter; 3] = [
    (
        "authbench_requests_total",
        "Requests of a phase of the last run, right, wrong and lost.",
        |phase| {
            let answered = phase.requests.saturating_add(phase.wrong_decisions);
            answered.saturating_add(phase.errors)
        },
    ),
    (
        "authbench_wrong_decisions_total",
        "Requests that were answered with another decision than they had to get.",
        |phase| phase.wrong_decisions,
    ),
    (
        "authbench_lost_total",
        "Requests without a decision.",
        |phase| phase.errors,
    ),
];

/// The whole text. The record's texts hold no control characters.
pub(super) fn text(record: &RunRecord) -> String {
    let mut metrics = Metrics::default();
    about_the_run(&mut metrics, record);
    cases(&mut metrics, record);
    let phases = named_phases(record);
    for (name, help, of) in COUNTERS {
        metrics.begin(name, "counter", help);
        for (label, phase) in &phases {
            metrics.sample(name, &[("phase", label)], of(phase));
        }
    }
    let name = "authbench_requests_per_second";
    metrics.begin(name, "gauge", "Right answers a second.");
    for (label, phase) in &phases {
        metrics.sample(name, &[("phase", label)], phase.requests_per_second);
    }
    metrics.begin(
        "authbench_latency_seconds",
        "summary",
        "Latency of right answers; quantile 1 is the largest.",
    );
    for (label, phase) in &phases {
        let mut seen = BTreeSet::new();
        for series in &phase.series {
            if seen.insert((&series.name, &series.class)) {
                summary(&mut metrics, label, series);
            }
        }
    }
    metrics.text
}

fn about_the_run(metrics: &mut Metrics, record: &RunRecord) {
    let name = "authbench_run_info";
    metrics.begin(name, "gauge", "The last run; its value is always 1.");
    let labels = [
        ("version", record.authbench_version.as_str()),
        ("scenario", &record.scenario.name),
        ("subject", &record.subject.name),
    ];
    metrics.sample(name, &labels, 1);
    if let Some(start) = unix_of_rfc3339(&record.started_at) {
        let name = "authbench_run_start_time_seconds";
        metrics.begin(name, "gauge", "When the last run began, since the epoch.");
        metrics.sample(name, &[], start);
    }
    let name = "authbench_verdict";
    metrics.begin(
        name,
        "gauge",
        "1 for the word of the verdict, 0 for the others.",
    );
    for word in WORDS {
        let is = u8::from(word == record.verdict.word);
        metrics.sample(name, &[("word", word)], is);
    }
}

fn cases(metrics: &mut Metrics, record: &RunRecord) {
    let Some(conformance) = &record.conformance else {
        return;
    };
    let name = "authbench_cases";
    metrics.begin(name, "gauge", "Conformance cases by outcome.");
    for outcome in Outcome::ALL {
        let cases = conformance.cases.iter();
        let count = cases.filter(|case| case.outcome == outcome).count();
        metrics.sample(name, &[("outcome", outcome.word())], count);
    }
}

/// Phases by name; the second one of a name is `NAME-2`.
fn named_phases(record: &RunRecord) -> Vec<(String, &PhaseRecord)> {
    let mut named: Vec<(String, &PhaseRecord)> = Vec::new();
    for phase in record.phases.iter().chain(&record.calibration) {
        let is_taken = |name: &String| named.iter().any(|(taken, _)| taken == name);
        let numbered = (2_u64..).map(|number| format!("{}-{number}", phase.key()));
        let name = std::iter::once(phase.key().to_owned())
            .chain(numbered)
            .find(|name| !is_taken(name));
        named.extend(name.map(|name| (name, phase)));
    }
    named
}

fn summary(metrics: &mut Metrics, phase: &str, series: &SeriesRecord) {
    let labels = [
        ("phase", phase),
        ("series", &series.name),
        ("class", &series.class),
    ];
    let quantiles = Quantile::ALL.map(|quantile| (quantile.fraction(), quantile.of(series)));
    let largest = ("1", (series.count > 0).then_some(series.max_ns));
    for (quantile, value) in quantiles.into_iter().chain([largest]) {
        if let Some(ns) = value {
            let labels = [labels[0], labels[1], labels[2], ("quantile", quantile)];
            metrics.sample("authbench_latency_seconds", &labels, Seconds(ns));
        }
    }
    #[expect(
        clippy::cast_precision_loss,
        reason = "a sample count above 2^53 cannot be reached"
    )]
    let sum = series.mean_ns * series.count as f64 / 1e9;
    metrics.sample("authbench_latency_seconds_sum", &labels, sum);
    metrics.sample("authbench_latency_seconds_count", &labels, series.count);
}

/// Nanoseconds that are printed as seconds, exactly.
struct Seconds(u64);

impl Display for Seconds {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{}.{:09}",
            self.0 / 1_000_000_000,
            self.0 % 1_000_000_000
        )
    }
}

#[derive(Default)]
struct Metrics {
    text: String,
}

impl Metrics {
    /// Begins a metric; name, type and help are constants without what HELP would have to escape.
    fn begin(&mut self, name: &str, kind: &str, help: &str) {
        let _ = write!(self.text, "# HELP {name} {help}\n# TYPE {name} {kind}\n");
    }

    fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: impl Display) {
        self.text.push_str(name);
        if !labels.is_empty() {
            let labels: Vec<String> = labels
                .iter()
                .map(|(label, value)| format!("{label}=\"{}\"", escape(value)))
                .collect();
            let _ = write!(self.text, "{{{}}}", labels.join(","));
        }
        let _ = writeln!(self.text, " {value}");
    }
}

/// A label's value: backslash, quotation mark and line feed are escaped.
fn escape(value: &str) -> String {
    value
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::{prometheus, sample};
    use super::*;

    /// Samples by their name and labels, by the grammar of the exposition format; what breaks it panics.
    fn parse(text: &str) -> BTreeMap<String, f64> {
        let mut samples = BTreeMap::new();
        let mut typed = BTreeSet::new();
        let mut metric = "";
        assert!(text.ends_with('\n'));
        for line in text.lines() {
            if let Some(rest) = line.strip_prefix("# TYPE ") {
                metric = rest.split(' ').next().expect("a name");
                assert!(typed.insert(metric), "{metric} has two groups");
            }
            if line.starts_with("# ") {
                continue;
            }
            let (name, value) = line.rsplit_once(' ').expect("a value");
            let value: f64 = value.parse().unwrap_or_else(|_| panic!("{line}"));
            let base = name.split('{').next().expect("a name");
            let suffix = base
                .strip_prefix(metric)
                .unwrap_or_else(|| panic!("{line} in {metric}"));
            assert!(["", "_sum", "_count"].contains(&suffix), "{line}");
            if let Some(labels) = name.strip_prefix(base).filter(|labels| !labels.is_empty()) {
                check_labels(labels);
            }
            assert!(
                samples.insert(name.to_owned(), value).is_none(),
                "twice: {line}"
            );
        }
        samples
    }

    fn check_labels(labels: &str) {
        let mut rest = labels.strip_prefix('{').expect("a brace");
        loop {
            let (name, value) = rest.split_once("=\"").unwrap_or_else(|| panic!("{labels}"));
            assert!(name.chars().all(|c| c.is_ascii_lowercase()), "{labels}");
            let mut escaped = false;
            let end = value.find(|c| {
                let is_end = c == '"' && !escaped;
                assert!(!escaped || "\\\"n".contains(c), "{labels}");
                escaped = c == '\\' && !escaped;
                is_end
            });
            rest = &value[end.unwrap_or_else(|| panic!("{labels}")) + 1..];
            match rest.strip_prefix(',') {
                Some(next) => rest = next,
                None => return assert_eq!(rest, "}", "{labels}"),
            }
        }
    }

    #[test]
    fn figures_are_seconds_and_every_word_and_outcome_is_there() {
        let record = sample::failing();
        let samples = parse(&prometheus(&record));
        let of = |name: &str| {
            *samples
                .get(name)
                .unwrap_or_else(|| panic!("{name}: {samples:#?}"))
        };
        assert!((of("authbench_verdict{word=\"nonconformant\"}") - 1.0).abs() < 1e-9);
        assert!(of("authbench_verdict{word=\"good\"}").abs() < 1e-9);
        assert!((of("authbench_cases{outcome=\"pass\"}") - 149.0).abs() < 1e-9);
        assert!((of("authbench_cases{outcome=\"unexpected-allow\"}") - 1.0).abs() < 1e-9);
        assert!((of("authbench_run_start_time_seconds") - 1_767_225_600.0).abs() < 1e-9);
        assert!((of("authbench_requests_total{phase=\"verification\"}") - 5000.0).abs() < 1e-9);
        let all = "phase=\"verification\",series=\"service time\",class=\"all\"";
        let p99 = of(&format!(
            "authbench_latency_seconds{{{all},quantile=\"0.99\"}}"
        ));
        assert!((0.000_29..0.000_30).contains(&p99), "{p99} s");
        let count = of(&format!("authbench_latency_seconds_count{{{all}}}"));
        let mean = of(&format!("authbench_latency_seconds_sum{{{all}}}")) / count;
        assert!((0.000_24..0.000_26).contains(&mean), "{mean} s");
        let cold = "phase=\"cold-start\",series=\"service time\",class=\"all\"";
        let cold = format!("authbench_latency_seconds{{{cold},quantile=\"0.99\"}}");
        assert!(!samples.contains_key(&cold), "30 samples have no p99");
    }

    #[test]
    fn no_name_breaks_a_line_and_no_two_samples_are_the_same() {
        let mut record = sample::failing();
        let hostile = "x\"} 1\nauthbench_verdict{word=\"good\"} 1\\\u{1b}\r".to_owned();
        record.subject.name.clone_from(&hostile);
        record.scenario.name.clone_from(&hostile);
        record.verdict.word.clone_from(&hostile);
        record.phases[0].kind = "verification".to_owned();
        record.phases[1].series[0].class.clone_from(&hostile);
        let again = record.phases[1].series[0].clone();
        record.phases[1].series.push(again);
        let text = prometheus(&record);
        let samples = parse(&text);
        assert!(samples["authbench_verdict{word=\"good\"}"].abs() < 1e-9);
        assert!(samples.contains_key("authbench_requests_total{phase=\"verification-2\"}"));
        assert!(!text.replace('\n', "").contains(char::is_control));
    }
}
