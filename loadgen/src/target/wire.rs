//! What a request is on the wire, for people who want to see it or to send it themselves.

use std::time::Duration;

use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::io::AsyncReadExt as _;

use super::PreparedRequest;

/// How much of the request is under way at once.
const PIPE_BYTES: usize = 64 * 1024;

/// Nothing but memory is between the two ends.
const TIMEOUT: Duration = Duration::from_secs(5);

/// The bytes that a connection writes for a request: those that we write ourselves, or what an HTTP library writes, taken
/// from a connection whose other end is read here. A request of the library's has no body, so that it ends with its first
/// empty line.
pub async fn wire_bytes(request: &PreparedRequest) -> Result<Vec<u8>, String> {
    if let Some(bytes) = request.raw() {
        return Ok(bytes.to_vec());
    }
    let (ours, mut theirs) = tokio::io::duplex(PIPE_BYTES);
    let (mut sender, connection) = http1::handshake(TokioIo::new(ours))
        .await
        .map_err(|error| error.to_string())?;
    let driving = tokio::spawn(connection);
    let answer = tokio::spawn(sender.send_request(request.to_http()));
    let mut bytes = Vec::new();
    while !bytes.ends_with(b"\r\n\r\n") {
        let read = tokio::time::timeout(TIMEOUT, theirs.read_buf(&mut bytes)).await;
        match read {
            Ok(Ok(count)) if count > 0 => {}
            Ok(Ok(_)) => return Err("the request was not written to its end".to_owned()),
            Ok(Err(error)) => return Err(error.to_string()),
            Err(_) => return Err(format!("no request within {TIMEOUT:?}")),
        }
    }
    // Nobody answers: both wait for ever.
    answer.abort();
    driving.abort();
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conform::CaseRequest;
    use crate::target::{HttpTarget, RequestShape, Target};

    #[tokio::test]
    async fn a_request_is_shown_to_its_last_byte() {
        let target = Target::Http(HttpTarget::new("127.0.0.1:8080", "/planets").into());
        let case = CaseRequest {
            authorization: Some("bearer {token}é".to_owned()),
            query: Some("a={token}".to_owned()),
            headers: vec![("X-Twice".to_owned(), "1".to_owned())],
            method: Some("DELETE".to_owned()),
            ..CaseRequest::default()
        };
        let token = "t".repeat(200_000);
        let request = target
            .prepare(&RequestShape::from(&case), "x.y.z")
            .expect("a request");
        let bytes = wire_bytes(&request).await.expect("bytes");
        let wanted = "DELETE /planets?a=x.y.z HTTP/1.1\r\nhost: 127.0.0.1:8080\r\nauthorization: bearer x.y.zé\r\n\
                      x-twice: 1\r\n\r\n";
        assert_eq!(String::from_utf8_lossy(&bytes), wanted);
        let long = target
            .prepare(&RequestShape::default(), &token)
            .expect("a request");
        let bytes = wire_bytes(&long).await.expect("bytes");
        assert!(bytes.len() > token.len() && bytes.ends_with(b"t\r\n\r\n"));
    }
}
