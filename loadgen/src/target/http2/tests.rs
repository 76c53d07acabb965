//! A server that breaks off in each way that HTTP/2 has, on a real socket.

use std::sync::atomic::{AtomicUsize, Ordering};

use h2::server::{Connection, SendResponse};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::target::{CaseRequest, Connections, Decision, Observation, RequestShape, Target, Trust};

/// What a server does with a request.
#[derive(Debug, Clone, Copy)]
enum Deed {
    Answer,
    /// Never answers the first request of all, and each other.
    AnswerOthers,
    AnswerSomeAndEnd,
    CancelInBody,
    CloseBeforeAnswer,
    CloseInBody,
    GoAway,
    /// Never answers over the first connection, and over each other.
    HangAtFirst,
    Reset(Reason),
    ResetConnection,
    ResetInBody(u16),
    SpeakHttp1,
}

/// Requests of a connection that is then renewed.
const SOME: usize = 10;

/// Does the same with every request; says where it listens, and how often somebody has connected.
async fn serve(deed: Deed) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address").to_string();
    let connections = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&connections);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let earlier = counted.fetch_add(1, Ordering::Relaxed);
            let deed = match deed {
                Deed::HangAtFirst if earlier > 0 => Deed::Answer,
                deed => deed,
            };
            tokio::spawn(connection(stream, deed));
        }
    });
    (address, connections)
}

/// None when the client has gone away, or has been made to.
async fn connection(mut stream: TcpStream, deed: Deed) -> Option<()> {
    if let Deed::SpeakHttp1 = deed {
        let answer = b"HTTP/1.1 400 Bad Request\r\n\r\n";
        stream.write_all(answer).await.ok()?;
        // Read to its end: closing before would be a reset.
        stream.read_to_end(&mut Vec::new()).await.ok()?;
        return None;
    }
    if let Deed::ResetConnection = deed {
        stream.set_zero_linger().ok()?;
    }
    let mut connection = h2::server::handshake(stream).await.ok()?;
    let mut asked = 0;
    let mut unanswered = Vec::new();
    while let Some(Ok((_, respond))) = connection.accept().await {
        asked += 1;
        if matches!(
            (deed, asked),
            (Deed::HangAtFirst, _) | (Deed::AnswerOthers, 1)
        ) {
            // Dropped it would be a reset.
            unanswered.push(respond);
            continue;
        }
        answer(&mut connection, respond, deed).await?;
        if let (Deed::AnswerSomeAndEnd, SOME) = (deed, asked) {
            connection.graceful_shutdown();
        }
    }
    Some(())
}

async fn answer(
    connection: &mut Connection<TcpStream, Bytes>,
    mut respond: SendResponse<Bytes>,
    deed: Deed,
) -> Option<()> {
    let head = |status: u16| {
        let head = Response::builder().status(status);
        head.header("content-length", 4).body(()).expect("a head")
    };
    match deed {
        Deed::Answer | Deed::AnswerOthers | Deed::AnswerSomeAndEnd => {
            let mut body = respond.send_response(head(200), false).ok()?;
            body.send_data("body".into(), true).ok()?;
        }
        Deed::CancelInBody | Deed::ResetInBody(_) | Deed::CloseInBody => {
            let status = match deed {
                Deed::ResetInBody(status) => status,
                _ => 200,
            };
            let mut body = respond.send_response(head(status), false).ok()?;
            body.send_data("bo".into(), false).ok()?;
            sent(connection).await;
            match deed {
                Deed::CancelInBody => body.send_reset(Reason::CANCEL),
                Deed::ResetInBody(_) => body.send_reset(Reason::INTERNAL_ERROR),
                _ => return None,
            }
        }
        Deed::GoAway => {
            connection.abrupt_shutdown(Reason::ENHANCE_YOUR_CALM);
            while connection.accept().await.is_some() {}
        }
        Deed::Reset(reason) => respond.send_reset(reason),
        Deed::CloseBeforeAnswer | Deed::HangAtFirst | Deed::ResetConnection | Deed::SpeakHttp1 => {
            return None;
        }
    }
    Some(())
}

