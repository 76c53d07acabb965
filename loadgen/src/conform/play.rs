//! The steps of a sequence, taken one after the other against a target and an issuer of their own.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use mock_idp::{JwksFault, MintError, Minter, MockIdp, UrlListener};
use tokio::task::JoinSet;

use crate::catalogue::{Expectation, Send, Sequence, Step, StepDecision, Wait};
use crate::clock::unix_now;
use crate::record::Outcome;
use crate::target::{Connection, Decision, Observation, PreparedRequest, RequestShape, Target};
use crate::testbed::Testbed;

/// Between two tries of a step that may take its time.
const TRY_AGAIN: Duration = Duration::from_millis(250);

/// Where a sequence is played.
#[derive(Debug)]
pub(in crate::conform) struct Stage<'a> {
    pub(in crate::conform) target: &'a Target,
    pub(in crate::conform) minter: &'a Minter,
    /// The issuer and the listener, where they are the sequence's own.
    pub(in crate::conform) own: Option<(&'a MockIdp, &'a UrlListener)>,
    /// Where the target runs, which knows how many processes it has; one where nobody knows.
    pub(in crate::conform) testbed: Option<&'a Testbed>,
    /// For how long the target says that it keeps keys.
    pub(in crate::conform) key_lifetime: Option<Duration>,
    /// Where an allowed answer names the principal, where it does.
    pub(in crate::conform) echo: Option<&'a str>,
}

/// How a sequence ended.
#[derive(Debug)]
pub(in crate::conform) struct Ending {
    /// What was expected at the step where it ended.
    pub(in crate::conform) expected: Expectation,
    /// The last answer.
    pub(in crate::conform) observed: Option<Observation>,
    /// The verdict, the grade not yet looked at.
    pub(in crate::conform) outcome: Outcome,
    /// The step where it ended and why, where it is no plain pass.
    pub(in crate::conform) reason: Option<String>,
}

/// A step that is not as it has to be.
struct Failed {
    outcome: Outcome,
    reason: String,
}

impl Failed {
    fn overreach(reason: String) -> Self {
        Self {
            outcome: Outcome::Overreach,
            reason,
        }
    }
}

/// What is remembered from step to step.
struct Player<'a> {
    stage: &'a Stage<'a>,
    now: i64,
    tokens: BTreeMap<&'a str, Vec<String>>,
    connection: Connection,
    /// What is sent while the next steps are taken; ends with them.
    meanwhile: JoinSet<Answered>,
    fetches_before: u64,
    expected: Expectation,
    observed: Option<Observation>,
}

/// Does to the issuer what a sequence does before anything else, so that a target that fetches keys when it starts finds
/// it done.
pub(in crate::conform) fn prepare(sequence: &Sequence, idp: &MockIdp, listener: &UrlListener) {
    for step in &sequence.steps {
        match step {
            Step::CacheControl(value) => idp.cache_keys(value),
            Step::Fail(fault) => idp.fail_jwks(Some(located(fault, listener))),
            Step::Serve(document) => idp.publish(*document),
            Step::FetchesAtMost(_)
            | Step::ListenerUnvisited
            | Step::Mint { .. }
            | Step::Send(_)
            | Step::Wait(_) => return,
        }
    }
}

/// Plays a sequence to its end, or to the first step that is not as it has to be. The error is a token that cannot be
/// minted: the file is wrong, and not the target.
pub(in crate::conform) async fn play(
    sequence: &Sequence,
    stage: &Stage<'_>,
) -> Result<Ending, String> {
    let mut player = Player {
        stage,
        now: unix_now(),
        tokens: BTreeMap::new(),
        connection: stage.target.connection(),
        meanwhile: JoinSet::new(),
        fetches_before: 0,
        expected: sequence.case.expect,
        observed: None,
    };
    let mut ended = None;
    for (index, step) in sequence.steps.iter().enumerate() {
        if let Err(failed) = player.take(step).await? {
            let reason = format!("step {} ({}): {}", index + 1, step.summary(), failed.reason);
            ended = Some((failed.outcome, reason));
            break;
        }
    }
    let (outcome, reason) = match ended {
        None => (Outcome::Pass, None),
        Some((outcome, reason)) => (outcome, Some(reason)),
    };
    Ok(Ending {
        expected: player.expected,
        observed: player.observed,
        outcome,
        reason,
    })
}

