//! HTTP/2: connections that users share, each request a stream of its own (RFC 9113). The framing is h2's.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use h2::client::{Builder, SendRequest};
use h2::{Reason, RecvStream};
use http::{Request, Response};
use tokio::sync::{OnceCell, SetOnce};

use super::http::HttpTarget;
use super::http1::{Head, Received};
use super::loss::{Loss, Lost};

/// Connections that a request is tried on at most: a server that renews them may do so twice in a row.
const CONNECTIONS_TRIED: usize = 3;

/// What a server may send of all answers, and of one, before it hears that it was read: an answer waits for none of it.
const CONNECTION_WINDOW: u32 = 8 * 1024 * 1024;
const STREAM_WINDOW: u32 = 2 * 1024 * 1024;

/// Streams at the same time until the server has said how many it takes: no server should take fewer (RFC 9113 §6.5.2).
const STREAMS_AT_FIRST: usize = 100;

/// How long it may take to learn why a connection has ended. It is known at once, unless the library still has something to send
/// to a server that reads no more; the wait is in the service time of what was lost.
const LAST_WORDS: Duration = Duration::from_millis(200);

/// The most of an answer's head, as over HTTP/1.1.
const HEAD_LIMIT: u32 = 64 * 1024;

/// A user's share of one connection, which is opened by whoever needs it first, and again when it is closed or silent.
#[derive(Debug, Clone, Default)]
pub(super) struct Http2 {
    attempt: Arc<Mutex<Arc<Attempt>>>,
    /// What the user waits for.
    asked: Option<Asked>,
}

/// A request that waits for its answer.
#[derive(Debug, Clone)]
struct Asked {
    attempt: Arc<Attempt>,
    /// The answers that had come over its connection before.
    answers: u64,
}

/// An attempt to open the connection. All who wait for it learn its outcome, and nobody begins another one meanwhile.
#[derive(Debug, Default)]
struct Attempt {
    outcome: OnceCell<Result<Open, Lost>>,
    /// Answers that have begun to come over the connection, to all users.
    answers: AtomicU64,
}

/// An open connection.
#[derive(Debug, Clone)]
struct Open {
    sender: SendRequest<Bytes>,
    /// Set when it is over; holds why, where the server has said so.
    ended: Arc<SetOnce<Option<Lost>>>,
}

impl Http2 {
    /// Opens the connection where it is not. A failure shows in who needs it.
    pub(super) async fn warm_up(&self, target: &HttpTarget) {
        let _ = self.attempt().open(target).await;
    }

    /// Asks once; `keep` says how much of the body is kept, where somebody wants it.
    pub(super) async fn ask(
        &mut self,
        target: &HttpTarget,
        request: &Request<Bytes>,
        keep: Option<usize>,
        set_up: &mut Option<Duration>,
    ) -> Result<Received, Lost> {
        let received = self.ask_open_ones(target, request, keep, set_up).await;
        // Held on to, a connection that others have given up would stay open.
        self.asked = None;
        received
    }

    /// What a server has not taken goes to another connection within the same wait, as clients send it.
    async fn ask_open_ones(
        &mut self,
        target: &HttpTarget,
        request: &Request<Bytes>,
        keep: Option<usize>,
        set_up: &mut Option<Duration>,
    ) -> Result<Received, Lost> {
        let mut not_taken = Lost::new(Loss::Unreachable, "no connection");
        for _ in 0..CONNECTIONS_TRIED {
            let attempt = self.attempt();
            let (open, took) = attempt.open(target).await?;
            *set_up = took.or(*set_up);
            self.asked = Some(Asked {
                answers: attempt.answers.load(Ordering::Relaxed),
                attempt: Arc::clone(&attempt),
            });
            match open.ask(request).await {
                Ok(response) => {
                    attempt.answers.fetch_add(1, Ordering::Relaxed);
                    return receive(response, keep).await;
                }
                Err(Unanswered::Lost(lost)) => return Err(lost),
                Err(Unanswered::NotTaken(lost)) => not_taken = lost,
            }
            self.give_up(&attempt);
        }
        Err(not_taken)
    }

    /// The request under way has been waited for long enough. Where nobody was answered over its connection meanwhile, nobody may
    /// ever be: the next request opens another, as over HTTP/1.1. Who still waits over this one goes on waiting.
    pub(super) fn time_out(&mut self) {
        if let Some(Asked { attempt, answers }) = self.asked.take()
            && attempt.answers.load(Ordering::Relaxed) == answers
        {
            self.give_up(&attempt);
        }
    }

    /// The attempt that is under way or has led to a connection that is open, or a new one.
    fn attempt(&self) -> Arc<Attempt> {
        let mut attempt = self.attempt.lock().unwrap_or_else(PoisonError::into_inner);
        if attempt.is_over() {
            *attempt = Arc::default();
        }
        Arc::clone(&attempt)
    }

    /// Another attempt is needed, unless somebody has begun one.
    fn give_up(&self, given_up: &Arc<Attempt>) {
        let mut attempt = self.attempt.lock().unwrap_or_else(PoisonError::into_inner);
        if Arc::ptr_eq(&attempt, given_up) {
            *attempt = Arc::default();
        }
    }
}

