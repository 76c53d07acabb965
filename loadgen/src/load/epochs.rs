//! How the tokens of a pool follow one another, so that none is sent after its end.
//!
//! A phase is cut into epochs. The tokens of an epoch are issued at its start: they carry the `iat` that their issuer would have
//! given them then, are minted with all the others before the clock starts, and are sent in their epoch alone. So a phase may be
//! longer than a token lives, nothing is signed while it runs, and the same seed gives the same load.

use std::time::Duration;

use crate::scenario::{Change, Event, Expiring, LoadPhase, TOKENS_LIMIT};

/// Between the last sending of a token and its end: a second that claims do not tell, and the way to the target.
const MARGIN: Duration = Duration::from_secs(2);

/// What minting a token and making its request takes on one core at most: three times what it takes on an idle one.
const MINTING: Duration = Duration::from_millis(1);

/// What asking for one token beforehand takes at most, of one connection.
const PRIMING: Duration = Duration::from_millis(5);

/// What comes before the clock, however few tokens there are.
const BEFORE: Duration = Duration::from_secs(1);

/// A stretch of a phase in which tokens of one age are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Epoch {
    /// Its start, after that of the phase.
    pub(crate) from: Duration,
    /// Whether the issuer signs with its next key by then. In a verification phase that is said of each request.
    pub(crate) next_key: bool,
}

/// What has to be known of a phase.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Course<'a> {
    /// How long it may be; `None` where nobody knows, and one epoch has to do.
    pub(crate) length: Option<Duration>,
    /// What happens meanwhile.
    pub(crate) events: &'a [Event],
    /// Tokens of an epoch that are sent again and again; `None` where each is sent once, and their number stands below.
    pub(crate) population: Option<u64>,
    /// Tokens, where each is sent once.
    pub(crate) once: u64,
    /// What came before the clock at least, where that was seen: a machine that others use is slower than any estimate.
    pub(crate) seen: Duration,
}

/// Tokens that cannot be made to last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unlasting {
    /// They end before they can be sent; this long they have to live.
    Short(Duration),
    /// There would be so many of them.
    Many(u64),
}

impl<'a> Course<'a> {
    /// Of a phase whose tokens are sent once, or again and again.
    pub(crate) fn of(phase: &'a LoadPhase, is_once: bool) -> Self {
        Self {
            length: phase.length(),
            events: &phase.events,
            population: (!is_once).then(|| phase.tokens.population()),
            once: phase.arrival.requests().unwrap_or_default(),
            seen: Duration::ZERO,
        }
    }

    /// What may pass between the first minting and the start of the clock.
    fn before(self, epochs: usize) -> Duration {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let cores = u32::try_from(cores).unwrap_or(u32::MAX);
        let count = |tokens: u64| u32::try_from(tokens).unwrap_or(u32::MAX);
        let (minted, primed) = match self.population {
            None => (self.once, 0),
            Some(population) => (population.saturating_mul(epochs as u64), population),
        };
        let estimate = BEFORE + MINTING * count(minted) / cores + PRIMING * count(primed);
        estimate.max(self.seen)
    }

    /// The epochs of tokens that live so long; `None` for tokens whose decision does not change.
    pub(crate) fn epochs(self, life: Option<Duration>) -> Result<Vec<Epoch>, Unlasting> {
        let mut fitting = self.epochs_if(life);
        let Err(Unlasting::Short(mut least)) = fitting else {
            return fitting;
        };
        // What is lacking for a first epoch is not all that is: more life is fewer epochs, but some remain.
        while let Err(Unlasting::Short(more)) = fitting {
            least = more.max(least + Duration::from_secs(1));
            fitting = self.epochs_if(Some(least));
        }
        Err(Unlasting::Short(least))
    }

    fn epochs_if(self, life: Option<Duration>) -> Result<Vec<Epoch>, Unlasting> {
        let mut epochs = self.cut(None);
        let (Some(life), Some(length)) = (life, self.length) else {
            return Ok(epochs);
        };
        // More epochs are more tokens, which take longer to mint, and leave less of the life of each.
        loop {
            let before = self.before(epochs.len());
            let useful = life.saturating_sub(before + MARGIN).as_secs();
            if useful == 0 {
                return Err(Unlasting::Short(before + MARGIN + Duration::from_secs(1)));
            }
            let slice = Duration::from_secs(useful);
            let next = self.cut((slice < length).then_some(slice));
            let tokens = match self.population {
                None => self.once,
                Some(population) => population.saturating_mul(next.len() as u64),
            };
            if tokens > TOKENS_LIMIT {
                return Err(Unlasting::Many(tokens));
            }
            if next.len() <= epochs.len() {
                return Ok(next);
            }
            epochs = next;
        }
    }

    /// What may pass between the first minting and the start of the clock, so that tokens of this life are good until the ends of
    /// these epochs. `None` for as long as it takes.
    pub(crate) fn patience(self, life: Option<Duration>, epochs: &[Epoch]) -> Option<Duration> {
        let (life, length) = (life?, self.length?);
        let ends = epochs.iter().skip(1).map(|next| next.from).chain([length]);
        let longest = epochs
            .iter()
            .zip(ends)
            .map(|(epoch, end)| end.saturating_sub(epoch.from))
            .max()
            .unwrap_or_default();
        Some(life.saturating_sub(longest + MARGIN))
    }