/// Lets the connection send what it has been given.
async fn sent(connection: &mut Connection<TcpStream, Bytes>) {
    let _ = tokio::time::timeout(Duration::from_millis(20), connection.accept()).await;
}

/// A target over so many connections of HTTP/2.
fn target(address: String, connections: usize) -> HttpTarget {
    HttpTarget::new(address, "/planets").with_connections(Connections::Http2 {
        shared: connections,
    })
}

#[tokio::test]
async fn an_asterisk_reaches_the_server_as_it_is() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address").to_string();
    let seen = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.expect("a client");
        let mut connection = h2::server::handshake(stream).await.expect("HTTP/2");
        let (request, _) = connection.accept().await?.expect("a request");
        Some(request.uri().clone())
    });
    let target = Target::Http(Arc::new(target(address.clone(), 1)));
    let case = CaseRequest {
        method: Some("OPTIONS".to_owned()),
        path: Some("*".to_owned()),
        ..CaseRequest::default()
    };
    let shape = RequestShape::from(&case);
    let request = target.prepare(&shape, "token").expect("a request");
    target.connection().call(&request).await;
    let uri = seen.await.expect("no panic").expect("a request");
    assert_eq!(
        (
            uri.authority().map(http::uri::Authority::as_str),
            uri.path()
        ),
        (Some(&*address), "*")
    );
}

/// Users who ask once at the same time.
async fn ask(target: HttpTarget, users: usize) -> Vec<Observation> {
    let target = Target::Http(Arc::new(target));
    let shape = RequestShape::default();
    let request = target.prepare(&shape, "token").expect("a request");
    let mut asking = tokio::task::JoinSet::new();
    for _ in 0..users {
        let (mut connection, request) = (target.connection(), request.clone());
        asking.spawn(async move { connection.call(&request).await });
    }
    asking.join_all().await
}

#[tokio::test]
async fn each_way_of_breaking_off_is_a_kind_of_its_own() {
    for (deed, loss, words) in [
        (
            Deed::Reset(Reason::INTERNAL_ERROR),
            Loss::StreamReset,
            "INTERNAL_ERROR",
        ),
        (
            Deed::Reset(Reason::REFUSED_STREAM),
            Loss::StreamRefused,
            "REFUSED_STREAM",
        ),
        (Deed::GoAway, Loss::GoAway, "ENHANCE_YOUR_CALM"),
        (Deed::CloseBeforeAnswer, Loss::Closed, "without an answer"),
        (Deed::ResetConnection, Loss::Reset, "reset"),
        (Deed::SpeakHttp1, Loss::Malformed, "no HTTP/2"),
        (Deed::CloseInBody, Loss::HalfAnswer, "body"),
        (Deed::ResetInBody(200), Loss::StreamReset, "INTERNAL_ERROR"),
        (Deed::CancelInBody, Loss::StreamReset, "body"),
    ] {
        let (address, _) = serve(deed).await;
        let observation = ask(target(address, 1), 1).await.remove(0);
        let told = observation.fault.as_deref().unwrap_or_default();
        assert_eq!(observation.loss, Some(loss), "{deed:?}: {told}");
        assert!(told.contains(words), "{deed:?}: {told}");
        assert_eq!(observation.decision, Decision::Fault);
    }
}

#[tokio::test]
async fn a_refusal_that_is_cut_off_has_said_what_there_was_to_say() {
    let (address, _) = serve(Deed::ResetInBody(401)).await;
    let observation = ask(target(address, 1), 1).await.remove(0);
    assert_eq!(observation.decision, Decision::Deny, "{observation:?}");
}

#[tokio::test]
async fn a_connection_that_was_closed_between_two_requests_is_opened_again() {
    let (address, connections) = serve(Deed::GoAway).await;
    let target = Target::Http(Arc::new(target(address, 1)));
    let shape = RequestShape::default();
    let request = target.prepare(&shape, "token").expect("a request");
    let mut user = target.connection();
    for asked in 1..=5 {
        let observation = user.call(&request).await;
        // Each has been sent, and none was lost because the one before had ended the connection.
        assert_eq!(observation.loss, Some(Loss::GoAway), "{observation:?}");
        assert_eq!(connections.load(Ordering::Relaxed), asked);
        assert!(observation.set_up.is_some(), "{observation:?}");
    }
}

