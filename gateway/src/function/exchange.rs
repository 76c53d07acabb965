//! What the Runtime API of one environment allows when: the state machine, without HTTP.
//!
//! Every transition that is not listed is refused, as in AWS's emulator (aws-lambda-rie, `internal/lambda/rapi`). There
//! is one exchange for each process, so an answer that comes too late has nobody else's event to reach; within one
//! process the request id and the nonce of the invocation keep it away.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Instant;

use bytes::Bytes;
use tokio::sync::{Notify, oneshot};

use crate::decision::FunctionAnswer;

/// One event on its way.
#[derive(Debug)]
pub(super) struct Event {
    pub(super) request_id: String,
    /// `Lambda-Runtime-Invocation-Id`: a client that sends it back is checked by it.
    pub(super) nonce: String,
    pub(super) trace_id: String,
    /// Milliseconds since the epoch.
    pub(super) deadline_ms: u128,
    pub(super) payload: Bytes,
}

/// Why a call of the Runtime API is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refused {
    /// Not the current invocation, or one that is answered: 400 `InvalidRequestID`.
    RequestId,
    /// Not now: 403 `InvalidStateTransition`.
    StateTransition,
}

/// How INIT ended.
#[derive(Debug)]
pub(super) enum Init {
    Failed(FunctionAnswer),
    Ready(Instant),
}

/// An answer and when its last byte had been read.
#[derive(Debug)]
pub(super) struct Answered {
    pub(super) answer: FunctionAnswer,
    pub(super) at: Instant,
}

#[derive(Debug)]
pub(super) struct Exchange {
    state: Mutex<State>,
    dispatched: Notify,
}

#[derive(Debug)]
struct State {
    phase: Phase,
    /// Whether a `/next` is waiting.
    asked: bool,
    /// An event that no `/next` has taken yet.
    pending: Option<Arc<Event>>,
    init: Option<oneshot::Sender<Init>>,
    answer: Option<oneshot::Sender<Answered>>,
}

#[derive(Debug, Clone)]
enum Phase {
    /// The body of an answer is being read.
    Answering(Arc<Event>),
    InitError,
    Ready,
    ResponseSent,
    Running(Arc<Event>),
    Started,
}

impl Exchange {
    pub(super) fn new() -> (Self, oneshot::Receiver<Init>) {
        let (init, ended) = oneshot::channel();
        let state = State {
            phase: Phase::Started,
            asked: false,
            pending: None,
            init: Some(init),
            answer: None,
        };
        (
            Self {
                state: Mutex::new(state),
                dispatched: Notify::new(),
            },
            ended,
        )
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no holder of this lock panics")
    }

    /// Hands in an event. The environment is idle: its last event, if any, is answered.
    pub(super) fn dispatch(&self, event: Event) -> oneshot::Receiver<Answered> {
        let (sender, receiver) = oneshot::channel();
        let mut state = self.state();
        state.pending = Some(Arc::new(event));
        state.answer = Some(sender);
        drop(state);
        self.dispatched.notify_one();
        receiver
    }

    /// Whether the process has seen the event that was handed in last.
    pub(super) fn event_was_taken(&self) -> bool {
        self.state().pending.is_none()
    }

    /// `GET /next`: waits for an event. A repeated call gets the same event again, as a client may have lost it.
    pub(super) async fn next(&self, now: Instant) -> Result<Arc<Event>, Refused> {
        self.ask(now)?;
        let _asked = Asked(self);
        loop {
            let dispatched = self.dispatched.notified();
            if let Some(event) = self.take() {
                return Ok(event);
            }
            dispatched.await;
        }
    }

