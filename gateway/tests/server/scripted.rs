//! The authorizer of these tests: this test binary again, started by the gateway, doing what the token says.
//!
//! It speaks the Runtime API over a plain socket, so that nothing of the crate under test is on its side of the wire.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::{Value, json};

/// Longer than every time-out in these tests.
const FOREVER: Duration = Duration::from_mins(10);

/// What a slow answer takes: long enough for requests to be in flight together.
const SLOW: Duration = Duration::from_millis(300);

/// The arguments that make this binary the authorizer.
pub(crate) const ARGUMENTS: [&str; 3] = [
    "--exact",
    "scripted::the_authorizer_answers_until_its_gateway_is_gone",
    "--nocapture",
];

/// The variable that says how INIT goes; without it this is an ordinary run of the tests.
pub(crate) const INIT: &str = "SCRIPTED_INIT";

/// In a test run this passes at once; started by the gateway it is the authorizer.
#[test]
fn the_authorizer_answers_until_its_gateway_is_gone() {
    let Ok(init) = std::env::var(INIT) else {
        return;
    };
    println!("scripted authorizer, init {init}");
    match init.as_str() {
        "exit" => return,
        "error" => {
            let report =
                json!({"errorMessage": "no such module", "errorType": "Runtime.ImportModuleError"});
            Wire::connect().call(
                "POST",
                "/2018-06-01/runtime/init/error",
                &[],
                report.to_string().as_bytes(),
            );
            println!("the import failed");
            return;
        }
        "never" => wait(FOREVER),
        "slow" => wait(SLOW),
        _ => {}
    }
    let mut wire = Wire::connect();
    let mut earlier: Option<Invocation> = None;
    loop {
        let invocation = wire.next();
        answer(&mut wire, &invocation, earlier.as_ref());
        earlier = Some(invocation);
    }
}

fn wait(duration: Duration) {
    std::thread::park_timeout(duration);
}

fn answer(wire: &mut Wire, invocation: &Invocation, earlier: Option<&Invocation>) {
    let token = invocation.event["authorizationToken"].as_str().unwrap();
    println!("event {}", invocation.event);
    let word = token.strip_prefix("Bearer ").unwrap_or(token);
    let arn = invocation.event["methodArn"].as_str().unwrap();
    let everywhere = "arn:aws:execute-api:us-east-1:123456789012:abcdef123/test/*";
    match word {
        "crash" => panic!("the script says so"),
        "deny" => wire.respond(invocation, &policy("Deny", everywhere, &json!({}))),
        "error" => wire.fail(invocation, "boom"),
        "exact" => wire.respond(invocation, &policy("Allow", arn, &json!({}))),
        "malformed" => wire.respond(invocation, &json!({"principalId": "user"})),
        "mute" => {
            wire.respond(invocation, &policy("Allow", everywhere, &json!({})));
            wait(FOREVER);
        }
        "no-match" => wire.respond(
            invocation,
            &policy("Allow", "arn:aws:execute-api:*:*:*/prod/*", &json!({})),
        ),
        "oversize" => {
            let body = vec![b' '; 7 * 1024 * 1024];
            wire.call("POST", &invocation.path("response"), &[], &body);
        }
        "sleep" => {
            wait(FOREVER);
        }
        "stale" => {
            let statuses = stale_answers(wire, invocation, earlier.unwrap());
            wire.respond(
                invocation,
                &policy("Allow", everywhere, &json!({"statuses": statuses})),
            );
        }
        "unauthorized" => wire.fail(invocation, "Unauthorized"),
        "variables" => {
            let names: Vec<String> = std::env::vars().map(|(name, _)| name).collect();
            wire.respond(
                invocation,
                &policy("Allow", everywhere, &json!({"names": names.join(" ")})),
            );
        }
        _ => {
            if word.starts_with("slow") {
                wait(SLOW);
            }
            let context = json!({"pid": std::process::id(), "admin": true});
            wire.respond(invocation, &policy("Allow", everywhere, &context));
        }
    }
}

