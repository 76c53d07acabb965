//! The head of an answer: its status, where its body ends, and the fields that somebody asked for.

use std::mem::MaybeUninit;

use http::{HeaderMap, HeaderName, HeaderValue};

use super::body::{Body, Chunk};
use crate::target::CacheVerdict;

/// The most fields of an answer; servers send some ten.
const FIELDS: usize = 128;

/// What an answer's head says.
#[derive(Debug)]
pub(in crate::target) struct Head {
    pub(in crate::target) status: u16,
    /// The gateway's own rule, where one stood in front, and what its cache did.
    pub(in crate::target) rule: Option<String>,
    pub(in crate::target) cache: CacheVerdict,
    pub(in crate::target) cold: bool,
    /// Where a redirect leads.
    pub(in crate::target) location: Option<String>,
    /// Every field, where somebody wants them.
    pub(in crate::target) fields: HeaderMap,
    pub(super) body: Body,
    /// Whether the connection stays open behind it (RFC 9112 §9.3).
    pub(super) persistent: bool,
}

/// What a head has to be read for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked {
    /// An answer to HEAD has no body, whatever it says.
    pub(super) head_only: bool,
    /// Whether its fields are kept.
    pub(super) keep: bool,
}

/// The fields that say where the body ends.
#[derive(Debug, Default)]
struct Framing<'a> {
    length: Option<&'a [u8]>,
    /// Two lengths that differ.
    ambiguous: bool,
    coding: Option<&'a [u8]>,
    /// A field said that this is the last answer, whatever another says.
    closes: bool,
}

impl Head {
    /// The head of an answer that another protocol has framed.
    pub(in crate::target) fn framed(status: u16, fields: HeaderMap) -> Self {
        let mut head = Self {
            body: Body::Length(0),
            persistent: true,
            ..Self::of_status(status)
        };
        for (name, value) in &fields {
            let field = httparse::Header {
                name: name.as_str(),
                value: value.as_bytes(),
            };
            head.read(&field, &mut Framing::default());
        }
        head.fields = fields;
        head
    }

    fn of_status(status: u16) -> Self {
        Self {
            status,
            rule: None,
            cache: CacheVerdict::None,
            cold: false,
            location: None,
            fields: HeaderMap::new(),
            body: Body::Close,
            persistent: false,
        }
    }

    /// Whether the answer proper is still to come (RFC 9110 §15.2). After 101 the connection speaks something else.
    pub(super) fn is_interim(&self) -> bool {
        (100..200).contains(&self.status) && self.status != 101
    }

    /// The head and its length, once it is all there.
    pub(super) fn parse(bytes: &[u8], asked: Asked) -> Result<Option<(Self, usize)>, String> {
        // Not initialized: that would be 4 KB a request.
        let mut fields = [const { MaybeUninit::uninit() }; FIELDS];
        let mut parsed = httparse::Response::new(&mut []);
        let status = httparse::ParserConfig::default().parse_response_with_uninit_headers(
            &mut parsed,
            bytes,
            &mut fields,
        );
        let length = match status {
            Ok(httparse::Status::Complete(length)) => length,
            Ok(httparse::Status::Partial) => return Ok(None),
            Err(error) => return Err(format!("not an HTTP answer: {error}")),
        };
        let status = parsed.code.ok_or("not an HTTP answer: no status")?;
        let mut head = Self::of_status(status);
        // Of HTTP/1.0 only where it says so.
        head.persistent = parsed.version == Some(1);
        let mut framing = Framing::default();
        for field in parsed.headers.iter() {
            head.read(field, &mut framing);
            if asked.keep {
                head.keep(field)?;
            }
        }
        head.body = framing.body(status, asked.head_only)?;
        // An answer that says its length twice is believed, and its connection is not (RFC 9112 §6.3).
        let twice = framing.length.is_some() && framing.coding.is_some();
        head.persistent &= !twice && status != 101 && head.body != Body::Close;
        Ok(Some((head, length)))
    }

    fn read<'a>(&mut self, field: &httparse::Header<'a>, framing: &mut Framing<'a>) {
        let (name, value) = (field.name, field.value);
        let is = |wanted: &str| name.eq_ignore_ascii_case(wanted);
        // By length first: most fields are none of these.
        match name.len() {
            8 if is("location") && (300..400).contains(&self.status) => {
                self.location = Some(String::from_utf8_lossy(value).into_owned());
            }
            10 if is("connection") => {
                let says =
                    |word: &[u8]| tokens(value).any(|token| token.eq_ignore_ascii_case(word));
                framing.closes |= says(b"close");
                self.persistent = !framing.closes && (self.persistent || says(b"keep-alive"));
            }
            14 if is("content-length") => {
                framing.ambiguous |= framing.length.is_some_and(|other| other != value);
                framing.length = Some(value);
            }
            15 if is("x-standin-cache") => {
                self.cache = match value {
                    b"hit" => CacheVerdict::Hit,
                    b"miss" => CacheVerdict::Miss,
                    _ => CacheVerdict::None,
                };
            }
            17 if is("transfer-encoding") => framing.coding = Some(value),
            18 if is("x-standin-decision") => {
                self.rule = std::str::from_utf8(value).ok().map(str::to_owned);
            }
            21 if is("x-standin-environment") => self.cold = value == b"cold",
            _ => {}
        }
    }

    fn keep(&mut self, field: &httparse::Header<'_>) -> Result<(), String> {
        let name = HeaderName::from_bytes(field.name.as_bytes());
        let value = HeaderValue::from_bytes(field.value);
        let (Ok(name), Ok(value)) = (name, value) else {
            return Err(format!("not an HTTP answer: field {:?}", field.name));
        };
        self.fields.append(name, value);
        Ok(())
    }
}