    fn ask(&self, now: Instant) -> Result<(), Refused> {
        let mut state = self.state();
        match state.phase {
            Phase::Started => {
                state.phase = Phase::Ready;
                if let Some(init) = state.init.take() {
                    // Nobody waits any more when INIT took too long.
                    let _ = init.send(Init::Ready(now));
                }
            }
            Phase::ResponseSent => state.phase = Phase::Ready,
            // A client whose connection broke asks again; one that asks twice at once is refused.
            Phase::Ready if !state.asked => {}
            Phase::Running(_) => {}
            Phase::Answering(_) | Phase::InitError | Phase::Ready => {
                return Err(Refused::StateTransition);
            }
        }
        state.asked = true;
        Ok(())
    }

    fn take(&self) -> Option<Arc<Event>> {
        let mut state = self.state();
        if let Phase::Running(event) = &state.phase {
            return Some(Arc::clone(event));
        }
        let event = state.pending.take()?;
        state.phase = Phase::Running(Arc::clone(&event));
        Some(event)
    }

    /// `POST /{id}/response` or `/{id}/error`: from here on the body is read. Dropping what this returns without an
    /// answer lets the client try again.
    pub(super) fn begin_answer(
        &self,
        request_id: &str,
        nonce: Option<&str>,
    ) -> Result<Answering<'_>, Refused> {
        let mut state = self.state();
        let Phase::Running(event) = &state.phase else {
            return Err(Refused::StateTransition);
        };
        if event.request_id != request_id || nonce.is_some_and(|nonce| nonce != event.nonce) {
            return Err(Refused::RequestId);
        }
        state.phase = Phase::Answering(Arc::clone(event));
        Ok(Answering { exchange: self })
    }

    /// `POST /init/error`.
    pub(super) fn fail_init(&self, answer: FunctionAnswer) -> Result<(), Refused> {
        let mut state = self.state();
        let Phase::Started = state.phase else {
            return Err(Refused::StateTransition);
        };
        state.phase = Phase::InitError;
        if let Some(init) = state.init.take() {
            // Nobody waits any more when INIT took too long.
            let _ = init.send(Init::Failed(answer));
        }
        Ok(())
    }
}

/// A waiting `/next`. Dropping it, with the connection, makes room for the client's next try.
struct Asked<'a>(&'a Exchange);

impl Drop for Asked<'_> {
    fn drop(&mut self) {
        self.0.state().asked = false;
    }
}

/// An answer whose body is being read.
pub(super) struct Answering<'a> {
    exchange: &'a Exchange,
}

impl Answering<'_> {
    /// The answer is whole: it goes to the caller now, not with the next `/next`.
    pub(super) fn finish(self, answer: FunctionAnswer, at: Instant) {
        let mut state = self.exchange.state();
        state.phase = Phase::ResponseSent;
        if let Some(sender) = state.answer.take() {
            // Nobody waits any more when the invocation ran out of time.
            let _ = sender.send(Answered { answer, at });
        }
    }
}

