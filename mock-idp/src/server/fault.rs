//! What an issuer that is out of order answers for its keys.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use hyper::body::{Body as HttpBody, Frame};
use serde::Deserialize;
use tokio::time::Sleep;

use super::json_response;
use super::listener::Hangup;

/// Twice the longest wait of whoever asks a verifier, and short enough that one which waits to the end is asked again soon.
const SILENCE: Duration = Duration::from_secs(20);

/// Of a body that drips: a byte each time, so that a deadline between two reads never passes, and one of the whole does.
const DRIP_PAUSE: Duration = Duration::from_millis(100);

/// Bytes that drip before the connection ends: 20 s, less than any key set has.
const DRIP_BYTES: usize = 200;

/// What is written of a truncated body has to be on its way before the connection is closed.
const TRUNCATION_PAUSE: Duration = Duration::from_millis(20);

/// How the issuer fails to answer for its keys.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum JwksFault {
    /// Status 200 with this text in place of the key set.
    Body(String),
    /// The connection is closed in place of an answer.
    Close,
    /// Status 200 with a login page.
    Html,
    /// Status 302 to this URL.
    Redirect(String),
    /// Status 200 with bytes that are no text.
    Rubbish,
    /// The request is taken, and no answer comes for 20 s.
    Silent,
    /// Status 200 with a key set that comes a byte at a time, for 20 s.
    Slow,
    /// This status, from 100 on, without a key set.
    Status(u16),
    /// Status 200 with the first half of the key set, and then the connection is closed.
    Truncated,
}

impl JwksFault {
    /// The name of its kind, as recipes of trouble write it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Body(_) => "body",
            Self::Close => "close",
            Self::Html => "html",
            Self::Redirect(_) => "redirect",
            Self::Rubbish => "rubbish",
            Self::Silent => "silent",
            Self::Slow => "slow",
            Self::Status(_) => "status",
            Self::Truncated => "truncated",
        }
    }

    /// The status that is sent; `None` where the connection ends without one.
    pub(super) fn status(&self) -> Option<u16> {
        match self {
            Self::Close | Self::Silent => None,
            Self::Redirect(_) => Some(StatusCode::FOUND.as_u16()),
            Self::Status(status) => Some(self::status(*status).as_u16()),
            Self::Body(_) | Self::Html | Self::Rubbish | Self::Slow | Self::Truncated => Some(200),
        }
    }

    /// The answer in place of `document`.
    pub(super) async fn answer(&self, document: Bytes) -> Result<Response, Hangup> {
        match self {
            Self::Body(text) => Ok(json_response(StatusCode::OK, Bytes::from(text.clone()))),
            Self::Close => Err(Hangup),
            Self::Html => Ok(html()),
            Self::Redirect(url) => Ok(redirect(url)),
            Self::Rubbish => Ok(json_response(
                StatusCode::OK,
                Bytes::from_static(b"\xff\xfe\x00{\"keys\":\x80"),
            )),
            Self::Silent => {
                tokio::time::sleep(SILENCE).await;
                Err(Hangup)
            }
            Self::Slow => Ok(unfinished(&document, DRIP_BYTES, 1, DRIP_PAUSE)),
            Self::Status(status) => Ok(json_response(
                self::status(*status),
                Bytes::from_static(br#"{"error":"temporarily_unavailable"}"#),
            )),
            Self::Truncated => {
                let half = document.len() / 2;
                Ok(unfinished(&document, half, half.max(1), TRUNCATION_PAUSE))
            }
        }
    }
}

/// A status that HTTP has (RFC 9110 §15), and 500 for a number that is none.
fn status(number: u16) -> StatusCode {
    StatusCode::from_u16(number).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

fn html() -> Response {
    let page = b"<!DOCTYPE html><title>Sign in</title><form method=post></form>";
    let mut response = json_response(StatusCode::OK, Bytes::from_static(page));
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("text/html; charset=utf-8"),
    );
    response
}

pub(super) fn redirect(url: &str) -> Response {
    let mut response = json_response(StatusCode::FOUND, Bytes::new());
    // A text that no header can hold gives a redirect to nowhere, which is a fault as good as any.
    if let Ok(location) = HeaderValue::from_str(url) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    response
}

/// An answer that promises the whole document and gives its first `sent` bytes.
fn unfinished(document: &Bytes, sent: usize, step: usize, pause: Duration) -> Response {
    let drip = Drip {
        left: document.slice(..sent.min(document.len())),
        step,
        pause,
        sleep: Box::pin(tokio::time::sleep(Duration::ZERO)),
    };
    let mut response = json_response(StatusCode::OK, Bytes::new());
    response
        .headers_mut()
        .insert(header::CONTENT_LENGTH, HeaderValue::from(document.len()));
    *response.body_mut() = Body::new(drip);
    response
}

/// A body of a few bytes at a time that ends in a closed connection.
struct Drip {
    left: Bytes,
    step: usize,
    pause: Duration,
    sleep: Pin<Box<Sleep>>,
}

impl HttpBody for Drip {
    type Data = Bytes;
    type Error = Hangup;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Hangup>>> {
        std::task::ready!(self.sleep.as_mut().poll(context));
        if self.left.is_empty() {
            return Poll::Ready(Some(Err(Hangup)));
        }
        let next = tokio::time::Instant::now() + self.pause;
        self.sleep.as_mut().reset(next);
        let step = self.step.min(self.left.len());
        Poll::Ready(Some(Ok(Frame::data(self.left.split_to(step)))))
    }
}
