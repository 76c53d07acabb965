//! HTTP/2: connections that users share, each request a stream of its own (RFC 9113). The framing is hyper's.

use std::error::Error as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http2::{self, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::sync::Mutex;

use super::http::HttpTarget;
use super::http1::{Head, Received};
use super::loss::{Loss, Lost};

/// One connection, opened by whoever needs it first and again when it is closed.
#[derive(Debug, Clone, Default)]
pub(super) struct Http2 {
    sender: Arc<Mutex<Option<SendRequest<Full<Bytes>>>>>,
}

impl Http2 {
    /// Makes sure that there is a connection; says how long it took where one was opened.
    pub(super) async fn open(
        &self,
        target: &HttpTarget,
    ) -> Result<(SendRequest<Full<Bytes>>, Option<Duration>), Lost> {
        let mut sender = self.sender.lock().await;
        if let Some(open) = sender.as_ref().filter(|sender| !sender.is_closed()) {
            return Ok((open.clone(), None));
        }
        let began = Instant::now();
        let stream = target.stream().await?;
        let (opened, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
            .await
            .map_err(|error| lost(&error))?;
        tokio::spawn(connection);
        *sender = Some(opened.clone());
        Ok((opened, Some(began.elapsed())))
    }

    /// Asks once; `keep` says how much of the body is kept, where somebody wants it.
    pub(super) async fn exchange(
        mut sender: SendRequest<Full<Bytes>>,
        request: Request<Full<Bytes>>,
        keep: Option<usize>,
    ) -> Result<Received, Lost> {
        sender.ready().await.map_err(|error| lost(&error))?;
        let response = sender
            .send_request(request)
            .await
            .map_err(|error| lost(&error))?;
        let (head, mut body) = response.into_parts();
        let mut kept = Vec::new();
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|error| {
                Lost::new(Loss::HalfAnswer, format!("the answer's body: {error}"))
            })?;
            if let (Some(data), Some(most)) = (frame.data_ref(), keep) {
                kept.extend_from_slice(data);
                if kept.len() > most {
                    let reason = format!("the answer's body is longer than {most} bytes");
                    return Err(Lost::new(Loss::Malformed, reason));
                }
            }
        }
        let finished = Instant::now();
        Ok(Received {
            head: Head::framed(head.status.as_u16(), head.headers),
            body: kept.into(),
            finished,
            reusable: true,
        })
    }
}

/// What became of a request, from the first cause.
fn lost(error: &hyper::Error) -> Lost {
    let mut reason = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        if let Some(broken) = cause.downcast_ref::<std::io::Error>() {
            return Lost::broken(broken);
        }
        reason = format!("{reason}: {cause}");
        source = cause.source();
    }
    let loss = if error.is_closed() || error.is_canceled() {
        Loss::Closed
    } else {
        Loss::Malformed
    };
    Lost::new(loss, reason)
}
