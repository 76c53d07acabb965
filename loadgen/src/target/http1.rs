//! One HTTP/1.1 connection: a request's bytes are written as they are, and its one answer is read to its end.
//!
//! An HTTP library in between would write names in its own case, join duplicates and refuse control bytes. It would also want
//! a request of its own for each send, and hand it to a task and its answer back. The answer is read strictly; everything about
//! it has a bound.

use std::future::poll_fn;
use std::io::{self, ErrorKind};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::loss::{Loss, Lost};
use head::Asked;

pub(super) use head::Head;

mod body;
mod head;

/// The most that is read of an answer's head; servers allow themselves 8 to 64 KB.
const HEAD_LIMIT: usize = 64 * 1024;

/// What a connection reads into at first: most answers are shorter, and a thousand connections hold one each.
const BUFFER: usize = 4 * 1024;

/// An open connection, between two answers or in one.
#[derive(Debug)]
pub(super) struct Http1<S> {
    stream: S,
    buffer: Buffer,
    /// When the last bytes came.
    came: Instant,
}

/// An answer, read to its last byte.
#[derive(Debug)]
pub(super) struct Received {
    pub(super) head: Head,
    /// Its body, where somebody wants it.
    pub(super) body: Bytes,
    /// When its last byte had been read, before anything was looked at.
    pub(super) finished: Instant,
    /// Whether the connection can take another request.
    pub(super) reusable: bool,
}

/// Bytes that have been read and not used yet.
#[derive(Debug)]
struct Buffer {
    bytes: Vec<u8>,
    start: usize,
    end: usize,
}

/// A request on its way.
#[derive(Debug)]
struct Sending<'a> {
    unsent: &'a [u8],
    failure: Option<io::Error>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Http1<S> {
    pub(super) fn new(stream: S) -> Self {
        Self {
            stream,
            buffer: Buffer::new(),
            came: Instant::now(),
        }
    }

    /// Whether nothing has come since the last answer: no end of the connection, and no answer that nobody asked for.
    pub(super) async fn is_idle(&mut self) -> bool {
        let mut nothing = Sending::of(&[]);
        poll_fn(|context| Poll::Ready(self.poll_more(context, &mut nothing).is_pending())).await
    }

    /// Sends a request and reads its answer. A server that refuses early may close while the rest is being sent: what
    /// cannot be written is left to the reading, which finds the answer, or that there is none.
    ///
    /// `keep` says how much of the body is kept at most, where somebody wants fields and body; a longer one is no answer then.
    /// What is not kept is bounded by the longest wait alone.
    pub(super) async fn exchange(
        &mut self,
        request: &[u8],
        keep: Option<usize>,
    ) -> Result<Received, Lost> {
        let asked = Asked {
            head_only: request.starts_with(b"HEAD "),
            keep: keep.is_some(),
        };
        let mut sending = Sending::of(request);
        let answer = self.answer(&mut sending, asked, keep).await;
        answer.map_err(|lost| match sending.failure {
            None => lost,
            Some(error) => Lost::new(
                Loss::Reset,
                format!("the request could not be written: {error}; {}", lost.reason),
            ),
        })
    }

    async fn answer(
        &mut self,
        sending: &mut Sending<'_>,
        asked: Asked,
        keep: Option<usize>,
    ) -> Result<Received, Lost> {
        let mut head = self.head(sending, asked).await?;
        let mut kept = Vec::new();
        let into = keep.map(|most| (&mut kept, most));
        let whole = self.body(sending, &mut head, into).await?;
        let reusable = whole
            && head.persistent
            && sending.unsent.is_empty()
            && self.buffer.unread().is_empty();
        Ok(Received {
            head,
            body: kept.into(),
            finished: self.came,
            reusable,
        })
    }

    async fn head(&mut self, sending: &mut Sending<'_>, asked: Asked) -> Result<Head, Lost> {
        let mut any = false;
        loop {
            let unread = self.buffer.unread();
            let parsed = match unread {
                [] => None,
                bytes => Head::parse(bytes, asked)
                    .map_err(|reason| Lost::new(Loss::Malformed, reason))?,
            };
            match parsed {
                Some((head, length)) => {
                    self.buffer.take(length);
                    if !head.is_interim() {
                        return Ok(head);
                    }
                }
                None if unread.len() >= HEAD_LIMIT => {
                    let reason = format!("the answer's head is longer than {HEAD_LIMIT} bytes");
                    return Err(Lost::new(Loss::Malformed, reason));
                }
                None => match self.more(sending).await {
                    Ok(0) if any => {
                        let reason = "the connection was closed in the answer's head";
                        return Err(Lost::new(Loss::HalfAnswer, reason));
                    }
                    Ok(0) => {
                        let reason = "the connection was closed without an answer";
                        return Err(Lost::new(Loss::Closed, reason));
                    }
                    Ok(_) => any = true,
                    Err(error) => return Err(Lost::broken(&error)),
                },
            }
        }
    }

    /// Reads to the end of the body; whether that is where it said.
    async fn body(
        &mut self,
        sending: &mut Sending<'_>,
        head: &mut Head,
        mut kept: Option<(&mut Vec<u8>, usize)>,
    ) -> Result<bool, Lost> {
        // A refusal may be cut off: its status has said what there was to say. A server that refuses before it has read all of a
        // request resets the connection under its own answer.
        let refusal = (400..500).contains(&head.status);
        loop {
            let into = kept.as_mut().map(|(kept, _)| &mut **kept);
            let taken = head.body.take(self.buffer.unread(), into);
            self.buffer
                .take(taken.map_err(|reason| Lost::new(Loss::Malformed, reason))?);
            if let Some((kept, most)) = &kept
                && kept.len() > *most
            {
                let reason = format!("the answer's body is longer than {most} bytes");
                return Err(Lost::new(Loss::Malformed, reason));
            }
            if head.body.is_over() {
                return Ok(true);
            }
            match self.more(sending).await {
                Ok(0) if head.body == body::Body::Close || refusal => return Ok(false),
                Ok(0) => {
                    let reason = "the connection was closed in the answer's body";
                    return Err(Lost::new(Loss::HalfAnswer, reason));
                }
                Ok(_) => {}
                Err(_) if refusal => return Ok(false),
                Err(error) => {
                    let reason = format!("the answer's body: {error}");
                    return Err(Lost::new(Loss::HalfAnswer, reason));
                }
            }
        }
    }

    /// Reads more, and says how much; 0 at the end of the connection.
    async fn more(&mut self, sending: &mut Sending<'_>) -> io::Result<usize> {
        poll_fn(|context| self.poll_more(context, sending)).await
    }

    /// Both ways at once: a server may answer before it has read all of a request, and need not.
    fn poll_more(
        &mut self,
        context: &mut Context<'_>,
        sending: &mut Sending<'_>,
    ) -> Poll<io::Result<usize>> {
        sending.poll_write(Pin::new(&mut self.stream), context);
        let mut room = ReadBuf::new(self.buffer.room());
        let read = std::task::ready!(Pin::new(&mut self.stream).poll_read(context, &mut room));
        let count = room.filled().len();
        self.came = Instant::now();
        self.buffer.filled(count);
        Poll::Ready(match read {
            Ok(()) => Ok(count),
            // A TLS connection that ends without saying so; bodies that have a length are held against it.
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(0),
            Err(error) => Err(error),
        })
    }
}

