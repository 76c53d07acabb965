//! The connection against streams that answer by a script, and against a listener where the socket matters.

use std::collections::VecDeque;
use std::future::Future;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::*;

const GET: &str = "GET / HTTP/1.1\r\nX:  y\r\n\r\n";
const KEEP: Option<usize> = Some(1024 * 1024);

/// More than the buffers of two sockets take.
const LONG: usize = 16 * 1024 * 1024;

/// A stream whose reads give these pieces, one each, and then its end. What is written to it is gone.
#[derive(Debug)]
struct Pieces(VecDeque<Vec<u8>>);

impl Pieces {
    fn of(bytes: &[u8], size: usize) -> Self {
        Self(bytes.chunks(size.max(1)).map(<[u8]>::to_vec).collect())
    }

    fn split_at(bytes: &[u8], place: usize) -> Self {
        let (first, second) = bytes.split_at(place);
        let pieces = [first, second].map(<[u8]>::to_vec);
        Self(
            pieces
                .into_iter()
                .filter(|piece| !piece.is_empty())
                .collect(),
        )
    }
}

impl AsyncRead for Pieces {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        room: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if let Some(mut piece) = self.0.pop_front() {
            let rest = piece.split_off(piece.len().min(room.remaining()));
            room.put_slice(&piece);
            if !rest.is_empty() {
                self.0.push_front(rest);
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Pieces {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

async fn read(pieces: Pieces, request: &str, keep: Option<usize>) -> Result<Received, Lost> {
    Http1::new(pieces).exchange(request.as_bytes(), keep).await
}

#[tokio::test]
async fn an_answer_is_read_to_its_end_however_it_comes() {
    let head = "HEAD / HTTP/1.1\r\n\r\n";
    let table = [
        (
            GET,
            "HTTP/1.1 401 \r\nContent-Length: 2\r\n\r\nno",
            401,
            "no",
            true,
        ),
        (
            GET,
            "HTTP/1.1 100 Go\r\n\r\nHTTP/1.1 103 Early\r\nLink: a\r\n\r\nHTTP/1.0 200 OK\r\n\r\nall of it",
            200,
            "all of it",
            false,
        ),
        (
            GET,
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n2\r\nde\r\n0\r\nA: b\r\n\r\n",
            200,
            "abcde",
            true,
        ),
        (
            head,
            "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n",
            200,
            "",
            true,
        ),
        (GET, "HTTP/1.1 204 No\r\n\r\n", 204, "", true),
        (GET, "HTTP/1.1 101 Go\r\nUpgrade: x\r\n\r\n", 101, "", false),
        (
            GET,
            "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok",
            200,
            "ok",
            false,
        ),
        // A refusal may be cut off: its status has said what there was to say.
        (
            GET,
            "HTTP/1.1 431 -\r\nContent-Length: 9\r\n\r\ncut",
            431,
            "cut",
            false,
        ),
    ];
    for (request, answer, status, body, reusable) in table {
        let bytes = answer.as_bytes();
        let splits = (0..bytes.len()).map(|place| Pieces::split_at(bytes, place));
        let pieces = [1, 2, 3].map(|size| Pieces::of(bytes, size));
        for pieces in splits.chain(pieces) {
            let told = format!("{pieces:?}");
            let received = read(pieces, request, KEEP).await.expect(&told);
            let seen = (received.head.status, &received.body[..], received.reusable);
            assert_eq!(seen, (status, body.as_bytes(), reusable), "{told}");
        }
        let unkept = read(Pieces::of(bytes, 7), request, None)
            .await
            .expect(answer);
        assert_eq!((unkept.head.status, unkept.reusable), (status, reusable));
        assert!(unkept.body.is_empty() && unkept.head.fields.is_empty());
    }
}

#[tokio::test]
async fn what_is_no_answer_is_told_as_that_however_it_comes() {
    let endless = format!("HTTP/1.1 200 OK\r\nX: {}", "x".repeat(2 * HEAD_LIMIT));
    let many = format!("HTTP/1.1 200 OK\r\n{}\r\n", "a: b\r\n".repeat(200));
    for (answer, loss, part) in [
        ("", Loss::Closed, "without an answer"),
        (
            "HTTP/1.1 200 OK\r\nX",
            Loss::HalfAnswer,
            "in the answer's head",
        ),
        (
            "HTTP/1.1 100 Go\r\n\r\n",
            Loss::HalfAnswer,
            "in the answer's head",
        ),
        ("SMTP", Loss::Malformed, "not an HTTP answer"),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab",
            Loss::HalfAnswer,
            "in the answer's body",
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n",
            Loss::HalfAnswer,
            "in the answer's body",
        ),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
            Loss::Malformed,
            "twice",
        ),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: +1\r\n\r\na",
            Loss::Malformed,
            "not usable",
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
            Loss::Malformed,
            "without a size",
        ),
        (&endless, Loss::Malformed, "head is longer than 65536"),
        (&many, Loss::Malformed, "not an HTTP answer"),
    ] {
        for size in [1, 7, 4096, answer.len()] {
            // By single bytes, a head of this length is parsed as often: once is enough.
            if size == 1 && answer.len() > HEAD_LIMIT {
                continue;
            }
            let pieces = Pieces::of(answer.as_bytes(), size);
            let lost = read(pieces, GET, KEEP).await.expect_err(part);
            assert_eq!(lost.loss, loss, "{part} by {size}");
            assert!(lost.reason.contains(part), "{} for {part:?}", lost.reason);
        }
    }
}

#[tokio::test]
async fn a_long_body_is_read_in_little_memory_where_nobody_wants_it() {
    let mut answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {LONG}\r\n\r\n").into_bytes();
    answer.resize(answer.len() + LONG, b'x');
    let mut connection = Http1::new(Pieces::of(&answer, 1 << 20));
    let received = connection.exchange(GET.as_bytes(), None).await;
    assert!(received.expect("an answer").reusable);
    assert_eq!(connection.buffer.bytes.len(), HEAD_LIMIT);
    let lost = read(Pieces::of(&answer, 1 << 20), GET, KEEP).await;
    let lost = lost.expect_err("more than is kept");
    assert!(
        lost.reason.contains("longer than 1048576"),
        "{}",
        lost.reason
    );
}

#[tokio::test]
async fn what_comes_behind_an_answer_belongs_to_no_request() {
    for rubbish in ["x", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"] {
        let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok{rubbish}");
        let received = read(Pieces::of(answer.as_bytes(), 4096), GET, KEEP).await;
        let received = received.expect("an answer");
        assert_eq!(&received.body[..], b"ok");
        assert!(!received.reusable);
    }
}

/// A connection to a server of one client, and the server's task.
async fn served<F: Future<Output = ()> + Send + 'static>(
    serve: impl FnOnce(TcpStream) -> F + Send + 'static,
) -> (Http1<TcpStream>, tokio::task::JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let serving = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.expect("a client");
        serve(stream).await;
    });
    let stream = TcpStream::connect(address).await.expect("a server");
    (Http1::new(stream), serving)
}

