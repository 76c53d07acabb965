//! An issuer whose every answer is a line of the test, over real sockets, and the cache of keys that asks it.

use std::{
    net::SocketAddr,
    time::{Duration, SystemTime},
};

use authorizer::{Algorithm, Algorithms, JwksCache, KeyError, KeyLimits, KeySettings, Rejection};
use http::Uri;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::mpsc,
    task::JoinHandle,
};

use crate::{
    events::at,
    tokens::{ISSUER_KEY, NOW, jwks},
};

/// Longest wait for a request that has to come. Far above what it takes, so that only a fault runs into it.
const PATIENCE: Duration = Duration::from_secs(20);

pub(super) struct Wire {
    address: SocketAddr,
    requests: mpsc::UnboundedReceiver<Exchange>,
}

/// A request that waits for its answer.
pub(super) struct Exchange {
    head: String,
    stream: TcpStream,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    Key,
    NoKeys,
    Refused(Rejection),
}

impl Wire {
    pub(super) async fn bind() -> Wire {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (sender, requests) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let sender = sender.clone();
                tokio::spawn(async move {
                    if let Some(exchange) = Exchange::read(stream).await {
                        let _ = sender.send(exchange);
                    }
                });
            }
        });
        Wire { address, requests }
    }

    pub(super) fn origin(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(super) fn uri(&self) -> Uri {
        format!("{}/jwks.json", self.origin()).parse().unwrap()
    }

    /// A cache with a deadline that no test waits for.
    pub(super) fn cache(&self) -> JwksCache {
        self.cache_with(patient())
    }

    pub(super) fn cache_with(&self, settings: KeySettings) -> JwksCache {
        JwksCache::with_limits(
            self.uri(),
            &Algorithms::default(),
            KeyLimits::new(settings).unwrap(),
        )
        .unwrap()
    }

    /// The next request.
    pub(super) async fn next(&mut self) -> Exchange {
        let next = tokio::time::timeout(PATIENCE, self.requests.recv()).await;
        next.expect("a request has to come")
            .expect("the listener outlives the test")
    }

    /// Whether no request waits for an answer.
    pub(super) fn is_silent(&mut self) -> bool {
        self.requests.try_recv().is_err()
    }

    /// Asks in a task, for a question that waits for the issuer.
    #[expect(
        clippy::unused_self,
        reason = "reads as what happens on the wire, beside `next`"
    )]
    pub(super) fn asking(&self, cache: &JwksCache, kid: &str, seconds: i64) -> JoinHandle<Found> {
        let (cache, kid) = (cache.clone(), kid.to_owned());
        tokio::spawn(async move { ask(&cache, &kid, seconds).await })
    }

    /// Asks for a key that the issuer serves when it is asked.
    pub(super) async fn serve(
        &mut self,
        cache: &JwksCache,
        kid: &str,
        seconds: i64,
        document: &str,
    ) {
        self.serve_with(cache, kid, seconds, "", document).await;
    }

    pub(super) async fn serve_with(
        &mut self,
        cache: &JwksCache,
        kid: &str,
        seconds: i64,
        headers: &str,
        document: &str,
    ) {
        let asking = self.asking(cache, kid, seconds);
        self.next().await.answer("200 OK", headers, document).await;
        assert_eq!(asking.await.unwrap(), Found::Key);
    }
}

impl Exchange {
    async fn read(mut stream: TcpStream) -> Option<Exchange> {
        let mut head = Vec::new();
        let mut buffer = [0; 1_024];
        while !head.ends_with(b"\r\n\r\n") {
            let length = stream
                .read(&mut buffer)
                .await
                .ok()
                .filter(|read| *read > 0)?;
            head.extend_from_slice(&buffer[..length]);
        }
        let head = String::from_utf8(head).unwrap();
        Some(Exchange { head, stream })
    }

    pub(super) fn path(&self) -> &str {
        self.head.split(' ').nth(1).unwrap()
    }

    pub(super) fn header(&self, wanted: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (name, value) = line.split_once(": ")?;
            name.eq_ignore_ascii_case(wanted).then_some(value)
        })
    }

    /// Answers and closes. Each of `headers` ends with a line end. The other side need not be there any more.
    pub(super) async fn answer(mut self, status: &str, headers: &str, body: &str) {
        let length = if status.starts_with("304") {
            String::new()
        } else {
            format!("content-length: {}\r\n", body.len())
        };
        let answer =
            format!("HTTP/1.1 {status}\r\n{headers}{length}connection: close\r\n\r\n{body}");
        let _ = self.stream.write_all(answer.as_bytes()).await;
        let _ = self.stream.shutdown().await;
    }

    pub(super) fn into_stream(self) -> TcpStream {
        self.stream
    }
}

/// The longest deadline that there is.
pub(super) fn patient() -> KeySettings {
    KeySettings {
        deadline: Duration::from_secs(4),
        connect_timeout: Duration::from_secs(4),
        ..KeySettings::default()
    }
}

/// A set with the issuer's key under each of these key ids.
pub(super) fn keys(kids: &[&str]) -> String {
    let keys: Vec<_> = kids.iter().map(|kid| ISSUER_KEY.jwk(kid)).collect();
    jwks(&keys).to_string()
}

pub(super) async fn ask(cache: &JwksCache, kid: &str, seconds: i64) -> Found {
    ask_at(cache, kid, at(NOW + seconds)).await
}

pub(super) async fn ask_at(cache: &JwksCache, kid: &str, now: SystemTime) -> Found {
    match cache.key(Some(kid), Algorithm::Rs256, now).await {
        Ok(Ok(key)) => {
            assert_eq!(key.kid(), Some(kid));
            Found::Key
        }
        Ok(Err(rejection)) => Found::Refused(rejection),
        Err(KeyError::Abandoned) => panic!("the fetch was abandoned"),
        Err(_) => Found::NoKeys,
    }
}
