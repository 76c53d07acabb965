//! What a runtime reports when its function failed: the body of `/error` and the error type header.

use serde::Deserialize;

use crate::decision::FunctionAnswer;

/// The body of `/error`. Clients add members of their own (`trace`, `stackTrace`, `requestId`), so unknown ones are
/// ignored here, unlike in files that a user writes.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ErrorReport {
    #[serde(default)]
    error_message: String,
    #[serde(default)]
    error_type: String,
}

/// The function error of a report. A body that is no report gives an empty message, which is an error like any other.
pub(super) fn parse(body: &[u8], header: Option<&str>) -> FunctionAnswer {
    let report = serde_json::from_slice(body).unwrap_or(ErrorReport {
        error_message: String::new(),
        error_type: String::new(),
    });
    let error_type = if report.error_type.is_empty() {
        error_type(header).to_owned()
    } else {
        report.error_type
    };
    FunctionAnswer::Error {
        message: report.error_message,
        error_type,
    }
}

/// `Runtime.` or `Function.`, one upper-case letter, then at least one more letter; anything else is unknown
/// (aws-lambda-rie).
fn error_type(header: Option<&str>) -> &str {
    let given = header.unwrap_or_default();
    let sound = |name: &str| {
        let mut letters = name.chars();
        letters
            .next()
            .is_some_and(|first| first.is_ascii_uppercase())
            && name.len() >= 2
            && letters.all(|letter| letter.is_ascii_alphabetic())
    };
    match given.split_once('.') {
        Some(("Function" | "Runtime", name)) if sound(name) => given,
        Some(("Runtime", _)) => "Runtime.Unknown",
        _ => "Function.Unknown",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_message_is_kept_whole_and_the_type_falls_back_on_the_header() {
        for (body, header, message, error_type) in [
            (
                r#"{"errorMessage":"Unauthorized","errorType":"string","trace":[]}"#,
                None,
                "Unauthorized",
                "string",
            ),
            (
                r#"{"errorMessage":"Unauthorized"}"#,
                Some("Function.Boom"),
                "Unauthorized",
                "Function.Boom",
            ),
            (
                r#"{"errorMessage":" Unauthorized"}"#,
                Some("Function.boom"),
                " Unauthorized",
                "Function.Unknown",
            ),
            ("{}", Some("Runtime.X"), "", "Runtime.Unknown"),
            ("{}", Some("unhandled"), "", "Function.Unknown"),
            ("no JSON", None, "", "Function.Unknown"),
        ] {
            let want = FunctionAnswer::Error {
                message: message.to_owned(),
                error_type: error_type.to_owned(),
            };
            assert_eq!(parse(body.as_bytes(), header), want, "{body} {header:?}");
        }
    }
}