async fn hear(stream: &mut TcpStream) -> Vec<u8> {
    let mut heard = Vec::new();
    while !heard.ends_with(b"\r\n\r\n") {
        stream.read_buf(&mut heard).await.expect("a request");
    }
    heard
}

/// Waits until the socket has something to read, or its end.
async fn comes(connection: &Http1<TcpStream>) {
    connection.stream.readable().await.expect("a socket");
}

#[tokio::test]
async fn a_connection_takes_one_request_after_the_other_until_the_server_says_more_or_closes() {
    for (farewell, closes) in [("", true), ("HTTP/1.1 408 Late\r\n\r\n", false)] {
        let (told, heard) = tokio::sync::oneshot::channel::<()>();
        let (mut connection, serving) = served(move |mut stream| async move {
            for body in ["a", "b"] {
                assert_eq!(hear(&mut stream).await, GET.as_bytes());
                let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n{body}");
                stream.write_all(answer.as_bytes()).await.expect("a client");
            }
            let _ = heard.await;
            stream
                .write_all(farewell.as_bytes())
                .await
                .expect("a client");
            if !closes {
                std::future::pending::<()>().await;
            }
        })
        .await;
        for body in ["a", "b"] {
            assert!(connection.is_idle().await);
            let received = connection.exchange(GET.as_bytes(), KEEP).await;
            let received = received.expect("an answer");
            assert_eq!(
                (&received.body[..], received.reusable),
                (body.as_bytes(), true)
            );
        }
        assert!(connection.is_idle().await);
        told.send(()).expect("a server");
        comes(&connection).await;
        assert!(!connection.is_idle().await, "{farewell:?}");
        serving.abort();
    }
}

#[tokio::test]
async fn a_reset_is_told_from_a_connection_that_was_closed() {
    let (mut connection, serving) = served(|mut stream| async move {
        // Closed with a request that nobody has read to its end.
        stream.read_u8().await.expect("a request");
    })
    .await;
    let lost = connection.exchange(GET.as_bytes(), KEEP).await;
    let lost = lost.expect_err("no answer");
    assert_eq!(lost.loss, Loss::Reset, "{}", lost.reason);
    serving.await.expect("the server");
    let (mut connection, serving) = served(|mut stream| async move {
        hear(&mut stream).await;
    })
    .await;
    let lost = connection.exchange(GET.as_bytes(), KEEP).await;
    let lost = lost.expect_err("no answer");
    assert_eq!(lost.loss, Loss::Closed, "{}", lost.reason);
    serving.await.expect("the server");
}

#[tokio::test]
async fn an_answer_that_comes_before_the_request_is_read_is_taken() {
    let (mut connection, serving) = served(|mut stream| async move {
        stream.read_u8().await.expect("a request");
        let refusal = b"HTTP/1.1 413 No\r\nContent-Length: 2\r\n\r\nno";
        stream.write_all(refusal).await.expect("a client");
        std::future::pending::<()>().await;
    })
    .await;
    let request = vec![b'x'; LONG];
    let received = connection.exchange(&request, KEEP).await;
    let received = received.expect("an answer");
    assert_eq!((received.head.status, received.reusable), (413, false));
    serving.abort();
}

/// Who writes all of a request before it reads any of the answer waits here for ever.
#[tokio::test]
async fn an_answer_is_read_while_the_request_is_written() {
    let (mut connection, serving) = served(|mut stream| async move {
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {LONG}\r\n\r\n");
        stream.write_all(head.as_bytes()).await.expect("a client");
        let (mut reading, mut writing) = stream.split();
        tokio::io::copy(&mut reading, &mut writing)
            .await
            .expect("an echo");
    })
    .await;
    let request = vec![b'x'; LONG];
    let received = connection.exchange(&request, Some(LONG)).await;
    let received = received.expect("an answer");
    assert!(received.reusable && received.body == request);
    drop(connection);
    serving.await.expect("the server");
}