impl<'a> Player<'a> {
    async fn take(&mut self, step: &'a Step) -> Result<Result<(), Failed>, String> {
        match step {
            Step::CacheControl(value) => {
                if let Some((idp, _)) = self.stage.own {
                    idp.cache_keys(value);
                }
            }
            Step::Fail(fault) => {
                if let Some((idp, listener)) = self.stage.own {
                    idp.fail_jwks(Some(located(fault, listener)));
                    self.fetches_before = idp.fetch_count();
                }
            }
            Step::Serve(document) => {
                if let Some((idp, _)) = self.stage.own {
                    idp.publish(*document);
                    idp.fail_jwks(None);
                    self.fetches_before = idp.fetch_count();
                }
            }
            Step::FetchesAtMost(most) => return Ok(self.fetches_at_most(*most)),
            Step::ListenerUnvisited => return Ok(self.listener_unvisited()),
            Step::Mint {
                name,
                recipe,
                count,
            } => {
                let minter = self.stage.minter;
                let tokens = match count {
                    1 => vec![minter.mint(recipe, self.now)],
                    // Serials from 1 on: 0 is what a single token says of itself.
                    _ => (1..=*count)
                        .map(|serial| minter.mint_numbered(recipe, self.now, serial))
                        .collect(),
                };
                match tokens.into_iter().collect::<Result<_, _>>() {
                    Ok(tokens) => self.tokens.insert(name, tokens),
                    Err(error) => return lacking(&error),
                };
            }
            Step::Send(send) => return self.send(send).await,
            Step::Wait(wait) => {
                let time = match wait {
                    Wait::For(time) => *time,
                    Wait::KeyLifetime => self.stage.key_lifetime.unwrap_or_default(),
                };
                self.stage.target.let_pass(time).await;
            }
        }
        Ok(Ok(()))
    }

    fn fetches_at_most(&self, most: u64) -> Result<(), Failed> {
        let Some((idp, _)) = self.stage.own else {
            return Ok(());
        };
        let fetches = idp.fetch_count() - self.fetches_before;
        // An execution environment of Lambda shares nothing with another, its keys included.
        let processes = self.stage.testbed.map_or(1, Testbed::processes);
        if fetches <= most * processes {
            return Ok(());
        }
        Err(Failed::overreach(format!(
            "{processes} processes fetched the keys {fetches} times"
        )))
    }

    fn listener_unvisited(&self) -> Result<(), Failed> {
        let hits = self.stage.own.map(|(_, listener)| listener.hits());
        match hits.unwrap_or_default().first() {
            None => Ok(()),
            Some(hit) => Err(Failed::overreach(format!(
                "the target fetched {} from the listener",
                hit.path
            ))),
        }
    }

    async fn send(&mut self, send: &Send) -> Result<Result<(), Failed>, String> {
        self.expected = send.expect.expectation();
        let shape = RequestShape::from(&send.route);
        let mut requests = Vec::new();
        for _ in 0..send.times {
            for name in &send.names {
                for token in &self.tokens[name.as_str()] {
                    let request = self.stage.target.prepare(&shape, token);
                    requests.push(Prepared {
                        request: request.map_err(|error| error.to_string())?,
                        sub: send.echo.then(|| sub_of(token)).flatten(),
                    });
                }
            }
        }
        if send.meanwhile {
            for request in requests {
                self.meanwhile.spawn(self.by_itself(request));
            }
            return Ok(Ok(()));
        }
        let observations = if send.at_once {
            self.all_at_once(requests).await
        } else {
            self.in_turn(&requests, send).await
        };
        let count = observations.len();
        for (index, answered) in observations.into_iter().enumerate() {
            let verdict = judge(send, &answered);
            self.observed = Some(answered.observation);
            if let Err(mut failed) = verdict {
                if count > 1 {
                    failed.reason = format!("answer {} of {count}: {}", index + 1, failed.reason);
                }
                return Ok(Err(failed));
            }
        }
        Ok(Ok(()))
    }

    /// Stops at the first answer that is not as asked for: what comes after it says nothing more.
    async fn in_turn(&mut self, requests: &[Prepared], send: &Send) -> Vec<Answered> {
        let (started, mut skipped) = (Instant::now(), Duration::ZERO);
        let until = send.until.unwrap_or_default();
        let echo = self.stage.echo;
        let mut answers = Vec::with_capacity(requests.len());
        for request in requests {
            let mut answered = request.call(&mut self.connection, echo).await;
            while !send.expect.is_met_by(answered.observation.decision)
                && started.elapsed() + skipped < until
            {
                skipped += self.stage.target.let_pass(TRY_AGAIN).await;
                answered = request.call(&mut self.connection, echo).await;
            }
            let failed = judge(send, &answered).is_err();
            answers.push(answered);
            if failed {
                break;
            }
        }
        answers
    }

