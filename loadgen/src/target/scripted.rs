//! A target that answers by a script, so that a test knows what the truth is.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use super::{CacheVerdict, Decision, Loss, Observation};

/// One scripted answer.
#[derive(Debug, Clone, Copy)]
pub struct ScriptedAnswer {
    /// The status to answer with.
    pub status: u16,
    /// How long the answer takes.
    pub latency: Duration,
}

/// Answers in the order of its script, over and over.
#[derive(Debug)]
pub struct ScriptedTarget {
    answers: Vec<ScriptedAnswer>,
    next: Mutex<usize>,
}

impl ScriptedTarget {
    /// A target that answers with these, in turn.
    pub fn new(answers: Vec<ScriptedAnswer>) -> Self {
        assert!(!answers.is_empty(), "a script has at least one answer");
        Self {
            answers,
            next: Mutex::new(0),
        }
    }

    /// How many calls have been made.
    pub fn calls(&self) -> usize {
        *self.next.lock().expect("no holder of this lock panics")
    }

    fn take(&self) -> ScriptedAnswer {
        let mut next = self.next.lock().expect("no holder of this lock panics");
        let answer = self.answers[*next % self.answers.len()];
        *next += 1;
        answer
    }

    pub(super) async fn call(&self) -> Observation {
        let sent = Instant::now();
        let answer = self.take();
        tokio::time::sleep(answer.latency).await;
        let decision = Decision::from_status(answer.status);
        Observation {
            decision,
            status: Some(answer.status),
            rule: None,
            cache: CacheVerdict::None,
            cold: false,
            fault: (decision == Decision::Fault).then(|| "scripted".to_owned()),
            loss: (decision == Decision::Fault).then_some(Loss::NoDecision),
            set_up: None,
            sent,
            finished: Instant::now(),
            answer: None,
        }
    }
}
