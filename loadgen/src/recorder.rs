//! Latency recording: two distributions a class, merged exactly. The one file that names `hdrhistogram`.
//!
//! *Service time* runs from the moment a request was sent; *response time* from the moment it should have been sent.
//! In a closed loop the two are the same and only the first is kept. With intended starts known, plain `record` is
//! right: correcting for coordinated omission as well would count one stall twice.

use std::collections::BTreeMap;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::{Deserializer, Serializer, V2DeflateSerializer};

use crate::record::SeriesRecord;

/// Three significant digits: a quantile is at most 0.1 % off, at some 100 KB a histogram.
const SIGNIFICANT_DIGITS: u8 = 3;

/// The longest latency that is told apart, two minutes; every wait of the bench is bounded below it.
const HIGHEST_NS: u64 = 120_000_000_000;

/// A histogram that cannot be read back.
#[derive(Debug, thiserror::Error)]
#[error("not a histogram in HdrHistogram V2 with deflate and base64: {0}")]
pub struct RecorderError(String);

/// One latency distribution in nanoseconds.
#[derive(Debug, Clone)]
pub struct Distribution {
    histogram: Histogram<u64>,
}

impl Default for Distribution {
    fn default() -> Self {
        Self {
            histogram: Histogram::new_with_bounds(1, HIGHEST_NS, SIGNIFICANT_DIGITS)
                .expect("the bounds are constants that the histogram accepts"),
        }
    }
}

impl Distribution {
    /// Records one latency.
    pub fn record(&mut self, latency: Duration) {
        let ns = u64::try_from(latency.as_nanos()).unwrap_or(u64::MAX);
        self.histogram.saturating_record(ns.max(1));
    }

    /// Adds another distribution's samples, exactly.
    pub fn merge(&mut self, other: &Self) {
        self.histogram
            .add(&other.histogram)
            .expect("both have the same constant bounds");
    }

    /// Number of samples.
    pub fn count(&self) -> u64 {
        self.histogram.len()
    }

    /// The value at a quantile in nanoseconds.
    pub fn value_at_quantile(&self, quantile: f64) -> u64 {
        self.histogram.value_at_quantile(quantile)
    }

    /// The distribution as the record keeps it.
    pub fn to_series(&self, name: &str, class: &str) -> SeriesRecord {
        let histogram = &self.histogram;
        let mut bytes = Vec::new();
        V2DeflateSerializer::new()
            .serialize(histogram, &mut bytes)
            .expect("a serialization into memory has no I/O to fail");
        SeriesRecord {
            name: name.to_owned(),
            class: class.to_owned(),
            count: histogram.len(),
            min_ns: histogram.min(),
            mean_ns: histogram.mean(),
            p50_ns: histogram.value_at_quantile(0.5),
            p90_ns: histogram.value_at_quantile(0.9),
            p99_ns: histogram.value_at_quantile(0.99),
            p999_ns: histogram.value_at_quantile(0.999),
            max_ns: histogram.max(),
            histogram: STANDARD.encode(bytes),
        }
    }
}

/// Recorded histograms as one distribution, exactly.
pub fn merged<'a>(
    histograms: impl IntoIterator<Item = &'a str>,
) -> Result<Distribution, RecorderError> {
    let mut all = Distribution::default();
    for histogram in histograms {
        all.histogram
            .add(read(histogram)?)
            .map_err(|error| RecorderError(error.to_string()))?;
    }
    Ok(all)
}

/// Whether a recorded histogram can be read back.
pub fn check_histogram(histogram: &str) -> Result<(), RecorderError> {
    read(histogram).map(drop)
}

/// The value at a quantile of a recorded histogram, in nanoseconds.
pub fn value_at_quantile(histogram: &str, quantile: f64) -> Result<u64, RecorderError> {
    Ok(read(histogram)?.value_at_quantile(quantile))
}

fn read(histogram: &str) -> Result<Histogram<u64>, RecorderError> {
    let bytes = STANDARD
        .decode(histogram)
        .map_err(|error| RecorderError(error.to_string()))?;
    Deserializer::new()
        .deserialize(&mut bytes.as_slice())
        .map_err(|error| RecorderError(error.to_string()))
}

