//! Where something stands in a file, for messages.

use std::ops::Range;

/// The line of a span, counted from 1.
pub(crate) fn line(text: &str, span: &Range<usize>) -> usize {
    text.get(..span.start)
        .map_or(1, |before| before.matches('\n').count() + 1)
}
