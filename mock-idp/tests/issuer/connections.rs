//! Clients that are too slow: they cost the issuer nothing for long.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::fixture::{AUTH0, start};
use crate::http::get;

// The clock stands still and jumps when nothing else is left to do, so that no time is waited for.
#[tokio::test(start_paused = true)]
async fn a_header_section_that_never_ends_is_hung_up_on() {
    let idp = start(AUTH0).await;
    let mut stream = TcpStream::connect(idp.address()).await.unwrap();
    stream
        .write_all(b"GET /healthz HTTP/1.1\r\nhost: i\r\nx-never: ")
        .await
        .unwrap();
    let mut answer = Vec::new();
    let ended = stream.read_to_end(&mut answer);
    tokio::time::timeout(Duration::from_mins(5), ended)
        .await
        .expect("the connection stays open")
        .unwrap();
    assert!(!answer.starts_with(b"HTTP/1.1 200"));
    assert_eq!(get(&idp, "/healthz").await.status, 200);
    idp.shutdown().await;
}
