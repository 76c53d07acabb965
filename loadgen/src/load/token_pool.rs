//! Requests with their tokens, minted on all cores before any clock starts.
//!
//! A pool sends each token once, or a population of them again and again; then it knows which epoch it is in, and looks it up
//! by one load of an atomic. Neither takes a token beyond its end: see [`epochs`](super::epochs).

use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::epochs::Epoch;
use crate::catalogue::Expectation;
use crate::clock::unix_now;
use crate::record::TokensRecord;
use crate::scenario::{Popularity, TOKENS_LIMIT};
use crate::target::{Decision, Observation, PreparedRequest, RequestError};

use super::pool_file::PoolFileError;

mod draw;
mod mint;
mod rotation;
mod times;

pub use mint::PoolSource;

/// A pool that cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum PoolError {
    /// The mix names a case that there is not.
    #[error("the mix names case {0:?}, which there is not; `authbench list cases` prints the ids")]
    Case(String),
    /// A closed loop that ends by the clock: nobody knows how many tokens it needs.
    #[error(
        "a verification phase needs requests, or rate with duration, so that the number of its tokens is known"
    )]
    Endless,
    /// A case of the mix cannot be minted.
    #[error("case {case}: {reason}")]
    Mint {
        /// The case's id.
        case: String,
        /// Why not.
        reason: String,
    },
    /// A case of the mix cannot be sent.
    #[error(transparent)]
    Request(#[from] RequestError),
    /// Tokens that end before they can be sent.
    #[error(
        "a token of case {case} lives {life:?}, and has to live {least:?} to be minted and sent here: raise token_lifetime, \
         lower the number of tokens, or leave the case out"
    )]
    Short {
        /// The case's id.
        case: String,
        /// How long it lives.
        life: Duration,
        /// How long it would have to.
        least: Duration,
    },
    /// The clock could not be started in time.
    #[error(
        "minting and asking beforehand took {took:?} of the {life:?} that the tokens live, more than {planned:?}: raise \
         token_lifetime, or lower the number of tokens"
    )]
    Slow {
        /// How long it took.
        took: Duration,
        /// How long they live.
        life: Duration,
        /// How long it may take.
        planned: Duration,
    },
    /// A file of tokens that is none, or not the one of this run.
    #[error("token_pool: {0}")]
    File(#[from] PoolFileError),
    /// More tokens than are reasonable.
    #[error(
        "the phase needs {0} tokens; the most is {TOKENS_LIMIT}: lower requests, rate × duration, or the population, or raise \
         token_lifetime"
    )]
    TooLarge(u64),
}

/// What an answer has to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// This decision; an answer that is none was lost.
    Decision(Expectation),
    /// This status, whatever it says; only no answer at all was lost.
    Status(u16),
    /// Any 2xx; only no answer at all was lost.
    Success,
}

/// How an answer compares with what was wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Judged {
    /// As wanted.
    Right,
    /// Another answer.
    Wrong,
    /// None.
    Lost,
    /// Another answer, and the token had come to its end by then: nothing is said of the target.
    Outlived,
}

impl Wanted {
    /// Judges an answer. Under load only allow and deny are told apart; the status of a denial is a matter of conformance.
    pub fn judge(self, answer: &Observation) -> Judged {
        let right = match (self, answer.status) {
            (Self::Decision(_), _) if answer.decision == Decision::Fault => return Judged::Lost,
            (Self::Decision(expected), _) => {
                (answer.decision == Decision::Allow) == (expected == Expectation::Allow)
            }
            (Self::Status(_) | Self::Success, None) => return Judged::Lost,
            (Self::Status(wanted), Some(status)) => status == wanted,
            (Self::Success, Some(status)) => (200..300).contains(&status),
        };
        if right { Judged::Right } else { Judged::Wrong }
    }
}

/// The word of the record.
impl fmt::Display for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Decision(Expectation::Allow) => f.write_str("allow"),
            Self::Decision(_) => f.write_str("deny"),
            Self::Status(status) => write!(f, "{status}"),
            Self::Success => f.write_str("2xx"),
        }
    }
}

/// A class of tokens: one conformance case.
#[derive(Debug)]
struct Class {
    name: String,
    wanted: Wanted,
    requests: Vec<Ready>,
    /// How many tokens take part at a time, where they are sent again; 0 where each is sent once.
    population: usize,
}

/// A request, and for how long its token gets the decision that it has to get.
#[derive(Debug)]
struct Ready {
    request: PreparedRequest,
    until: Option<Instant>,
}

/// Requests in the order in which they are sent.
#[derive(Debug)]
pub struct TokenPool {
    classes: Vec<Class>,
    names: Vec<String>,
    /// Classes, and numbers in them.
    order: Vec<(u32, u32)>,
    epochs: Vec<Epoch>,
    epoch: AtomicUsize,
    made: Made,
}

/// How a pool was made, for the record and for the start of the clock.
#[derive(Debug, Clone, Default)]
struct Made {
    popularity: String,
    population: u64,
    minted: u64,
    /// Tokens of later epochs.
    later: u64,
    next_key: u64,
    life: Option<Duration>,
    /// When minting began, how long it took, and what may pass until the clock starts.
    began: Option<Instant>,
    took: Duration,
    patience: Option<Duration>,
}

