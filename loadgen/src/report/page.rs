//! A Markdown page of somebody's own, in which a text of ours has its place between two lines.

/// Whose place in a page is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// The table of many targets in rounds.
    Comparison,
    /// The tables of many targets' conformance.
    Survey,
}

impl Place {
    /// The line before the text, and the one behind it.
    pub const fn markers(self) -> [&'static str; 2] {
        match self {
            Self::Comparison => ["<!-- comparison -->", "<!-- /comparison -->"],
            Self::Survey => ["<!-- survey -->", "<!-- /survey -->"],
        }
    }
}

/// A page that does not say where the text goes.
#[derive(Debug, thiserror::Error)]
#[error("a line `{begin}` and, behind it, a line `{end}` say where the tables go; {missing}")]
pub struct MarkersMissing {
    begin: &'static str,
    end: &'static str,
    missing: &'static str,
}

/// The page with its text between the markers replaced.
pub(super) fn between_markers(
    page: &str,
    place: Place,
    text: &str,
) -> Result<String, MarkersMissing> {
    let [before, behind] = place.markers();
    let line = |marker: &str, from: usize| {
        let mut at = from;
        page[from..].split_inclusive('\n').find_map(|line| {
            let begin = at;
            at += line.len();
            (line.trim_end() == marker).then_some((begin, at))
        })
    };
    let missing = |missing| MarkersMissing {
        begin: before,
        end: behind,
        missing,
    };
    let (_, begin) = line(before, 0).ok_or_else(|| missing("the first is missing"))?;
    let (end, _) = line(behind, begin).ok_or_else(|| missing("the second is missing"))?;
    Ok(format!(
        "{}\n{}\n\n{}",
        &page[..begin],
        text.trim(),
        &page[end..]
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_stands_between_the_markers_is_replaced() {
        let page = "# Findings\n<!-- survey -->\nold\n<!-- /survey -->\nrest\n";
        let once = between_markers(page, Place::Survey, "| new |\n").expect("both markers");
        assert_eq!(
            once,
            "# Findings\n<!-- survey -->\n\n| new |\n\n<!-- /survey -->\nrest\n"
        );
        assert_eq!(
            between_markers(&once, Place::Survey, "| new |\n").expect("both"),
            once
        );
        let end =
            between_markers("<!-- survey -->\n<!-- /survey -->", Place::Survey, "x").expect("both");
        assert_eq!(end, "<!-- survey -->\n\nx\n\n<!-- /survey -->");
    }

    #[test]
    fn a_page_without_both_markers_in_order_is_refused() {
        let table = [
            ("nothing", "the first is missing"),
            ("<!-- survey -->\n", "the second is missing"),
            (
                "<!-- /survey -->\n<!-- survey -->\n",
                "the second is missing",
            ),
            (
                "in text <!-- survey -->\n<!-- /survey -->\n",
                "the first is missing",
            ),
        ];
        for (page, wanted) in table {
            let message = between_markers(page, Place::Survey, "x")
                .expect_err(page)
                .to_string();
            assert!(message.contains(wanted), "{page:?}: {message}");
        }
    }
}