/// Answers that belong to an earlier invocation, in three ways; the statuses that they got.
fn stale_answers(wire: &mut Wire, current: &Invocation, earlier: &Invocation) -> String {
    let allow = policy("Allow", "*", &json!({})).to_string();
    let nonce = earlier.headers["lambda-runtime-invocation-id"].as_str();
    let attempts = [
        wire.call("POST", &earlier.path("response"), &[], allow.as_bytes()),
        wire.call("POST", &earlier.path("error"), &[], b"{}"),
        wire.call(
            "POST",
            &current.path("response"),
            &[("Lambda-Runtime-Invocation-Id", nonce)],
            allow.as_bytes(),
        ),
    ];
    attempts.map(|(status, ..)| status.to_string()).join(" ")
}

fn policy(effect: &str, resource: &str, context: &Value) -> Value {
    let statement = json!({"Effect": effect, "Action": "execute-api:Invoke", "Resource": resource});
    json!({"principalId": "scripted", "context": context,
           "policyDocument": {"Version": "2012-10-17", "Statement": [statement]}})
}

struct Invocation {
    headers: BTreeMap<String, String>,
    event: Value,
}

impl Invocation {
    fn path(&self, end: &str) -> String {
        let id = &self.headers["lambda-runtime-aws-request-id"];
        format!("/2018-06-01/runtime/invocation/{id}/{end}")
    }
}

/// A connection to the Runtime API. When the gateway is gone, reading fails and the process ends.
struct Wire {
    stream: BufReader<TcpStream>,
}

impl Wire {
    fn connect() -> Self {
        let address = std::env::var("AWS_LAMBDA_RUNTIME_API").unwrap();
        Self {
            stream: BufReader::new(TcpStream::connect(address).unwrap()),
        }
    }

    fn next(&mut self) -> Invocation {
        let (status, headers, body) =
            self.call("GET", "/2018-06-01/runtime/invocation/next", &[], b"");
        assert_eq!(status, 200);
        Invocation {
            headers,
            event: serde_json::from_slice(&body).unwrap(),
        }
    }

    fn respond(&mut self, invocation: &Invocation, answer: &Value) {
        let nonce = invocation.headers["lambda-runtime-invocation-id"].as_str();
        let headers = [("Lambda-Runtime-Invocation-Id", nonce)];
        let (status, ..) = self.call(
            "POST",
            &invocation.path("response"),
            &headers,
            answer.to_string().as_bytes(),
        );
        assert_eq!(status, 202);
    }

    fn fail(&mut self, invocation: &Invocation, message: &str) {
        let report = json!({"errorMessage": message, "errorType": "string", "trace": []});
        let (status, ..) = self.call(
            "POST",
            &invocation.path("error"),
            &[],
            report.to_string().as_bytes(),
        );
        assert_eq!(status, 202);
    }

    fn call(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> (u16, BTreeMap<String, String>, Vec<u8>) {
        let mut head = format!(
            "{method} {path} HTTP/1.1\r\nhost: runtime\r\ncontent-length: {}\r\n",
            body.len()
        );
        for (name, value) in headers {
            write!(head, "{name}: {value}\r\n").unwrap();
        }
        // One write, since a second one would wait for the first to be acknowledged. A refusal may close the connection
        // before all of a long body is sent; the answer is there to be read.
        let _ = self
            .stream
            .get_mut()
            .write_all(&[head.as_bytes(), b"\r\n", body].concat());
        self.read()
    }

    fn read(&mut self) -> (u16, BTreeMap<String, String>, Vec<u8>) {
        let mut line = String::new();
        self.stream.read_line(&mut line).unwrap();
        let status = line.split(' ').nth(1).unwrap().parse().unwrap();
        let mut headers = BTreeMap::new();
        loop {
            line.clear();
            self.stream.read_line(&mut line).unwrap();
            let Some((name, value)) = line.trim_end().split_once(": ") else {
                break;
            };
            headers.insert(name.to_ascii_lowercase(), value.to_owned());
        }
        let mut body = vec![0; headers["content-length"].parse().unwrap()];
        self.stream.read_exact(&mut body).unwrap();
        (status, headers, body)
    }
}
