//! Which token of a population each request takes: drawn before the clock starts, from the seed.

use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use crate::scenario::Popularity;

/// Apart from the stream that Poisson arrivals are drawn from.
const STREAM: u64 = 1;

/// Draws tokens of a population, by their numbers from 0.
#[derive(Debug)]
pub(super) struct Draw {
    source: ChaCha8Rng,
    popularity: Popularity,
}

/// The chances of the tokens of one class.
#[derive(Debug)]
pub(super) enum Chances {
    /// The first of them share a part of the requests.
    Hot {
        hot: usize,
        share: f64,
        all: usize,
    },
    /// Their sums, the last of which is that of all.
    Summed(Vec<f64>),
    Uniform(usize),
}

impl Draw {
    pub(super) fn new(popularity: Popularity, seed: u64) -> Self {
        let mut source = ChaCha8Rng::seed_from_u64(seed);
        source.set_stream(STREAM);
        Self { source, popularity }
    }

    /// The chances of so many tokens, one at least.
    pub(super) fn chances(&self, tokens: usize) -> Chances {
        match self.popularity {
            Popularity::InTurn | Popularity::Uniform => Chances::Uniform(tokens),
            Popularity::Hot { share, of } => Chances::Hot {
                hot: part(tokens, of),
                share,
                all: tokens,
            },
            Popularity::Zipf(exponent) => {
                let mut sum = 0.0;
                let ranks = 1..=u32::try_from(tokens).unwrap_or(u32::MAX);
                let sums = ranks.map(|rank| {
                    sum += f64::from(rank).powf(-exponent);
                    sum
                });
                Chances::Summed(sums.collect())
            }
        }
    }

    /// The number of the next token.
    pub(super) fn next(&mut self, chances: &Chances) -> usize {
        match chances {
            Chances::Uniform(tokens) => self.source.gen_range(0..*tokens),
            Chances::Hot { hot, share, all } => {
                if hot == all || self.source.r#gen::<f64>() < *share {
                    self.source.gen_range(0..*hot)
                } else {
                    self.source.gen_range(*hot..*all)
                }
            }
            Chances::Summed(sums) => {
                let all = sums.last().copied().unwrap_or_default();
                let drawn = self.source.r#gen::<f64>() * all;
                sums.partition_point(|sum| *sum <= drawn)
                    .min(sums.len() - 1)
            }
        }
    }
}

/// A part of them, one at least.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a part of at most some hundred thousand tokens"
)]
fn part(tokens: usize, of: f64) -> usize {
    ((tokens as f64 * of).round() as usize).clamp(1, tokens)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DRAWS: u32 = 100_000;

    fn counts(popularity: Popularity, tokens: usize, seed: u64) -> Vec<u32> {
        let mut draw = Draw::new(popularity, seed);
        let chances = draw.chances(tokens);
        let mut counts = vec![0; tokens];
        for _ in 0..DRAWS {
            counts[draw.next(&chances)] += 1;
        }
        counts
    }

    fn share(counts: &[u32]) -> f64 {
        f64::from(counts.iter().sum::<u32>()) / f64::from(DRAWS)
    }

    #[test]
    fn each_popularity_has_its_shares() {
        let uniform = counts(Popularity::Uniform, 100, 7);
        assert!(uniform.iter().all(|count| (800..1200).contains(count)));
        let hot = Popularity::Hot {
            share: 0.9,
            of: 0.1,
        };
        let hot = share(&counts(hot, 100, 7)[..10]);
        assert!((hot - 0.9).abs() < 0.01, "{hot}");
        // The harmonic number of 1,000 is 7.485: the first token has 13.4 %, the first ten 39.1 %.
        let zipf = counts(Popularity::Zipf(1.0), 1000, 7);
        assert!((share(&zipf[..1]) - 0.1336).abs() < 0.005);
        assert!((share(&zipf[..10]) - 0.3913).abs() < 0.01);
    }

    #[test]
    fn the_same_seed_draws_the_same_and_another_does_not() {
        let zipf = |seed| counts(Popularity::Zipf(1.1), 50, seed);
        assert_eq!(zipf(7), zipf(7));
        assert_ne!(zipf(7), zipf(8));
    }

    #[test]
    fn one_token_is_drawn_by_every_popularity() {
        let hot = Popularity::Hot {
            share: 0.5,
            of: 0.5,
        };
        for popularity in [Popularity::Uniform, Popularity::Zipf(2.0), hot] {
            assert_eq!(counts(popularity, 1, 7), [DRAWS]);
        }
    }
}