impl Attempt {
    fn is_over(&self) -> bool {
        self.outcome.get().is_some_and(|outcome| match outcome {
            Ok(open) => open.ended.initialized(),
            Err(_) => true,
        })
    }

    /// Opens the connection, or waits for whoever does; says how long it took where it was opened here. Where one gives up, another
    /// one that waits begins anew.
    async fn open(&self, target: &HttpTarget) -> Result<(Open, Option<Duration>), Lost> {
        let mut took = None;
        let connecting = async {
            let began = Instant::now();
            // Boxed: it is rare, and large in the future of every request.
            let opened = Box::pin(connect(target)).await;
            took = Some(began.elapsed());
            opened
        };
        let outcome = self.outcome.get_or_init(|| connecting).await;
        outcome.clone().map(|open| (open, took))
    }
}

async fn connect(target: &HttpTarget) -> Result<Open, Lost> {
    let stream = target.stream(true).await?;
    let mut builder = Builder::new();
    builder
        .enable_push(false)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .initial_window_size(STREAM_WINDOW)
        .initial_max_send_streams(STREAMS_AT_FIRST)
        .max_header_list_size(HEAD_LIMIT);
    let handshake = builder.handshake::<_, Bytes>(stream).await;
    let (sender, connection) = handshake.map_err(|error| Lost::http2(&error))?;
    let ended = Arc::new(SetOnce::new());
    let told = Arc::clone(&ended);
    tokio::spawn(async move {
        let lost = connection.await.err().map(|error| Lost::http2(&error));
        // Set here alone.
        let _ = told.set(lost);
    });
    Ok(Open { sender, ended })
}

/// A request without an answer.
enum Unanswered {
    Lost(Lost),
    /// The connection was closed before it was sent, or the server has said that it did not take it.
    NotTaken(Lost),
}

impl Open {
    /// Sends a request, and waits for the head of its answer.
    async fn ask(self, request: &Request<Bytes>) -> Result<Response<RecvStream>, Unanswered> {
        let ready = self.sender.ready().await;
        let sender = ready.map_err(|error| Unanswered::NotTaken(Lost::http2(&error)))?;
        let error = match exchange(sender, request).await {
            Ok(response) => return Ok(response),
            Err(error) => error,
        };
        let lost = Lost::http2(&error);
        // A GOAWAY without an error ends the streams alone that the server has not taken (RFC 9113 §6.8).
        if lost.loss == Loss::GoAway && error.reason() == Some(Reason::NO_ERROR) {
            return Err(Unanswered::NotTaken(lost));
        }
        // Streams end with their connection without a word of their own. Where the server has said why it ended, that is told.
        if lost.loss == Loss::Closed
            && let Ok(Some(told)) = tokio::time::timeout(LAST_WORDS, self.ended.wait()).await
        {
            return Err(Unanswered::Lost(told.clone()));
        }
        Err(Unanswered::Lost(lost))
    }
}

async fn exchange(
    mut sender: SendRequest<Bytes>,
    request: &Request<Bytes>,
) -> Result<Response<RecvStream>, h2::Error> {
    let (head, body) = request.clone().into_parts();
    let bodiless = body.is_empty();
    let (response, mut sending) = sender.send_request(Request::from_parts(head, ()), bodiless)?;
    if !bodiless {
        // What cannot be sent shows in the answer, which may come before all of it has been.
        let _ = sending.send_data(body, true);
    }
    response.await
}

/// Reads an answer to its end. A refusal may be cut off: its status has said what there was to say.
async fn receive(response: Response<RecvStream>, keep: Option<usize>) -> Result<Received, Lost> {
    let (head, mut body) = response.into_parts();
    let mut kept = Vec::new();
    let read = read(&mut body, &mut kept, keep).await;
    let finished = Instant::now();
    match read {
        Err(lost) if lost.loss == Loss::Malformed || !head.status.is_client_error() => {
            return Err(lost);
        }
        Ok(()) | Err(_) => {}
    }
    Ok(Received {
        head: Head::framed(head.status.as_u16(), head.headers),
        body: kept.into(),
        finished,
        reusable: true,
    })
}

async fn read(body: &mut RecvStream, kept: &mut Vec<u8>, keep: Option<usize>) -> Result<(), Lost> {
    let lost = |error: &h2::Error| Lost::http2(error).in_the_body();
    while let Some(data) = body.data().await {
        let data = data.map_err(|error| lost(&error))?;
        if let Some(most) = keep {
            kept.extend_from_slice(&data);
            if kept.len() > most {
                let reason = format!("the answer's body is longer than {most} bytes");
                return Err(Lost::new(Loss::Malformed, reason));
            }
        }
        // It fails of a stream that is over, which needs no window.
        let _ = body.flow_control().release_capacity(data.len());
    }
    body.trailers().await.map_err(|error| lost(&error))?;
    Ok(())
}

#[cfg(test)]
mod tests;
