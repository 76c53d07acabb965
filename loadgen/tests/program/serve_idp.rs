//! The issuer alone, through the real binary: with the key set or the failure that its flags name.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};

use crate::support::{AUTHBENCH, key_cache};

/// A running issuer, ended with its test.
struct Served {
    child: Child,
    jwks_uri: String,
}

impl Drop for Served {
    fn drop(&mut self) {
        // It has ended by itself where a test has found that.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(AUTHBENCH);
    command
        .args(["serve", "idp", "--listen", "127.0.0.1:0"])
        .args(arguments)
        .env("AUTHBENCH_CACHE", key_cache());
    command
}

fn serve(arguments: &[&str]) -> Served {
    let mut child = command(arguments)
        .stdout(Stdio::piped())
        .spawn()
        .expect("authbench starts");
    let printed = BufReader::new(child.stdout.take().expect("its output"));
    let jwks_uri = printed
        .lines()
        .map_while(Result::ok)
        .find_map(|line| Some(line.strip_prefix("jwks_uri")?.trim().to_owned()))
        .expect("where its keys are");
    Served { child, jwks_uri }
}

/// The whole answer to a request for the keys.
fn keys(served: &Served) -> String {
    let rest = served.jwks_uri.strip_prefix("http://").expect("http");
    let (authority, path) = rest.split_once('/').expect("a path");
    let mut stream = TcpStream::connect(authority).expect("the issuer");
    let request = format!("GET /{path} HTTP/1.1\r\nhost: {authority}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    answer
}

#[test]
fn the_issuer_publishes_what_its_flag_names() {
    let count = |answer: String| answer.matches("\"kid\"").count();
    assert_eq!(count(keys(&serve(&[]))), 1);
    assert_eq!(count(keys(&serve(&["--jwks", "rotated"]))), 2);
    assert_eq!(count(keys(&serve(&["--jwks", "empty"]))), 0);
}

#[test]
fn the_issuer_fails_as_its_flag_says() {
    let failing = serve(&["--jwks-fault", "status=503"]);
    assert!(keys(&failing).starts_with("HTTP/1.1 503 "));
    let stranger = serve(&["--jwks-fault", "redirect=http://127.0.0.1:9/k"]);
    assert!(keys(&stranger).contains("location: http://127.0.0.1:9/k\r\n"));
    let page = serve(&["--jwks-fault", "html"]);
    assert!(keys(&page).contains("<form"));
}

#[test]
fn a_key_set_or_a_failure_that_there_is_not_is_named_with_those_that_there_are() {
    for (arguments, parts) in [
        (["--jwks", "rotten"], ["rotten", "withdrawn"]),
        (["--jwks-fault", "sulky"], ["sulky", "truncated"]),
        (["--jwks-fault", "status=x"], ["status=x", "503"]),
    ] {
        let refused = command(&arguments).output().expect("authbench starts");
        assert_eq!(refused.status.code(), Some(2), "{arguments:?}");
        let message = String::from_utf8_lossy(&refused.stderr).into_owned();
        for part in parts {
            assert!(message.contains(part), "{part:?} is missing in: {message}");
        }
    }
}
