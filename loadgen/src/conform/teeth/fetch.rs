//! The HTTP client of the verifier: as little as it takes to fetch a key set, and to follow a URL that should not be.

use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::flaw::Flaw;
use super::tls;

/// What came instead of nothing.
pub(super) enum Got {
    KeySet(Vec<Value>),
    Other,
}

/// The key set at a URL; `None` where nothing whole came in time.
pub(super) async fn key_set(
    url: &str,
    patience: Duration,
    flaw: Flaw,
    follow: bool,
) -> Option<Got> {
    let answered = async {
        if url.starts_with("https://") {
            get_secured(url, flaw).await
        } else {
            get(url).await
        }
    };
    let text = tokio::time::timeout(patience, answered).await.ok()??;
    let (head, body) = text.split_once("\r\n\r\n")?;
    let field = |name: &str| head.lines().find_map(|line| line.strip_prefix(name));
    if let Some(elsewhere) = location(&text).filter(|_| follow) {
        return Box::pin(key_set(elsewhere, patience, flaw, false)).await;
    }
    let promised: usize = field("content-length: ")?.parse().ok()?;
    if !head.starts_with("HTTP/1.1 200 ") || promised != body.len() {
        return Some(Got::Other);
    }
    let document: Value = serde_json::from_str(body).ok()?;
    Some(match document["keys"].as_array() {
        Some(keys) => Got::KeySet(keys.clone()),
        None => Got::Other,
    })
}

/// Visits every URL that a token names; what is there does not matter.
pub(super) async fn follow(header: &Value, claims: &Value) {
    let named = [
        &header["jku"],
        &header["x5u"],
        &header["kid"],
        &claims["iss"],
    ];
    for url in named.into_iter().filter_map(Value::as_str) {
        let url = match url.strip_prefix("//") {
            Some(rest) => format!("http://{rest}"),
            None => url.to_owned(),
        };
        if url.starts_with("http://") {
            let metadata = format!("{url}.well-known/openid-configuration");
            let url = if url.ends_with('/') { metadata } else { url };
            // A visit is one whatever comes of it.
            let visit = async {
                let text = get(&url).await.unwrap_or_default();
                if let Some(elsewhere) = location(&text) {
                    get(elsewhere).await;
                }
            };
            let _ = tokio::time::timeout(Duration::from_secs(1), visit).await;
        }
    }
}

/// Where an answer leads.
fn location(text: &str) -> Option<&str> {
    let (head, _) = text.split_once("\r\n\r\n")?;
    head.lines()
        .find_map(|line| line.strip_prefix("location: "))
}

async fn get(url: &str) -> Option<String> {
    let rest = url.strip_prefix("http://")?;
    let rest = rest.split('#').next()?;
    let (host, path) = rest.split_once('/')?;
    let host = host.rsplit('@').next()?;
    let stream = TcpStream::connect(host).await.ok()?;
    exchange(stream, host, path).await
}

async fn get_secured(url: &str, flaw: Flaw) -> Option<String> {
    let (host, path) = url.strip_prefix("https://")?.split_once('/')?;
    let stream = tls::connect(host, flaw).await?;
    exchange(stream, host, path).await
}

async fn exchange(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    host: &str,
    path: &str,
) -> Option<String> {
    let request = format!("GET /{path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.ok()?;
    let mut bytes = Vec::new();
    // What came before a broken connection is looked at, too: its length says that it is not whole.
    let _ = stream.read_to_end(&mut bytes).await;
    String::from_utf8(bytes).ok()
}