    /// The life of tokens that need not be replaced in a phase of this length, in seconds.
    pub(crate) fn lasting_s(self, length: Duration) -> u64 {
        let life = length + self.before(1) + MARGIN + Duration::from_secs(2);
        life.as_secs()
    }

    /// An epoch at the start, at each event that brings new tokens, and after each slice.
    fn cut(self, slice: Option<Duration>) -> Vec<Epoch> {
        let mut starts = vec![Epoch {
            from: Duration::ZERO,
            next_key: false,
        }];
        // Tokens that are sent once are new at any time.
        let events = self.events.iter().filter(|_| self.population.is_some());
        for event in events {
            let next_key = matches!(event.change, Change::SignNext(_));
            if next_key || event.change == Change::Expire(Expiring::Tokens) {
                let before = starts.last().is_some_and(|last| last.next_key);
                starts.push(Epoch {
                    from: event.at,
                    next_key: next_key || before,
                });
            }
        }
        let (Some(slice), Some(length)) = (slice, self.length) else {
            return starts;
        };
        let ends = starts.iter().skip(1).map(|next| next.from).chain([length]);
        starts
            .iter()
            .zip(ends)
            .flat_map(|(start, end)| {
                std::iter::successors(Some(*start), move |epoch| {
                    let from = epoch.from + slice;
                    (from < end).then_some(Epoch { from, ..*epoch })
                })
            })
            .collect()
    }
}

/// The epoch of an offset after the start.
pub(crate) fn at(epochs: &[Epoch], offset: Duration) -> usize {
    epochs
        .partition_point(|epoch| epoch.from <= offset)
        .saturating_sub(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn course(length: u64, events: &[Event], population: Option<u64>) -> Course<'_> {
        Course {
            length: Some(Duration::from_secs(length)),
            events,
            population,
            once: 100,
            seen: Duration::ZERO,
        }
    }

    fn starts(epochs: &[Epoch]) -> Vec<u64> {
        epochs.iter().map(|epoch| epoch.from.as_secs()).collect()
    }

    #[test]
    fn tokens_that_outlive_the_phase_are_never_replaced() {
        let hour = course(3600, &[], Some(64));
        assert_eq!(starts(&hour.epochs(None).expect("no end")), [0]);
        let day = Some(Duration::from_hours(24));
        assert_eq!(starts(&hour.epochs(day).expect("a day")), [0]);
    }

    #[test]
    fn an_hour_with_tokens_of_five_minutes_is_cut_so_that_each_is_good_to_its_end() {
        let life = Duration::from_mins(5);
        for course in [course(3600, &[], Some(64)), course(3600, &[], None)] {
            let epochs = course.epochs(Some(life)).expect("five minutes are enough");
            assert!(epochs.len() > 12, "{}", epochs.len());
            let ends = epochs.iter().skip(1).map(|next| next.from);
            for (epoch, end) in epochs.iter().zip(ends.chain(course.length)) {
                // Issued so long before the clock started at most, and sent until the end of its epoch.
                let issued = epoch.from.as_secs_f64() - course.before(epochs.len()).as_secs_f64();
                assert!(end.as_secs_f64() + MARGIN.as_secs_f64() <= issued + life.as_secs_f64());
            }
        }
    }

    #[test]
    fn what_cannot_last_is_told_with_what_would() {
        let short = Some(Duration::from_secs(3));
        let refused = course(60, &[], Some(64)).epochs(short);
        let Err(Unlasting::Short(least)) = refused else {
            panic!("{refused:?}");
        };
        course(60, &[], Some(64))
            .epochs(Some(least))
            .expect("the life that it asks for");
        let many = course(86_400, &[], Some(1000)).epochs(Some(Duration::from_mins(5)));
        assert!(matches!(many, Err(Unlasting::Many(tokens)) if tokens > TOKENS_LIMIT));
    }

    #[test]
    fn an_event_that_brings_new_tokens_begins_an_epoch_of_tokens_that_are_sent_again() {
        let event = |at, change| Event {
            at: Duration::from_secs(at),
            change,
        };
        let events = [
            event(5, Change::Expire(Expiring::Policies)),
            event(10, Change::Expire(Expiring::Tokens)),
            event(20, Change::SignNext(Duration::ZERO)),
        ];
        let again = course(60, &events, Some(1)).epochs(None).expect("no end");
        assert_eq!(starts(&again), [0, 10, 20]);
        assert_eq!(again.iter().filter(|epoch| epoch.next_key).count(), 1);
        assert_eq!(at(&again, Duration::from_secs(9)), 0);
        assert_eq!(at(&again, Duration::from_secs(10)), 1);
        let once = course(60, &events, None).epochs(None).expect("no end");
        assert_eq!(starts(&once), [0]);
    }
}
