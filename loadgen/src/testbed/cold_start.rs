//! One cold start of the subject, timed and split: the first of the run, one with a warm disk, one with a cold disk.

use std::time::{Duration, Instant};

use gateway::Function;

use super::cold_disk::{ColdDisk, NoColdDisk};
use super::running::Running;
use super::{Testbed, TestbedError, page_cache};
use crate::clock::unix_now;
use crate::target::Decision;

/// One cold start, split where it can be.
#[derive(Debug)]
pub struct ColdSample {
    /// What passed between which instants, by the names of the record's series; `total` first.
    pub spans: Vec<(&'static str, Duration)>,
    /// When its parts began, in their order.
    pub began: Vec<Instant>,
    /// When the decision was there.
    pub decided: Instant,
    /// What the genuine token got; none at all from a process that crashed, or whose INIT ran out of time.
    pub decision: Decision,
    /// The answer in a few words.
    pub answer: String,
    /// Bytes that its processes had read from storage by then; `None` where that is not told.
    pub read_bytes: Option<u64>,
}

impl Testbed {
    /// Whether this subject can be started afresh for each sample.
    pub fn can_start_cold(&self) -> bool {
        !matches!(self.running, Running::Nothing)
    }

    /// The first start of the run, to be called before anything else is asked of the subject: a server has just been started, a
    /// function starts its first process now.
    pub async fn first_start(&self, token: &str) -> Result<ColdSample, TestbedError> {
        let sample = match &self.running {
            Running::Function(function) => fresh_function(function, token).await?,
            Running::Lambda(gateway) => fresh_function(gateway.function(), token).await?,
            Running::Server(server) => server.first_decision(&self.target, token).await?,
            Running::Nothing => return Err(TestbedError::NotRestartable),
        };
        Ok(self.with_keys(sample, 0))
    }

    /// One cold start: every process of the subject is ended, a fresh one answers one genuine token.
    pub async fn cold_start(
        &mut self,
        token: &str,
        disk: Option<&mut ColdDisk>,
    ) -> Result<ColdSample, TestbedError> {
        let fetches_before = self.idp.fetch_count();
        let sample = match &mut self.running {
            Running::Function(function) => cold_function(function, token, disk).await?,
            Running::Lambda(gateway) => cold_function(gateway.function(), token, disk).await?,
            Running::Server(server) => {
                let (target, sample) = server.cold_start(token, disk).await?;
                self.target = target;
                sample
            }
            Running::Nothing => return Err(TestbedError::NotRestartable),
        };
        Ok(self.with_keys(sample, fetches_before))
    }

    /// Makes ready for starts with a cold disk, from what a living process of the subject has mapped.
    pub async fn cold_disk(&self) -> Result<ColdDisk, NoColdDisk> {
        let process = self.process_ids().first().copied();
        let command = match (&self.running, &self.function) {
            (Running::Server(server), _) => server.command(),
            (_, Some(function)) => function.command(),
            (_, None) => return Err(NoColdDisk::Unknown),
        };
        ColdDisk::prepare(process, command, self.function.as_ref()).await
    }

    /// Ends the starts with a cold disk. A server that is running from the copy is started again from its own program: the copy
    /// goes, and what is measured next is to be the subject as its file says.
    pub async fn end_cold_disk(&mut self, disk: ColdDisk) -> Result<(), TestbedError> {
        if let Running::Server(server) = &mut self.running
            && disk.program().is_some()
        {
            self.target = server.start_again().await?;
        }
        disk.end().await;
        Ok(())
    }

    /// Adds when the keys were there, where they were fetched for this start.
    fn with_keys(&self, mut sample: ColdSample, fetches_before: u64) -> ColdSample {
        let new_fetches = self.idp.fetch_count().saturating_sub(fetches_before);
        let recent = self.idp.fetches();
        if let Some(fetch) = recent
            .iter()
            .rev()
            .take(usize::try_from(new_fetches).unwrap_or(0))
            .next_back()
        {
            // The keys are fetched within one of the parts: while the process starts, in INIT, or for the first decision.
            let part = sample
                .began
                .iter()
                .rev()
                .find(|part| **part <= fetch.received);
            if let Some(part) = part {
                let to = fetch.answered.saturating_duration_since(*part);
                sample.spans.push(("to the keys", to));
            }
            let after = sample.decided.saturating_duration_since(fetch.answered);
            sample.spans.push(("after the keys", after));
        }
        sample
    }
}

/// Ends the function's processes, and those of its copy, and invokes the one or the other.
async fn cold_function(
    function: &Function,
    token: &str,
    disk: Option<&mut ColdDisk>,
) -> Result<ColdSample, TestbedError> {
    function.recycle().await;
    let Some(disk) = disk else {
        return fresh_function(function, token).await;
    };
    if let Some(copied) = disk.function() {
        copied.recycle().await;
    }
    disk.evict().await;
    fresh_function(disk.function().unwrap_or(function), token).await
}

/// Invokes a function that has no process.
async fn fresh_function(function: &Function, token: &str) -> Result<ColdSample, TestbedError> {
    let event = gateway::token_event(&format!("Bearer {token}"), gateway::PLANETS_ARN);
    let invocation = function.invoke(event).await?;
    let decided = gateway::decision::decide(invocation.answer(), gateway::PLANETS_ARN, unix_now());
    let status = decided
        .refusal()
        .map_or(200, gateway::decision::Refusal::status);
    let mut spans = Vec::new();
    let mut began = Vec::new();
    if let Some(cold) = invocation.cold_start() {
        began.extend([cold.spawned, cold.connected, invocation.dispatched()]);
        spans.push(("total", invocation.answered() - cold.spawned));
        spans.push(("process start", cold.connected - cold.spawned));
        spans.push(("init", cold.ready - cold.connected));
        spans.push((
            "first decision",
            invocation.answered() - invocation.dispatched(),
        ));
    }
    let process = function.idle_process_ids().first().copied();
    Ok(ColdSample {
        spans,
        began,
        decided: invocation.answered(),
        decision: Decision::from_status(status),
        answer: format!("{status} by {}", decided.rule()),
        read_bytes: process.and_then(page_cache::read_bytes),
    })
}