#[tokio::test]
async fn a_connection_over_which_nobody_was_answered_in_time_is_asked_once_and_no_more() {
    let (address, connections) = serve(Deed::HangAtFirst).await;
    let target = target(address, 1).with_answer_timeout(Duration::from_millis(300));
    let target = Target::Http(Arc::new(target));
    let shape = RequestShape::default();
    let request = target.prepare(&shape, "token").expect("a request");
    let mut users: Vec<_> = (0..4).map(|_| target.connection()).collect();
    // All at the same time: one connection takes the place of the one that is silent, not one for each.
    for loss in [Some(Loss::TimedOut), None] {
        let mut asking = tokio::task::JoinSet::new();
        for mut user in users.drain(..) {
            let request = request.clone();
            asking.spawn(async move { (user.call(&request).await, user) });
        }
        for (observation, user) in asking.join_all().await {
            assert_eq!(observation.loss, loss, "{observation:?}");
            users.push(user);
        }
    }
    assert_eq!(connections.load(Ordering::Relaxed), 2);
}

/// The library sends what it still has to before it ends a connection, which nobody takes here.
#[tokio::test]
async fn a_server_that_has_ended_and_reads_no_more_keeps_nobody_waiting() {
    const HEADER: usize = 9;
    let listener = tokio::net::TcpSocket::new_v4().expect("a socket");
    listener.set_recv_buffer_size(4096).expect("a small buffer");
    listener
        .bind("127.0.0.1:0".parse().expect("an address"))
        .expect("a port");
    let listener = listener.listen(8).expect("a listener");
    let address = listener.local_addr().expect("an address").to_string();
    let serving = tokio::spawn(async move {
        let mut held = Vec::new();
        while let Ok((mut stream, _)) = listener.accept().await {
            // SETTINGS with the largest INITIAL_WINDOW_SIZE, and a WINDOW_UPDATE of the connection (RFC 9113 §6.5, §6.9).
            let settings = [0, 0, 6, 4, 0, 0, 0, 0, 0, 0, 4, 0x7f, 0xff, 0xff, 0xff];
            let window = [0, 0, 4, 8, 0, 0, 0, 0, 0, 0x7f, 0, 0, 0];
            stream.write_all(&settings).await.expect("to write");
            stream.write_all(&window).await.expect("to write");
            // The preface and what follows it: the request is on its way.
            stream
                .read_exact(&mut [0; 24 + HEADER])
                .await
                .expect("to read");
            tokio::time::sleep(Duration::from_millis(200)).await;
            stream.shutdown().await.expect("to end");
            held.push(stream);
        }
    });
    let target = Target::Http(Arc::new(target(address, 1)));
    let shape = RequestShape::default().with_body(vec![0; 32 << 20].into());
    let request = target.prepare(&shape, "token").expect("a request");
    let mut user = target.connection();
    for _ in 0..2 {
        let observation = user.call(&request).await;
        assert_eq!(observation.loss, Some(Loss::Closed), "{observation:?}");
        let waited = observation.finished - observation.sent;
        assert!(waited < Duration::from_secs(3), "{waited:?}");
        assert!(observation.set_up.is_some(), "{observation:?}");
    }
    serving.abort();
}

#[tokio::test]
async fn a_connection_that_answers_others_outlives_a_request_that_it_does_not_answer() {
    let (address, connections) = serve(Deed::AnswerOthers).await;
    let target = target(address, 1).with_answer_timeout(Duration::from_millis(300));
    let target = Target::Http(Arc::new(target));
    let shape = RequestShape::default();
    let request = target.prepare(&shape, "token").expect("a request");
    let (mut one, mut other) = (target.connection(), target.connection());
    let (first, second) = tokio::join!(one.call(&request), async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        other.call(&request).await
    });
    assert_eq!(first.loss, Some(Loss::TimedOut), "{first:?}");
    let third = one.call(&request).await;
    for answered in [second, third] {
        assert_eq!(answered.decision, Decision::Allow, "{answered:?}");
    }
    assert_eq!(connections.load(Ordering::Relaxed), 1);
}

