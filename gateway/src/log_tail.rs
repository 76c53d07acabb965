//! The end of what processes printed, for a message when something is wrong with them, with their tokens taken out.
//!
//! Owns the bounds on what is kept and what of it may be shown. Which process it was is the holder's business.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};

use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::sync::mpsc;

mod redact;

pub(crate) use redact::{cut, without_tokens};

/// Somebody else's text as a message may show it: on one line, `limit` bytes of it at most, and without what looks like a
/// token.
pub fn redacted(text: &str, limit: usize) -> String {
    cut(&without_tokens(text), limit)
}

/// Lines that are kept: a stack trace of each environment of a small pool.
const LINES: usize = 200;

/// Bytes of a line that are kept; the rest of it is dropped.
const LINE_BYTES: usize = 2_000;

/// What a watcher of a log hears, in the order in which it happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LogLine {
    /// A line that a process printed, with what looks like a token taken out.
    Printed(String),
    /// What the stand-in itself has to say about the process.
    Remark(String),
}

/// The last lines of one or more processes. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct LogTail {
    kept: Arc<Mutex<Kept>>,
    watcher: Option<mpsc::Sender<LogLine>>,
}

#[derive(Debug, Default)]
struct Kept {
    lines: VecDeque<String>,
    /// The line that each stream has begun and not ended.
    unfinished: BTreeMap<u64, Vec<u8>>,
    streams: u64,
}

impl LogTail {
    /// A tail whose lines also go to a watcher. A watcher that does not keep up misses lines: a process that prints must
    /// not wait for it.
    pub fn watched(watcher: Option<mpsc::Sender<LogLine>>) -> Self {
        Self {
            kept: Arc::default(),
            watcher,
        }
    }

    /// The lines, oldest first. What a process has printed without a line break comes last: a prompt, or endless output.
    pub fn lines(&self) -> Vec<String> {
        let kept = self.kept();
        let unfinished = kept.unfinished.values().filter(|line| !line.is_empty());
        let mut lines: Vec<String> = kept.lines.iter().cloned().collect();
        lines.extend(unfinished.map(|line| shown(line)));
        lines
    }

    /// Says something to the watcher alone.
    pub(crate) fn remark(&self, text: impl FnOnce() -> String) {
        if let Some(watcher) = &self.watcher {
            // Full or gone: the remark is lost, and nothing else depends on it.
            let _ = watcher.try_send(LogLine::Remark(text()));
        }
    }

    /// Reads everything that a process prints, so that it never blocks on a full pipe. A line is bounded while it is
    /// read: a process that never prints a line break must not fill the memory.
    pub(crate) async fn drain(self, mut stream: impl AsyncRead + Unpin) {
        let id = {
            let mut kept = self.kept();
            kept.streams += 1;
            kept.streams
        };
        let mut chunk = [0_u8; 4_096];
        while let Ok(read @ 1..) = stream.read(&mut chunk).await {
            self.take(id, &chunk[..read]);
        }
        let rest = self.kept().unfinished.remove(&id).unwrap_or_default();
        if !rest.is_empty() {
            self.push(&rest);
        }
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().expect("no holder of this lock panics")
    }

    fn take(&self, stream: u64, chunk: &[u8]) {
        let mut line = self.kept().unfinished.remove(&stream).unwrap_or_default();
        for byte in chunk {
            if *byte == b'\n' {
                self.push(&line);
                line.clear();
            } else if line.len() < LINE_BYTES {
                line.push(*byte);
            }
        }
        self.kept().unfinished.insert(stream, line);
    }

    fn push(&self, line: &[u8]) {
        let text = shown(line);
        if let Some(watcher) = &self.watcher {
            // Full or gone: see `watched`.
            let _ = watcher.try_send(LogLine::Printed(text.clone()));
        }
        let mut kept = self.kept();
        if kept.lines.len() == LINES {
            kept.lines.pop_front();
        }
        kept.lines.push_back(text);
    }
}

fn shown(line: &[u8]) -> String {
    without_tokens(&String::from_utf8_lossy(line))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_tail_is_bounded_in_lines_and_in_their_length() {
        let log = LogTail::default();
        let numbered: Vec<String> = (0..LINES + 5)
            .map(|number| format!("line {number}"))
            .collect();
        let lines = numbered.join("\n") + "\n" + &"x".repeat(LINE_BYTES * 3);
        log.clone().drain(lines.as_bytes()).await;
        let kept = log.lines();
        assert_eq!(kept.len(), LINES);
        assert_eq!(kept[0], "line 6");
        assert_eq!(kept[LINES - 1].len(), LINE_BYTES);
    }

    #[tokio::test]
    async fn a_line_without_its_end_is_shown_and_becomes_one_line_with_its_rest() {
        let log = LogTail::default();
        log.take(1, b"whole\nPassword");
        log.take(2, b"endless");
        assert_eq!(log.lines(), ["whole", "Password", "endless"]);
        log.take(1, b": \n");
        assert_eq!(log.lines(), ["whole", "Password: ", "endless"]);
    }

    #[tokio::test]
    async fn a_watcher_hears_every_line_while_it_keeps_up_and_holds_nobody_up() {
        let (watcher, mut heard) = mpsc::channel(2);
        let log = LogTail::watched(Some(watcher));
        log.clone().drain(&b"a\n"[..]).await;
        log.remark(|| "b".to_owned());
        log.clone().drain(&b"missed\n"[..]).await;
        assert_eq!(heard.recv().await, Some(LogLine::Printed("a".to_owned())));
        assert_eq!(heard.recv().await, Some(LogLine::Remark("b".to_owned())));
        assert!(heard.try_recv().is_err());
        assert_eq!(log.lines(), ["a", "missed"]);
    }
}
