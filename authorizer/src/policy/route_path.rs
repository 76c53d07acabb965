//! The path of a route in API Gateway's form, and which of two paths wins a request.

use std::{cmp::Ordering, fmt, sync::Arc};

use super::{
    pattern::Token,
    route_fault::{MAX_SEGMENTS, RouteFault},
};

/// A path such as `/planets/{id}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RoutePath {
    text: String,
    segments: Vec<Segment>,
}

/// One segment of a path. Parameter names play no part in matching and are not kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Segment {
    Literal(Arc<str>),
    Parameter,
    /// All the rest of the path, at least one segment.
    Proxy,
}

impl RoutePath {
    pub(super) fn parse(text: &str) -> Result<RoutePath, RouteFault> {
        let inner = text.strip_prefix('/').ok_or(RouteFault::NoLeadingSlash)?;
        let segments = if inner.is_empty() {
            Vec::new()
        } else {
            inner
                .split('/')
                .map(Segment::parse)
                .collect::<Result<Vec<_>, _>>()?
        };
        if segments.len() > MAX_SEGMENTS {
            return Err(RouteFault::TooManySegments(segments.len()));
        }
        if segments.iter().rev().skip(1).any(|s| *s == Segment::Proxy) {
            return Err(RouteFault::ProxyNotLast);
        }
        Ok(RoutePath {
            text: text.to_owned(),
            segments,
        })
    }

    pub(super) fn segments(&self) -> &[Segment] {
        &self.segments
    }

    /// Whether both match the same paths, whatever their parameters are called.
    pub(super) fn is_same_shape(&self, other: &RoutePath) -> bool {
        self.segments == other.segments
    }

    /// The narrowest policy pattern that covers the path's requests: each parameter becomes a wildcard.
    pub(super) fn pattern(&self) -> Vec<Token> {
        if self.segments.is_empty() {
            // The root's methodArn ends in `GET/`: one segment, and it is empty.
            return vec![Token::empty()];
        }
        let tokens = self.segments.iter().map(|segment| match segment {
            Segment::Literal(text) => Token::Literal(Arc::clone(text)),
            Segment::Parameter | Segment::Proxy => Token::Any,
        });
        tokens.collect()
    }

    /// Which path API Gateway prefers where both match, first the preferred one: a literal wins over a parameter, and
    /// that over the rest of the path, from left to right.
    pub(super) fn precedence(&self, other: &RoutePath) -> Ordering {
        let rank = |path: &RoutePath| -> Vec<u8> {
            let ranks = path.segments.iter().map(|segment| match segment {
                Segment::Literal(_) => 0,
                Segment::Parameter => 1,
                Segment::Proxy => 2,
            });
            ranks.collect()
        };
        rank(self).cmp(&rank(other))
    }

    /// Whether a request matches, other routes aside. A segment [`Token::Any`] stands for one that no route names.
    pub(super) fn matches(&self, word: &[Token]) -> bool {
        let mut rest = without_final_slash(word);
        for segment in &self.segments {
            let Some((here, after)) = rest.split_first() else {
                return false;
            };
            match segment {
                Segment::Literal(text) if *here == Token::Literal(Arc::clone(text)) => {}
                Segment::Parameter if !here.is_empty() => {}
                Segment::Proxy => return true,
                Segment::Literal(_) | Segment::Parameter => return false,
            }
            rest = after;
        }
        rest.is_empty()
    }
}

/// One slash at the end makes no difference to routing, and stays in the methodArn (observed). The root has nothing but.
fn without_final_slash(word: &[Token]) -> &[Token] {
    match word {
        [first, second] if first.is_empty() && second.is_empty() => &[],
        [rest @ .., last] if last.is_empty() => rest,
        _ => word,
    }
}

impl Segment {
    fn parse(text: &str) -> Result<Segment, RouteFault> {
        if let Some(name) = text.strip_prefix('{').and_then(|t| t.strip_suffix('}')) {
            let (name, segment) = match name.strip_suffix('+') {
                None => (name, Segment::Parameter),
                Some(name) => (name, Segment::Proxy),
            };
            let is_name = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
            return if !name.is_empty() && name.chars().all(is_name) {
                Ok(segment)
            } else {
                Err(RouteFault::ParameterName(text.to_owned()))
            };
        }
        match text {
            "" => return Err(RouteFault::EmptySegment),
            "." | ".." => return Err(RouteFault::DotSegment(text.to_owned())),
            _ => {}
        }
        match text.chars().find(|c| !is_literal_char(*c)) {
            None => Ok(Segment::Literal(text.into())),
            Some(found) => Err(RouteFault::LiteralChar {
                segment: text.to_owned(),
                found,
            }),
        }
    }
}

/// What is safe to write in a policy and arrives in the methodArn as it was sent: the `pchar` of RFC 3986 §3.3 without
/// percent-escapes, whose form in the methodArn is not settled, and without `*` and `$`, which IAM reads.
fn is_literal_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || "-._~:,;@+=&!'()".contains(c)
}

impl fmt::Display for RoutePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
