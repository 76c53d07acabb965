//! Load over TLS, over HTTP/2, with a body, on new connections, by `authbench load URL` and in phases; and what is said when there
//! is no answer.

use std::convert::Infallible;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use mock_idp::{IssuerKeys, KeyStore, ServerCertificate};
use serde_json::Value;
use tokio_rustls::TlsAcceptor;

use crate::support::{AUTHBENCH, key_cache};

/// Runs `authbench load … --json`: its exit code, what it says and what it complains about.
fn load(arguments: &[&str]) -> (Option<i32>, Value, String) {
    let output = Command::new(AUTHBENCH)
        .arg("load")
        .args(arguments)
        .arg("--json")
        .output()
        .expect("authbench starts");
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    let said = serde_json::from_slice(&output.stdout).unwrap_or_default();
    (output.status.code(), said, errors)
}

fn key_store() -> KeyStore {
    KeyStore::open(key_cache())
}

/// What a server of hyper's has seen.
#[derive(Debug, Default)]
struct Seen {
    connections: usize,
    requests: Vec<(http::request::Parts, Bytes)>,
}

/// A server of hyper's in a thread: HTTP/2 or HTTP/1.1, over TLS or not.
fn serve(http2: bool, tls: bool) -> (SocketAddr, Arc<Mutex<Seen>>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    listener.set_nonblocking(true).expect("a socket");
    let seen = Arc::new(Mutex::new(Seen::default()));
    let of_server = Arc::clone(&seen);
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        runtime.block_on(accept(listener, http2, tls.then(acceptor), of_server));
    });
    (address, seen)
}

fn acceptor() -> TlsAcceptor {
    let key = |role| key_store().signing_key(7, role).expect("a key");
    let keys = IssuerKeys {
        signing: key("issuer"),
        attacker: key("attacker"),
        next: key("next"),
    };
    let mut config = ServerCertificate::Trusted
        .server_config(&keys)
        .expect("a certificate with its key");
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Arc::new(config).into()
}

async fn accept(
    listener: TcpListener,
    http2: bool,
    tls: Option<TlsAcceptor>,
    seen: Arc<Mutex<Seen>>,
) {
    let listener = tokio::net::TcpListener::from_std(listener).expect("a listener");
    while let Ok((stream, _)) = listener.accept().await {
        let (tls, seen) = (tls.clone(), Arc::clone(&seen));
        tokio::spawn(async move {
            seen.lock().expect("no panic").connections += 1;
            match tls {
                None => answer(stream, http2, seen).await,
                Some(tls) => {
                    if let Ok(stream) = tls.accept(stream).await {
                        let http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
                        answer(stream, http2, seen).await;
                    }
                }
            }
        });
    }
}

async fn answer<S>(stream: S, http2: bool, seen: Arc<Mutex<Seen>>)
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
{
    let service = service_fn(move |request: Request<Incoming>| {
        let seen = Arc::clone(&seen);
        async move {
            let (parts, body) = request.into_parts();
            let body = body.collect().await.expect("a body").to_bytes();
            seen.lock().expect("no panic").requests.push((parts, body));
            Ok::<_, Infallible>(Response::new(Full::new(Bytes::from_static(b"ok"))))
        }
    });
    let stream = TokioIo::new(stream);
    // A client that goes away ends it.
    let _ = if http2 {
        hyper::server::conn::http2::Builder::new(TokioExecutor::new())
            .serve_connection(stream, service)
            .await
    } else {
        hyper::server::conn::http1::Builder::new()
            .serve_connection(stream, service)
            .await
    };
}

#[test]
fn https_is_spoken_to_a_server_whose_certificate_is_believed() {
    let (address, seen) = serve(false, true);
    let authority = key_store().authority_file().expect("a certificate");
    let authority = authority.to_string_lossy();
    for host in ["localhost", "127.0.0.1"] {
        let url = format!("https://{host}:{}/x", address.port());
        let few = ["--requests", "40", "--users", "2"];
        let believed = [&[url.as_str()][..], &few, &["--ca-file", &authority]].concat();
        let (code, said, errors) = load(&believed);
        assert_eq!(
            (code, &said["right"]),
            (Some(0), &40.into()),
            "{said}{errors}"
        );
        let (code, said, errors) = load(&[&[url.as_str()][..], &few, &["--insecure"]].concat());
        assert_eq!(
            (code, &said["right"]),
            (Some(0), &40.into()),
            "{said}{errors}"
        );
        let (code, said, _) = load(&[&[url.as_str()][..], &few].concat());
        assert_eq!((code, &said["right"]), (Some(14), &0.into()), "{said}");
        assert_eq!(said["lost_by"][0]["kind"], "tls", "{said}");
        assert!(said["latency_us"].is_null());
    }
    let seen = seen.lock().expect("no panic");
    assert_eq!(seen.requests.len(), 160);
    assert!(
        seen.requests
            .iter()
            .all(|(parts, _)| parts.version == http::Version::HTTP_11)
    );
}

