//! The body of an answer, as it comes: where it ends, and what of it is content (RFC 9112 §6 and §7).

/// The most of a chunk's line, or of the trailers: what servers append there is short, and all of it is read before it is used.
const LINE_LIMIT: usize = 16 * 1024;

/// What is still to come of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Body {
    /// In chunks, of which each says its length.
    Chunked(Chunk),
    /// All that comes until the connection is closed.
    Close,
    /// So many bytes.
    Length(u64),
}

/// Where in a chunked body the next byte is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Chunk {
    /// In so much of a chunk's content.
    Content(u64),
    /// At the line break behind a chunk.
    End,
    /// Behind all of it.
    Over,
    /// At a chunk's size.
    Size,
    /// In the fields behind the last chunk, so many bytes of which have been passed over.
    Trailers(usize),
}

impl Body {
    /// Whether nothing is to come any more. A body that ends with the connection never knows.
    pub(super) fn is_over(self) -> bool {
        matches!(self, Self::Chunked(Chunk::Over) | Self::Length(0))
    }

    /// Takes what of `bytes` can be used, and says how much of it; its content goes into `kept`, where somebody wants it.
    /// What is left is the beginning of a line, or behind the body.
    pub(super) fn take(
        &mut self,
        bytes: &[u8],
        mut kept: Option<&mut Vec<u8>>,
    ) -> Result<usize, String> {
        let mut taken = 0;
        while !self.is_over() {
            let rest = &bytes[taken..];
            let step = match self {
                Self::Close => keep(rest, u64::MAX, kept.as_deref_mut()),
                Self::Length(left) => {
                    let count = keep(rest, *left, kept.as_deref_mut());
                    *left -= count as u64;
                    count
                }
                Self::Chunked(chunk) => chunk.take(rest, kept.as_deref_mut())?,
            };
            if step == 0 {
                break;
            }
            taken += step;
        }
        Ok(taken)
    }
}

const SIZELESS: &str = "the answer's body has a chunk without a size";

impl Chunk {
    /// One step; 0 where it needs more bytes.
    fn take(&mut self, bytes: &[u8], kept: Option<&mut Vec<u8>>) -> Result<usize, String> {
        let (step, next) = match *self {
            // Of a line without a digit the parser makes a size of 0.
            Self::Size if bytes.first().is_some_and(|byte| !byte.is_ascii_hexdigit()) => {
                return Err(SIZELESS.to_owned());
            }
            Self::Size => match httparse::parse_chunk_size(bytes) {
                Ok(httparse::Status::Complete((length, 0))) => (length, Self::Trailers(0)),
                Ok(httparse::Status::Complete((length, size))) => (length, Self::Content(size)),
                Ok(httparse::Status::Partial) => (0, *self),
                Err(_) => return Err(SIZELESS.to_owned()),
            },
            Self::Content(left) => {
                let count = keep(bytes, left, kept);
                match left - count as u64 {
                    0 => (count, Self::End),
                    left => (count, Self::Content(left)),
                }
            }
            Self::End => match bytes {
                [b'\r', b'\n', ..] => (2, Self::Size),
                [] | [b'\r'] => (0, *self),
                _ => return Err("a chunk of the answer's body is longer than its size".to_owned()),
            },
            Self::Trailers(passed) => match bytes.iter().position(|byte| *byte == b'\n') {
                Some(end) if bytes[..end].strip_suffix(b"\r").unwrap_or(&bytes[..end]) == b"" => {
                    (end + 1, Self::Over)
                }
                Some(end) if passed + end < LINE_LIMIT => {
                    (end + 1, Self::Trailers(passed + end + 1))
                }
                Some(_) => return Err(too_long()),
                None => (0, *self),
            },
            Self::Over => (0, *self),
        };
        if step == 0 && bytes.len() > LINE_LIMIT {
            return Err(too_long());
        }
        *self = next;
        Ok(step)
    }
}

fn too_long() -> String {
    format!("the answer's body has a line longer than {LINE_LIMIT} bytes")
}

/// The first so many bytes, or as many as there are.
fn keep(bytes: &[u8], most: u64, kept: Option<&mut Vec<u8>>) -> usize {
    let count = usize::try_from(most).map_or(bytes.len(), |most| bytes.len().min(most));
    if let Some(kept) = kept {
        kept.extend_from_slice(&bytes[..count]);
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The content of a body that comes in pieces of a size, and what is left behind it.
    fn read(mut body: Body, bytes: &[u8], size: usize) -> Result<(String, String, bool), String> {
        let (mut waiting, mut kept) = (Vec::new(), Vec::new());
        for piece in bytes.chunks(size) {
            waiting.extend_from_slice(piece);
            let taken = body.take(&waiting, Some(&mut kept))?;
            waiting.drain(..taken);
        }
        let text = |bytes| String::from_utf8(bytes).expect("ASCII");
        Ok((text(kept), text(waiting), body.is_over()))
    }

    #[test]
    fn a_body_ends_where_it_says_however_it_comes() {
        let chunked = Body::Chunked(Chunk::Size);
        for (body, bytes, content, left) in [
            (Body::Length(3), "abcHTTP", "abc", "HTTP"),
            (Body::Length(0), "HTTP", "", "HTTP"),
            (chunked, "3\r\nabc\r\n0\r\n\r\nHTTP", "abc", "HTTP"),
            (
                chunked,
                "3;a=\"b\"\r\nabc\r\n00A ; x\r\n0123456789\r\n0;y\r\nDigest: x\r\nB: c\r\n\r\nrest",
                "abc0123456789",
                "rest",
            ),
        ] {
            for size in 1..=bytes.len() {
                let wanted = (content.to_owned(), left.to_owned(), true);
                assert_eq!(read(body, bytes.as_bytes(), size), Ok(wanted), "{bytes:?}");
            }
        }
        let open = (String::from("abc"), String::new(), false);
        assert_eq!(read(Body::Close, b"abc", 2), Ok(open));
        assert_eq!(
            read(chunked, b"3\r\nabc\r\n0\r\nA: b", 2).map(|read| read.2),
            Ok(false),
            "trailers without their end"
        );
    }

    #[test]
    fn a_chunk_that_is_none_is_told_as_that_however_it_comes() {
        let long = format!("1;{}", "x".repeat(LINE_LIMIT));
        let trailers = format!("0\r\n{}\r\n", "A: b\r\n".repeat(LINE_LIMIT / 6 + 1));
        for (bytes, part) in [
            ("zz\r\n", "without a size"),
            ("\r\n", "without a size"),
            (";x\r\n", "without a size"),
            ("fffffffffffffffff\r\n", "without a size"),
            ("3\r\nabcd\r\n", "longer than its size"),
            (&long, "a line longer"),
            (&trailers, "a line longer"),
        ] {
            for size in [1, 7, bytes.len()] {
                let body = Body::Chunked(Chunk::Size);
                let reason = read(body, bytes.as_bytes(), size).expect_err(part);
                assert!(reason.contains(part), "{reason} for {part:?} by {size}");
            }
        }
    }
}
