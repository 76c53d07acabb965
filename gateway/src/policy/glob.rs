//! The wildcards of IAM: `*` for any run of characters, empty ones and slashes included, `?` for exactly one.

/// Whether `text` matches the whole of `pattern`, case included.
pub(super) fn matches(pattern: &str, text: &str) -> bool {
    matches_by(pattern, text, |a, b| a == b)
}

/// Whether `text` matches the whole of `pattern`; ASCII letters match in either case.
pub(super) fn matches_ignoring_case(pattern: &str, text: &str) -> bool {
    matches_by(pattern, text, |a, b| a.eq_ignore_ascii_case(&b))
}

/// Greedy matching that goes back to the last `*` only: at most `pattern × text` steps, no recursion.
fn matches_by(pattern: &str, text: &str, same: impl Fn(char, char) -> bool) -> bool {
    let (mut pattern, mut text) = (pattern.chars(), text.chars());
    let mut retry = None;
    loop {
        let here = text.clone();
        match (pattern.next(), text.next()) {
            (None, None) => return true,
            (Some('*'), _) => {
                retry = Some((pattern.clone(), here.clone()));
                text = here;
            }
            (Some('?'), Some(_)) => {}
            (Some(wanted), Some(found)) if same(wanted, found) => {}
            _ => {
                let Some((after_star, from)) = retry.as_mut() else {
                    return false;
                };
                // The star takes one character more.
                if from.next().is_none() {
                    return false;
                }
                pattern = after_star.clone();
                text = from.clone();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_matches_the_whole_text_or_nothing() {
        for (pattern, text, want) in [
            ("", "", true),
            ("", "a", false),
            ("a", "", false),
            ("*", "", true),
            ("*", "a/b:c", true),
            ("a*", "ba", false),
            ("*a", "ab", false),
            ("a*b*c", "a-b-b-c", true),
            ("a*b*c", "a-b-c-", false),
            ("*ab", "aab", true),
            ("a**b", "ab", true),
            ("?", "é", true),
            ("?", "", false),
            ("??", "a", false),
            ("a?c", "abc", true),
            ("a.c", "abc", false),
            ("(x)", "(x)", true),
            ("A", "a", false),
        ] {
            assert_eq!(matches(pattern, text), want, "{pattern} on {text}");
        }
        assert!(matches_ignoring_case(
            "EXECUTE-api:i*E",
            "execute-api:Invoke"
        ));
    }

    #[test]
    fn many_stars_cost_no_more_than_the_product_of_the_lengths() {
        let pattern = "*a".repeat(250);
        let text = "a".repeat(249) + &"b".repeat(1300);
        assert!(!matches(&pattern, &text));
    }
}