#[test]
fn http2_shares_connections_with_and_without_tls() {
    for tls in [false, true] {
        let (address, seen) = serve(true, tls);
        let scheme = if tls { "https" } else { "http" };
        let url = format!("{scheme}://{address}/x?y=1");
        let mut arguments = vec![&*url, "--http2", "--requests", "60", "--users", "6"];
        arguments.extend(["--connections", "2", "-d", "a=b"]);
        arguments.extend(tls.then_some("--insecure"));
        let (code, said, errors) = load(&arguments);
        assert_eq!(
            (code, &said["right"]),
            (Some(0), &60.into()),
            "{said}{errors}"
        );
        let seen = seen.lock().expect("no panic");
        assert_eq!((seen.connections, seen.requests.len()), (2, 60));
        let (parts, body) = &seen.requests[0];
        assert_eq!(parts.version, http::Version::HTTP_2);
        assert_eq!(parts.uri.to_string(), url);
        assert_eq!((parts.method.as_str(), &body[..]), ("POST", &b"a=b"[..]));
    }
}

/// A name in the field and another one in the URL, as for a virtual host behind an address.
#[test]
fn a_given_host_is_asked_for_where_the_url_leads() {
    for (http2, tls) in [(false, false), (false, true), (true, false), (true, true)] {
        let (address, seen) = serve(http2, tls);
        let scheme = if tls { "https" } else { "http" };
        let url = format!("{scheme}://localhost:{}/x", address.port());
        let authority = key_store().authority_file().expect("a certificate");
        let authority = authority.to_string_lossy();
        let mut arguments = vec![&*url, "--requests", "4", "--users", "1"];
        arguments.extend(["-H", "Host: api.example.com"]);
        arguments.extend(http2.then_some("--http2"));
        // The certificate is for localhost alone: the name in the handshake is still the URL's.
        arguments.extend(
            tls.then_some(["--ca-file", &*authority])
                .into_iter()
                .flatten(),
        );
        let (code, said, errors) = load(&arguments);
        assert_eq!(code, Some(0), "{arguments:?}: {said}{errors}");
        let seen = seen.lock().expect("no panic");
        assert_eq!(seen.requests.len(), 4);
        for (parts, _) in &seen.requests {
            let hosts: Vec<_> = parts.headers.get_all("host").iter().collect();
            let authority = parts.uri.authority().map(http::uri::Authority::as_str);
            if http2 {
                assert_eq!(authority, Some("api.example.com"), "{parts:?}");
                assert!(hosts.is_empty(), "{parts:?}");
            } else {
                assert_eq!(hosts, ["api.example.com"], "{parts:?}");
            }
        }
    }
}

const SCENARIO: &str = r#"
name = "s"
issuer = "auth0"
target = "t.toml"
audience = "https://planets.example.com/"
scope = "read:planets"
[[phase]]
kind = "verification"
"#;

/// Runs a scenario of one phase; its exit code, its record and what it complains about.
fn run(folder: &Path, target: &str, phase: &str) -> (Option<i32>, Value, String) {
    let scenario = format!("{SCENARIO}{phase}");
    std::fs::write(folder.join("s.toml"), scenario).expect("written");
    std::fs::write(folder.join("t.toml"), format!("name = \"t\"\n{target}")).expect("written");
    let output = Command::new(AUTHBENCH)
        .args(["run", "s.toml", "--out", "out", "--force"])
        .current_dir(folder)
        .env("AUTHBENCH_CACHE", key_cache())
        .output()
        .expect("authbench starts");
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    let record = std::fs::read(folder.join("out/run.json")).unwrap_or_default();
    let record = serde_json::from_slice(&record).unwrap_or_default();
    (output.status.code(), record, errors)
}

