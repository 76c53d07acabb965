//! The order of a pool: classes in smooth proportion, and of each class the token whose turn it is, or that is drawn.

use crate::load::popularity::{Chances, Draw};
use crate::scenario::Popularity;

/// Requests that are drawn before they repeat, of a phase that may have more: some megabytes, and every token of the largest
/// population has had its chance.
const DRAWN_MAX: u64 = 1 << 20;

/// Which class and which of its tokens the requests take.
#[derive(Debug)]
pub(super) struct Order {
    /// Classes, and numbers in them.
    pub(super) turns: Vec<(u32, u32)>,
    /// Tokens of each class.
    pub(super) tokens: Vec<u64>,
}

/// Each token once: so many requests.
pub(super) fn once(weights: &[(&str, u32)], requests: u64) -> Order {
    let turns = interleave(weights, requests);
    let tokens = per_class(&turns, weights.len());
    Order { turns, tokens }
}

/// A population, sent again and again; `requests` where their number is known.
pub(super) fn again(
    weights: &[(&str, u32)],
    population: u64,
    popularity: Popularity,
    requests: Option<u64>,
    seed: u64,
) -> Order {
    let in_turn = interleave(weights, population);
    let tokens: Vec<u64> = per_class(&in_turn, weights.len())
        .into_iter()
        .map(|tokens| tokens.max(1))
        .collect();
    if popularity == Popularity::InTurn {
        return Order {
            turns: in_turn,
            tokens,
        };
    }
    let mut draw = Draw::new(popularity, seed);
    let chances: Vec<Chances> = tokens
        .iter()
        .map(|tokens| draw.chances(usize::try_from(*tokens).unwrap_or(usize::MAX)))
        .collect();
    let length = requests.map_or(DRAWN_MAX, |requests| requests.min(DRAWN_MAX));
    let turns = interleave(weights, length)
        .into_iter()
        .map(|(class, _)| {
            let number = draw.next(&chances[class as usize]);
            (class, u32::try_from(number).unwrap_or(u32::MAX))
        })
        .collect();
    Order { turns, tokens }
}

fn per_class(turns: &[(u32, u32)], classes: usize) -> Vec<u64> {
    let mut tokens = vec![0; classes];
    for (class, _) in turns {
        tokens[*class as usize] += 1;
    }
    tokens
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

    #[test]
    fn a_population_keeps_the_mix_whatever_is_popular_in_it() {
        let weights = [("valid", 9), ("expired", 1)];
        let zipf = Popularity::Zipf(1.1);
        let order = again(&weights, 100, zipf, Some(10_000), 7);
        assert_eq!(order.tokens, [90, 10]);
        let expired = order.turns.iter().filter(|(class, _)| *class == 1);
        assert_eq!(expired.count(), 1000);
        let most = |class| {
            let of_class = order.turns.iter().filter(|(of, _)| *of == class);
            let numbers: Vec<u32> = of_class.map(|(_, number)| *number).collect();
            let first = numbers.iter().filter(|number| **number == 0).count();
            (first, numbers.iter().max().copied())
        };
        let ((valid, last_valid), (expired, last_expired)) = (most(0), most(1));
        assert!(valid > 9000 / 10 && expired > 1000 / 5, "{valid} {expired}");
        assert!(last_valid < Some(90) && last_expired < Some(10));
        let again = again(&weights, 100, zipf, Some(10_000), 7);
        assert_eq!(again.turns, order.turns, "the same seed, the same order");
    }

    #[test]
    fn a_class_of_a_small_weight_has_a_token_all_the_same() {
        let weights = [("valid", 1000), ("expired", 1)];
        let order = again(&weights, 2, Popularity::Uniform, Some(2000), 7);
        assert_eq!(order.tokens, [2, 1]);
    }
}