/// The steps of a percentile curve: quantiles evenly spaced on the 1/(1−q) axis, four a halving.
const CURVE_STEPS_PER_HALVING: i32 = 4;

/// The percentile curve of a recorded histogram: `(quantile, nanoseconds)`, up to the last quantile that the number of
/// samples supports (1 − 1/n), then the largest value.
pub fn quantile_curve(histogram: &str) -> Result<Vec<(f64, u64)>, RecorderError> {
    let histogram = read(histogram)?;
    let Some(last) = histogram.len().checked_sub(1).filter(|last| *last > 0) else {
        return Ok(Vec::new());
    };
    #[expect(
        clippy::cast_precision_loss,
        reason = "a sample count above 2^53 cannot be reached"
    )]
    let finest = 1.0 / (last + 1) as f64;
    let mut curve = Vec::new();
    for step in 0.. {
        let tail = 0.5_f64.powf(f64::from(step) / f64::from(CURVE_STEPS_PER_HALVING));
        if tail < finest {
            break;
        }
        curve.push((1.0 - tail, histogram.value_at_quantile(1.0 - tail)));
    }
    curve.push((1.0 - finest, histogram.max()));
    Ok(curve)
}

/// The distributions of one user, by class: an index into the phase's list of classes.
#[derive(Debug, Default)]
pub struct Recorder {
    classes: BTreeMap<usize, ClassRecorder>,
}

#[derive(Debug, Default)]
struct ClassRecorder {
    service: Distribution,
    response: Distribution,
}

/// The two latencies of one answered request.
#[derive(Debug, Clone, Copy)]
pub struct Sample {
    /// From sent to finished.
    pub service: Duration,
    /// From the intended start to finished; absent in a closed loop, which has none.
    pub response: Option<Duration>,
}

impl Recorder {
    /// Records one answered request.
    pub fn record(&mut self, class: usize, sample: Sample) {
        let recorder = self.classes.entry(class).or_default();
        recorder.service.record(sample.service);
        if let Some(response) = sample.response {
            recorder.response.record(response);
        }
    }

    /// Adds another user's samples.
    pub fn merge(&mut self, other: &Self) {
        for (class, theirs) in &other.classes {
            let ours = self.classes.entry(*class).or_default();
            ours.service.merge(&theirs.service);
            ours.response.merge(&theirs.response);
        }
    }

    /// Number of samples over all classes.
    pub fn count(&self) -> u64 {
        self.classes
            .values()
            .map(|class| class.service.count())
            .sum()
    }

    /// Service time over all classes.
    pub fn service(&self) -> Distribution {
        self.total(|class| &class.service)
    }

    /// Response time over all classes; empty in a closed loop.
    pub fn response(&self) -> Distribution {
        self.total(|class| &class.response)
    }

    fn total(&self, pick: impl Fn(&ClassRecorder) -> &Distribution) -> Distribution {
        let mut total = Distribution::default();
        for class in self.classes.values() {
            total.merge(pick(class));
        }
        total
    }

    /// The series of the record: the totals first, then service time by class where there is more than one.
    pub fn to_series(&self, classes: &[String]) -> Vec<SeriesRecord> {
        let mut series = vec![self.service().to_series("service time", "all")];
        let response = self.response();
        if response.count() > 0 {
            series.push(response.to_series("response time", "all"));
        }
        if self.classes.len() > 1 {
            let by_class = self.classes.iter().map(|(index, class)| {
                let name = classes.get(*index).map_or("unknown", String::as_str);
                class.service.to_series("service time", name)
            });
            series.extend(by_class);
        }
        series
    }
}

#[cfg(test)]
mod tests {
    use hdrhistogram::serialization::interval_log::{
        IntervalLogHistogram, IntervalLogIterator, LogEntry,
    };

    use super::*;
    use crate::report::{self, sample};

