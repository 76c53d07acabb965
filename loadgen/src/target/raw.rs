//! One request that is written byte by byte, and its one answer, over a connection of its own.
//!
//! An HTTP library in between would write names in its own case, join duplicates and refuse control bytes. The answer is
//! read strictly and to its end; everything about it has a bound.

use std::time::Instant;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Response, StatusCode};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::http::BODY_LIMIT;

/// The most that is read of an answer's head; servers allow themselves 8 to 64 KB.
const HEAD_LIMIT: usize = 64 * 1024;

/// The most fields of an answer; servers send some ten.
const FIELDS: usize = 128;

/// Where an answer's body ends (RFC 9112 §6.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum BodyEnd {
    Chunked,
    Close,
    Length(usize),
}

/// Writes the request and reads the answer to its last byte; the instant is taken before anything is looked at.
pub(super) async fn exchange(
    mut stream: TcpStream,
    request: &[u8],
) -> Result<(Response<Bytes>, Instant), String> {
    // A server that refuses early closes while the rest is being sent; its answer says what there is to say.
    let written = stream.write_all(request).await;
    let is_head = request.starts_with(b"HEAD ");
    let mut read = Reader {
        stream,
        bytes: Vec::new(),
    };
    match read.answer(is_head).await {
        Ok(response) => Ok((response, Instant::now())),
        Err(reason) => Err(match written {
            Ok(()) => reason,
            Err(error) => format!("the request could not be written: {error}; {reason}"),
        }),
    }
}

struct Reader {
    stream: TcpStream,
    bytes: Vec<u8>,
}

impl Reader {
    /// Reads more; `false` at the end of the connection.
    async fn more(&mut self) -> Result<bool, String> {
        match self.stream.read_buf(&mut self.bytes).await {
            Ok(count) => Ok(count > 0),
            Err(error) => Err(error.to_string()),
        }
    }

    async fn answer(&mut self, is_head: bool) -> Result<Response<Bytes>, String> {
        loop {
            match parse_head(&self.bytes)? {
                // An interim answer says nothing yet (RFC 9110 §15.2).
                Some((head, length)) if head.status().is_informational() => {
                    self.bytes.drain(..length);
                }
                Some((head, length)) => {
                    self.bytes.drain(..length);
                    let body = self.body(&head, is_head).await?;
                    return Ok(head.map(|()| body));
                }
                None if self.bytes.len() > HEAD_LIMIT => {
                    return Err(format!(
                        "the answer's head is longer than {HEAD_LIMIT} bytes"
                    ));
                }
                None if self.more().await? => {}
                None => {
                    return Err(match self.bytes.len() {
                        0 => "the connection was closed without an answer".to_owned(),
                        _ => "the connection was closed in the answer's head".to_owned(),
                    });
                }
            }
        }
    }

    async fn body(&mut self, head: &Response<()>, is_head: bool) -> Result<Bytes, String> {
        let end = body_end(head, is_head)?;
        loop {
            let whole = match end {
                BodyEnd::Chunked => unchunk(&self.bytes)?,
                BodyEnd::Close => None,
                BodyEnd::Length(length) => self.bytes.get(..length).map(<[u8]>::to_vec),
            };
            if let Some(body) = whole {
                return Ok(body.into());
            }
            if self.bytes.len() > BODY_LIMIT {
                return Err(format!(
                    "the answer's body is longer than {BODY_LIMIT} bytes"
                ));
            }
            let more = match self.more().await {
                // As with other requests: the status has said what there was to say.
                Err(_) if head.status().is_client_error() => false,
                more => more?,
            };
            if !more {
                let rest = Bytes::from(std::mem::take(&mut self.bytes));
                return match end {
                    _ if head.status().is_client_error() => Ok(rest),
                    BodyEnd::Close => Ok(rest),
                    BodyEnd::Chunked | BodyEnd::Length(_) => {
                        Err("the connection was closed in the answer's body".to_owned())
                    }
                };
            }
        }
    }
}

/// The head and its length, once it is all there.
fn parse_head(bytes: &[u8]) -> Result<Option<(Response<()>, usize)>, String> {
    let mut fields = [httparse::EMPTY_HEADER; FIELDS];
    let mut parsed = httparse::Response::new(&mut fields);
    let length = match parsed.parse(bytes) {
        Ok(httparse::Status::Complete(length)) => length,
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(error) => return Err(format!("not an HTTP answer: {error}")),
    };
    let mut response = Response::new(());
    *response.status_mut() = parsed
        .code
        .and_then(|code| StatusCode::from_u16(code).ok())
        .ok_or("not an HTTP answer: no status")?;
    for field in parsed.headers {
        let name = HeaderName::from_bytes(field.name.as_bytes());
        let value = HeaderValue::from_bytes(field.value);
        let (Ok(name), Ok(value)) = (name, value) else {
            return Err(format!("not an HTTP answer: field {:?}", field.name));
        };
        response.headers_mut().append(name, value);
    }
    Ok(Some((response, length)))
}

