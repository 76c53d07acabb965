//! The flags by which `load` says how requests arrive.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use loadgen::scenario::{ArrivalKeys, parse_stage};
use loadgen::schedule::{Spacing, Stage};
use loadgen::units::{parse_duration, parse_rate};

#[derive(Debug, Args)]
pub(crate) struct ArrivalArguments {
    /// An open loop: so many requests, whatever the answers take, such as 500/s
    #[arg(long, value_parser = parse_rate)]
    rate: Option<f64>,
    /// An open loop in stages: 100/s:10s, 100/s..500/s:30s for a ramp, 0/s:5s for a pause; may be given more than once
    #[arg(long, value_name = "STAGE", value_parser = parse_stage, conflicts_with_all = ["rate", "duration", "requests"])]
    stage: Vec<Stage>,
    /// An open loop as it was: a file with a time a line, in seconds
    #[arg(long, value_name = "FILE", conflicts_with_all = ["rate", "stage", "duration", "requests", "poisson"])]
    replay: Option<PathBuf>,
    /// Requests come as independent users send them, with exponential gaps from the seed, and not evenly
    #[arg(long)]
    poisson: bool,
    /// How long, such as 5s; a verification needs --rate with it, because each token is used once
    #[arg(long, value_parser = parse_duration, conflicts_with = "requests")]
    duration: Option<Duration>,
    /// How many requests
    #[arg(long)]
    requests: Option<u64>,
}

impl ArrivalArguments {
    /// What the flags say.
    pub(crate) fn keys(&self) -> ArrivalKeys {
        ArrivalKeys {
            rate: self.rate,
            spacing: self.poisson.then_some(Spacing::Poisson),
            stages: self.stage.clone(),
            replay: self.replay.clone(),
            duration: self.duration,
            requests: self.requests,
        }
    }
}
