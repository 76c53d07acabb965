//! How much a client may send, and how slowly.

use std::time::Duration;

/// All headers of one request: 10,240 bytes (API Gateway quotas).
const HEADER_BYTES: usize = 10_240;

/// The payload: 10 MB (API Gateway quotas).
const BODY_BYTES: usize = 10 * 1024 * 1024;

/// A body from loopback arrives in milliseconds; ten seconds are enough for 10 MB over a slow line, too.
const BODY_DEADLINE: Duration = Duration::from_secs(10);

/// The header section, the wait for it on an idle connection included, so that one is not kept for ever.
const HEADER_DEADLINE: Duration = Duration::from_mins(1);

/// Twice the users that the bench can have. A connection costs its buffers, some 16 KB; all of them some 32 MB.
const CONNECTIONS: usize = 2_048;

/// Bounds of the server.
#[derive(Debug, Clone)]
pub struct ServerLimits {
    /// Names and values of all headers together, in bytes.
    pub header_bytes: usize,
    /// The body, in bytes.
    pub body_bytes: usize,
    /// From the decision that the body is needed to its last byte.
    pub body_deadline: Duration,
    /// From the last answer, or the connection's start, to the end of the next header section.
    pub header_deadline: Duration,
    /// Open connections; more wait in the system's queue.
    pub connections: usize,
}

impl Default for ServerLimits {
    fn default() -> Self {
        Self {
            header_bytes: HEADER_BYTES,
            body_bytes: BODY_BYTES,
            body_deadline: BODY_DEADLINE,
            header_deadline: HEADER_DEADLINE,
            connections: CONNECTIONS,
        }
    }
}
