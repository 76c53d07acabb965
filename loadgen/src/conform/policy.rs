//! Questions about the policy that an authorizer answers with: API Gateway caches it and evaluates it for requests that the
//! authorizer never sees, so that the decision on the one request is not all there is to it.

use gateway::FunctionAnswer;
use gateway::decision::{OUTPUT_BYTES_WEBSOCKET, Rule};
use serde_json::Value;

use crate::catalogue::{Case, Grade, PolicyQuestion, ShapeRule};
use crate::record::Outcome;
use crate::target::{
    Decision, EventForm, Observation, PreparedRequest, Said, WORDS_MAX, judge_answer,
};

/// Why a target behind a gateway or a server is not asked.
pub(super) const NOT_SHOWN: &str = "the target does not show its policy: ask the function directly, by [lambda] ask = \"direct\" or kind = \"invoke\"";

/// The version that AWS documents for an authorizer's policy; the earlier one has no policy variables.
const VERSION: &str = "2012-10-17";

/// What came of a question.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) observation: Observation,
    pub(super) outcome: Outcome,
    pub(super) reason: Option<String>,
}

/// Judges an answer. `usual` is what a plain request with a genuine token got, where the question compares with it.
pub(super) fn judge(
    case: &Case,
    question: &PolicyQuestion,
    request: &PreparedRequest,
    (observation, said): (Observation, &Said),
    usual: &Said,
) -> Found {
    let (Said::Answer(answer), Some((form, own_arn))) = (said, request.asked_for()) else {
        let outcome = Outcome::judge(case.expect, case.grade, &observation);
        let reason = observation.fault.clone();
        return Found {
            observation,
            outcome,
            reason,
        };
    };
    if let Some(fault) = misshapen(&question.shape, answer) {
        return refused_by_gateway(case, &observation, fault);
    }
    if !question.arns.is_empty() && is_simple(answer) {
        return Found {
            observation,
            outcome: Outcome::Skip,
            reason: Some("a simple response has no policy".to_owned()),
        };
    }
    let own = [own_arn.to_owned()];
    let arns = if question.arns.is_empty() {
        &own[..]
    } else {
        &question.arns
    };
    let mut seen = None;
    for arn in arns {
        if question.wider_than_usual && allows(usual, form, arn) {
            continue;
        }
        let decided = decided(question, answer, form, arn, &observation);
        let outcome = Outcome::judge(case.expect, case.grade, &decided);
        if outcome != Outcome::Pass {
            let what = decided.fault.clone().unwrap_or_else(|| decided.summary());
            let reason = format!("for {arn}: {what}; {}", told(answer));
            return Found {
                observation: decided,
                outcome,
                reason: Some(reason),
            };
        }
        seen = Some(decided);
    }
    match seen {
        Some(observation) => Found {
            observation,
            outcome: Outcome::Pass,
            reason: None,
        },
        None => Found {
            observation,
            outcome: Outcome::Skip,
            reason: Some("the policy of a plain request allows as much".to_owned()),
        },
    }
}

/// What the answer is for one ARN, with the times of the answer itself.
fn decided(
    question: &PolicyQuestion,
    answer: &FunctionAnswer,
    form: EventForm,
    arn: &str,
    observation: &Observation,
) -> Observation {
    let judged = judge_answer(answer, form, arn);
    let (sent, finished) = (observation.sent, observation.finished);
    let decided = judged.observation(sent, finished, observation.cold);
    let malformed = decided.rule.as_deref() == Some(Rule::OutputInvalid.id());
    if question.may_fail && (malformed || failed_by_itself(answer)) {
        return Observation {
            decision: Decision::Deny,
            fault: None,
            ..decided
        };
    }
    decided
}

/// Whether the function reported an error: it did not end, and did not run out of time.
fn failed_by_itself(answer: &FunctionAnswer) -> bool {
    matches!(answer, FunctionAnswer::Error { error_type, .. }
        if !error_type.starts_with("Runtime.") && !error_type.starts_with("Sandbox."))
}

fn allows(said: &Said, form: EventForm, arn: &str) -> bool {
    matches!(said, Said::Answer(answer) if judge_answer(answer, form, arn).status == 200)
}

/// An answer that API Gateway does not promise to take: it says 500 to the caller where it does not.
fn refused_by_gateway(case: &Case, observation: &Observation, fault: String) -> Found {
    let outcome = match case.grade {
        Grade::Fail => Outcome::Fault,
        Grade::Note => Outcome::Note,
    };
    Found {
        observation: Observation {
            decision: Decision::Fault,
            status: Some(500),
            rule: Some(Rule::OutputInvalid.id().to_owned()),
            fault: Some(fault.clone()),
            ..observation.clone()
        },
        outcome,
        reason: Some(fault),
    }
}

