//! Requests with their tokens, minted on all cores before any clock starts.

use std::collections::BTreeMap;
use std::fmt;

use mock_idp::Minter;

use crate::clock::unix_now;
use crate::conform::{Catalogue, Expectation, GENUINE};
use crate::scenario::TOKENS_LIMIT;
use crate::target::{Decision, Observation, PreparedRequest, RequestError, RequestShape, Target};

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
    /// More tokens than are reasonable.
    #[error(
        "the phase needs {0} tokens, each used once; the most is {TOKENS_LIMIT}: lower requests, or rate × duration"
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
    wanted: Wanted,
    requests: Vec<PreparedRequest>,
}

/// Requests in the order in which they are sent.
#[derive(Debug)]
pub struct TokenPool {
    classes: Vec<Class>,
    names: Vec<String>,
    order: Vec<(u32, u32)>,
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
}

impl TokenPool {
    /// Mints `count` tokens, each another, mixed by weight; the plain genuine token alone when the mix is empty.
    pub fn mint(
        minter: &Minter,
        catalogue: &Catalogue,
        mix: &BTreeMap<String, u32>,
        count: u64,
        target: &Target,
    ) -> Result<Self, PoolError> {
        if count > TOKENS_LIMIT {
            return Err(PoolError::TooLarge(count));
        }
        let weights: Vec<(&str, u32)> = if mix.is_empty() {
            vec![(GENUINE, 1)]
        } else {
            mix.iter()
                .filter(|(_, weight)| **weight > 0)
                .map(|(name, weight)| (name.as_str(), *weight))
                .collect()
        };
        let order = interleave(&weights, count);
        let mut classes = Vec::with_capacity(weights.len());
        for (index, (name, _)) in weights.iter().enumerate() {
            let of_class = order
                .iter()
                .filter(|(class, _)| *class as usize == index)
                .count() as u64;
            classes.push(mint_class(minter, catalogue, name, of_class, target)?);
        }
        let names = weights.iter().map(|(name, _)| (*name).to_owned()).collect();
        Ok(Self {
            classes,
            names,
            order,
        })
    }

    /// A pool of requests that take turns, at least one.
    pub fn of_requests(name: &str, requests: Vec<PreparedRequest>, wanted: Wanted) -> Self {
        let count = u32::try_from(requests.len()).unwrap_or(u32::MAX);
        Self {
            classes: vec![Class { wanted, requests }],
            names: vec![name.to_owned()],
            order: (0..count).map(|number| (0, number)).collect(),
        }
    }

    /// Number of requests.
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
        let (class, number) = (class as usize, number as usize);
        PoolEntry {
            request: &self.classes[class].requests[number],
            class,
            name: &self.names[class],
            wanted: self.classes[class].wanted,
        }
    }
}

fn mint_class(
    minter: &Minter,
    catalogue: &Catalogue,
    name: &str,
    count: u64,
    target: &Target,
) -> Result<Class, PoolError> {
    let case = catalogue
        .find(name)
        .ok_or_else(|| PoolError::Case(name.to_owned()))?;
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let tokens = minter
        .mint_pool(&case.recipe, unix_now(), 0..count, threads)
        .map_err(|error| PoolError::Mint {
            case: name.to_owned(),
            reason: error.to_string(),
        })?;
    let shape = RequestShape::from(&case.request);
    let requests = tokens
        .iter()
        .map(|token| target.prepare(&shape, token))
        .collect::<Result<_, _>>()?;
    Ok(Class {
        wanted: Wanted::Decision(case.expect),
        requests,
    })
}

/// Classes in smooth proportion: at each place the class that is furthest behind its share. Without a random generator
/// the same mix gives the same order everywhere.
fn interleave(weights: &[(&str, u32)], count: u64) -> Vec<(u32, u32)> {
    let total: i64 = weights.iter().map(|(_, weight)| i64::from(*weight)).sum();
    let mut credit = vec![0_i64; weights.len()];
    let mut used = vec![0_u32; weights.len()];
    (0..count)
        .map(|_| {
            for (credit, (_, weight)) in credit.iter_mut().zip(weights) {
                *credit += i64::from(*weight);
            }
            let mut best = 0;
            for class in 1..credit.len() {
                if credit[class] > credit[best] {
                    best = class;
                }
            }
            credit[best] -= total;
            let number = used[best];
            used[best] += 1;
            (u32::try_from(best).unwrap_or(0), number)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mix_keeps_its_proportion_over_every_stretch() {
        let order = interleave(
            &[("valid", 85), ("expired", 5), ("aud", 5), ("scope", 5)],
            1000,
        );
        for window in order.windows(100) {
            let valid = window.iter().filter(|(class, _)| *class == 0).count();
            assert!((83..=87).contains(&valid), "{valid} of 100 are valid");
        }
        let used = |class| {
            order
                .iter()
                .filter(|(of, _)| *of == class)
                .map(|(_, number)| *number)
                .collect::<Vec<_>>()
        };
        assert_eq!(
            used(1),
            (0..50).collect::<Vec<_>>(),
            "each token of a class is used once, in turn"
        );
    }
}
