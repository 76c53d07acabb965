//! A connection that is read on when nobody takes what is written to it any more.

use std::io::{self, ErrorKind, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A stream on which writing succeeds after the other side has closed.
///
/// A server that refuses a request by 400, 413 or 431 before it has read all of it answers and closes. The rest of the
/// request then cannot be written, and the answer is there all the same: what fails is left to the reading, which finds the
/// answer, or that there is none.
#[derive(Debug)]
pub(super) struct ReadsOn<S>(pub(super) S);

fn unless_closed<T>(written: Poll<io::Result<T>>, otherwise: T) -> Poll<io::Result<T>> {
    match written {
        Poll::Ready(Err(error)) if is_closed(error.kind()) => Poll::Ready(Ok(otherwise)),
        written => written,
    }
}

fn is_closed(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::BrokenPipe | ErrorKind::ConnectionAborted | ErrorKind::ConnectionReset
    )
}

impl<S: AsyncRead + Unpin> AsyncRead for ReadsOn<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for ReadsOn<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.0).poll_write(context, bytes);
        unless_closed(written, bytes.len())
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.0).poll_write_vectored(context, slices);
        unless_closed(written, slices.iter().map(|slice| slice.len()).sum())
    }

    fn is_write_vectored(&self) -> bool {
        self.0.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        unless_closed(Pin::new(&mut self.0).poll_flush(context), ())
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        unless_closed(Pin::new(&mut self.0).poll_shutdown(context), ())
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::TcpListener;
    use std::sync::Arc;

    use crate::target::{Decision, HttpTarget, RequestShape, Target};

    /// Reads a little, refuses and closes, which resets the connection under what is still being sent.
    fn refuse_early(listener: &TcpListener) {
        let (mut stream, _) = listener.accept().expect("a connection");
        let mut beginning = [0; 1024];
        stream.read_exact(&mut beginning).expect("a beginning");
        let answer = "HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
        stream.write_all(answer.as_bytes()).expect("an answer");
    }

    #[tokio::test]
    async fn the_answer_of_a_server_that_closes_early_is_read() {
        // More than the sockets' buffers take, so that writing is not over when the answer comes. Whether it fails before the
        // answer is read is up to the scheduler, hence more than one try.
        const LENGTH: usize = 16 * 1024 * 1024;
        const TRIES: usize = 20;
        let listener = TcpListener::bind("127.0.0.1:0").expect("a listener");
        let address = listener.local_addr().expect("an address").to_string();
        let server = std::thread::spawn(move || {
            (0..TRIES).for_each(|_| refuse_early(&listener));
        });
        let target = Target::Http(Arc::new(HttpTarget::new(address, "/planets")));
        let request = target
            .prepare(&RequestShape::default(), &"t".repeat(LENGTH))
            .expect("a request");
        for _ in 0..TRIES {
            let answer = target.connection().call(&request).await;
            assert_eq!(answer.decision, Decision::Deny, "{:?}", answer.fault);
        }
        server.join().expect("the server");
    }
}
