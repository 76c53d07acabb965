//! A Lambda authorizer for API Gateway: it verifies access tokens against the JWKS of their issuers and answers with a
//! policy that is safe to cache.
//!
//! The way of an event, downwards: [`Authorizer`] takes the event apart, [`CompactJws`] holds a well-formed token, the rules
//! of its issuer ([`Rules`]) refuse what needs no key to be refused, [`JwksCache`] finds the key, [`VerifiedToken`] is the
//! proof of claims and signature, and there is no Allow ([`PolicyDocument::allow`], [`PolicyDocument::allow_routes`]) without
//! that proof. What a client can do wrong is a [`Rejection`], one for each rule; what the issuer or the platform can do
//! wrong is an error of its own.
//!
//! The function of Lambda is [`lambda`]. A server of another kind puts an [`AuthorizerLayer`] in front of its services, which
//! answers what it refuses and hands on the [`VerifiedToken`].
//!
//! [`Verifier`] and [`JwkSet`] do no I/O and read no clock, and can be used without the rest:
//!
//! ```
//! use authorizer::{JwkSet, Rejection, Verifier};
//!
//! // The key and the signing input of RFC 7515, appendix A.2.
//! let jwks = br#"{"keys":[{"kty":"RSA","e":"AQAB","n":"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ"}]}"#;
//! let token = concat!(
//!     "eyJhbGciOiJSUzI1NiJ9",
//!     ".eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ",
//!     ".cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t",
//!     "1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jz",
//!     "DwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw",
//! );
//!
//! let keys = JwkSet::parse(jwks).unwrap();
//! let verifier = Verifier::new("joe", "https://api.example/");
//! // The signature is right, but a token that names no audience is good for nobody (RFC 8725 §3.9).
//! let refused = verifier.verify(token, &keys, 1_300_819_000).unwrap_err();
//! assert_eq!(refused, Rejection::AudienceMissing);
//! ```

mod algorithm;
mod authorizer;
mod claims;
mod emf;
mod event;
mod explain;
mod failure_log;
mod jwks;
mod jws;
pub mod lambda;
mod layer;
mod policy;
mod rejection;
mod rules;
mod settings;
mod strict_json;
mod token_cache;
mod verify;

pub use algorithm::{Algorithm, Algorithms};
pub use authorizer::{Authorizer, AuthorizerError};
pub use event::{
    CredentialForm, CredentialSource, EventError, EventForm, MethodArn, MethodArnError,
};
pub use explain::{Check, CheckVerdict, Explanation};
pub use jwks::{
    JwkSet, JwkSetError, VerificationKey,
    cache::{JwksCache, KeyError},
    fetch::{DiscoveryError, FetchError, TlsSetupError},
    limits::{KeyLimits, KeyLimitsError, KeySettings},
    metrics::KeyMetrics,
    source::{Issuer, IssuerError, KeySource, PreloadedKeys},
};
pub use jws::CompactJws;
pub use layer::{AuthorizerLayer, AuthorizerService};
pub(crate) use policy::is_context_key;
pub use policy::{
    Answer, AnswerError, AnswerTooLong, AuthorizerAnswer, ContextValue, PolicyDocument,
    PolicyTooLong, RawRoute, RawRouteTable, Route, RouteFault, RouteTable, RouteTableError,
    SimpleAnswer,
};
pub use rejection::Rejection;
pub use rules::{MAX_LEEWAY_S, Rules, Shape, TypeRule};
pub use settings::{DotenvFault, EnvironmentError, Settings, SettingsError, SetupError};
pub use token_cache::MAX_TOKEN_CACHE_ENTRIES;
pub use verify::{VerifiedToken, Verifier};