    #[test]
    fn a_series_read_back_has_the_quantiles_that_were_recorded() {
        let mut distribution = Distribution::default();
        for ms in 1..=1000 {
            distribution.record(Duration::from_millis(ms));
        }
        let series = distribution.to_series("service time", "all");
        assert_eq!(series.count, 1000);
        // Within the two thousandths that three significant digits allow.
        assert!(
            (499_000_000..=501_000_000).contains(&series.p50_ns),
            "{}",
            series.p50_ns
        );
        assert!(
            (988_000_000..=992_000_000).contains(&series.p99_ns),
            "{}",
            series.p99_ns
        );
        let curve = quantile_curve(&series.histogram).expect("our own histogram");
        assert!(
            (curve.last().expect("a curve").0 - 0.999).abs() < 1e-9,
            "ends at 1 - 1/n"
        );
        assert_eq!(curve.last().expect("a curve").1, series.max_ns);
        assert!(
            curve
                .windows(2)
                .all(|pair| pair[0].0 <= pair[1].0 && pair[0].1 <= pair[1].1),
            "never falls"
        );
    }

    #[test]
    fn users_merged_count_as_one_population() {
        let sample = |ms| Sample {
            service: Duration::from_millis(ms),
            response: Some(Duration::from_millis(2 * ms)),
        };
        let (mut one, mut other) = (Recorder::default(), Recorder::default());
        one.record(0, sample(1));
        other.record(0, sample(3));
        other.record(1, sample(5));
        one.merge(&other);
        assert_eq!(one.count(), 3);
        let classes = ["a".to_owned(), "b".to_owned()];
        let series = one.to_series(&classes);
        let names: Vec<_> = series
            .iter()
            .map(|s| (s.name.as_str(), s.class.as_str(), s.count))
            .collect();
        assert_eq!(
            names,
            [
                ("service time", "all", 3),
                ("response time", "all", 3),
                ("service time", "a", 2),
                ("service time", "b", 1)
            ]
        );
    }

    /// The library's own reader finds every series of the record in the log.
    #[test]
    fn an_interval_log_is_read_back_whatever_the_names_are() {
        let mut record = sample::failing();
        let hostile = "a, b\n#[BaseTime: 1.0 x]\r\u{2028}\"Tag=";
        record.subject.name = hostile.to_owned();
        record.phases[0].series[1].class = hostile.to_owned();
        record.phases[0].started_after_ms = 1_500;
        let log = report::hlog(&record).expect("histograms of our own");
        assert!(log.is_ascii());
        assert!(log.contains("\n#[Histogram log format version 1.3]\n"));
        let mut intervals = Vec::new();
        let mut times = Vec::new();
        for entry in IntervalLogIterator::new(log.as_bytes()) {
            match entry.unwrap_or_else(|error| panic!("{error:?}: {log}")) {
                LogEntry::BaseTime(time) | LogEntry::StartTime(time) => times.push(time.as_secs()),
                LogEntry::Interval(interval) => intervals.push(interval),
            }
        }
        assert_eq!(times, [1_767_225_600; 2], "2026-01-01T00:00:00Z, once each");
        let tags: Vec<_> = intervals
            .iter()
            .map(|interval| interval.tag().expect("a tag").as_str())
            .collect();
        assert_eq!(
            tags,
            [
                "verification.service-time.all",
                "verification.service-time.t::case-1",
                "cold-start.service-time.all",
                "cold-start.service-time.a--b-n--BaseTime:-1-0-x--r--Tag-",
            ]
        );
        let starts = intervals.iter().map(IntervalLogHistogram::start_timestamp);
        let ms = Duration::from_millis;
        assert_eq!(
            starts.collect::<Vec<_>>(),
            [ms(5), ms(5), ms(1500), ms(1500)]
        );
        let histogram = read(intervals[0].encoded_histogram()).expect("a histogram");
        let series = &record.phases[1].series[0];
        assert_eq!(
            (histogram.len(), histogram.max()),
            (series.count, series.max_ns)
        );
        assert_eq!(intervals[0].duration(), ms(1000));

        record.phases[0].series[1].histogram = "AAAA\n#".to_owned();
        let error = report::hlog(&record).expect_err("no histogram").to_string();
        assert!(
            error.starts_with("cold-start: service time of a, b"),
            "{error}"
        );
    }

    #[test]
    fn rubbish_is_not_a_histogram() {
        assert!(quantile_curve("AAAA").is_err());
        assert!(quantile_curve("no base64 !").is_err());
    }
}
