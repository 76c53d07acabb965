//! The end of what the environments printed, for a message when something is wrong with them.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncRead, AsyncReadExt};

/// Lines that are kept: a stack trace of each environment of a small pool.
const LINES: usize = 200;

/// Bytes of a line that are kept; the rest of it is dropped.
const LINE_BYTES: usize = 2_000;

/// The shortest run of characters after `eyJ` that is taken for a token: the header of a JWT is longer.
const TOKEN_CHARS: usize = 16;

/// The last lines of all environments of a function.
#[derive(Debug, Clone, Default)]
pub(super) struct LogTail {
    lines: Arc<Mutex<VecDeque<String>>>,
}

impl LogTail {
    pub(super) fn lines(&self) -> Vec<String> {
        self.lines
            .lock()
            .expect("no holder of this lock panics")
            .iter()
            .cloned()
            .collect()
    }

    /// Reads everything that a process prints, so that it never blocks on a full pipe.
    pub(super) fn drain(&self, stream: Option<impl AsyncRead + Send + Unpin + 'static>) {
        let Some(mut stream) = stream else { return };
        let log = self.clone();
        tokio::spawn(async move {
            let mut chunk = [0_u8; 4_096];
            let mut line = Vec::new();
            while let Ok(read @ 1..) = stream.read(&mut chunk).await {
                for byte in &chunk[..read] {
                    if *byte == b'\n' {
                        log.push(&line);
                        line.clear();
                    } else if line.len() < LINE_BYTES {
                        line.push(*byte);
                    }
                }
            }
            if !line.is_empty() {
                log.push(&line);
            }
        });
    }

    fn push(&self, line: &[u8]) {
        let text = without_tokens(&String::from_utf8_lossy(line));
        let mut lines = self.lines.lock().expect("no holder of this lock panics");
        if lines.len() == LINES {
            lines.pop_front();
        }
        lines.push_back(text);
    }
}

/// Takes out what looks like a JWT: many an authorizer prints its whole event.
fn without_tokens(line: &str) -> String {
    let mut clean = String::with_capacity(line.len());
    let mut rest = line;
    while let Some(start) = rest.find("eyJ") {
        let end = rest[start..]
            .find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.')))
            .map_or(rest.len(), |length| start + length);
        clean.push_str(&rest[..start]);
        clean.push_str(if end - start >= TOKEN_CHARS {
            "[token]"
        } else {
            &rest[start..end]
        });
        rest = &rest[end..];
    }
    clean + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_in_a_line_is_taken_out_and_the_rest_is_kept() {
        for (line, want) in [
            ("", ""),
            ("plain", "plain"),
            (
                "{\"token\":\"Bearer eyJhbGciOiJSUzI1NiJ9.e30.AA-_\",\"a\":1}",
                "{\"token\":\"Bearer [token]\",\"a\":1}",
            ),
            ("eyJ short eyJhbGciOiJSUzI1NiJ9", "eyJ short [token]"),
        ] {
            assert_eq!(without_tokens(line), want);
        }
    }

    #[tokio::test]
    async fn the_tail_is_bounded_in_lines_and_in_their_length() {
        let log = LogTail::default();
        for number in 0..LINES + 5 {
            log.push(format!("line {number}").as_bytes());
        }
        assert_eq!(log.lines().len(), LINES);
        assert_eq!(log.lines().first().map(String::as_str), Some("line 5"));
        let (mut end, stream) = tokio::io::duplex(64);
        let fresh = LogTail::default();
        fresh.drain(Some(stream));
        let endless = "x".repeat(LINE_BYTES * 3) + "\n";
        tokio::io::AsyncWriteExt::write_all(&mut end, endless.as_bytes())
            .await
            .unwrap();
        while fresh.lines().is_empty() {
            tokio::task::yield_now().await;
        }
        assert_eq!(fresh.lines()[0].len(), LINE_BYTES);
    }
}