impl<'a> Sending<'a> {
    fn of(request: &'a [u8]) -> Self {
        Self {
            unsent: request,
            failure: None,
        }
    }

    /// Writes what can be written. What fails ends it.
    fn poll_write<S: AsyncWrite>(&mut self, mut stream: Pin<&mut S>, context: &mut Context<'_>) {
        while !self.unsent.is_empty() && self.failure.is_none() {
            match stream.as_mut().poll_write(context, self.unsent) {
                Poll::Ready(Ok(0)) => self.failure = Some(ErrorKind::WriteZero.into()),
                Poll::Ready(Ok(count)) => self.unsent = &self.unsent[count..],
                Poll::Ready(Err(error)) => self.failure = Some(error),
                Poll::Pending => return,
            }
        }
        // Nothing on a socket; TLS may hold records back. What fails shows in the reading.
        let _ = stream.poll_flush(context);
    }
}

impl Buffer {
    fn new() -> Self {
        Self {
            bytes: vec![0; BUFFER],
            start: 0,
            end: 0,
        }
    }

    fn unread(&self) -> &[u8] {
        &self.bytes[self.start..self.end]
    }

    fn take(&mut self, count: usize) {
        self.start += count;
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
        }
    }

    /// Where to read to: never empty, for nothing of that length is left unread.
    fn room(&mut self) -> &mut [u8] {
        if self.end == self.bytes.len() {
            self.bytes.copy_within(self.start.., 0);
            (self.start, self.end) = (0, self.end - self.start);
        }
        &mut self.bytes[self.end..]
    }

    /// Notes that so much has been read. What was filled to its end grows, up to the longest head, so that long answers come in
    /// larger pieces.
    fn filled(&mut self, count: usize) {
        self.end += count;
        if self.end == self.bytes.len() && self.end < HEAD_LIMIT {
            self.bytes.resize(2 * self.end, 0);
        }
    }
}

#[cfg(test)]
mod tests;
