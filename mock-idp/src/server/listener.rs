//! A socket of this crate: connections, how many of them, and how slow they may be. What a request gets is `answer`'s
//! affair.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

/// The header section of a request, the wait for it on an idle connection included. A verifier that holds its connection
/// to the keys longer than this without a request opens another one.
const HEADER_DEADLINE: Duration = Duration::from_mins(1);

/// One for each environment that there can be (1,000), and as many again for users of the tool's own floor (1,024). A
/// connection costs its buffers, some 16 KB; all of them some 32 MB.
const CONNECTIONS: usize = 2_048;

/// After an accept that failed, mostly for want of file descriptors: long enough for a connection to end.
const ACCEPT_PAUSE: Duration = Duration::from_millis(20);

/// In place of an answer: the connection is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the connection is closed in place of an answer")]
pub(super) struct Hangup;

/// Bounds of the socket.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    connections: usize,
    header_deadline: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: CONNECTIONS,
            header_deadline: HEADER_DEADLINE,
        }
    }
}

/// Serves until `stop` says so, or its sender is gone; then lets the requests under way end.
pub(super) async fn serve<A, F>(
    listener: TcpListener,
    limits: Limits,
    stop: watch::Receiver<()>,
    answer: A,
) where
    A: Fn(Request) -> F + Clone + Send + 'static,
    F: Future<Output = Result<Response, Hangup>> + Send + 'static,
{
    serve_over(listener, limits, stop, async |stream| Some(stream), answer).await;
}

/// The same over what `secure` makes of a connection; none where it comes to nothing.
pub(super) async fn serve_over<S, T, I, A, F>(
    listener: TcpListener,
    limits: Limits,
    mut stop: watch::Receiver<()>,
    secure: S,
    answer: A,
) where
    S: Fn(TcpStream) -> T + Clone + Send + 'static,
    T: Future<Output = Option<I>> + Send + 'static,
    I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    A: Fn(Request) -> F + Clone + Send + 'static,
    F: Future<Output = Result<Response, Hangup>> + Send + 'static,
{
    let places = Arc::new(Semaphore::new(limits.connections));
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(limits.header_deadline);
    let mut connections = JoinSet::new();
    loop {
        let next = async {
            // Beyond the limit connections wait in the system's queue.
            let place = Arc::clone(&places).acquire_owned().await;
            (place, listener.accept().await)
        };
        let (place, accepted) = tokio::select! {
            next = next => next,
            // A connection that has ended gives its memory back.
            Some(_) = connections.join_next() => continue,
            _ = stop.changed() => break,
        };
        match (place, accepted) {
            (Ok(place), Ok((stream, _))) => {
                // An answer is one small write; waiting to fill a segment would be measured as part of a cold start.
                let _ = stream.set_nodelay(true);
                let secured = secure(stream);
                let (builder, stop, answer) = (builder.clone(), stop.clone(), answer.clone());
                connections.spawn(async move {
                    if let Some(stream) = secured.await {
                        hold(builder, stream, stop, answer).await;
                    }
                    drop(place);
                });
            }
            (Ok(_) | Err(_), _) => tokio::time::sleep(ACCEPT_PAUSE).await,
        }
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
}

async fn hold<I, A, F>(builder: http1::Builder, stream: I, mut stop: watch::Receiver<()>, answer: A)
where
    I: AsyncRead + AsyncWrite + Unpin,
    A: Fn(Request) -> F,
    F: Future<Output = Result<Response, Hangup>>,
{
    let service =
        service_fn(move |request: hyper::Request<Incoming>| answer(request.map(Body::new)));
    let connection = builder.serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    // A connection that breaks is the client's affair.
    tokio::select! {
        _ = connection.as_mut() => return,
        _ = stop.changed() => connection.as_mut().graceful_shutdown(),
    }
    let _ = connection.await;
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    async fn connect(listener: std::net::SocketAddr) -> TcpStream {
        let mut stream = TcpStream::connect(listener).await.unwrap();
        stream
            .write_all(b"GET / HTTP/1.1\r\nhost: i\r\n\r\n")
            .await
            .unwrap();
        stream
    }

    // The clock stands still and jumps when nothing else is left to do, so that no time is waited for.
    #[tokio::test(start_paused = true)]
    async fn a_connection_beyond_the_limit_waits_for_one_to_end() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let limits = Limits {
            connections: 1,
            ..Limits::default()
        };
        let (stop, stopped) = watch::channel(());
        let serving = tokio::spawn(serve(listener, limits, stopped, |_| async {
            Ok(Response::new(Body::empty()))
        }));
        let mut first = connect(address).await;
        assert_eq!(first.read_u8().await.unwrap(), b'H');
        let mut second = connect(address).await;
        let waited = tokio::time::timeout(Duration::from_millis(1), second.readable()).await;
        assert!(waited.is_err(), "two connections are served at once");
        drop(first);
        assert_eq!(second.read_u8().await.unwrap(), b'H');
        drop(stop);
        serving.await.unwrap();
    }
}