/// The server speaks nothing but HTTP/2 where it is not asked for TLS: what is asked before the phase goes the same way.
#[test]
fn a_phase_speaks_http2_and_tls_to_a_server_of_a_target_file() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let authority = key_store().authority_file().expect("a certificate");
    std::fs::copy(authority, folder.path().join("ca.pem")).expect("copied");
    let phase = "users = 6\nrequests = 60\n";
    let over_http2 = "http2 = true\nconnections = 2\n";
    for (http2, tls) in [(true, false), (true, true), (false, true)] {
        let (address, seen) = serve(http2, tls);
        let (scheme, table) = if tls {
            ("https", "[tls]\nca_file = \"ca.pem\"\n")
        } else {
            ("http", "")
        };
        let target = format!("kind = \"http\"\nurl = \"{scheme}://{address}/x\"\n{table}");
        let keys = if http2 { over_http2 } else { "" };
        let (code, record, errors) = run(folder.path(), &target, &format!("{phase}{keys}"));
        assert_eq!(code, Some(0), "{record:#}{errors}");
        let measured = &record["phases"][0];
        assert_eq!(measured["requests"], 60, "{record:#}");
        let arrival = if http2 {
            "closed loop, 6 users, 2 connections of HTTP/2"
        } else {
            "closed loop, 6 users"
        };
        assert_eq!(measured["arrival"], arrival);
        let seen = seen.lock().expect("no panic");
        // One more request, on a connection of its own, found out whether it answers.
        let connections = if http2 { 3 } else { 7 };
        assert_eq!((seen.connections, seen.requests.len()), (connections, 61));
        let version = if http2 {
            http::Version::HTTP_2
        } else {
            http::Version::HTTP_11
        };
        assert!(
            seen.requests
                .iter()
                .all(|(parts, _)| parts.version == version)
        );
    }
}

#[test]
fn a_phase_cannot_speak_http2_to_a_function() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let phase = "users = 1\nrequests = 1\nhttp2 = true\n";
    let lambda = "kind = \"lambda\"\n[command]\nprogram = \"x\"\n";
    let (code, _, errors) = run(folder.path(), lambda, phase);
    assert_eq!(code, Some(2), "{errors}");
    for part in ["s.toml:7", "http2 = true", "\"http\"", "\"lambda\""] {
        assert!(errors.contains(part), "{part:?} is missing in: {errors}");
    }
    let (code, _, errors) = load(&[
        "--phase",
        "cache-hit",
        "--http2",
        "--url",
        "http://127.0.0.1:9/",
    ]);
    assert_eq!(code, Some(2), "{errors}");
    assert!(errors.contains("--http2 is for verification"), "{errors}");
    let (code, _, errors) = load(&["--http2", "--target", "in-process"]);
    assert_eq!(code, Some(2), "{errors}");
    assert!(errors.contains("--http2"), "{errors}");
}

#[test]
fn a_body_is_sent_with_its_length_and_type() {
    let (address, seen) = serve(false, false);
    let url = format!("http://{address}/x");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("body");
    std::fs::write(&file, b"{\"a\":\xff}").expect("written");
    let from_file = format!("@{}", file.display());
    let json = "Content-Type: application/json";
    for arguments in [
        &["-d", "a=b"][..],
        &["-d", &from_file, "-X", "PUT", "-H", json],
        &["-X", "POST"],
    ] {
        let few = ["--requests", "1", "--users", "1"];
        let (code, said, errors) = load(&[&[url.as_str()][..], arguments, &few].concat());
        assert_eq!(code, Some(0), "{said}{errors}");
    }
    let seen = seen.lock().expect("no panic");
    let requests = seen.requests.iter().map(|(parts, body)| {
        let field = |name: &str| {
            parts
                .headers
                .get(name)
                .map(|value| value.to_str().expect("text"))
        };
        (
            parts.method.as_str(),
            field("content-length"),
            field("content-type"),
            &body[..],
        )
    });
    let form = Some("application/x-www-form-urlencoded");
    let wanted = [
        ("POST", Some("3"), form, &b"a=b"[..]),
        ("PUT", Some("7"), Some("application/json"), b"{\"a\":\xff}"),
        ("POST", Some("0"), None, b""),
    ];
    assert_eq!(requests.collect::<Vec<_>>(), wanted);
}