    async fn all_at_once(&self, requests: Vec<Prepared>) -> Vec<Answered> {
        let mut calls: JoinSet<Answered> = requests
            .into_iter()
            .map(|request| self.by_itself(request))
            .collect();
        let mut answers = Vec::new();
        while let Some(ended) = calls.join_next().await {
            // None is aborted, and a call does not panic.
            answers.extend(ended.ok());
        }
        answers
    }

    /// A request over a connection of its own.
    fn by_itself(&self, request: Prepared) -> impl Future<Output = Answered> + 'static + use<> {
        let mut connection = self.stage.target.connection();
        let echo = self.stage.echo.map(str::to_owned);
        async move { request.call(&mut connection, echo.as_deref()).await }
    }
}

/// A token that only a real issuer can make ends the sequence without a verdict; any other that cannot be minted is a
/// mistake of the file.
fn lacking(error: &MintError) -> Result<Result<(), Failed>, String> {
    match error.lacking() {
        Some(lacking) => Ok(Err(Failed {
            outcome: Outcome::Skip,
            reason: lacking.to_string(),
        })),
        None => Err(error.to_string()),
    }
}

/// A request, and whom its answer has to name.
struct Prepared {
    request: PreparedRequest,
    sub: Option<String>,
}

/// An answer, and whether it names somebody else.
struct Answered {
    observation: Observation,
    misnamed: Option<&'static str>,
}

impl Prepared {
    async fn call(&self, connection: &mut Connection, echo: Option<&str>) -> Answered {
        let (Some(sub), Some(pointer)) = (&self.sub, echo) else {
            return Answered {
                observation: connection.call(&self.request).await,
                misnamed: None,
            };
        };
        let (observation, said) = connection.call_for(&self.request).await;
        let misnamed = match said.text_at(pointer) {
            _ if observation.decision != Decision::Allow => None,
            Some(named) if named == *sub => None,
            Some(_) => Some("the answer names another principal than the token's sub"),
            None => Some("the answer names no principal where [echo] says"),
        };
        Answered {
            observation,
            misnamed,
        }
    }
}

/// The `sub` of a token that this bench has minted.
fn sub_of(token: &str) -> Option<String> {
    let payload = URL_SAFE_NO_PAD.decode(token.split('.').nth(1)?).ok()?;
    let claims: serde_json::Value = serde_json::from_slice(&payload).ok()?;
    Some(claims.get("sub")?.as_str()?.to_owned())
}

fn judge(send: &Send, answered: &Answered) -> Result<(), Failed> {
    let observation = &answered.observation;
    if !send.expect.is_met_by(observation.decision) {
        if let Some(reason) = &send.or_skip {
            return Err(Failed {
                outcome: Outcome::Skip,
                reason: reason.clone(),
            });
        }
        let outcome = match (send.expect, observation.decision) {
            (_, Decision::Allow) => Outcome::UnexpectedAllow,
            (StepDecision::Allow, Decision::Deny) => Outcome::UnexpectedDeny,
            _ => Outcome::Fault,
        };
        let reason = match send.until {
            None => observation.summary(),
            Some(until) => format!("{} after {until:?}", observation.summary()),
        };
        return Err(Failed { outcome, reason });
    }
    if let Some(misnamed) = answered.misnamed {
        // Somebody was let in as another.
        return Err(Failed {
            outcome: Outcome::UnexpectedAllow,
            reason: misnamed.to_owned(),
        });
    }
    let took = observation.finished - observation.sent;
    match send.within {
        Some(most) if took > most => Err(Failed::overreach(format!(
            "the answer took {took:.1?}, and may take {most:?}"
        ))),
        _ => Ok(()),
    }
}

/// A redirect leads to the listener where it says so.
fn located(fault: &JwksFault, listener: &UrlListener) -> JwksFault {
    match fault {
        JwksFault::Redirect(url) => {
            JwksFault::Redirect(url.replace("{listener}", listener.base_url()))
        }
        other => other.clone(),
    }
}
