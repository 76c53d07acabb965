//! What a phase of load is doing, while it runs: read from its timeline by a thread of its own, never by who sends.

use std::fmt::Write as _;
use std::io::Write as _;
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use indicatif::ProgressBar;

use crate::load::{Snapshot, Timeline};
use crate::units::duration;

/// How often the timeline is looked at.
const LOOK: Duration = Duration::from_millis(500);

/// Without a terminal there is a line each so many seconds of a phase.
const LINE_EACH_S: u64 = 5;

/// Shows a phase until it is dropped.
#[derive(Debug)]
pub struct Live {
    /// Its end is the sign to stop.
    over: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// Where it is shown.
pub(super) enum Place {
    /// In the message of a bar.
    Bar(ProgressBar),
    /// As plain lines on standard error, after the name of the step.
    Lines(String),
}

impl Live {
    /// Shows nothing.
    pub(super) fn nothing() -> Self {
        Self {
            over: None,
            thread: None,
        }
    }

    pub(super) fn begin(place: Place, timeline: &Arc<Timeline>) -> Self {
        let timeline = Arc::clone(timeline);
        let (over, is_over) = mpsc::channel::<()>();
        let thread = std::thread::spawn(move || {
            let mut lines = Lines::default();
            let mut over = false;
            while !over {
                // Once more at the end: a breach that ends a phase is seen after the last look.
                over = is_over.recv_timeout(LOOK) != Err(RecvTimeoutError::Timeout);
                let Some(now) = timeline.snapshot(Instant::now()) else {
                    continue;
                };
                match &place {
                    Place::Bar(bar) => bar.set_message(told(&now)),
                    Place::Lines(name) => {
                        let breaches = lines.new_breaches(&now);
                        let due = !over && lines.is_due(now.elapsed);
                        let due = due.then(|| told(&now));
                        let seconds = now.elapsed.as_secs();
                        for text in breaches.into_iter().chain(due) {
                            // A closed standard error must not end the run.
                            let _ =
                                writeln!(std::io::stderr(), "{name:<12} {seconds:>4} s  {text}");
                        }
                    }
                }
            }
        });
        Self {
            over: Some(over),
            thread: Some(thread),
        }
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        drop(self.over.take());
        if let Some(thread) = self.thread.take() {
            // A thread that panicked has shown its last line; the run goes on.
            let _ = thread.join();
        }
    }
}

/// When a plain line is due.
#[derive(Debug, Default)]
struct Lines {
    told: u64,
    breaches: usize,
}

impl Lines {
    /// Whether a line is due, once. Not before half a second is over: a phase of five seconds has ended by then.
    fn is_due(&mut self, elapsed: Duration) -> bool {
        let due = elapsed.saturating_sub(LOOK).as_secs() / LINE_EACH_S;
        let is_due = due > self.told;
        self.told = due;
        is_due
    }

    /// The breaches that have not been told, each once: `BREACHED p99 above 5.00 ms`.
    fn new_breaches(&mut self, now: &Snapshot) -> Vec<String> {
        let new = now.breaches.iter().skip(self.breaches);
        let texts = new.map(|breach| format!("BREACHED {}", breach.what));
        let texts = texts.collect();
        self.breaches = now.breaches.len();
        texts
    }
}

/// `4812 done, 0 wrong, 0 lost, 401/s, p50 3.01 ms, p99 5.60 ms`; rate and quantiles are those of the last second. A terminal of
/// 80 columns has room for it beside the bar, and cuts off the least urgent. What is broken at this moment comes first.
fn told(now: &Snapshot) -> String {
    let broken = now.breaches.iter().filter(|breach| breach.now);
    let broken: Vec<&str> = broken.map(|breach| breach.name.as_str()).collect();
    let mut told = String::new();
    if !broken.is_empty() {
        let _ = write!(told, "BREACHED {}; ", broken.join(", "));
    }
    let _ = write!(
        told,
        "{} done, {} wrong, {} lost",
        now.requests, now.wrong, now.lost
    );
    if let Some(last) = &now.last {
        let _ = write!(told, ", {}/s", last.right + last.wrong + last.lost);
        if last.right > 0 {
            let (p50, p99) = (duration(last.p50_ns), duration(last.p99_ns));
            let _ = write!(told, ", p50 {p50}, p99 {p99}");
        }
    }
    told
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::Breach;
    use crate::record::{LatencyCounts, SecondRecord};

    #[test]
    fn a_line_has_the_totals_and_the_last_second() {
        let mut now = Snapshot {
            elapsed: Duration::from_secs(1),
            requests: 400,
            wrong: 3,
            lost: 1,
            last: None,
            breaches: Vec::new(),
        };
        assert_eq!(told(&now), "400 done, 3 wrong, 1 lost");
        now.last = Some(SecondRecord {
            second: 0,
            right: 196,
            wrong: 3,
            lost: 1,
            p50_ns: 3_010_000,
            p99_ns: 5_600_000,
            max_ns: 0,
            latency: LatencyCounts::default(),
        });
        assert_eq!(
            told(&now),
            "400 done, 3 wrong, 1 lost, 200/s, p50 3.01 ms, p99 5.60 ms"
        );
    }

    #[test]
    fn a_breach_is_told_once_in_lines_and_in_one_line_for_as_long_as_it_lasts() {
        let breach = |name: &str, now| Breach {
            name: name.to_owned(),
            what: format!("{name} above 5.00 ms"),
            after: Duration::from_secs(3),
            now,
        };
        let mut now = Snapshot {
            breaches: vec![breach("p99", true), breach("p50", false)],
            ..Snapshot::default()
        };
        assert!(
            told(&now).starts_with("BREACHED p99; 0 done"),
            "{}",
            told(&now)
        );
        let mut lines = Lines::default();
        let both = ["BREACHED p99 above 5.00 ms", "BREACHED p50 above 5.00 ms"];
        assert_eq!(lines.new_breaches(&now), both);
        now.breaches[0].now = false;
        assert!(told(&now).starts_with("0 done"));
        assert!(lines.new_breaches(&now).is_empty());
        now.breaches.push(breach("max", true));
        assert_eq!(lines.new_breaches(&now), ["BREACHED max above 5.00 ms"]);
    }

    #[test]
    fn a_plain_line_comes_each_five_seconds_and_not_in_a_phase_of_five() {
        let mut lines = Lines::default();
        let half_seconds = (0..=24).map(|halves| Duration::from_millis(500 * halves + 30));
        let due: Vec<u128> = half_seconds
            .filter(|elapsed| lines.is_due(*elapsed))
            .map(|elapsed| elapsed.as_millis())
            .collect();
        assert_eq!(due, [5530, 10_530]);
        let mut lines = Lines::default();
        assert!(!lines.is_due(Duration::from_millis(5_300)));
    }
}
