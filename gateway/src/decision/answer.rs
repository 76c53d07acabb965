//! What a function answered, before anybody has read it.

use std::fmt;

use bytes::Bytes;

/// A function's answer to one event.
#[derive(Clone, PartialEq, Eq)]
pub enum FunctionAnswer {
    /// The function failed: it reported an error, ran out of time, or ended.
    Error {
        /// `errorMessage`, which decides between 401 and 500.
        message: String,
        /// `errorType`, which decides nothing.
        error_type: String,
    },
    /// The bytes that the function returned, not yet known to be JSON.
    Payload(Bytes),
}

/// The error message that API Gateway turns into 401. It is compared whole, with its case: `Unauthorized` followed by
/// more text gives 500 (observed).
const UNAUTHORIZED: &str = "Unauthorized";

impl FunctionAnswer {
    /// Whether the function refuses the token, which is an error to Lambda and a decision to API Gateway.
    pub fn is_unauthorized(&self) -> bool {
        matches!(self, Self::Error { message, .. } if message == UNAUTHORIZED)
    }
}

/// Without the payload, which may hold what the authorizer knows of the caller.
impl fmt::Debug for FunctionAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Error {
                message,
                error_type,
            } => f
                .debug_struct("Error")
                .field("message", message)
                .field("error_type", error_type)
                .finish(),
            Self::Payload(payload) => write!(f, "Payload({} bytes)", payload.len()),
        }
    }
}
