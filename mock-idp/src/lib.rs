//! An issuer stand-in: seeded RSA keys, RS256 access tokens in the dialect of a real issuer (and every kind of bad
//! one), a JWKS, discovery documents and a token endpoint.
//!
//! It owns what an issuer owns: keys, claims, signatures and the documents that publish them. It deliberately knows
//! nothing about verifying: no code here decides whether a token is good, so that judge and judged share nothing but
//! the wire. It is a test double and no identity provider: no login, no consent, no user store.
//!
//! The keys are derived from a seed and are therefore public knowledge. Never let a real API trust them.

mod certificate;
mod edwards_key;
mod elliptic_key;
mod encoding;
mod even_exponent;
mod fill;
mod jwks_document;
mod key_length;
mod key_store;
mod minter;
mod profile;
mod public_key;
mod recipe;
mod server;
mod signing_key;

pub use fill::FillError;
pub use jwks_document::JwksDocument;
pub use key_length::KeyLength;
pub use key_store::{KeyStore, KeyStoreError};
pub use minter::{
    GenuineToken, GenuineTokenError, IssuerKeys, Lacking, MintDefaults, MintError, Minter,
};
pub use profile::{
    BodyFormat, ClientAuthentication, IssuerProfile, ProfileError, UnknownUser, User,
};
pub use recipe::{
    EncodedMessage, EncryptedContent, Encryption, HmacHash, JwsSerialization, KeyEncryption,
    PartSource, PublicKeyForm, Recipe, RecipeError, RsaScheme, Secret, Sign, SpecialInteger,
    Tamper, TextEncoding, TokenPart,
};
pub use server::{
    Client, JwksAnswer, JwksFault, JwksFetch, ListenerHit, MockIdp, MockIdpConfig,
    ServerCertificate, StartError, TlsKeyServer, UrlListener, jwks_document,
};
pub use signing_key::{KeyOrigin, SigningKey};
