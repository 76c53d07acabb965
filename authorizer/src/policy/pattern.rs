//! Policy resources after the stage, as rows of whole segments.
//!
//! IAM's `*` matches any run of characters, slashes included (IAM user guide, "IAM JSON policy elements: Resource"). In a
//! pattern of whole segments that means: a wildcard stands for one or more segments, empty ones included. The same row
//! read as a request has one segment that no route and no policy names where it says [`Token::Any`]. Such a request is in
//! a pattern exactly if all that the row covers as a pattern is, which is why one type serves for both.

use std::{convert::Infallible, fmt::Write as _, sync::Arc};

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
///
/// A wildcard takes as few segments as it can, and one more each time that what follows it does not fit. The last wildcard
/// is the only one that has to be tried again: one before it that took more would leave it less to choose from. So the
/// time is a product of the lengths, however many wildcards there are.
pub(super) fn covers(pattern: &[Token], word: &[Token]) -> bool {
    let (mut in_pattern, mut in_word) = (0, 0);
    // Behind the last wildcard, and behind what it takes.
    let mut retry: Option<(usize, usize)> = None;
    loop {
        match (pattern.get(in_pattern), word.get(in_word)) {
            (None, None) => return true,
            (Some(Token::Any), Some(_)) => {
                (in_pattern, in_word) = (in_pattern + 1, in_word + 1);
                retry = Some((in_pattern, in_word));
            }
            (Some(literal), Some(first)) if literal == first => {
                (in_pattern, in_word) = (in_pattern + 1, in_word + 1);
            }
            // Too few segments are left for the pattern, and a wildcard that takes more leaves fewer.
            (Some(_), None) => return false,
            _ => match &mut retry {
                None => return false,
                Some((behind, taken)) => {
                    *taken += 1;
                    (in_pattern, in_word) = (*behind, *taken);
                }
            },
        }
    }
}

/// Without the patterns that others of them cover. The order stays; of equals the first stays.
pub(super) fn without_covered(patterns: Vec<Vec<Token>>) -> Vec<Vec<Token>> {
    let unbounded: Result<_, Infallible> = without_covered_in(patterns, |_| Ok(()));
    let Ok(kept) = unbounded;
    kept
}

/// The same, for lists whose length nobody has bounded: `compare` is told how many comparisons come next, and may end it.
pub(super) fn without_covered_in<E>(
    patterns: Vec<Vec<Token>>,
    compare: impl Fn(usize) -> Result<(), E>,
) -> Result<Vec<Vec<Token>>, E> {
    let mut kept: Vec<Vec<Token>> = Vec::new();
    for pattern in patterns {
        compare(kept.len())?;
        if kept.iter().any(|wider| covers(wider, &pattern)) {
            continue;
        }
        kept.retain(|narrower| !covers(&pattern, narrower));
        kept.push(pattern);
    }
    Ok(kept)
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

#[cfg(test)]
mod tests {
    use super::*;

    /// What a wildcard means, written down as it is said.
    fn covers_by_definition(pattern: &[Token], word: &[Token]) -> bool {
        match (pattern.split_first(), word.split_first()) {
            (None, None) => true,
            (Some((Token::Any, rest)), Some(_)) => {
                (1..=word.len()).any(|taken| covers_by_definition(rest, &word[taken..]))
            }
            (Some((literal, rest)), Some((first, after))) if literal == first => {
                covers_by_definition(rest, after)
            }
            _ => false,
        }
    }

    /// Every row of up to so many tokens over two literals and the wildcard.
    fn rows(length_max: u32) -> Vec<Vec<Token>> {
        let tokens = [Token::Any, Token::literal("a"), Token::literal("b")];
        let mut rows = vec![Vec::new()];
        let mut last = rows.clone();
        for _ in 0..length_max {
            last = last
                .iter()
                .flat_map(|row: &Vec<Token>| {
                    let longer = |token: &Token| [row.clone(), vec![token.clone()]].concat();
                    tokens.iter().map(longer).collect::<Vec<_>>()
                })
                .collect();
            rows.extend(last.iter().cloned());
        }
        rows
    }

    #[test]
    fn a_wildcard_covers_one_or_more_segments() {
        for pattern in rows(5) {
            for word in rows(5) {
                assert_eq!(
                    covers(&pattern, &word),
                    covers_by_definition(&pattern, &word),
                    "{} and {}",
                    text(&pattern),
                    text(&word)
                );
            }
        }
    }

    #[test]
    fn many_wildcards_take_no_longer() {
        // By trying every share of the segments this would not end.
        let mut pattern = Vec::new();
        for _ in 0..30 {
            pattern.extend([Token::Any, Token::literal("a")]);
        }
        pattern.push(Token::literal("b"));
        assert!(!covers(&pattern, &vec![Token::literal("a"); 400]));
    }
}
