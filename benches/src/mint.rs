//! How fast a pool of tokens is minted, beside what the library signs on as many cores.

use std::fmt::Write as _;
use std::path::Path;
use std::sync::Barrier;
use std::time::{Duration, Instant};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use mock_idp::{MintError, Minter, Recipe};

/// The least share of raw signing that minting has to reach: claims, encodings and the sharing of the work have the rest.
const BOUND: f64 = 0.9;

/// Raw signing and minting take turns, so that what else goes on on the machine meets both.
const ROUNDS: usize = 9;

/// How long each signs in a round; a pool has as many tokens as fit into it.
const ROUND: Duration = Duration::from_millis(700);

/// As long as the signing input of a token of Auth0.
const MESSAGE: [u8; 500] = [b'x'; 500];

/// Figures, and whether the bound is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// The figures.
    pub table: String,
    /// Whether minting is fast enough.
    pub is_within: bool,
}

/// Measures on `cores` cores; `keys` is where test keys are cached.
pub fn measure(keys: &Path, cores: usize) -> Result<Verdict, String> {
    let key = RsaKeyPair::generate(KeySize::Rsa2048).map_err(|error| error.to_string())?;
    let minter = crate::minter(keys);
    let (mut alone, mut raw, mut pools, mut ratios) = (vec![], vec![], vec![], vec![]);
    for _ in 0..ROUNDS {
        alone.push(signatures_per_second(&key, 1));
        let signed = signatures_per_second(&key, cores);
        let tokens =
            tokens_per_second(&minter, signed, cores).map_err(|error| error.to_string())?;
        raw.push(signed);
        pools.push(tokens);
        ratios.push(tokens / signed);
    }
    let ratio = median(&mut ratios);
    let mut table = String::new();
    for (row, per_second) in [
        ("raw RS256, one core", median(&mut alone)),
        ("raw RS256, all cores", median(&mut raw)),
        ("pool, all cores", median(&mut pools)),
    ] {
        let _ = writeln!(table, "{row:<22} {per_second:>9.0}/s");
    }
    let (least, most) = (ratios[0], ratios[ROUNDS - 1]);
    let _ = writeln!(
        table,
        "pool / raw, {cores} cores  {ratio:>9.3}   {least:.3} to {most:.3} in {ROUNDS} rounds, at least {BOUND}"
    );
    Ok(Verdict {
        table,
        is_within: ratio >= BOUND,
    })
}

/// Signatures of all threads together, for the length of a round.
fn signatures_per_second(key: &RsaKeyPair, threads: usize) -> f64 {
    let ready = Barrier::new(threads);
    let sign = || {
        let (random, mut signature) = (SystemRandom::new(), vec![0; key.public_modulus_len()]);
        ready.wait();
        let (started, mut count) = (Instant::now(), 0.0);
        while started.elapsed() < ROUND {
            key.sign(&RSA_PKCS1_SHA256, &random, &MESSAGE, &mut signature)
                .expect("a key of 2,048 bits signs into a buffer of its length");
            count += 1.0;
        }
        count / started.elapsed().as_secs_f64()
    };
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(sign)).collect();
        workers
            .into_iter()
            .map(|worker| worker.join().expect("it signs"))
            .sum()
    })
}

/// Tokens of a pool, as many as the library would sign in a round.
fn tokens_per_second(minter: &Minter, signed: f64, threads: usize) -> Result<f64, MintError> {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "some thousand tokens"
    )]
    let count = (signed * ROUND.as_secs_f64()) as u64;
    let started = Instant::now();
    let tokens = minter.mint_pool(&Recipe::default(), 1_800_000_000, 0..count, threads, Ok)?;
    let elapsed = started.elapsed().as_secs_f64();
    #[expect(clippy::cast_precision_loss, reason = "some thousand tokens")]
    let per_second = tokens.len() as f64 / elapsed;
    Ok(per_second)
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values[values.len() / 2]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_value_in_the_middle() {
        assert!((median(&mut [3.0, 1.0, 2.0]) - 2.0).abs() < f64::EPSILON);
    }
}