impl Framing<'_> {
    /// RFC 9112 §6.3, in its order.
    fn body(&self, status: u16, head_only: bool) -> Result<Body, String> {
        if head_only || status < 200 || status == 204 || status == 304 {
            return Ok(Body::Length(0));
        }
        if let Some(coding) = self.coding {
            let last = tokens(coding).last().unwrap_or_default();
            return Ok(if last.eq_ignore_ascii_case(b"chunked") {
                Body::Chunked(Chunk::Size)
            } else {
                Body::Close
            });
        }
        if self.ambiguous {
            return Err("the answer says twice how long it is".to_owned());
        }
        let Some(length) = self.length else {
            return Ok(Body::Close);
        };
        let digits = std::str::from_utf8(length).ok();
        let digits = digits.filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
        digits
            .and_then(|text| text.parse().ok())
            .map(Body::Length)
            .ok_or_else(|| "the answer's Content-Length is not usable".to_owned())
    }
}

/// The elements of a list (RFC 9110 §5.6.1).
fn tokens(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Asked = Asked {
        head_only: false,
        keep: false,
    };

    fn parsed(text: &str, asked: Asked) -> Head {
        let (head, length) = Head::parse(text.as_bytes(), asked)
            .expect("a head")
            .expect("all of it");
        assert_eq!(length, text.len());
        head
    }

    #[test]
    fn where_a_body_ends_and_whether_another_answer_may_follow() {
        let chunked = Body::Chunked(Chunk::Size);
        for (text, body, persistent) in [
            ("1.1 200 OK\r\nContent-Length: 5", Body::Length(5), true),
            ("1.0 200 OK\r\nContent-Length: 5", Body::Length(5), false),
            (
                "1.0 200 OK\r\ncontent-length: 5\r\nConnection: foo , Keep-Alive",
                Body::Length(5),
                true,
            ),
            (
                "1.1 200 OK\r\ncontent-length: 5\r\nconnection: CLOSE",
                Body::Length(5),
                false,
            ),
            ("1.1 200 OK\r\nx: y", Body::Close, false),
            ("1.1 204 No\r\nx: y", Body::Length(0), true),
            ("1.1 304 No\r\nContent-Length: 7", Body::Length(0), true),
            ("1.1 101 Go\r\nupgrade: x", Body::Length(0), false),
            ("1.1 200 OK\r\nTransfer-Encoding: Chunked", chunked, true),
            (
                "1.1 200 OK\r\nTransfer-Encoding: gzip,\tchunked",
                chunked,
                true,
            ),
            ("1.1 200 OK\r\nTransfer-Encoding: gzip", Body::Close, false),
            (
                "1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 1",
                chunked,
                false,
            ),
            (
                "1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1",
                Body::Length(1),
                true,
            ),
        ] {
            let head = parsed(&format!("HTTP/{text}\r\n\r\n"), PLAIN);
            assert_eq!((head.body, head.persistent), (body, persistent), "{text}");
        }
        let head_only = Asked {
            head_only: true,
            ..PLAIN
        };
        let head = parsed("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", head_only);
        assert_eq!((head.body, head.persistent), (Body::Length(0), true));
    }

    #[test]
    fn what_the_stand_in_and_a_redirect_say_is_read_in_any_case() {
        let text = "HTTP/1.1 302 -\r\nX-Standin-Cache: hit\r\nx-standin-decision: R-1\r\n\
                    X-STANDIN-ENVIRONMENT: cold\r\nLocation: /a?b\r\nset-cookie: a\r\nset-cookie: b\r\n\r\n";
        let keeping = Asked {
            keep: true,
            ..PLAIN
        };
        let head = parsed(text, keeping);
        assert_eq!(head.rule.as_deref(), Some("R-1"));
        assert_eq!((head.cache, head.cold), (CacheVerdict::Hit, true));
        assert_eq!(head.location.as_deref(), Some("/a?b"));
        assert_eq!(head.fields.get_all("set-cookie").iter().count(), 2);
        assert!(parsed(text, PLAIN).fields.is_empty());
    }
}
