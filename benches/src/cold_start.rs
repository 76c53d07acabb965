//! Fresh processes behind the gateway's Runtime API, each timed from its start to the answer to its first event.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use gateway::{Function, FunctionAnswer, FunctionConfig};
use mock_idp::{MockIdp, Recipe};
use serde_json::Value;

use crate::{AUDIENCE, SCOPE, config, event, now};

/// An issuer on loopback, and an event with a token of it.
#[derive(Debug)]
pub struct Issuer {
    idp: MockIdp,
    event: Bytes,
}

impl Issuer {
    /// Starts the issuer. `keys` is where test keys are cached.
    pub async fn start(keys: &Path) -> Issuer {
        let idp = MockIdp::start(config(keys))
            .await
            .expect("any free port on loopback");
        let token = idp
            .minter()
            .mint(&Recipe::default(), now())
            .expect("the plain token can be minted");
        Issuer {
            event: event(&token).into(),
            idp,
        }
    }

    /// The settings of an authorizer that takes the token.
    pub fn variables(&self) -> BTreeMap<String, String> {
        let variables = [
            ("AUDIENCE", AUDIENCE),
            ("JWKS_URI", self.idp.jwks_uri()),
            ("REQUIRED_SCOPE", SCOPE),
            ("TOKEN_ISSUER", self.idp.issuer()),
        ];
        let owned = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
        variables.map(owned).into()
    }
}

/// A program whose starts are timed.
#[derive(Debug)]
pub struct Candidate {
    name: &'static str,
    program: PathBuf,
    function: Function,
    starts: Vec<Start>,
}

/// One start.
#[derive(Debug, Clone, Copy)]
struct Start {
    /// From the start of the process until it asked for its first event.
    init: Duration,
    /// From the start of the process until its first answer.
    total: Duration,
}

impl Candidate {
    /// A program with its environment variables. Nothing is started yet.
    pub async fn new(
        name: &'static str,
        program: &str,
        variables: BTreeMap<String, String>,
    ) -> Candidate {
        let config = FunctionConfig {
            command: vec![program.to_owned()],
            env: variables,
            max_environments: 1,
            ..FunctionConfig::default()
        };
        Candidate {
            name,
            program: program.into(),
            function: Function::start(config).await.expect("the program exists"),
            starts: Vec::new(),
        }
    }

    /// Starts a fresh process and waits until it has allowed the issuer's event. The process before it has ended by then,
    /// so that it takes no time of this one.
    pub async fn start(&mut self, issuer: &Issuer) {
        self.function.recycle().await;
        let invocation = self
            .function
            .invoke(issuer.event.clone())
            .await
            .expect("a process can be started");
        let FunctionAnswer::Payload(answer) = invocation.answer() else {
            panic!("{}: {:?}", self.name, invocation.answer());
        };
        let answer: Value = serde_json::from_slice(answer).expect("an answer is JSON");
        let effect = &answer["policyDocument"]["Statement"][0]["Effect"];
        assert_eq!(effect, "Allow", "{}: {answer}", self.name);
        let cold = invocation.cold_start().expect("the process is fresh");
        self.starts.push(Start {
            init: cold.ready - cold.spawned,
            total: invocation.answered() - cold.spawned,
        });
    }

    /// Forgets the starts so far.
    pub fn forget(&mut self) {
        self.starts.clear();
    }

    /// Name, number of starts, medians and the program's size.
    pub fn row(&self) -> String {
        let bytes = std::fs::metadata(&self.program).map_or(0, |metadata| metadata.len());
        let starts = self.starts.iter();
        format!(
            "{:<12} n {:>4}   median {:>7.3} ms   p90 {:>7.3} ms   median until it asks for an event {:>7.3} ms   {bytes:>8} bytes",
            self.name,
            self.starts.len(),
            millis(self.median()),
            millis(quantile(starts.clone().map(|start| start.total), 0.9)),
            millis(quantile(starts.map(|start| start.init), 0.5)),
        )
    }

    /// The median from the start of the process to its first answer.
    pub fn median(&self) -> Duration {
        quantile(self.starts.iter().map(|start| start.total), 0.5)
    }
}

fn millis(span: Duration) -> f64 {
    span.as_secs_f64() * 1_000.0
}

/// The value at a quantile, by the nearest rank; zero of nothing.
fn quantile(spans: impl Iterator<Item = Duration>, quantile: f64) -> Duration {
    let mut spans: Vec<_> = spans.collect();
    spans.sort_unstable();
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_precision_loss,
        clippy::cast_sign_loss,
        reason = "a number of samples is far below 2^53, and a quantile of it is no more"
    )]
    let rank = (quantile * spans.len() as f64).ceil() as usize;
    spans
        .get(rank.saturating_sub(1))
        .copied()
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_samples() {
        let at = |count: u64, at| quantile((1..=count).rev().map(Duration::from_millis), at);
        assert_eq!(at(0, 0.5), Duration::ZERO);
        assert_eq!(at(1, 0.5), Duration::from_millis(1));
        assert_eq!(at(10, 0.5), Duration::from_millis(5));
        assert_eq!(at(10, 0.9), Duration::from_millis(9));
        assert_eq!(at(101, 0.5), Duration::from_millis(51));
    }
}
