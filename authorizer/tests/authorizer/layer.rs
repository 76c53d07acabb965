//! The layer in front of an axum router, asked over sockets, byte by byte where a client library would tidy up.

mod contract;
mod refusals;
mod routes;

use std::{
    net::SocketAddr,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use authorizer::{Authorizer, AuthorizerLayer, Settings, VerifiedToken};
use axum::{Extension, Router, body::Body, routing::get};
use hyper::{Request, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};
use tower_service::Service as _;
use wiremock::{Mock, MockServer, ResponseTemplate, matchers::method};

use crate::tokens::{AUDIENCE, ISSUER, ISSUER_KEY, KID, changed, claims_at, header, jwks};

/// An issuer, and an API behind the layer that echoes whom a token speaks for.
struct Api {
    issuer: MockServer,
    address: SocketAddr,
}

/// What a client sees.
#[derive(Debug)]
struct Reply {
    status: u16,
    /// Absent without such a header.
    challenge: Option<String>,
    body: String,
}

impl Api {
    async fn with(settings: &[(&str, &str)]) -> Api {
        let issuer = MockServer::start().await;
        let api = Api {
            address: serve(echo().layer(layer(&issuer.uri(), settings))).await,
            issuer,
        };
        api.serve_keys(ResponseTemplate::new(200).set_body_json(jwks(&[ISSUER_KEY.jwk(KID)])))
            .await;
        api
    }

    /// Lets the issuer answer like this from now on.
    async fn serve_keys(&self, answer: ResponseTemplate) {
        self.issuer.reset().await;
        Mock::given(method("GET"))
            .respond_with(answer)
            .mount(&self.issuer)
            .await;
    }

    /// Sends a request line without the version, and header fields with their line ends.
    async fn send(&self, line: &str, fields: impl AsRef<[u8]>) -> Reply {
        let head = format!("{line} HTTP/1.1\r\nhost: api.example\r\nconnection: close\r\n");
        let request = [head.as_bytes(), fields.as_ref(), b"\r\n"].concat();
        let exchange = async {
            let mut stream = TcpStream::connect(self.address).await.unwrap();
            stream.write_all(&request).await.unwrap();
            let mut reply = String::new();
            stream.read_to_string(&mut reply).await.unwrap();
            reply
        };
        let reply = tokio::time::timeout(Duration::from_secs(20), exchange).await;
        Reply::read(&reply.expect("an answer in time"))
    }

    async fn get(&self, fields: impl AsRef<[u8]>) -> Reply {
        self.send("GET /planets", fields).await
    }
}

impl Reply {
    fn read(text: &str) -> Reply {
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        let mut lines = head.lines();
        let status = lines.next().unwrap().split(' ').nth(1).unwrap();
        let mut challenges =
            lines.filter_map(|line| line.strip_prefix("www-authenticate: ").map(str::to_owned));
        let challenge = challenges.next();
        assert_eq!(challenges.next(), None, "{text}");
        Reply {
            status: status.parse().unwrap(),
            challenge,
            body: body.to_owned(),
        }
    }

    /// The status, with the challenge behind it. Only a request that was let in has a body.
    fn told(&self) -> (u16, &str) {
        assert_eq!(self.body.is_empty(), self.status != 200, "{self:?}");
        (self.status, self.challenge.as_deref().unwrap_or_default())
    }
}

/// A layer of an authorizer whose issuer serves its keys at a URI.
fn layer(jwks_uri: &str, settings: &[(&str, &str)]) -> AuthorizerLayer {
    let settings = Settings::from_lookup(|name| {
        let of_test = settings.iter().find(|(known, _)| *known == name);
        let value = match name {
            "TOKEN_ISSUER" => ISSUER,
            "JWKS_URI" => jwks_uri,
            "AUDIENCE" => AUDIENCE,
            _ => of_test?.1,
        };
        Some(value.to_owned())
    });
    AuthorizerLayer::new(Authorizer::new(settings.unwrap()).unwrap())
}

fn echo() -> Router {
    async fn whom(Extension(token): Extension<VerifiedToken>) -> String {
        format!("{}: {}", token.principal(), token.scope())
    }
    Router::new().route("/planets", get(whom)).fallback(whom)
}

/// Serves a router for as long as the test runs.
async fn serve(app: Router) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let app = app.clone();
            let service = service_fn(move |request: Request<Incoming>| {
                app.clone().call(request.map(Body::new))
            });
            let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
            tokio::spawn(connection);
        }
    });
    address
}

/// A good token of today with these claims.
fn token_with(changes: &Value) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let claims = claims_at(i64::try_from(now.as_secs()).unwrap());
    ISSUER_KEY.sign(header().to_string(), changed(claims, changes).to_string())
}

fn token() -> String {
    token_with(&json!({}))
}

/// The header field of a token with these scopes.
fn bearer(scope: &str) -> String {
    let token = token_with(&json!({ "scope": scope }));
    format!("authorization: Bearer {token}\r\n")
}
