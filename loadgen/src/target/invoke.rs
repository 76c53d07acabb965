//! A function behind an invoke endpoint: the event is the body of a POST, and its answer the body of the response.
//!
//! That is the `Invoke` action of Lambda's API without its signature, as the Lambda Runtime Interface Emulator, the images
//! that hold it, and `sam local start-lambda` have it. The emulator answers 200 to a function that failed and sends no
//! `X-Amz-Function-Error`, so an answer with `errorMessage` and `errorType` counts as a failure, too.

use std::time::{Duration, Instant};

use bytes::Bytes;
use gateway::FunctionAnswer;
use serde::Deserialize;
use tokio::net::TcpStream;

use super::http::socket;
use super::http1::{Http1, Received};
use super::loss::{Loss, Lost};

/// The path of every function that the Runtime Interface Emulator runs.
pub const EMULATOR_PATH: &str = "/2015-03-31/functions/function/invocations";

/// Events at the same time where nobody says otherwise: the Runtime Interface Emulator has one execution environment, and a
/// second event ends it.
pub const EMULATOR_AT_ONCE: usize = 1;

/// The header that says that the function failed (Lambda API reference, `Invoke`).
const FUNCTION_ERROR: &str = "x-amz-function-error";

/// The longest answer of a synchronous invocation: 6 MB (Lambda quotas).
const ANSWER_BYTES_MAX: usize = 6 * 1024 * 1024;

/// API Gateway waits for an authorizer of an HTTP API for 10 s, and the emulator may have to start its function first.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

/// How the emulator words a time-out, which is its whole answer.
const TIMED_OUT: &str = "Task timed out";

/// Where a function is invoked.
#[derive(Debug, Clone)]
pub struct Endpoint {
    /// `host:port`.
    pub authority: String,
    /// The path of the action.
    pub path: String,
    /// Events at the same time, at most.
    pub at_once: usize,
}

/// A kept-open connection, opened again when the endpoint has closed it.
#[derive(Debug)]
pub(super) struct EndpointConnection {
    endpoint: Endpoint,
    kept: Option<Http1<TcpStream>>,
}

/// The fields of a failure that the runtimes report.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Reported {
    error_message: Option<String>,
    error_type: Option<String>,
}

impl EndpointConnection {
    pub(super) fn new(endpoint: Endpoint) -> Self {
        Self {
            endpoint,
            kept: None,
        }
    }

    /// Invokes once. The error is the endpoint's, and none of the function.
    pub(super) async fn invoke(&mut self, event: Bytes) -> Result<FunctionAnswer, Lost> {
        let mut request = format!(
            "POST {} HTTP/1.1\r\nhost: {}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
            self.endpoint.path,
            self.endpoint.authority,
            event.len()
        )
        .into_bytes();
        request.extend_from_slice(&event);
        let started = Instant::now();
        let exchange = tokio::time::timeout(ANSWER_TIMEOUT, self.exchange(&request)).await;
        let received = exchange.unwrap_or_else(|_| {
            let reason = format!("no answer within {:.1?}", started.elapsed());
            Err(Lost::new(Loss::TimedOut, reason))
        })?;
        let (status, body) = (received.head.status, received.body);
        if status != 200 {
            let words =
                gateway::redacted(&String::from_utf8_lossy(&body), super::function::WORDS_MAX);
            let reason = format!("the invoke endpoint answers {status} {words}");
            return Err(Lost::new(Loss::NoDecision, reason));
        }
        Ok(read(
            body,
            received.head.fields.contains_key(FUNCTION_ERROR),
        ))
    }

    /// The connection is kept when its answer has come, and given up with a wait that is given up.
    async fn exchange(&mut self, request: &[u8]) -> Result<Received, Lost> {
        let mut open = None;
        if let Some(mut kept) = self.kept.take()
            && kept.is_idle().await
        {
            open = Some(kept);
        }
        let mut connection = match open {
            Some(connection) => connection,
            None => Http1::new(socket(&self.endpoint.authority).await?),
        };
        let received = connection.exchange(request, Some(ANSWER_BYTES_MAX)).await?;
        self.kept = received.reusable.then_some(connection);
        Ok(received)
    }
}

/// A failure or a payload.
fn read(body: Bytes, marked: bool) -> FunctionAnswer {
    let reported = serde_json::from_slice::<Reported>(&body).ok();
    if let Some(Reported {
        error_message: Some(message),
        error_type,
    }) = reported
        && (marked || error_type.is_some())
    {
        return FunctionAnswer::Error {
            message,
            error_type: error_type.unwrap_or_default(),
        };
    }
    let error_type = if marked {
        "Unhandled"
    } else if body.starts_with(TIMED_OUT.as_bytes()) {
        "Sandbox.Timedout"
    } else if body.is_empty() {
        // The emulator says nothing of a process that has ended.
        "Runtime.ExitError"
    } else {
        return FunctionAnswer::Payload(body);
    };
    FunctionAnswer::Error {
        message: String::from_utf8_lossy(&body).into_owned(),
        error_type: error_type.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_told_by_the_header_or_by_its_two_members() {
        let error = |message: &str, error_type: &str| FunctionAnswer::Error {
            message: message.to_owned(),
            error_type: error_type.to_owned(),
        };
        let payload = |text: &str| FunctionAnswer::Payload(text.to_owned().into());
        let thrown = r#"{"errorType":"Error","errorMessage":"Unauthorized","trace":["Error"]}"#;
        let raised = r#"{"errorMessage": "Unauthorized", "errorType": "Exception", "requestId": "1", "stackTrace": []}"#;
        for (body, marked, want) in [
            (thrown, false, error("Unauthorized", "Error")),
            (raised, true, error("Unauthorized", "Exception")),
            (r#"{"errorMessage":"a"}"#, true, error("a", "")),
            (
                r#"{"errorMessage":"a"}"#,
                false,
                payload(r#"{"errorMessage":"a"}"#),
            ),
            (
                "Task timed out after 1.00 seconds",
                false,
                error("Task timed out after 1.00 seconds", "Sandbox.Timedout"),
            ),
            ("", false, error("", "Runtime.ExitError")),
            ("null", true, error("null", "Unhandled")),
            (
                r#"{"policyDocument":{}}"#,
                false,
                payload(r#"{"policyDocument":{}}"#),
            ),
            ("\"text\"", false, payload("\"text\"")),
        ] {
            assert_eq!(read(body.to_owned().into(), marked), want, "{body}");
        }
    }
}
