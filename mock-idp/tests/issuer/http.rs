//! One HTTP/1.1 exchange on a socket of its own, byte for byte as written in the test.

use mock_idp::MockIdp;
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{}: {error}", self.body))
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (known, value) = line.split_once(':')?;
            known.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }
}

/// Sends the head lines (without `Host` and `Connection`) and the body, and reads to the end.
pub(crate) async fn exchange(idp: &MockIdp, head: &str, body: &str) -> Answer {
    let stream = TcpStream::connect(idp.address()).await.unwrap();
    let (mut reader, mut writer) = stream.into_split();
    let request = format!("{head}\r\nHost: issuer\r\nConnection: close\r\n\r\n{body}");
    // A server that refuses a body early closes before it has read all of it, which fails the writer and is no fault.
    let sent = tokio::spawn(async move {
        let _ = writer.write_all(request.as_bytes()).await;
        writer
    });
    let mut bytes = Vec::new();
    if let Err(error) = reader.read_to_end(&mut bytes).await {
        assert!(!bytes.is_empty(), "{error}");
    }
    sent.abort();
    let text = String::from_utf8(bytes).unwrap();
    let (head, body) = text
        .split_once("\r\n\r\n")
        .unwrap_or_else(|| panic!("{text}"));
    Answer {
        status: head.split(' ').nth(1).unwrap().parse().unwrap(),
        head: head.to_owned(),
        body: body.to_owned(),
    }
}

pub(crate) async fn get(idp: &MockIdp, path: &str) -> Answer {
    exchange(idp, &format!("GET {path} HTTP/1.1"), "").await
}

pub(crate) async fn post(idp: &MockIdp, path: &str, head: &str, body: &str) -> Answer {
    let head = format!(
        "POST {path} HTTP/1.1\r\nContent-Length: {}{head}",
        body.len()
    );
    exchange(idp, &head, body).await
}
