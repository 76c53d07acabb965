//! What the tests of the program share: how it is started, what it says, and who stands in for a verifier.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

/// The program.
pub(crate) const AUTHBENCH: &str = env!("CARGO_BIN_EXE_authbench");

/// Where keys are kept: they are made once for all tests.
pub(crate) fn key_cache() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("keys")
}

/// The program in a folder of the test's own.
pub(crate) fn authbench(folder: &Path) -> Command {
    let mut command = Command::new(AUTHBENCH);
    command
        .current_dir(folder)
        .env("AUTHBENCH_CACHE", key_cache());
    command
}

/// Runs it to its end.
pub(crate) fn run(folder: &Path, arguments: &[&str]) -> Output {
    authbench(folder)
        .args(arguments)
        .output()
        .expect("authbench starts")
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// All that it printed: the report first, then what it complained about.
pub(crate) fn said(output: &Output) -> String {
    text(&output.stdout) + &text(&output.stderr)
}

pub(crate) fn holds(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "{part:?} is missing in: {text}");
    }
}

pub(crate) fn wait_until(what: &str, ready: impl Fn() -> bool) {
    let started = Instant::now();
    while !ready() {
        assert!(
            started.elapsed() < Duration::from_mins(2),
            "waited for: {what}"
        );
        std::thread::park_timeout(Duration::from_millis(10));
    }
}

/// A server that answers everything with 200.
pub(crate) fn open_server() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || answer_all(stream));
        }
    });
    address
}

fn answer_all(mut stream: TcpStream) -> std::io::Result<()> {
    for line in BufReader::new(stream.try_clone()?).lines() {
        if line?.is_empty() {
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")?;
        }
    }
    Ok(())
}