/// Whether an answer is a simple response of an HTTP API, which has no policy and form rules of its own.
fn is_simple(answer: &FunctionAnswer) -> bool {
    let FunctionAnswer::Payload(payload) = answer else {
        return false;
    };
    let value: Value = serde_json::from_slice(payload).unwrap_or_default();
    value.get("isAuthorized").is_some()
}

/// What is wrong with an answer's shape.
fn misshapen(rules: &[ShapeRule], answer: &FunctionAnswer) -> Option<String> {
    let FunctionAnswer::Payload(payload) = answer else {
        return None;
    };
    if is_simple(answer) {
        return None;
    }
    let value: Value = serde_json::from_slice(payload).unwrap_or_default();
    let fault = rules
        .iter()
        .find_map(|rule| rule.fault(&value, payload.len()))?;
    Some(gateway::redacted(&fault, WORDS_MAX))
}

impl ShapeRule {
    fn fault(self, answer: &Value, bytes: usize) -> Option<String> {
        match self {
            Self::Action => strings(answer, "Action")
                .into_iter()
                .find(|action| !is_invoke(action))
                .map(|action| format!("Action {action} is not execute-api:Invoke")),
            Self::Context => match &answer["context"] {
                Value::Null => None,
                Value::Object(context) => context
                    .iter()
                    .find(|(_, value)| value.is_array() || value.is_object() || value.is_null())
                    .map(|(name, _)| format!("context.{name} is no string, number or Boolean")),
                _ => Some("context is no object".to_owned()),
            },
            Self::PrincipalId => match &answer["principalId"] {
                Value::String(id) if !id.is_empty() => None,
                Value::Null => Some("there is no principalId".to_owned()),
                _ => Some("principalId is no text, or empty".to_owned()),
            },
            Self::Size => (bytes > OUTPUT_BYTES_WEBSOCKET).then(|| {
                format!(
                    "the answer has {bytes} bytes, and at most {OUTPUT_BYTES_WEBSOCKET} are safe"
                )
            }),
            Self::Version => match &answer["policyDocument"]["Version"] {
                Value::String(version) if version == VERSION => None,
                other => Some(format!(
                    "policyDocument.Version is {other} in place of {VERSION:?}"
                )),
            },
        }
    }
}

fn is_invoke(action: &str) -> bool {
    let invoke = ["execute-api:invoke", "execute-api:*"];
    invoke.contains(&action.to_ascii_lowercase().as_str())
}

fn statements(answer: &Value) -> Vec<&Value> {
    match &answer["policyDocument"]["Statement"] {
        Value::Array(statements) => statements.iter().collect(),
        Value::Null => Vec::new(),
        one => vec![one],
    }
}

/// The texts of an element of all statements.
fn strings(answer: &Value, element: &str) -> Vec<String> {
    statements(answer)
        .into_iter()
        .flat_map(|statement| texts(&statement[element]))
        .collect()
}

fn texts(element: &Value) -> Vec<String> {
    match element {
        Value::String(text) => vec![text.clone()],
        Value::Array(items) => items
            .iter()
            .filter_map(Value::as_str)
            .map(str::to_owned)
            .collect(),
        _ => Vec::new(),
    }
}

/// What an answer says, in a line, for a report: no context, and no token.
fn told(answer: &FunctionAnswer) -> String {
    let payload = match answer {
        FunctionAnswer::Payload(payload) => payload,
        FunctionAnswer::Error { .. } if answer.is_unauthorized() => {
            return "the function failed with Unauthorized".to_owned();
        }
        FunctionAnswer::Error { .. } => {
            return "API Gateway answers 401 to the message Unauthorized alone, and 403 to a Deny"
                .to_owned();
        }
    };
    let value: Value = serde_json::from_slice(payload).unwrap_or_default();
    let said: Vec<String> = statements(&value)
        .into_iter()
        .map(|statement| {
            let (effect, resource) = (&statement["Effect"], texts(&statement["Resource"]));
            let effect = effect.as_str().unwrap_or("(no effect)");
            let resource = if resource.is_empty() {
                "(no Resource)".to_owned()
            } else {
                resource.join(", ")
            };
            format!("{effect} {resource}")
        })
        .collect();
    if said.is_empty() {
        return "the policy has no statement".to_owned();
    }
    let said = gateway::redacted(&said.join("; "), WORDS_MAX);
    format!("the policy says: {said}")
}
