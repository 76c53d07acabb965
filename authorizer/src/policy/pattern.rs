//! Policy resources after the stage, as rows of whole segments.
//!
//! IAM's `*` matches any run of characters, slashes included (IAM user guide, "IAM JSON policy elements: Resource"). In a
//! pattern of whole segments that means: a wildcard stands for one or more segments, empty ones included. The same row
//! read as a request has one segment that no route and no policy names where it says [`Token::Any`]. Such a request is in
//! a pattern exactly if all that the row covers as a pattern is, which is why one type serves for both.

use std::{fmt::Write as _, sync::Arc};

/// One segment of a pattern, or of a request.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Token {
    /// In a pattern one or more segments; in a request one segment, not empty, that no route names.
    Any,
    Literal(Arc<str>),
}

impl Token {
    pub(super) fn literal(text: &str) -> Token {
        Token::Literal(text.into())
    }

    /// What follows a final slash.
    pub(super) fn empty() -> Token {
        Token::literal("")
    }

    pub(super) fn is_empty(&self) -> bool {
        matches!(self, Token::Literal(text) if text.is_empty())
    }
}

/// Whether `pattern` covers the request `word`, and so all that `word` covers as a pattern.
pub(super) fn covers(pattern: &[Token], word: &[Token]) -> bool {
    match (pattern.split_first(), word.split_first()) {
        (None, None) => true,
        (Some((Token::Any, rest)), Some(_)) => {
            (1..=word.len()).any(|taken| covers(rest, &word[taken..]))
        }
        (Some((literal, rest)), Some((first, after))) if literal == first => covers(rest, after),
        _ => false,
    }
}

/// Without the patterns that others of them cover. The order stays; of equals the first stays.
pub(super) fn without_covered(patterns: Vec<Vec<Token>>) -> Vec<Vec<Token>> {
    let mut kept: Vec<Vec<Token>> = Vec::new();
    for pattern in patterns {
        if kept.iter().any(|wider| covers(wider, &pattern)) {
            continue;
        }
        kept.retain(|narrower| !covers(&pattern, narrower));
        kept.push(pattern);
    }
    kept
}

/// The text of a resource after the stage's slash.
pub(super) fn text(pattern: &[Token]) -> String {
    let mut text = String::new();
    for (index, token) in pattern.iter().enumerate() {
        let slash = if index == 0 { "" } else { "/" };
        let token = match token {
            Token::Any => "*",
            Token::Literal(literal) => literal,
        };
        let _infallible = write!(text, "{slash}{token}");
    }
    text
}