impl Drop for Answering<'_> {
    fn drop(&mut self) {
        let mut state = self.exchange.state();
        if let Phase::Answering(event) = &state.phase {
            state.phase = Phase::Running(Arc::clone(event));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(request_id: &str) -> Event {
        Event {
            request_id: request_id.to_owned(),
            nonce: format!("nonce of {request_id}"),
            trace_id: String::new(),
            deadline_ms: 0,
            payload: Bytes::from_static(b"{}"),
        }
    }

    fn payload() -> FunctionAnswer {
        FunctionAnswer::Payload(Bytes::from_static(b"1"))
    }

    /// An exchange whose process has taken the event `a`.
    async fn running() -> (Exchange, oneshot::Receiver<Answered>) {
        let (exchange, _init) = Exchange::new();
        let answered = exchange.dispatch(event("a"));
        exchange.next(Instant::now()).await.unwrap();
        (exchange, answered)
    }

    #[tokio::test]
    async fn the_first_next_ends_init_and_an_answer_reaches_its_caller_before_the_next_one() {
        let (exchange, init) = Exchange::new();
        let answered = exchange.dispatch(event("a"));
        assert!(!exchange.event_was_taken());
        assert_eq!(exchange.next(Instant::now()).await.unwrap().request_id, "a");
        assert!(matches!(init.await, Ok(Init::Ready(_))));
        assert!(exchange.event_was_taken());
        exchange
            .begin_answer("a", Some("nonce of a"))
            .unwrap()
            .finish(payload(), Instant::now());
        assert_eq!(answered.await.unwrap().answer, payload());
    }

    #[tokio::test]
    async fn a_repeated_next_gets_the_same_event() {
        let (exchange, _answered) = running().await;
        assert_eq!(exchange.next(Instant::now()).await.unwrap().request_id, "a");
    }

    #[tokio::test]
    async fn an_answer_is_taken_once_and_only_for_the_current_invocation() {
        let (exchange, _answered) = running().await;
        for (request_id, nonce) in [
            ("b", None),
            ("b", Some("nonce of a")),
            ("a", Some("nonce of b")),
        ] {
            assert_eq!(
                exchange.begin_answer(request_id, nonce).err(),
                Some(Refused::RequestId)
            );
        }
        exchange
            .begin_answer("a", None)
            .unwrap()
            .finish(payload(), Instant::now());
        assert_eq!(
            exchange.begin_answer("a", None).err(),
            Some(Refused::StateTransition)
        );
        let _second = exchange.dispatch(event("b"));
        exchange.next(Instant::now()).await.unwrap();
        assert_eq!(
            exchange.begin_answer("a", Some("nonce of a")).err(),
            Some(Refused::RequestId)
        );
    }

    #[tokio::test]
    async fn an_answer_that_breaks_off_can_be_sent_again() {
        let (exchange, answered) = running().await;
        drop(exchange.begin_answer("a", None).unwrap());
        exchange
            .begin_answer("a", None)
            .unwrap()
            .finish(payload(), Instant::now());
        assert_eq!(answered.await.unwrap().answer, payload());
    }

    #[tokio::test]
    async fn what_is_not_a_listed_transition_is_refused() {
        let (exchange, init) = Exchange::new();
        assert_eq!(
            exchange.begin_answer("a", None).err(),
            Some(Refused::StateTransition)
        );
        exchange.fail_init(payload()).unwrap();
        assert!(matches!(init.await, Ok(Init::Failed(_))));
        assert_eq!(exchange.fail_init(payload()), Err(Refused::StateTransition));
        assert_eq!(
            exchange.next(Instant::now()).await.err(),
            Some(Refused::StateTransition)
        );
        let (exchange, _answered) = running().await;
        assert_eq!(exchange.fail_init(payload()), Err(Refused::StateTransition));
        let _answering = exchange.begin_answer("a", None).unwrap();
        assert_eq!(
            exchange.next(Instant::now()).await.err(),
            Some(Refused::StateTransition)
        );
    }

    #[tokio::test]
    async fn two_waiting_nexts_are_one_too_many_but_a_dropped_one_makes_room() {
        let (exchange, _init) = Exchange::new();
        let waiting = exchange.next(Instant::now());
        tokio::pin!(waiting);
        assert!(futures_pending(waiting.as_mut()).await);
        assert_eq!(
            exchange.next(Instant::now()).await.err(),
            Some(Refused::StateTransition)
        );
        let (exchange, _init) = Exchange::new();
        {
            let dropped = exchange.next(Instant::now());
            tokio::pin!(dropped);
            assert!(futures_pending(dropped.as_mut()).await);
        }
        let _answered = exchange.dispatch(event("a"));
        assert!(exchange.next(Instant::now()).await.is_ok());
    }

    /// Polls once.
    async fn futures_pending(future: std::pin::Pin<&mut impl Future>) -> bool {
        let mut future = Some(future);
        std::future::poll_fn(|context| {
            let polled = future
                .take()
                .map(|future| future.poll(context).is_pending());
            std::task::Poll::Ready(polled.unwrap_or(false))
        })
        .await
    }
}