#[test]
fn connections_are_kept_shared_out_or_opened_for_each_request() {
    for (arguments, connections, set_ups) in [
        (&["--requests", "30", "--users", "3"][..], 3, 0),
        (
            &["--requests", "30", "--users", "3", "--connections", "12"],
            12,
            0,
        ),
        (
            &["--requests", "30", "--users", "3", "--no-keep-alive"],
            30,
            30,
        ),
    ] {
        let (address, seen) = serve(false, false);
        let url = format!("http://{address}/x");
        let (code, said, errors) = load(&[&[url.as_str()][..], arguments].concat());
        assert_eq!(
            (code, &said["right"]),
            (Some(0), &30.into()),
            "{said}{errors}"
        );
        assert_eq!(said["connection_us"].is_null(), set_ups == 0, "{said}");
        let seen = seen.lock().expect("no panic");
        assert_eq!(seen.connections, connections, "{arguments:?}");
        let closes = |(parts, _): &(http::request::Parts, Bytes)| {
            parts
                .headers
                .get("connection")
                .is_some_and(|value| value == "close")
        };
        assert_eq!(
            seen.requests.iter().filter(|seen| closes(seen)).count(),
            set_ups
        );
    }
}

/// Answers each request with these bytes and closes; with nothing at all it closes before it has read anything.
fn serve_bytes(answer: &'static [u8]) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    std::thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let mut request = [0; 1];
            if stream.read_exact(&mut request).is_ok() && !answer.is_empty() {
                let _ = stream.read(&mut [0; 4096]);
                let _ = stream.write_all(answer);
            }
        }
    });
    address
}

#[test]
fn what_became_of_lost_requests_is_told_by_kind_and_is_no_latency() {
    let gone = TcpListener::bind("127.0.0.1:0")
        .expect("a port")
        .local_addr();
    let gone = gone.expect("an address");
    for (address, kind) in [
        (gone, "refused"),
        (
            serve_bytes(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok"),
            "half_answer",
        ),
        (serve_bytes(b"220 smtp.example.com\r\n"), "malformed"),
        (serve_bytes(b""), "reset"),
    ] {
        let url = format!("http://{address}/");
        let (code, said, errors) = load(&[&url, "--requests", "20", "--users", "1"]);
        assert_eq!(
            (code, &said["lost"]),
            (Some(14), &20.into()),
            "{said}{errors}"
        );
        let lost = &said["lost_by"];
        assert_eq!(
            (&lost[0]["kind"], &lost[0]["count"]),
            (&kind.into(), &20.into()),
            "{said}"
        );
        assert!(said["latency_us"].is_null(), "{said}");
    }
    let output = Command::new(AUTHBENCH)
        .args([
            "load",
            &format!("http://{gone}/"),
            "--requests",
            "5",
            "--users",
            "1",
        ])
        .output()
        .expect("authbench starts");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(said.contains("lost: 5 refused"), "{said}");
}

#[test]
fn whoever_waits_for_a_target_that_is_given_up_has_lost_a_request() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}/", listener.local_addr().expect("an address"));
    std::thread::spawn(move || {
        let taken: Vec<_> = listener.incoming().collect();
        drop(taken);
    });
    let (code, said, errors) = load(&[&url, "--requests", "1000", "--users", "20"]);
    assert_eq!(code, Some(14), "{said}{errors}");
    // Those whose wait was over before the third have begun another.
    let lost = said["lost"].as_u64();
    assert!((Some(20)..=Some(22)).contains(&lost), "{said}");
    assert_eq!(said["lost_by"][0]["kind"], "timed_out", "{said}");
}

#[test]
fn flags_that_do_not_go_together_are_refused() {
    let (http, https) = ("http://127.0.0.1:1/", "https://127.0.0.1:1/");
    let table: [(&[&str], &[&str]); 10] = [
        (&["ftp://127.0.0.1/"], &["ftp://", "https://host/path"]),
        (
            &[http, "-H", "Host: a", "-H", "host: b"],
            &["--header", "Host"],
        ),
        (
            &[http, "--http2", "-H", "Host: a b"],
            &["Host", ":authority"],
        ),
        (&[http, "--insecure"], &["--insecure", "https"]),
        (&[https, "--ca-file", "/nowhere"], &["/nowhere"]),
        (
            &[http, "--users", "4", "--connections", "6"],
            &["--connections", "multiple", "4"],
        ),
        (
            &[http, "--http2", "--users", "4", "--connections", "5"],
            &["--connections", "4"],
        ),
        (&[http, "--http2", "--no-keep-alive"], &["--no-keep-alive"]),
        (
            &[http, "--connections", "8", "--no-keep-alive"],
            &["--no-keep-alive"],
        ),
        (&[http, "-d", "@/nowhere"], &["--data", "/nowhere"]),
    ];
    for (arguments, parts) in table {
        let (code, _, errors) = load(arguments);
        assert_eq!(code, Some(2), "{arguments:?}: {errors}");
        for part in parts {
            assert!(errors.contains(part), "{part:?} is missing in: {errors}");
        }
    }
}
