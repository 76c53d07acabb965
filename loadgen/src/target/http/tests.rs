//! An HTTP target against servers of the tests' own.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;

use super::*;
use crate::target::{CaseRequest, RequestShape, Target};

/// Reads a little, refuses and closes, which resets the connection under what is still being sent.
fn refuse_early(listener: &TcpListener) {
    let (mut stream, _) = listener.accept().expect("a connection");
    let mut beginning = [0; 1024];
    stream.read_exact(&mut beginning).expect("a beginning");
    let answer = "HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
    stream.write_all(answer.as_bytes()).expect("an answer");
}

#[tokio::test]
async fn the_answer_of_a_server_that_closes_early_is_read() {
    // More than the sockets' buffers take, so that writing is not over when the answer comes. Whether it fails before the
    // answer is read is up to the scheduler, hence more than one try.
    const LENGTH: usize = 16 * 1024 * 1024;
    const TRIES: usize = 20;
    let listener = TcpListener::bind("127.0.0.1:0").expect("a listener");
    let address = listener.local_addr().expect("an address").to_string();
    let server = std::thread::spawn(move || {
        (0..TRIES).for_each(|_| refuse_early(&listener));
    });
    let target = Target::Http(Arc::new(HttpTarget::new(address, "/planets")));
    let request = target
        .prepare(&RequestShape::default(), &"t".repeat(LENGTH))
        .expect("a request");
    for _ in 0..TRIES {
        let answer = target.connection().call(&request).await;
        assert_eq!(answer.decision, Decision::Deny, "{:?}", answer.fault);
    }
    server.join().expect("the server");
}

/// Answers each request, and closes.
fn answering(requests: usize) -> (SocketAddr, std::thread::JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a listener");
    let address = listener.local_addr().expect("an address");
    let server = std::thread::spawn(move || {
        for _ in 0..requests {
            let (mut stream, _) = listener.accept().expect("a connection");
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                stream.read_exact(&mut byte).expect("a request");
                request.extend(byte);
            }
            let answer = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
            stream.write_all(answer.as_bytes()).expect("an answer");
        }
    });
    (address, server)
}

#[tokio::test]
async fn a_name_is_looked_up_once_for_all_users_and_phases() {
    let (address, server) = answering(4);
    let target = HttpTarget::new("no-such-host.invalid:80", "/");
    let found = vec![address];
    target.addresses.set(found).expect("not looked up yet");
    let target = Target::Http(Arc::new(target));
    for keep_alive in [true, false] {
        // A phase of its own each.
        let target = target.with_connections(Connections::Http1 {
            keep_alive,
            per_user: 1,
        });
        let request = target.prepare(&RequestShape::default(), "token");
        let request = request.expect("a request");
        for _ in 0..2 {
            let answer = target.connection().call(&request).await;
            assert_eq!(answer.decision, Decision::Allow, "{answer:?}");
        }
    }
    server.join().expect("the server");
}

#[tokio::test]
async fn a_name_is_looked_up_before_the_first_request_on_connections_of_their_own() {
    let connections = Connections::Http1 {
        keep_alive: false,
        per_user: 1,
    };
    let target = HttpTarget::new("localhost:1", "/").with_connections(connections);
    let found = Arc::clone(&target.addresses);
    Target::Http(Arc::new(target)).connection().warm_up().await;
    assert!(found.initialized());
}

#[tokio::test]
async fn the_set_up_of_a_connection_for_odd_bytes_is_told() {
    let (address, server) = answering(2);
    let target = Target::Http(Arc::new(HttpTarget::new(address.to_string(), "/")));
    let case = CaseRequest {
        raw: Some(vec!["GET {path} HTTP/1.1".to_owned()]),
        ..CaseRequest::default()
    };
    let request = target.prepare(&RequestShape::from(&case), "token");
    let request = request.expect("a request");
    let mut user = target.connection();
    for _ in 0..2 {
        let answer = user.call(&request).await;
        assert_eq!(answer.decision, Decision::Allow, "{answer:?}");
        assert!(answer.set_up.is_some());
    }
    server.join().expect("the server");
}

/// A listener whose queue is full drops what asks for a connection: setting one up takes as long as it may.
#[tokio::test]
async fn setting_up_a_connection_is_in_the_service_time() {
    let listener = tokio::net::TcpSocket::new_v4().expect("a socket");
    listener
        .bind("127.0.0.1:0".parse().expect("an address"))
        .expect("a port");
    let listener = listener.listen(1).expect("a listener");
    let address = listener.local_addr().expect("an address");
    // Linux queues one more than asked for.
    let _queued = tokio::try_join!(TcpStream::connect(address), TcpStream::connect(address))
        .expect("room for two");
    let target = Target::Http(Arc::new(HttpTarget::new(address.to_string(), "/")));
    let request = target
        .prepare(&RequestShape::default(), "token")
        .expect("a plain request");
    let answer = target.connection().call(&request).await;
    assert!(
        answer.finished - answer.sent >= CONNECT_TIMEOUT,
        "{}",
        answer.summary()
    );
}
