//! One case as it is asked: minted, prepared, sent, and what came held against what had to come.

use mock_idp::Recipe;

use super::processes::MemoryBefore;
use super::remark::{Beside, MEGABYTE, remarked};
use super::{Conformance, SETTLE, Unasked, declared, missing, overreach, policy, probe, record};
use crate::catalogue::{Case, PolicyQuestion};
use crate::clock::unix_now;
use crate::record::{CaseRecord, Outcome};
use crate::target::{Connection, Decision, Observation, PreparedRequest, RequestShape, Said};

/// A part of a token that is shorter says nothing: it may be in an answer by chance.
const TELLING_PART: usize = 20;

/// A case that is ready to be sent.
pub(super) struct Question {
    pub(super) request: PreparedRequest,
    /// The bytes of its token.
    length: usize,
    /// The parts of its tokens that no answer has a reason to repeat.
    secrets: Vec<String>,
    /// The request of a genuine token, for a policy that is held against the usual one.
    usual: Option<PreparedRequest>,
}

impl Conformance<'_> {
    /// Mints and builds what a case sends; the inner error is why the target is not asked.
    pub(super) fn prepare(&self, case: &Case) -> Result<Result<Question, String>, Unasked> {
        if case.needs_function() && !self.target.shows_policy() {
            return Ok(Err(policy::NOT_SHOWN.to_owned()));
        }
        if let Some(reason) = missing(case, self.features, self.target) {
            return Ok(Err(reason));
        }
        let unasked = |reason: String| Unasked::Case {
            id: case.id.clone(),
            reason,
        };
        let (minter, now) = (self.minter_of(case), unix_now());
        let mint = |recipe| match minter.mint(recipe, now) {
            Ok(token) => Ok(Ok(token)),
            Err(error) => match error.lacking() {
                Some(lacking) => Ok(Err(lacking.to_string())),
                None => Err(unasked(error.to_string())),
            },
        };
        let token = match mint(&case.recipe)? {
            Ok(token) => token,
            Err(reason) => return Ok(Err(reason)),
        };
        let second = match case.second.as_ref().map(mint).transpose()? {
            Some(Err(reason)) => return Ok(Err(reason)),
            Some(Ok(second)) => Some(second),
            None => None,
        };
        let secrets = [Some(&token), second.as_ref()]
            .into_iter()
            .flatten()
            .flat_map(|token| token.split('.').skip(1))
            .filter(|part| part.len() >= TELLING_PART)
            .map(str::to_owned)
            .collect();
        let request = self
            .target
            .prepare(&RequestShape::from(case).with_second(second), &token)
            .map_err(|error| unasked(error.to_string()))?
            .keeping_answer();
        let usual = self.usual(case).map_err(unasked)?;
        Ok(Ok(Question {
            request,
            length: token.len(),
            secrets,
            usual,
        }))
    }

    /// The request of a genuine token, for a case that holds a policy against the usual one.
    fn usual(&self, case: &Case) -> Result<Option<PreparedRequest>, String> {
        if !case
            .policy
            .as_ref()
            .is_some_and(|policy| policy.wider_than_usual)
        {
            return Ok(None);
        }
        let genuine = self.minter.mint(&Recipe::default(), unix_now());
        let token = genuine.map_err(|error| error.to_string())?;
        let usual = self.target.prepare(&RequestShape::default(), &token);
        usual.map(Some).map_err(|error| error.to_string())
    }

    /// Sends and judges; says whether the answer repeats what it has no reason to.
    pub(super) async fn send(
        &self,
        case: &Case,
        question: &Question,
        connection: &mut Connection,
    ) -> (CaseRecord, bool) {
        if let Some(policy) = &case.policy {
            let judged = self.ask_policy(case, policy, question, connection).await;
            return (judged, false);
        }
        let (observation, memory_growth) = self.call_weighed(case, question, connection).await;
        let repeats = observation.answer.as_ref().is_some_and(|answer| {
            let mut secrets = question.secrets.iter();
            secrets.any(|part| answer.repeats(part.as_bytes()))
        });
        let plain = Outcome::judge(case.expect, case.grade, &observation);
        if plain == Outcome::UnexpectedAllow
            && case.request.path.is_some()
            && probe::open_to_nonsense(self.target).await
        {
            let reason = "the target lets anybody in at a path that there is not, too".to_owned();
            return (record(case, None, Outcome::Skip, Some(reason)), repeats);
        }
        let (plain, remark) = remarked(
            case,
            plain,
            &observation,
            Beside {
                repeats,
                memory_growth,
            },
        );
        if case.memory_growth_mb.is_some()
            && matches!(plain, Outcome::Pass | Outcome::WrongStatus)
            && let Some(status) = observation
                .status
                .filter(|status| probe::says_too_long(*status))
            && !probe::reads_tokens_of(self.target, self.minter, question.length).await
        {
            let reason = format!(
                "the server answers {status} to any token of {} bytes: nobody has looked at this one",
                question.length
            );
            return (record(case, None, Outcome::Skip, Some(reason)), repeats);
        }
        let (plain, visit) = match self.visited(case) {
            // Who was let in by a key of the attacker's is told as that.
            Some(visit) if plain != Outcome::UnexpectedAllow => (overreach(case), Some(visit)),
            visit => (plain, visit.or(remark)),
        };
        let (outcome, reason) = declared(self.divergences, &case.id, plain, &observation);
        let reason = reason.or(visit);
        (record(case, Some(&observation), outcome, reason), repeats)
    }

    /// Asks, and says by how many bytes the target's memory grew for it, where the case is about that. Code that is loaded for the
    /// first token of a kind, or garbage that is collected later, grows once: what is too much is asked again, and the less counts.
    async fn call_weighed(
        &self,
        case: &Case,
        question: &Question,
        connection: &mut Connection,
    ) -> (Observation, u64) {
        let Some((most, processes)) = case.memory_growth_mb.zip(self.processes) else {
            return (connection.call(&question.request).await, 0);
        };
        tokio::time::sleep(SETTLE).await;
        let before = MemoryBefore::of(processes);
        let observation = connection.call(&question.request).await;
        let growth = before.growth();
        if growth <= most * MEGABYTE {
            return (observation, growth);
        }
        tokio::time::sleep(SETTLE).await;
        let before = MemoryBefore::of(processes);
        connection.call(&question.request).await;
        (observation, growth.min(before.growth()))
    }

    /// Asks what the policy of an answer says.
    async fn ask_policy(
        &self,
        case: &Case,
        policy: &PolicyQuestion,
        question: &Question,
        connection: &mut Connection,
    ) -> CaseRecord {
        let usual = match &question.usual {
            Some(usual) => match connection.call_for(usual).await {
                (plain, _) if plain.decision == Decision::Fault => {
                    let reason = "the plain request got no decision to compare with".to_owned();
                    return record(case, None, Outcome::Skip, Some(reason));
                }
                (_, said) => said,
            },
            None => Said::Nothing,
        };
        let (observation, said) = connection.call_for(&question.request).await;
        let asked = (observation, &said);
        let found = policy::judge(case, policy, &question.request, asked, &usual);
        if found.outcome == Outcome::Skip {
            return record(case, None, Outcome::Skip, found.reason);
        }
        let seen = &found.observation;
        let (outcome, declared) = declared(self.divergences, &case.id, found.outcome, seen);
        let reason = found.reason.or(declared);
        record(case, Some(seen), outcome, reason)
    }
}
