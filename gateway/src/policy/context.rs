//! The request context: what conditions of a policy can ask about a call.

use std::borrow::Cow;
use std::net::IpAddr;

/// What is known about a call beside its action and its resource. A member that is `None` is an absent condition key.
#[derive(Debug, Clone, Copy, Default)]
pub struct RequestContext<'a> {
    /// `aws:CurrentTime` and `aws:EpochTime`: seconds since the epoch.
    pub now: Option<i64>,
    /// `aws:SecureTransport`.
    pub secure_transport: Option<bool>,
    /// `aws:SourceIp`.
    pub source_ip: Option<IpAddr>,
    /// `aws:UserAgent`.
    pub user_agent: Option<&'a str>,
}

/// A condition key that the stand-in can answer. Keys are compared without regard to case (IAM user guide, "Condition").
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Key {
    CurrentTime,
    EpochTime,
    SecureTransport,
    SourceIp,
    UserAgent,
}

impl Key {
    pub(super) fn parse(name: &str) -> Option<Self> {
        const NAMES: [(&str, Key); 5] = [
            ("aws:CurrentTime", Key::CurrentTime),
            ("aws:EpochTime", Key::EpochTime),
            ("aws:SecureTransport", Key::SecureTransport),
            ("aws:SourceIp", Key::SourceIp),
            ("aws:UserAgent", Key::UserAgent),
        ];
        NAMES
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, key)| *key)
    }
}

impl RequestContext<'_> {
    /// The value of a key as IAM compares it: a text. Times are seconds since the epoch, which date operators read too.
    pub(super) fn value(&self, key: Key) -> Option<Cow<'_, str>> {
        match key {
            Key::CurrentTime | Key::EpochTime => self.now.map(|now| Cow::Owned(now.to_string())),
            Key::SecureTransport => self
                .secure_transport
                .map(|secure| Cow::Borrowed(if secure { "true" } else { "false" })),
            Key::SourceIp => self
                .source_ip
                .map(|address| Cow::Owned(address.to_canonical().to_string())),
            Key::UserAgent => self.user_agent.map(Cow::Borrowed),
        }
    }
}
