//! How the verifier reads a request and writes its answer: byte by byte, so that each carelessness of servers can be
//! played. It reads whole requests before it says anything.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::flaw::Flaw;

/// The most that is read of one request.
const REQUEST_LIMIT: usize = 4 * 1024 * 1024;

/// The longest head whose token is looked at. A longer one is refused as a bad token is: 431 would say that nobody has seen it.
const HEAD_LIMIT: usize = 64 * 1024;

/// Brackets within each other, at which a small stack ends.
const STACK: usize = 2_500;

/// What a client sent.
#[derive(Debug, Default)]
pub(super) struct Request {
    pub(super) line: String,
    fields: Vec<(String, Vec<u8>)>,
    body: String,
    pub(super) head_length: usize,
    malformed: bool,
}

/// What a request brings along.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Credential {
    /// A field without a token.
    Empty,
    /// Nothing.
    None,
    /// The request is refused by this status before any token is looked at.
    Refused(u16),
    /// Tokens, of which any good one is enough.
    Tokens(Vec<String>),
}

impl Request {
    /// The next request of a connection; `None` at its end.
    pub(super) async fn read(
        flaw: Flaw,
        stream: &mut TcpStream,
        kept: &mut Vec<u8>,
    ) -> Option<Self> {
        // Where the search goes on: a head of a megabyte comes in many pieces.
        let mut searched = 0;
        let head = upto(stream, kept, |bytes| {
            let from = std::mem::replace(&mut searched, bytes.len().saturating_sub(3));
            let rest = bytes.get(from..)?;
            let end = rest.windows(4).position(|window| window == b"\r\n\r\n")?;
            Some(from + end + 4)
        });
        let head = head.await?;
        let mut request = Self::parse(flaw, &head[..head.len() - 4]);
        let length = request
            .text("content-length")
            .and_then(|text| text.parse().ok());
        let length: usize = length.unwrap_or(0);
        let body = upto(stream, kept, |bytes| {
            (bytes.len() >= length).then_some(length)
        })
        .await?;
        request.body = String::from_utf8_lossy(&body).into_owned();
        Some(request)
    }

    fn parse(flaw: Flaw, head: &[u8]) -> Self {
        let mut request = Self {
            head_length: head.len(),
            ..Self::default()
        };
        let mut lines = split(head).into_iter();
        request.line = String::from_utf8_lossy(lines.next().unwrap_or_default()).into_owned();
        for line in lines {
            let folded = line.starts_with(b" ") || line.starts_with(b"\t");
            if folded && flaw == Flaw::TidiesUp {
                if let Some((_, value)) = request.fields.last_mut() {
                    value.extend_from_slice(line.trim_ascii());
                }
                continue;
            }
            let colon = line.iter().position(|byte| *byte == b':').unwrap_or(0);
            let name = String::from_utf8_lossy(&line[..colon]).into_owned();
            let mut value = line
                .get(colon + 1..)
                .unwrap_or_default()
                .trim_ascii()
                .to_vec();
            let odd = |byte: &u8| byte.is_ascii_control() && *byte != b'\t';
            if flaw == Flaw::TidiesUp {
                value = tidied(&value);
            } else if folded || name.is_empty() || name.contains(' ') || value.iter().any(odd) {
                request.malformed = true;
            }
            request.fields.push((name, value));
        }
        request
    }

    /// Whether the bytes of a field are no plain text, or of a kind that HTTP does not have.
    pub(super) fn is_odd(&self) -> bool {
        self.malformed || self.fields.iter().any(|(_, value)| !value.is_ascii())
    }

    /// Whether a part of its token is JSON of so many brackets that a parser which calls itself for each runs out of stack.
    pub(super) fn is_deep(&self) -> bool {
        let field = self.text("authorization").unwrap_or_default();
        let parts = field.trim_start_matches("Bearer ").split('.');
        let opening = |bytes: Vec<u8>| bytes.into_iter().filter(|byte| *byte == b'[').count();
        parts
            .filter_map(|part| URL_SAFE_NO_PAD.decode(part).ok())
            .any(|bytes| opening(bytes) > STACK)
    }

    fn text(&self, name: &str) -> Option<String> {
        let mut fields = self.fields.iter();
        let (_, value) = fields.find(|(known, _)| known.trim().eq_ignore_ascii_case(name))?;
        Some(String::from_utf8_lossy(value).into_owned())
    }

    /// What a client has no say in, and says.
    pub(super) fn claims_trust(&self) -> bool {
        let names = [
            "forwarded",
            "x-amzn-oidc-data",
            "x-amzn-oidc-identity",
            "x-apigateway-event",
            "x-forwarded-for",
            "x-http-method-override",
            "x-original-url",
        ];
        names.iter().any(|name| self.text(name).is_some())
    }

    /// Of the request line, the path without its query.
    pub(super) fn method_and_path(&self) -> (&str, &str) {
        let mut words = self.line.split(' ');
        let (method, target) = (words.next(), words.next());
        let path = target.and_then(|target| target.split('?').next());
        (method.unwrap_or_default(), path.unwrap_or_default())
    }

