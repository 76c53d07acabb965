//! What can be wrong with one route, and what to do about it.

use thiserror::Error;

/// Most scopes that one route may name: three times what an HTTP API of API Gateway takes for a route. The search for
/// combinations costs the square of it.
pub(super) const MAX_SCOPES: usize = 32;

/// Most segments of a path: twice what hand-made APIs have. The search for overlaps grows with it.
pub(super) const MAX_SEGMENTS: usize = 12;

/// Why a route cannot be used. The message goes on after the route's name.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum RouteFault {
    /// A segment `.` or `..`.
    #[error("has the segment `{0}`, which clients resolve before they send it")]
    DotSegment(String),
    /// Nothing between two commas of a scope list.
    #[error("has an empty scope; remove the extra comma")]
    EmptyScope,
    /// A scope list without scopes. It would be met by all tokens or by none.
    #[error("has an empty scope list; name a scope, or say that none is needed")]
    EmptyScopes,
    /// Nothing between two slashes, or after the last.
    #[error("has an empty segment; remove the doubled or the last slash")]
    EmptySegment,
    /// The text has not the three words.
    #[error("is not written as `GET,HEAD /planets/{{id}} any:read:planets,admin`")]
    Form,
    /// A segment holds a character that a policy or a methodArn cannot be trusted with.
    #[error("has the segment `{}` with {found:?}: {}", segment.escape_debug(), literal_advice(*found))]
    LiteralChar {
        /// The segment.
        segment: String,
        /// Its first such character.
        found: char,
    },
    /// The path does not start with `/`.
    #[error("has a path without a leading slash; write it as /planets")]
    NoLeadingSlash,
    /// Braces without a name that API Gateway takes.
    #[error("has the parameter `{}`; write {{id}}, or {{proxy+}} as the last segment", .0.escape_debug())]
    ParameterName(String),
    /// Something follows `{proxy+}`.
    #[error("has a segment after {{proxy+}}, which must be the last")]
    ProxyNotLast,
    /// A scope holds a character that no scope has.
    #[error("asks for the scope `{}`, but no scope has {found:?} (RFC 6749 §3.3)", scope.escape_debug())]
    ScopeChar {
        /// The scope.
        scope: String,
        /// Its first such character.
        found: char,
    },
    /// Not exactly one of the ways to ask for scopes.
    #[error("must have exactly one of any_of, all_of and no_scope = true")]
    ScopeRule,
    /// More than 32 scopes.
    #[error("names {0} scopes; at most {MAX_SCOPES} are taken")]
    TooManyScopes(usize),
    /// More than 12 segments.
    #[error("has {0} segments; at most {MAX_SEGMENTS} are taken")]
    TooManySegments(usize),
    /// A verb that API Gateway does not have, or none.
    #[error("has the verb `{}`; write one of GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS, or `*` alone for all", .0.escape_debug())]
    Verb(String),
    /// A verb twice.
    #[error("names {0} twice; remove one")]
    VerbTwice(String),
}

fn literal_advice(found: char) -> &'static str {
    match found {
        '*' | '?' => "IAM reads a wildcard; write {id} for a parameter",
        '$' => "IAM reads ${…} as a variable; write a parameter instead",
        '{' | '}' => "braces enclose a whole segment, as in {id}",
        '%' => "its form in the methodArn is not settled; write a parameter instead",
        _ => "it does not stand in a path unescaped; write a parameter instead",
    }
}
