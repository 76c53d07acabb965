//! A server that waits for visitors who should not come: verifiers that follow a URL from a token.
//!
//! It answers like an attacker's own issuer, so that a verifier that follows goes all the way. Any hit is a finding, even if
//! the token is denied afterwards (server-side request forgery, RFC 8725 §3.10).

use std::collections::VecDeque;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use axum::body::Bytes;
use axum::extract::Request;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::json_response;
use super::listener::{self, Hangup, Limits};
use crate::encoding::pem;
use crate::minter::IssuerKeys;

/// A host whose text begins like 127.0.0.1, and is this machine as well (RFC 1122 §3.2.1.3): Linux and Windows listen at each
/// address of 127.0.0.0/8 unasked, macOS does not.
pub(crate) const LOOKALIKE_HOST: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 10);

/// Other ports that are tried where one is taken at the other host.
const PORT_TRIES: usize = 8;

/// More than one catalogue of cases makes; the oldest are forgotten first.
const HITS_KEPT: usize = 1_024;

/// Of a path, which the visitor chooses.
const PATH_BYTES_KEPT: usize = 512;

/// Where an issuer's metadata are: RFC 8414 §3 and OpenID Connect Discovery 1.0 §4.
const METADATA: [&str; 2] = [
    "/.well-known/openid-configuration",
    "/.well-known/oauth-authorization-server",
];

/// A request that somebody made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListenerHit {
    /// When its head was read.
    pub received: Instant,
    /// Its method.
    pub method: String,
    /// Its path and query, as sent, 512 bytes at most.
    pub path: String,
}

/// A free port of 127.0.0.1, and the same of the other host where this machine has that address.
async fn bind() -> io::Result<(TcpListener, Option<TcpListener>)> {
    let mut tries = PORT_TRIES;
    loop {
        let socket = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let port = socket.local_addr()?.port();
        match TcpListener::bind((LOOKALIKE_HOST, port)).await {
            // Somebody else's there, and another port may be free.
            Err(error) if error.kind() == io::ErrorKind::AddrInUse && tries > 0 => tries -= 1,
            lookalike => return Ok((socket, lookalike.ok())),
        }
    }
}

/// A running listener on loopback. Dropping it stops it.
#[derive(Debug)]
pub struct UrlListener {
    address: SocketAddr,
    site: Arc<Site>,
    stop: watch::Sender<()>,
    /// One for each address.
    tasks: Vec<JoinHandle<()>>,
}

#[derive(Debug)]
struct Site {
    base: String,
    jwks: Bytes,
    certificate: Bytes,
    hits: Mutex<VecDeque<ListenerHit>>,
}

impl UrlListener {
    /// Listens on a free port of 127.0.0.1, and on the same of 127.0.0.10 where that is to be had. The key set that it serves is
    /// the attacker's, under the attacker's `kid` and under that of the genuine key.
    pub async fn start(keys: &IssuerKeys) -> io::Result<Self> {
        let (socket, lookalike) = bind().await?;
        let address = socket.local_addr()?;
        let own = keys.attacker.public_jwk();
        let mut disguised = own.clone();
        disguised["kid"] = json!(keys.signing.kid());
        let site = Arc::new(Site {
            base: format!("http://{address}"),
            jwks: Bytes::from(json!({ "keys": [own, disguised] }).to_string()),
            certificate: Bytes::from(pem("CERTIFICATE", keys.attacker.certificate(), "\n")),
            hits: Mutex::default(),
        });
        let (stop, stopped) = watch::channel(());
        let serve = |socket| {
            let answering = Arc::clone(&site);
            let serve =
                listener::serve(socket, Limits::default(), stopped.clone(), move |request| {
                    let answer = answering.answer(&request);
                    async move { Ok::<_, Hangup>(answer) }
                });
            tokio::spawn(serve)
        };
        let tasks = std::iter::once(socket).chain(lookalike).map(serve);
        Ok(Self {
            address,
            tasks: tasks.collect(),
            site,
            stop,
        })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// `http://` and the address, without a slash at its end.
    pub fn base_url(&self) -> &str {
        &self.site.base
    }

    /// The other host under which it can be reached, which begins like the text of 127.0.0.1.
    pub fn lookalike_host(&self) -> Option<Ipv4Addr> {
        (self.tasks.len() > 1).then_some(LOOKALIKE_HOST)
    }

    /// The last 1,024 hits, oldest first.
    pub fn hits(&self) -> Vec<ListenerHit> {
        self.site.hits().iter().cloned().collect()
    }

    /// The hits below `/prefix/`: those of one token among many.
    pub fn hits_below(&self, prefix: &str) -> Vec<ListenerHit> {
        let start = format!("/{prefix}/");
        let mut hits = self.hits();
        hits.retain(|hit| hit.path.starts_with(&start));
        hits
    }

    /// Takes no new connection and frees the port. Answers take microseconds, so there is nothing to wait for.
    pub async fn shutdown(self) {
        self.stop.send_replace(());
        for task in self.tasks {
            task.abort();
            // It was aborted: that is the only way in which it ends here.
            let _ = task.await;
        }
    }
}

impl Site {
    fn answer(&self, request: &Request) -> Response {
        let received = Instant::now();
        let path = request.uri().path();
        let asked = request
            .uri()
            .path_and_query()
            .map_or(path, |whole| whole.as_str());
        self.record(ListenerHit {
            received,
            method: request.method().to_string(),
            path: asked.chars().take(PATH_BYTES_KEPT).collect(),
        });
        if let Some(prefix) = METADATA.iter().find_map(|known| path.strip_suffix(known)) {
            let base = format!("{}{prefix}", self.base);
            return json_response(StatusCode::OK, Bytes::from(metadata(&base).to_string()));
        }
        let is_certificate = [".pem", ".crt", ".cer"]
            .iter()
            .any(|end| path.ends_with(end));
        if !is_certificate {
            return json_response(StatusCode::OK, self.jwks.clone());
        }
        let mut response = json_response(StatusCode::OK, self.certificate.clone());
        response.headers_mut().insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/pem-certificate-chain"),
        );
        response
    }

    fn record(&self, hit: ListenerHit) {
        let mut hits = self.hits();
        if hits.len() == HITS_KEPT {
            hits.pop_front();
        }
        hits.push_back(hit);
    }

    /// No holder of the lock leaves the list half-written, so a poisoned one is still good.
    fn hits(&self) -> MutexGuard<'_, VecDeque<ListenerHit>> {
        self.hits.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn metadata(base: &str) -> Value {
    json!({
        "issuer": format!("{base}/"),
        "jwks_uri": format!("{base}/jwks.json"),
        "id_token_signing_alg_values_supported": ["RS256"],
        "response_types_supported": ["none"],
        "subject_types_supported": ["public"],
    })
}
