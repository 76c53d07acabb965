//! A Lambda authorizer asked by its events, with no gateway in between: the gateway's own rules judge its answer.

use std::sync::Arc;
use std::time::Instant;

use gateway::decision::{self, Refusal};
use gateway::{Function, FunctionAnswer};
use serde_json::Value;
use tokio::sync::Semaphore;

use super::event::{Event, EventForm};
use super::in_process::InProcessTarget;
use super::invoke::{Endpoint, EndpointConnection};
use super::loss::{Loss, Lost};
use super::{CacheVerdict, Decision, Observation, PreparedRequest, Said};
use crate::clock::unix_now;

/// Bytes of a function's own words that a message shows.
pub(crate) const WORDS_MAX: usize = 300;

/// A function and the form of the events that it takes.
#[derive(Debug)]
pub struct FunctionTarget {
    invoker: Invoker,
    form: EventForm,
    /// One permit for each event that may be under way.
    turns: Semaphore,
}

/// How an event reaches the function.
#[derive(Debug)]
pub enum Invoker {
    /// An endpoint as the Lambda Runtime Interface Emulator has it.
    Endpoint(Endpoint),
    /// Our own authorizer in this process.
    InProcess(Box<InProcessTarget>),
    /// Processes that speak the Runtime API.
    Processes(Arc<Function>),
}

/// What came of an event.
struct Invoked {
    answer: FunctionAnswer,
    finished: Instant,
    cold: bool,
}

/// What API Gateway makes of an answer.
#[derive(Debug)]
pub(crate) struct Judged {
    pub(crate) status: u16,
    pub(crate) rule: &'static str,
    /// Why there is no decision, in the function's own words, without tokens.
    pub(crate) fault: Option<String>,
}

impl FunctionTarget {
    /// A function that is asked by events of this form.
    pub fn new(invoker: Invoker, form: EventForm) -> Self {
        let at_once = match &invoker {
            Invoker::Endpoint(endpoint) => endpoint.at_once,
            // Both take what comes: one is a function call, the other has a queue.
            Invoker::InProcess(_) | Invoker::Processes(_) => Semaphore::MAX_PERMITS,
        };
        Self {
            invoker,
            form,
            turns: Semaphore::new(at_once),
        }
    }

    /// The form of its events.
    pub fn form(&self) -> EventForm {
        self.form
    }

    /// Whose clock is ours.
    pub(super) fn in_process(&self) -> Option<&InProcessTarget> {
        match &self.invoker {
            Invoker::InProcess(target) => Some(target),
            Invoker::Endpoint(_) | Invoker::Processes(_) => None,
        }
    }
}

/// One user's way to a function.
#[derive(Debug)]
pub struct FunctionConnection {
    target: Arc<FunctionTarget>,
    endpoint: Option<EndpointConnection>,
}

impl FunctionConnection {
    pub(super) fn new(target: Arc<FunctionTarget>) -> Self {
        let endpoint = match &target.invoker {
            Invoker::Endpoint(endpoint) => Some(EndpointConnection::new(endpoint.clone())),
            Invoker::InProcess(_) | Invoker::Processes(_) => None,
        };
        Self { target, endpoint }
    }

    /// Asks once, and keeps what the function said.
    pub(super) async fn call(&mut self, request: &PreparedRequest) -> (Observation, Said) {
        let Some(event) = request.event() else {
            let sent = Instant::now();
            let missing = Refusal::identity_missing();
            let judged = Judged {
                status: missing.status(),
                rule: missing.rule().id(),
                fault: None,
            };
            return (judged.observation(sent, sent, false), Said::Nothing);
        };
        let target = Arc::clone(&self.target);
        // The semaphore is never closed. A wait for one's turn is the bench's, and no service time.
        let _turn = target.turns.acquire().await;
        let sent = Instant::now();
        match self.invoke(event).await {
            Ok(invoked) => {
                let judged = judge(&invoked.answer, event.form, &event.method_arn);
                let seen = judged.observation(sent, invoked.finished, invoked.cold);
                (seen, Said::Answer(invoked.answer))
            }
            Err(lost) => (Observation::lost(lost, sent), Said::Nothing),
        }
    }

    async fn invoke(&mut self, event: &Event) -> Result<Invoked, Lost> {
        let now = |answer| Invoked {
            answer,
            finished: Instant::now(),
            cold: false,
        };
        match &self.target.invoker {
            Invoker::InProcess(target) => Ok(now(target.answer(&event.payload).await)),
            Invoker::Processes(function) => {
                let invocation = function
                    .invoke(event.payload.clone())
                    .await
                    .map_err(|error| Lost::new(Loss::NoDecision, error.to_string()))?;
                Ok(Invoked {
                    answer: invocation.answer().clone(),
                    finished: invocation.answered(),
                    cold: invocation.cold_start().is_some(),
                })
            }
            Invoker::Endpoint(_) => match &mut self.endpoint {
                Some(connection) => connection.invoke(event.payload.clone()).await.map(now),
                None => Err(Lost::new(Loss::Unreachable, "no connection")),
            },
        }
    }
}

