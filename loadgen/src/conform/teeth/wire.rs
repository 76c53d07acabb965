//! As much of an HTTP server as the flawed targets need.

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;

/// A request, as far as anybody looks at it.
#[derive(Debug, Default)]
pub(super) struct Asked {
    pub(super) method: String,
    pub(super) path: String,
    /// What follows `Bearer`.
    pub(super) token: String,
    pub(super) body: Vec<u8>,
}

/// The next request of a connection; `None` at its end.
pub(super) async fn next(stream: &mut BufReader<TcpStream>) -> Option<Asked> {
    let (mut asked, mut line, mut length) = (Asked::default(), String::new(), 0);
    loop {
        line.clear();
        if stream.read_line(&mut line).await.ok()? == 0 {
            return None;
        }
        if asked.method.is_empty() {
            let mut words = line.split(' ').map(str::to_owned);
            asked.method = words.next()?;
            asked.path = words.next()?;
        } else if let Some(value) = line.strip_prefix("authorization: Bearer ") {
            value.trim().clone_into(&mut asked.token);
        } else if let Some(value) = line.strip_prefix("content-length: ") {
            length = value.trim().parse().ok()?;
        } else if line == "\r\n" {
            break;
        }
    }
    asked.body.resize(length, 0);
    stream.read_exact(&mut asked.body).await.ok()?;
    Some(asked)
}

/// Answers, and says whether the client is still there.
pub(super) async fn answer(stream: &mut BufReader<TcpStream>, status: u16, body: &str) -> bool {
    let length = body.len();
    let text = format!("HTTP/1.1 {status} -\r\ncontent-length: {length}\r\n\r\n{body}");
    stream.write_all(text.as_bytes()).await.is_ok()
}