    pub(super) fn credential(&self, flaw: Flaw) -> Credential {
        if self.malformed {
            return Credential::Refused(400);
        }
        let endless = [Flaw::InflatesAsTold, Flaw::SlowOnLongHeads];
        if self.head_length > HEAD_LIMIT && !endless.contains(&flaw) {
            return Credential::Refused(401);
        }
        let any_line = [
            Flaw::GuardsOneRequestLine,
            Flaw::StartPageForAll,
            Flaw::TokenFromAnywhere,
        ];
        if !any_line.contains(&flaw) {
            let (method, path) = self.method_and_path();
            if path != "/planets" && !path.starts_with("/planets/") {
                return Credential::Refused(404);
            }
            if method == "PLANETS" || method == "TRACE" {
                return Credential::Refused(501);
            }
        }
        if flaw == Flaw::TokenFromAnywhere {
            return Credential::Tokens(self.all_tokens());
        }
        if self.line.contains("access_token=") {
            return Credential::Refused(400);
        }
        let values = self.fields.iter().filter(|(name, _)| match flaw {
            Flaw::NamesByCase => name == "authorization",
            _ => name.trim().eq_ignore_ascii_case("authorization"),
        });
        let values: Vec<&[u8]> = values.map(|(_, value)| value.as_slice()).collect();
        let value = match (flaw, values.as_slice()) {
            (_, []) => return Credential::None,
            (_, [only]) => *only,
            (Flaw::FirstOfSeveral, [first, ..]) => *first,
            (Flaw::LastOfSeveral, [.., last]) => *last,
            _ => return Credential::Refused(400),
        };
        let Ok(value) = std::str::from_utf8(value) else {
            return Credential::Refused(401);
        };
        let (scheme, token) = value.split_once(' ').unwrap_or((value, ""));
        let known = match flaw {
            Flaw::SchemeByCase => scheme == "Bearer",
            _ => scheme.eq_ignore_ascii_case("bearer"),
        };
        let token = match flaw {
            Flaw::PutsUpWithMuch => token.replace(' ', ""),
            _ => token.trim_start_matches(' ').to_owned(),
        };
        if value.is_empty() || known && token.is_empty() {
            return Credential::Empty;
        }
        if known
            && token
                .bytes()
                .all(|byte| byte.is_ascii_graphic() && byte != b',')
        {
            Credential::Tokens(vec![token])
        } else {
            Credential::Refused(401)
        }
    }

    /// Everything that looks like a token, wherever it is.
    fn all_tokens(&self) -> Vec<String> {
        let fields = self
            .fields
            .iter()
            .map(|(_, value)| String::from_utf8_lossy(value));
        let texts = fields.chain([self.line.as_str().into(), self.body.as_str().into()]);
        let texts: Vec<_> = texts.collect();
        let words = texts.iter().flat_map(|text| {
            text.split(|char: char| !(char.is_ascii_alphanumeric() || "-_.".contains(char)))
        });
        words
            .map(|word| word.trim_start_matches("Bearer"))
            .filter(|word| word.matches('.').count() == 2)
            .map(str::to_owned)
            .collect()
    }

    /// The answer as bytes.
    pub(super) fn answered(
        &self,
        flaw: Flaw,
        status: u16,
        credential: &Credential,
        body: String,
    ) -> String {
        let challenge = match (flaw, status, credential) {
            (Flaw::NoChallenge, ..) => "",
            (_, 401, Credential::None | Credential::Empty) => "www-authenticate: Bearer\r\n",
            (_, 401, _) => "www-authenticate: Bearer error=\"invalid_token\"\r\n",
            _ => "",
        };
        let body = match (flaw, status) {
            (Flaw::RepeatsToken, 401) => self.text("authorization").unwrap_or_default(),
            _ => body,
        };
        let length = body.len();
        format!("HTTP/1.1 {status} -\r\n{challenge}content-length: {length}\r\n\r\n{body}")
    }
}

/// Writes an answer; whether the connection is still there.
pub(super) async fn write(stream: &mut TcpStream, answer: &str) -> bool {
    stream.write_all(answer.as_bytes()).await.is_ok()
}

/// Takes off what `end` finds the end of, and reads until it does.
async fn upto(
    stream: &mut TcpStream,
    kept: &mut Vec<u8>,
    mut end: impl FnMut(&[u8]) -> Option<usize>,
) -> Option<Vec<u8>> {
    loop {
        if let Some(end) = end(kept) {
            return Some(kept.drain(..end).collect());
        }
        let more = stream.read_buf(kept).await;
        if !matches!(more, Ok(1..)) || kept.len() > REQUEST_LIMIT {
            return None;
        }
    }
}

fn split(head: &[u8]) -> Vec<&[u8]> {
    let (mut lines, mut rest) = (Vec::new(), head);
    while let Some(end) = rest.windows(2).position(|window| window == b"\r\n") {
        lines.push(&rest[..end]);
        rest = &rest[end + 2..];
    }
    lines.push(rest);
    lines
}

/// Ends at a control byte behind something, and leaves out what is no plain text.
fn tidied(value: &[u8]) -> Vec<u8> {
    let odd = |byte: &u8| byte.is_ascii_control();
    let start = value
        .iter()
        .position(|byte| !odd(byte))
        .unwrap_or(value.len());
    let text = value[start..].split(odd).next().unwrap_or_default();
    let text = text.iter().copied().filter(u8::is_ascii);
    // A control byte before the token stands behind the scheme's blank.
    let mut tidy: Vec<u8> = text.collect();
    if tidy == b"Bearer " {
        tidy.extend(value[start..].iter().skip(8).copied().filter(u8::is_ascii));
    }
    tidy
}
