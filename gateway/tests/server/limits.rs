//! What a client may send, how slowly, and how many of them there may be.

use std::time::Duration;

use gateway::{Gateway, RestApi, ServerLimits};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::bed::{read, send, start};

fn limits() -> ServerLimits {
    ServerLimits {
        body_bytes: 1_000,
        body_deadline: Duration::from_millis(200),
        header_deadline: Duration::from_millis(500),
        ..ServerLimits::default()
    }
}

const HEALTH: &str = "GET /test/health HTTP/1.1\r\nhost: t\r\n\r\n";

async fn assert_healthy(gateway: &Gateway) {
    assert_eq!(send(gateway, HEALTH).await.status, 200);
}

#[tokio::test]
async fn headers_beyond_the_quota_are_refused() {
    let gateway = start(RestApi::planets()).await;
    for (bytes, status, rule) in [
        (10_000, 200, "R-NONE"),
        (10_240, 431, "R-431"),
        (20_000, 431, "R-431"),
    ] {
        let request = format!(
            "GET /test/health HTTP/1.1\r\nhost: t\r\nx-long: {}\r\n\r\n",
            "x".repeat(bytes)
        );
        let answer = send(&gateway, &request).await;
        assert_eq!((answer.status, answer.rule()), (status, rule), "{bytes}");
    }
    gateway.shutdown().await;
}

#[tokio::test]
async fn a_header_section_of_a_megabyte_ends_the_connection() {
    let gateway = start(RestApi::planets()).await;
    let stream = TcpStream::connect(gateway.address()).await.unwrap();
    let (mut reading, mut writing) = stream.into_split();
    let request = format!(
        "GET /test/health HTTP/1.1\r\nhost: t\r\nx-long: {}\r\n\r\n",
        "x".repeat(1_000_000)
    );
    let mut answer = Vec::new();
    // The refusal may overtake the request, so both ends may see a reset.
    let (_, _) = tokio::join!(
        writing.write_all(request.as_bytes()),
        reading.read_to_end(&mut answer)
    );
    assert!(
        answer.is_empty() || answer.starts_with(b"HTTP/1.1 431 "),
        "{:?}",
        String::from_utf8_lossy(&answer)
    );
    assert_healthy(&gateway).await;
    gateway.shutdown().await;
}

#[tokio::test]
async fn a_body_that_is_too_long_or_never_ends_is_refused() {
    let gateway = start(RestApi::planets().with_limits(limits())).await;
    let chunked = "transfer-encoding: chunked\r\n\r\n5\r\n{\"nam\r\n";
    let endless = format!(
        "transfer-encoding: chunked\r\n\r\n7d0\r\n{}\r\n",
        "x".repeat(2_000)
    );
    for (rest, status, rule) in [
        ("content-length: 1001\r\n\r\n", 413, "R-413"),
        ("content-length: 20\r\n\r\n{", 408, "R-408"),
        (chunked, 408, "R-408"),
        (&endless, 413, "R-413"),
    ] {
        let request = format!(
            "POST /test/planets HTTP/1.1\r\nhost: t\r\nauthorization: Bearer allow\r\n{rest}"
        );
        let answer = send(&gateway, &request).await;
        assert_eq!((answer.status, answer.rule()), (status, rule), "{rest}");
    }
    // Who is refused is not read from at all.
    let refused = "POST /test/planets HTTP/1.1\r\nhost: t\r\ncontent-length: 20\r\n\r\n{";
    assert_eq!(send(&gateway, refused).await.rule(), "R-ID-MISSING");
    gateway.shutdown().await;
}

#[tokio::test]
async fn a_header_section_that_never_ends_is_hung_up_on() {
    let gateway = start(RestApi::planets().with_limits(limits())).await;
    let mut stream = TcpStream::connect(gateway.address()).await.unwrap();
    stream
        .write_all(b"GET /test/health HTTP/1.1\r\nhost: t\r\nx-never: ")
        .await
        .unwrap();
    let mut answer = Vec::new();
    let ended =
        tokio::time::timeout(Duration::from_secs(10), stream.read_to_end(&mut answer)).await;
    assert!(ended.is_ok(), "the connection stays open");
    assert!(!answer.starts_with(b"HTTP/1.1 200"));
    gateway.shutdown().await;
}

#[tokio::test]
async fn one_connection_carries_many_requests() {
    let gateway = start(RestApi::planets()).await;
    let mut stream = TcpStream::connect(gateway.address()).await.unwrap();
    for _ in 0..3 {
        stream.write_all(HEALTH.as_bytes()).await.unwrap();
        assert_eq!(read(&mut stream).await.status, 200);
    }
    gateway.shutdown().await;
}

#[tokio::test]
async fn a_connection_beyond_the_limit_waits_for_one_to_end() {
    let gateway = start(RestApi::planets().with_limits(ServerLimits {
        connections: 1,
        ..limits()
    }))
    .await;
    let mut first = TcpStream::connect(gateway.address()).await.unwrap();
    first.write_all(HEALTH.as_bytes()).await.unwrap();
    assert_eq!(read(&mut first).await.status, 200);
    let mut second = TcpStream::connect(gateway.address()).await.unwrap();
    second.write_all(HEALTH.as_bytes()).await.unwrap();
    let answered = tokio::time::timeout(Duration::from_millis(100), second.readable()).await;
    assert!(
        answered.is_err(),
        "the second connection is served beside the first"
    );
    drop(first);
    assert_eq!(read(&mut second).await.status, 200);
    gateway.shutdown().await;
}
