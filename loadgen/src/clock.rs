//! The one place where this crate asks what time of day it is. What is timed uses `Instant`.

use std::time::{SystemTime, UNIX_EPOCH};

/// Seconds since the epoch (`NumericDate`, RFC 7519 §2).
pub fn unix_now() -> i64 {
    let elapsed = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    i64::try_from(elapsed.as_secs()).unwrap_or(i64::MAX)
}

/// The day in UTC.
pub fn today() -> chrono::NaiveDate {
    chrono::Utc::now().date_naive()
}

/// Now as RFC 3339 in UTC, to the second.
pub fn rfc3339_now() -> String {
    chrono::Utc::now().format("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// Now as part of a file name.
pub fn folder_stamp() -> String {
    chrono::Utc::now().format("%Y%m%dT%H%M%SZ").to_string()
}

/// The second since the epoch of a time in RFC 3339; `None` for other text and for times before the epoch.
pub fn unix_of_rfc3339(text: &str) -> Option<u64> {
    let time = chrono::DateTime::parse_from_rfc3339(text).ok()?;
    u64::try_from(time.timestamp()).ok()
}