/// What API Gateway makes of an answer, for a method ARN that need not be the event's own: a cached policy is evaluated for
/// every one of the stage.
pub(crate) fn judge(answer: &FunctionAnswer, form: EventForm, method_arn: &str) -> Judged {
    if form == EventForm::Http2
        && let Some(authorized) = simple(answer)
    {
        let (status, rule) = if authorized {
            (200, decision::Rule::Allow.id())
        } else {
            (403, decision::Rule::Deny.id())
        };
        return Judged {
            status,
            rule,
            fault: None,
        };
    }
    let decided = decision::decide(answer, method_arn, unix_now());
    let fault = match answer {
        FunctionAnswer::Error {
            message,
            error_type,
        } if !answer.is_unauthorized() => {
            let words = gateway::redacted(&format!("{error_type}: {message}"), WORDS_MAX);
            Some(format!("the function failed with {words}"))
        }
        FunctionAnswer::Error { .. } => None,
        FunctionAnswer::Payload(_) => decided
            .refusal()
            .and_then(Refusal::detail)
            .map(|detail| format!("the answer is no authorizer output: {detail}")),
    };
    Judged {
        // What the back end behind an Allow answers.
        status: decided.refusal().map_or(200, Refusal::status),
        rule: decided.rule(),
        fault,
    }
}

/// `isAuthorized` of a simple response ("Control access to HTTP APIs with AWS Lambda authorizers").
fn simple(answer: &FunctionAnswer) -> Option<bool> {
    let FunctionAnswer::Payload(payload) = answer else {
        return None;
    };
    let answer: Value = serde_json::from_slice(payload).ok()?;
    answer.get("isAuthorized")?.as_bool()
}

impl Judged {
    pub(crate) fn observation(self, sent: Instant, finished: Instant, cold: bool) -> Observation {
        Observation {
            decision: Decision::from_status(self.status),
            status: Some(self.status),
            rule: Some(self.rule.to_owned()),
            cache: CacheVerdict::None,
            cold,
            loss: self.fault.is_some().then_some(Loss::NoDecision),
            fault: self.fault,
            set_up: None,
            sent,
            finished,
            answer: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;
    use std::sync::atomic::Ordering::SeqCst;
    use std::time::Duration;

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;
    use tokio::task::JoinSet;

    use super::*;
    use crate::target::{RequestShape, Target};

    #[test]
    fn a_simple_response_counts_in_payload_2_alone() {
        let answer = |text: &str| FunctionAnswer::Payload(text.to_owned().into());
        let arn = gateway::PLANETS_ARN;
        for (text, form, want) in [
            (r#"{"isAuthorized":true}"#, EventForm::Http2, 200),
            (r#"{"isAuthorized":false}"#, EventForm::Http2, 403),
            (r#"{"isAuthorized":"true"}"#, EventForm::Http2, 500),
            (r#"{"isAuthorized":true}"#, EventForm::Http1, 500),
            (r#"{"isAuthorized":true}"#, EventForm::Request, 500),
        ] {
            assert_eq!(
                judge(&answer(text), form, arn).status,
                want,
                "{text} {form:?}"
            );
        }
    }

    #[test]
    fn a_failure_is_told_in_the_function_s_words_without_a_token() {
        let failed = |message: &str| FunctionAnswer::Error {
            message: message.to_owned(),
            error_type: "Error".to_owned(),
        };
        let judged = judge(
            &failed("bad eyJhbGciOiJSUzI1NiJ9.e30.AA"),
            EventForm::Token,
            gateway::PLANETS_ARN,
        );
        assert_eq!(judged.status, 500);
        assert_eq!(
            judged.fault.as_deref(),
            Some("the function failed with Error: bad [token]")
        );
        let refused = judge(
            &failed("Unauthorized"),
            EventForm::Token,
            gateway::PLANETS_ARN,
        );
        assert_eq!((refused.status, refused.fault), (401, None));
    }
    /// Serves events that each take a while, and remembers how many were under way at the same time.
    async fn slow_endpoint(at_once: usize) -> (Endpoint, Arc<AtomicUsize>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let authority = listener.local_addr().expect("an address").to_string();
        let (under_way, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let seen = Arc::clone(&most);
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let (under_way, most) = (Arc::clone(&under_way), Arc::clone(&seen));
                tokio::spawn(async move {
                    let mut bytes = Vec::new();
                    while !bytes.ends_with(b"}") {
                        stream.read_buf(&mut bytes).await.expect("a request");
                    }
                    most.fetch_max(under_way.fetch_add(1, SeqCst) + 1, SeqCst);
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    under_way.fetch_sub(1, SeqCst);
                    let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}";
                    stream.write_all(answer).await.expect("a client");
                });
            }
        });
        let path = "/".to_owned();
        let endpoint = Endpoint {
            authority,
            path,
            at_once,
        };
        (endpoint, most)
    }

    #[tokio::test]
    async fn no_more_events_are_under_way_than_the_endpoint_takes() {
        for at_once in [1, 3] {
            let (endpoint, most) = slow_endpoint(at_once).await;
            let target = FunctionTarget::new(Invoker::Endpoint(endpoint), EventForm::Token);
            let target = Target::Function(Arc::new(target));
            let request = target
                .prepare(&RequestShape::default(), "t")
                .expect("a plain request");
            let mut calls = JoinSet::new();
            for _ in 0..4 {
                let (mut connection, request) = (target.connection(), request.clone());
                calls.spawn(async move { connection.call(&request).await });
            }
            let answers = calls.join_all().await;
            assert!(answers.iter().all(|answer| answer.status == Some(500)));
            assert_eq!(most.load(SeqCst), at_once);
        }
    }
}