fn body_end(head: &Response<()>, is_head: bool) -> Result<BodyEnd, String> {
    let status = head.status();
    if is_head || status == StatusCode::NO_CONTENT || status == StatusCode::NOT_MODIFIED {
        return Ok(BodyEnd::Length(0));
    }
    let values = |name| head.headers().get_all(name).iter();
    let mut lengths = values(http::header::CONTENT_LENGTH);
    let mut codings = values(http::header::TRANSFER_ENCODING);
    match (lengths.next(), codings.next()) {
        (None, None) => Ok(BodyEnd::Close),
        (None, Some(coding)) if coding.as_bytes().eq_ignore_ascii_case(b"chunked") => {
            Ok(BodyEnd::Chunked)
        }
        (Some(length), None) if lengths.all(|other| other == length) => {
            let digits = length.to_str().ok();
            let digits = digits.filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
            digits
                .and_then(|text| text.parse().ok())
                .filter(|length| *length <= BODY_LIMIT)
                .map(BodyEnd::Length)
                .ok_or_else(|| "the answer's Content-Length is not usable".to_owned())
        }
        _ => Err("the answer says twice how long it is, or in another coding".to_owned()),
    }
}

/// The body of a chunked message (RFC 9112 §7.1), once its last chunk is there; trailers are passed over.
fn unchunk(bytes: &[u8]) -> Result<Option<Vec<u8>>, String> {
    let mut body = Vec::new();
    let mut rest = bytes;
    loop {
        let (start, size) = match httparse::parse_chunk_size(rest) {
            Ok(httparse::Status::Complete(size)) => size,
            Ok(httparse::Status::Partial) => return Ok(None),
            Err(_) => return Err("the answer's body has a chunk without a size".to_owned()),
        };
        let size = usize::try_from(size).unwrap_or(usize::MAX);
        if size > BODY_LIMIT {
            return Err(format!(
                "the answer's body is longer than {BODY_LIMIT} bytes"
            ));
        }
        if size == 0 {
            return Ok(Some(body));
        }
        let (Some(chunk), Some(after)) =
            (rest.get(start..start + size), rest.get(start + size + 2..))
        else {
            return Ok(None);
        };
        body.extend_from_slice(chunk);
        rest = after;
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    /// What is read of a server that reads one request and says this, in two writes, and closes.
    async fn read(request: &str, parts: [&'static str; 2]) -> Result<(u16, Bytes), String> {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let serving = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.expect("a client");
            let mut seen = Vec::new();
            while !seen.ends_with(b"\r\n\r\n") {
                stream.read_buf(&mut seen).await.expect("a request");
            }
            for part in parts {
                stream.write_all(part.as_bytes()).await.expect("a reader");
                tokio::task::yield_now().await;
            }
            seen
        });
        let stream = TcpStream::connect(address).await.expect("a server");
        let answer = exchange(stream, request.as_bytes()).await;
        assert_eq!(serving.await.expect("a request"), request.as_bytes());
        answer.map(|(response, _)| (response.status().as_u16(), response.into_body()))
    }

    #[tokio::test]
    async fn an_answer_is_read_to_its_end() {
        let get = "GET / HTTP/1.1\r\nX:  y\r\n\r\n";
        let table: [(&str, [&str; 2], u16, &str); 6] = [
            (
                get,
                ["HTTP/1.1 401 \r\nContent-Le", "ngth: 2\r\n\r\nno"],
                401,
                "no",
            ),
            (
                get,
                [
                    "HTTP/1.1 100 Go\r\n\r\nHTTP/1.0 200 OK\r\n\r\nall",
                    " of it",
                ],
                200,
                "all of it",
            ),
            (
                get,
                [
                    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r",
                    "\nde\r\n0\r\n\r\n",
                ],
                200,
                "abcde",
            ),
            (
                "HEAD / HTTP/1.1\r\n\r\n",
                ["HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", ""],
                200,
                "",
            ),
            (get, ["HTTP/1.1 204 No\r\n\r\n", ""], 204, ""),
            // A refusal may be cut off: its status has said what there was to say.
            (
                get,
                ["HTTP/1.1 431 -\r\nContent-Length: 9\r\n\r\n", "cut"],
                431,
                "cut",
            ),
        ];
        for (request, parts, status, body) in table {
            let (read_status, read_body) = read(request, parts).await.expect(parts[0]);
            assert_eq!(
                (read_status, &read_body[..]),
                (status, body.as_bytes()),
                "{parts:?}"
            );
        }
    }

    #[tokio::test]
    async fn what_is_no_answer_is_told_as_that() {
        let get = "GET / HTTP/1.1\r\n\r\n";
        for (answer, part) in [
            ("", "without an answer"),
            ("HTTP/1.1 200 OK\r\nX", "in the answer's head"),
            ("SMTP", "not an HTTP answer"),
            (
                "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab",
                "in the answer's body",
            ),
            (
                "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
                "twice",
            ),
            (
                "HTTP/1.1 200 OK\r\nContent-Length: +1\r\n\r\na",
                "not usable",
            ),
            (
                "HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\na",
                "not usable",
            ),
            (
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
                "without a size",
            ),
        ] {
            let reason = read(get, [answer, ""]).await.expect_err(answer);
            assert!(reason.contains(part), "{reason} for {answer:?}");
        }
    }
}
