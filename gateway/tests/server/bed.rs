//! A gateway with the scripted authorizer behind it, and a client that knows HTTP and nothing of the crate.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use gateway::{FunctionConfig, Gateway, GatewayConfig, RestApi};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::scripted;

pub(crate) const ANY_PORT: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// The time-out of the function: far above what an answer takes, and waited for by the tests of time-outs only.
const FUNCTION_TIMEOUT: Duration = Duration::from_secs(2);

/// A test that waits longer than this hangs.
const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) fn function() -> FunctionConfig {
    let own = std::env::current_exe()
        .unwrap()
        .to_string_lossy()
        .into_owned();
    FunctionConfig {
        command: std::iter::once(own)
            .chain(scripted::ARGUMENTS.map(str::to_owned))
            .collect(),
        env: BTreeMap::from([(scripted::INIT.to_owned(), "ready".to_owned())]),
        timeout: FUNCTION_TIMEOUT,
        max_environments: 4,
        ..FunctionConfig::default()
    }
}

pub(crate) fn function_with_init(init: &str) -> FunctionConfig {
    FunctionConfig {
        env: BTreeMap::from([(scripted::INIT.to_owned(), init.to_owned())]),
        ..function()
    }
}

pub(crate) async fn start(api: RestApi) -> Gateway {
    start_with(api, function()).await
}

pub(crate) async fn start_with(api: RestApi, function: FunctionConfig) -> Gateway {
    Gateway::start(GatewayConfig {
        listen: ANY_PORT,
        api,
        function,
    })
    .await
    .unwrap()
}

/// An answer of the gateway.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    headers: BTreeMap<String, String>,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }

    pub(crate) fn authorizer(&self) -> Value {
        self.json()["requestContext"]["authorizer"].clone()
    }

    /// The process that answered; a test sees by it whether an environment was used again.
    pub(crate) fn process_id(&self) -> u32 {
        self.authorizer()["pid"].as_str().unwrap().parse().unwrap()
    }

    pub(crate) fn rule(&self) -> &str {
        self.header("x-standin-decision")
    }
}

/// `GET` with a bearer token.
pub(crate) async fn get(gateway: &Gateway, path: &str, token: &str) -> Answer {
    send(
        gateway,
        &format!("GET {path} HTTP/1.1\r\nhost: t\r\nauthorization: Bearer {token}\r\n\r\n"),
    )
    .await
}

/// Sends the text of a request and reads one answer.
pub(crate) async fn send(gateway: &Gateway, request: &str) -> Answer {
    let mut stream = TcpStream::connect(gateway.address()).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    read(&mut stream).await
}

/// Reads one answer, and leaves the connection open.
pub(crate) async fn read(stream: &mut TcpStream) -> Answer {
    tokio::time::timeout(PATIENCE, read_answer(stream))
        .await
        .expect("the gateway answers within the test's patience")
}

async fn read_answer(stream: &mut TcpStream) -> Answer {
    let mut bytes = Vec::new();
    let (head, length) = loop {
        assert_ne!(
            stream.read_buf(&mut bytes).await.unwrap(),
            0,
            "the connection ends before the head does"
        );
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break (String::from_utf8(bytes[..end].to_vec()).unwrap(), end + 4);
        }
    };
    let mut lines = head.lines();
    let status = lines
        .next()
        .unwrap()
        .split(' ')
        .nth(1)
        .unwrap()
        .parse()
        .unwrap();
    let headers: BTreeMap<String, String> = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    let total = length
        + headers
            .get("content-length")
            .map_or(0, |text| text.parse::<usize>().unwrap());
    while bytes.len() < total {
        assert_ne!(
            stream.read_buf(&mut bytes).await.unwrap(),
            0,
            "the connection ends before the body does"
        );
    }
    Answer {
        status,
        headers,
        body: String::from_utf8(bytes[length..total].to_vec()).unwrap(),
    }
}

/// Whether a process is there, as the system says.
pub(crate) fn is_running(process_id: u32) -> bool {
    std::path::Path::new(&format!("/proc/{process_id}")).exists()
}

/// Whether a process has run its last, all threads of it, and its parent can learn so.
pub(crate) fn has_ended(process_id: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{process_id}/stat")).unwrap_or_default();
    let threads = std::fs::read_dir(format!("/proc/{process_id}/task")).map_or(0, Iterator::count);
    threads <= 1
        && stat
            .rsplit_once(") ")
            .is_none_or(|(_, state)| state.starts_with('Z'))
}