/// One request of a pool.
#[derive(Debug, Clone, Copy)]
pub struct PoolEntry<'a> {
    /// What to send.
    pub request: &'a PreparedRequest,
    /// Its class's index.
    pub class: usize,
    /// Its class's name: the id of the conformance case.
    pub name: &'a str,
    /// The answer that it must get.
    pub wanted: Wanted,
    /// From when on that is no longer so.
    pub until: Option<Instant>,
}

impl TokenPool {
    /// A pool of requests that take turns, at least one.
    pub fn of_requests(name: &str, requests: Vec<PreparedRequest>, wanted: Wanted) -> Self {
        let count = u32::try_from(requests.len()).unwrap_or(u32::MAX);
        let ready = |request| Ready {
            request,
            until: None,
        };
        Self {
            classes: vec![Class {
                name: name.to_owned(),
                wanted,
                requests: requests.into_iter().map(ready).collect(),
                population: 0,
            }],
            names: vec![name.to_owned()],
            order: (0..count).map(|number| (0, number)).collect(),
            epochs: Vec::new(),
            epoch: AtomicUsize::new(0),
            made: Made::default(),
        }
    }

    /// The same, whose requests carry these tokens, in this order: each is good for as long as its claims say.
    pub(super) fn carrying(mut self, tokens: &[String], wanted: Wanted) -> Self {
        let (began, now) = (Instant::now(), unix_now());
        let requests = self
            .classes
            .iter_mut()
            .flat_map(|class| &mut class.requests);
        for (ready, token) in requests.zip(tokens) {
            let life = times::life(token, wanted, now);
            ready.until = life.and_then(|life| began.checked_add(life));
        }
        self
    }

    /// The same, whose requests are sent as often as they are popular; `requests` where their number is known.
    pub(super) fn drawn(
        mut self,
        popularity: Popularity,
        requests: Option<u64>,
        seed: u64,
    ) -> Self {
        let tokens = self.order.len() as u64;
        self.order = draw::again(&[("all", 1)], tokens, popularity, requests, seed).turns;
        self
    }

    /// The same, with tokens whose decision is no longer theirs from an instant on.
    #[cfg(test)]
    pub(super) fn ending(mut self, until: Instant) -> Self {
        let requests = self
            .classes
            .iter_mut()
            .flat_map(|class| &mut class.requests);
        requests.for_each(|ready| ready.until = Some(until));
        self
    }

    /// Number of requests until it starts over.
    pub fn len(&self) -> usize {
        self.order.len()
    }

    /// Whether the pool is empty.
    pub fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

    /// The names of the classes, by index.
    pub fn class_names(&self) -> &[String] {
        &self.names
    }

    /// The request of a turn; the pool starts over at its end.
    pub fn entry(&self, index: u64) -> PoolEntry<'_> {
        let place = usize::try_from(index).unwrap_or(usize::MAX) % self.order.len();
        let (class, number) = self.order[place];
        self.token(class as usize, number as usize)
    }

    /// A token of each class and each number in it, most popular first: what a cache is primed with.
    pub(super) fn population(&self) -> impl Iterator<Item = PoolEntry<'_>> {
        let largest = self.classes.iter().map(|class| class.population).max();
        (0..largest.unwrap_or(0)).flat_map(move |number| {
            let has = move |class: &usize| number < self.classes[*class].population;
            (0..self.classes.len())
                .filter(has)
                .map(move |class| self.token(class, number))
        })
    }

    fn token(&self, class: usize, number: usize) -> PoolEntry<'_> {
        let of = &self.classes[class];
        let ready = &of.requests[number + of.population * self.epoch.load(Ordering::Relaxed)];
        PoolEntry {
            request: &ready.request,
            class,
            name: &of.name,
            wanted: of.wanted,
            until: ready.until,
        }
    }

    /// When which tokens are sent, of a population.
    pub(super) fn epochs(&self) -> &[Epoch] {
        &self.epochs
    }

    /// Sends the tokens of this epoch from here on. Nobody waits for it.
    pub(super) fn turn_to(&self, epoch: usize) {
        let last = self.epochs.len().saturating_sub(1);
        self.epoch.store(epoch.min(last), Ordering::Relaxed);
    }

    /// Whether the clock may start now: later than planned, tokens would end while they are sent.
    pub(super) fn is_in_time(&self) -> Result<(), PoolError> {
        let Made {
            began: Some(began),
            life: Some(life),
            patience: Some(planned),
            ..
        } = self.made
        else {
            return Ok(());
        };
        let took = began.elapsed();
        if took > planned {
            return Err(PoolError::Slow {
                took,
                life,
                planned,
            });
        }
        Ok(())
    }

    /// What the record says of the tokens.
    pub(super) fn to_record(&self, outlived: u64) -> Option<TokensRecord> {
        let made = &self.made;
        (made.minted > 0).then(|| TokensRecord {
            population: made.population,
            popularity: made.popularity.clone(),
            minted: made.minted,
            minting_ms: super::phase::millis(made.took),
            lifetime_s: made.life.map(|life| life.as_secs()),
            refreshes: made.later,
            by_next_key: made.next_key,
            outlived,
        })
    }
}
