//! Figures as people read them, and which of them a sample size supports.

use crate::record::{CaseRecord, ConformanceRecord, FingerprintRecord, Outcome, SeriesRecord};
use crate::units::duration;

/// A rate without decimals that nobody needs.
pub(super) fn rate(per_second: f64) -> String {
    if per_second < 100.0 {
        format!("{per_second:.1}/s")
    } else {
        format!("{per_second:.0}/s")
    }
}

/// One quantile of a series.
#[derive(Debug, Clone, Copy)]
pub(super) enum Quantile {
    P50,
    P90,
    P99,
    P999,
}

impl Quantile {
    pub(super) const ALL: [Self; 4] = [Self::P50, Self::P90, Self::P99, Self::P999];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::P50 => "p50",
            Self::P90 => "p90",
            Self::P99 => "p99",
            Self::P999 => "p99.9",
        }
    }

    /// The quantile as a number below 1.
    pub(super) fn fraction(self) -> &'static str {
        match self {
            Self::P50 => "0.5",
            Self::P90 => "0.9",
            Self::P99 => "0.99",
            Self::P999 => "0.999",
        }
    }

    /// The value, where there are enough samples for at least one beyond it.
    pub(super) fn of(self, series: &SeriesRecord) -> Option<u64> {
        let (value, samples) = match self {
            Self::P50 => (series.p50_ns, 2),
            Self::P90 => (series.p90_ns, 10),
            Self::P99 => (series.p99_ns, 100),
            Self::P999 => (series.p999_ns, 1000),
        };
        (series.count >= samples).then_some(value)
    }

    /// The value as text, a dash where the sample is too small.
    pub(super) fn text(self, series: &SeriesRecord) -> String {
        self.of(series).map_or_else(|| "–".to_owned(), duration)
    }
}

/// An outcome in words.
pub(super) fn outcome(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::DivergenceGone => "declared divergence is gone",
        Outcome::Fault => "no decision",
        Outcome::KnownDivergence => "known divergence",
        Outcome::Note => "note",
        Outcome::Overreach => "did more than it may",
        Outcome::Pass => "pass",
        Outcome::Skip => "skipped",
        Outcome::UnexpectedAllow => "let in, and had to be refused",
        Outcome::UnexpectedDeny => "refused, and had to be let in",
        Outcome::WrongStatus => "denied with another status",
    }
}

/// What came, in a few words.
pub(super) fn got(case: &CaseRecord) -> String {
    let Some(observed) = &case.observed else {
        return "nothing".to_owned();
    };
    observed
        .status
        .map_or_else(|| observed.decision.clone(), |status| status.to_string())
}

/// The ids of skipped cases by their reasons: a target that cannot be asked a whole group has one reason and many cases.
pub(super) fn skipped_by_reason(conformance: &ConformanceRecord) -> Vec<(&str, Vec<&str>)> {
    let mut reasons: Vec<(&str, Vec<&str>)> = Vec::new();
    let skipped = |case: &&CaseRecord| case.outcome == Outcome::Skip;
    for case in conformance.cases.iter().filter(skipped) {
        let reason = case.reason.as_deref().unwrap_or("no reason is given");
        match reasons.iter_mut().find(|(known, _)| *known == reason) {
            Some((_, ids)) => ids.push(&case.id),
            None => reasons.push((reason, vec![&case.id])),
        }
    }
    reasons
}

/// What a target does, in a sentence without its subject and its full stop.
pub(super) fn fingerprint(found: &FingerprintRecord) -> String {
    let scope = match found.scope_required {
        Some(true) => "; it refuses a token without scope",
        Some(false) => "; it lets in a token without any scope",
        None => "",
    };
    let echo = found.principal_echo.as_ref();
    let echo = echo.map(|pointer| format!("; its answer names the caller at {pointer}"));
    format!(
        "takes {} from {}{scope}{}",
        found.algorithms.join(", "),
        found.token_places.join(", "),
        echo.unwrap_or_default(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recorder::Distribution;
    use std::time::Duration;

    #[test]
    fn a_quantile_that_the_sample_does_not_support_is_a_dash() {
        let mut distribution = Distribution::default();
        for _ in 0..30 {
            distribution.record(Duration::from_micros(10));
        }
        let series = distribution.to_series("total", "all");
        assert!(Quantile::P90.text(&series).contains("µs"));
        assert_eq!(Quantile::P99.text(&series), "–");
        assert_eq!(Quantile::P999.text(&series), "–");
    }
}