/// As servers do that want their connections renewed: they say which requests they have not taken.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_is_renewed_costs_no_request() {
    let (address, connections) = serve(Deed::AnswerSomeAndEnd).await;
    let target = Target::Http(Arc::new(target(address, 1)));
    let shape = RequestShape::default();
    let request = target.prepare(&shape, "token").expect("a request");
    let mut users = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let (mut user, request) = (target.connection(), request.clone());
        users.spawn(async move {
            for _ in 0..50 {
                let observation = user.call(&request).await;
                assert_eq!(observation.decision, Decision::Allow, "{observation:?}");
            }
        });
    }
    users.join_all().await;
    assert!(connections.load(Ordering::Relaxed) > 8);
}

#[tokio::test]
async fn users_who_share_a_connection_share_the_attempt_to_open_it() {
    const USERS: usize = 16;
    let (address, connections) = serve(Deed::Answer).await;
    let answers = ask(target(address, 1), USERS).await;
    assert!(answers.iter().all(|seen| seen.decision == Decision::Allow));
    let opened = answers.iter().filter(|seen| seen.set_up.is_some());
    assert_eq!(
        (opened.count(), connections.load(Ordering::Relaxed)),
        (1, 1)
    );

    // A server that takes its time, and then does not speak TLS.
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address").to_string();
    let refusing = tokio::spawn(async move {
        for attempt in 0.. {
            let accepted = tokio::time::timeout(Duration::from_secs(1), listener.accept());
            let Ok(Ok((stream, _))) = accepted.await else {
                return attempt;
            };
            tokio::time::sleep(Duration::from_millis(100)).await;
            drop(stream);
        }
        0
    });
    let target = target(address, 1).over_tls(&Trust::Anyone).expect("TLS");
    let answers = ask(target, USERS).await;
    assert!(answers.iter().all(|seen| seen.loss == Some(Loss::Tls)));
    assert_eq!(refusing.await.expect("no panic"), 1);
}

#[tokio::test]
async fn users_take_the_connections_of_their_target_in_turn_whoever_else_is_asked() {
    let (address, connections) = serve(Deed::Answer).await;
    let target = Target::Http(Arc::new(target(address, 2)));
    let elsewhere = Target::Http(Arc::new(HttpTarget::new("localhost:1", "/")));
    let shape = RequestShape::default();
    let request = target.prepare(&shape, "token").expect("a request");
    for opened in [1, 2, 2, 2] {
        let _other = elsewhere.connection();
        let observation = target.connection().call(&request).await;
        assert_eq!(observation.decision, Decision::Allow, "{observation:?}");
        assert_eq!(connections.load(Ordering::Relaxed), opened);
    }
}

/// A listener whose queue is full drops what asks for a connection.
#[tokio::test]
async fn opening_a_shared_connection_is_bounded_by_the_longest_wait_for_an_answer() {
    const PATIENCE: Duration = Duration::from_millis(300);
    let listener = tokio::net::TcpSocket::new_v4().expect("a socket");
    listener
        .bind("127.0.0.1:0".parse().expect("an address"))
        .expect("a port");
    let listener = listener.listen(1).expect("a listener");
    let address = listener.local_addr().expect("an address");
    // Linux queues one more than asked for.
    let _queued = tokio::try_join!(TcpStream::connect(address), TcpStream::connect(address))
        .expect("room for two");
    let target = target(address.to_string(), 1).with_answer_timeout(PATIENCE);
    for observation in ask(target, 8).await {
        let waited = observation.finished - observation.sent;
        assert_eq!(observation.loss, Some(Loss::TimedOut), "{observation:?}");
        assert!(waited < 2 * PATIENCE, "{waited:?}");
    }
}
