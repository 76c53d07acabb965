//! What is said while a run goes on: bars on a terminal, plain lines elsewhere. Always on standard error, so that
//! standard output holds the report alone.

use std::io::{IsTerminal, Write};
use std::sync::Arc;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::load::Timeline;

mod live;

pub use live::Live;
use live::Place;

/// How often a spinner turns.
const TICK: Duration = Duration::from_millis(120);

/// The progress of one run.
#[derive(Debug)]
pub struct Progress {
    display: Display,
    step: Option<Step>,
}

#[derive(Debug)]
enum Display {
    /// One bar, redrawn.
    Bars,
    /// One line a step.
    Lines,
    /// Nothing.
    Silent,
}

#[derive(Debug)]
struct Step {
    name: String,
    started: Instant,
    done: usize,
    total: Option<usize>,
    bar: Option<ProgressBar>,
}

impl Progress {
    /// Bars when standard error is a terminal, lines when it is not.
    pub fn on_stderr() -> Self {
        let display = if std::io::stderr().is_terminal() {
            Display::Bars
        } else {
            Display::Lines
        };
        Self {
            display,
            step: None,
        }
    }

    /// Says nothing.
    pub fn silent() -> Self {
        Self {
            display: Display::Silent,
            step: None,
        }
    }

    /// Begins a step and ends the one before; `total` is known or not.
    pub fn begin(&mut self, name: &str, total: Option<usize>) {
        self.finish();
        let bar = matches!(self.display, Display::Bars).then(|| bar(name, total));
        self.step = Some(Step {
            name: name.to_owned(),
            started: Instant::now(),
            done: 0,
            total,
            bar,
        });
    }

    /// So much more of the step is done.
    pub fn advance(&mut self, done: usize) {
        if let Some(step) = &mut self.step {
            step.done += done;
            if let Some(bar) = &step.bar {
                bar.inc(done as u64);
            }
        }
    }

    /// Says something that cannot wait, also where nothing else is shown.
    pub fn note(&self, text: &str) {
        // A closed standard error must not end the run.
        let say = || writeln!(std::io::stderr(), "authbench: {text}");
        let _ = match self.step.as_ref().and_then(|step| step.bar.as_ref()) {
            Some(bar) => bar.suspend(say),
            None => say(),
        };
    }

    /// Shows a phase of load while it runs, until what is returned is dropped: in the step's bar, or as a plain line each five
    /// seconds.
    pub fn watch(&self, timeline: &Arc<Timeline>) -> Live {
        let Some(step) = &self.step else {
            return Live::nothing();
        };
        match (&self.display, &step.bar) {
            (Display::Bars, Some(bar)) => Live::begin(Place::Bar(bar.clone()), timeline),
            (Display::Lines, _) => Live::begin(Place::Lines(step.name.clone()), timeline),
            _ => Live::nothing(),
        }
    }

    /// Ends the step and says nothing of it.
    pub fn clear(&mut self) {
        if let Some(bar) = self.step.take().and_then(|step| step.bar) {
            bar.finish_and_clear();
        }
    }

    /// Ends the step.
    pub fn finish(&mut self) {
        let Some(step) = self.step.take() else { return };
        if let Some(bar) = step.bar {
            bar.finish_and_clear();
        }
        if !matches!(self.display, Display::Silent) {
            let count = step
                .total
                .map(|total| format!(" {}/{total}", step.done))
                .unwrap_or_default();
            // A closed standard error must not end the run.
            let _ = writeln!(
                std::io::stderr(),
                "{:<12} {:>6.2} s{count}",
                step.name,
                step.started.elapsed().as_secs_f64()
            );
        }
    }
}

fn bar(name: &str, total: Option<usize>) -> ProgressBar {
    let bar = match total {
        Some(total) => ProgressBar::new(total as u64),
        None => ProgressBar::new_spinner(),
    };
    bar.set_draw_target(ProgressDrawTarget::stderr());
    let template = if total.is_some() {
        "{prefix:<12} {bar:32} {pos}/{len} {elapsed}"
    } else {
        "{prefix:<12} {spinner} {elapsed}  {wide_msg}"
    };
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar.set_prefix(name.to_owned());
    bar.enable_steady_tick(TICK);
    bar
}
