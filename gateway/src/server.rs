//! The socket: connections, how many of them, and how slow they may be. What a request means is the front's business.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

use crate::api::ServerLimits;
use crate::front::Front;

/// A header section that hyper refuses by itself, with a bare 431. It is beyond the API's own limit, so that a section
/// between the two gets an answer with all headers of a gateway response.
const HEADER_SECTION_BYTES_MAX: usize = 64 * 1024;

/// After an accept that failed, mostly for want of file descriptors: long enough for a connection to end.
const ACCEPT_PAUSE: Duration = Duration::from_millis(20);

/// How long open connections may finish at shutdown: a decision that is not waiting for a process takes less.
const SHUTDOWN_GRACE: Duration = Duration::from_secs(1);

/// A listening server. Dropping it closes the listener and every connection.
#[derive(Debug)]
pub(crate) struct Server {
    address: SocketAddr,
    stop: watch::Sender<bool>,
    accepting: JoinSet<()>,
}

impl Server {
    pub(crate) async fn start(
        listen: SocketAddr,
        limits: ServerLimits,
        front: Arc<Front>,
    ) -> io::Result<Self> {
        let listener = TcpListener::bind(listen).await?;
        let address = listener.local_addr()?;
        let (stop, stopped) = watch::channel(false);
        let mut accepting = JoinSet::new();
        accepting.spawn(accept(listener, limits, front, stopped));
        Ok(Self {
            address,
            stop,
            accepting,
        })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn stop_accepting(&self) {
        self.stop.send_replace(true);
    }

    pub(crate) async fn shutdown(mut self) {
        self.stop_accepting();
        // What has not finished by then is dropped with the set.
        let _ = tokio::time::timeout(SHUTDOWN_GRACE, self.accepting.join_next()).await;
    }
}

async fn accept(
    listener: TcpListener,
    limits: ServerLimits,
    front: Arc<Front>,
    mut stop: watch::Receiver<bool>,
) {
    let places = Arc::new(Semaphore::new(limits.connections));
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(limits.header_deadline)
        .max_header_size(HEADER_SECTION_BYTES_MAX);
    let mut connections = JoinSet::new();
    loop {
        let stopped = stop.clone();
        let next = async {
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
            (Ok(place), Ok((stream, peer))) => {
                let connection = serve(builder.clone(), stream, peer, Arc::clone(&front), stopped);
                connections.spawn(async move {
                    connection.await;
                    drop(place);
                });
            }
            (Ok(_) | Err(_), _) => tokio::time::sleep(ACCEPT_PAUSE).await,
        }
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
}

async fn serve(
    builder: http1::Builder,
    stream: TcpStream,
    peer: SocketAddr,
    front: Arc<Front>,
    mut stop: watch::Receiver<bool>,
) {
    // An answer is one small write; waiting to fill a segment would be measured as the gateway's latency.
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request| {
        let front = Arc::clone(&front);
        async move { Ok::<_, Infallible>(front.answer(request, peer.ip()).await) }
    });
    let connection = builder.serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    // A connection that breaks is the client's affair.
    tokio::select! {
        _ = connection.as_mut() => return,
        _ = stop.changed() => connection.as_mut().graceful_shutdown(),
    }
    let _ = connection.await;
}
