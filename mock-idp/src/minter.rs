//! Minting: recipe in, token out, on bytes.
//!
//! A token is a function of the profile, the defaults, the keys, the recipe, `now` and the serial: no clock is read and
//! nothing is drawn, so the same arguments give the same bytes.

mod claims;
mod encrypting;
mod genuine;
mod tampering;

use std::borrow::Cow;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use aws_lc_rs::{hmac, signature};
use serde_json::{Map, Value};

use crate::encoding::{base64url, from_base64, pem};
use crate::fill::{Bindings, FillError};
use crate::profile::{IssuerProfile, UnknownUser, User};
use crate::public_key::PublicKey;
use crate::recipe::{EncodedMessage, HmacHash, PartSource, Recipe, RsaScheme, Secret, Sign};
use crate::server::{REDIRECT_TO, jwk_as_served};
use crate::signing_key::{SigningKey, emsa};
use crate::{edwards_key, elliptic_key, even_exponent};

pub use genuine::{GenuineToken, GenuineTokenError, Lacking};

/// RSA-2048: the only size that the key store makes.
const MODULUS_BYTES: usize = 256;

/// Tokens that a thread mints before it looks for more: 5 ms of work.
const CHUNK_TOKENS: u64 = 16;

/// A host of RFC 6761 §6.4, which nobody can reach.
const NO_LISTENER: &str = "http://listener.invalid";

/// The same, which begins like an issuer's host.
const NO_LOOKALIKE: &str = "127.0.0.1.invalid";

/// The keys a mint works with.
#[derive(Clone, Debug)]
pub struct IssuerKeys {
    /// Signs, and stands in the JWKS.
    pub signing: SigningKey,
    /// Signs for `sign = "attacker"`; never published by the issuer.
    pub attacker: SigningKey,
    /// Signs for `sign = "next"`: the key that the issuer changes to. Published in some [`JwksDocument`]s.
    ///
    /// [`JwksDocument`]: crate::JwksDocument
    pub next: SigningKey,
}

/// What a token says unless its recipe says otherwise.
#[derive(Clone, Debug, Default)]
pub struct MintDefaults {
    /// The API for which the token is meant.
    pub audience: String,
    /// The granted scopes, in order.
    pub scope: Vec<String>,
    /// The client that asked for the token.
    pub client_id: String,
    /// The user for whom it is; without one the client itself is the subject.
    pub user: Option<User>,
    /// What `{jwks_uri}` stands for in recipes. Nothing else depends on it.
    pub jwks_uri: String,
    /// What `{listener}` stands for in recipes: where an attacker waits for visitors, `http://` and no slash at its end.
    /// A host that there is not when empty.
    pub listener: String,
    /// What `{lookalike_host}` stands for: where `listener` can be reached, too, under a host that begins like the issuer's.
    /// Lacking when empty, unless `listener` is empty as well.
    pub lookalike_host: String,
    /// The seed of `jti` values.
    pub seed: u64,
}

impl MintDefaults {
    /// The same for a user: their subject, their claims and their scopes.
    #[must_use]
    pub fn for_user(self, user: &User) -> Self {
        Self {
            scope: user.scopes.clone(),
            user: Some(user.clone()),
            ..self
        }
    }
}

/// Why a token cannot be minted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MintError {
    /// A placeholder or directive of the recipe.
    #[error("recipe `{member}`: {reason}")]
    Fill {
        /// The member of the recipe.
        member: &'static str,
        /// What is wrong with it.
        reason: FillError,
    },
    /// A tamper that cannot be applied to what the token is at that point, or that changes nothing.
    #[error("recipe `tamper[{index}]` {reason}")]
    Tamper {
        /// Its place in the list, from 0.
        index: usize,
        /// What is wrong and what would be right.
        reason: &'static str,
    },
}

impl MintError {
    /// What is lacking, for a token that only the issuer of [`Minter::after`]'s token could make, or no one on this machine.
    pub fn lacking(&self) -> Option<Lacking> {
        match self {
            Self::Fill {
                reason: FillError::Lacking(lacking),
                ..
            } => Some(*lacking),
            _ => None,
        }
    }

    fn signing(lacking: Lacking) -> Self {
        Self::Fill {
            member: "sign",
            reason: lacking.into(),
        }
    }
}

/// What recipes may say of the keys as JSON.
#[derive(Debug)]
struct ShownKeys {
    attacker_ed25519_jwk: Value,
    attacker_jwk: Value,
    attacker_p256_jwk: Value,
    attacker_x5c: Value,
    issuer_jwk: Value,
    issuer_x5t_s256: Value,
}

/// Mints the tokens of one issuer. Cheap to clone, and shared between threads.
#[derive(Clone, Debug)]
pub struct Minter {
    profile: Arc<IssuerProfile>,
    issuer: String,
    defaults: MintDefaults,
    keys: IssuerKeys,
    /// The same for each token, and dear: a certificate is signed and digested for it.
    shown: Arc<OnceLock<ShownKeys>>,
    /// Whose issuer's private key nobody here has; its tokens are made after this one.
    genuine: Option<Arc<GenuineToken>>,
}

impl Minter {
    /// A mint for `issuer`, the exact text of the `iss` claim.
    pub fn new(
        profile: impl Into<Arc<IssuerProfile>>,
        issuer: String,
        defaults: MintDefaults,
        keys: IssuerKeys,
    ) -> Self {
        Self {
            profile: profile.into(),
            issuer,
            defaults,
            keys,
            shown: Arc::default(),
            genuine: None,
        }
    }

    /// A mint of tokens after a genuine one: that token as it is where a recipe changes nothing before it is signed, its
    /// header and claims where a recipe changes some and somebody else signs. What only its issuer can make is
    /// [`MintError::lacking`]. `jwks_uri` is that of its issuer; seed, listener and the other keys stay.
    #[must_use]
    pub fn after(&self, token: GenuineToken, jwks_uri: String) -> Self {
        Self {
            issuer: token.issuer().to_owned(),
            defaults: MintDefaults {
                audience: token.audience().to_owned(),
                scope: token.scope(),
                client_id: token.client_id().to_owned(),
                user: None,
                jwks_uri,
                ..self.defaults.clone()
            },
            genuine: Some(Arc::new(token)),
            ..self.clone()
        }
    }

    /// The same mint with other defaults.
    #[must_use]
    pub fn with_defaults(&self, defaults: MintDefaults) -> Self {
        Self {
            defaults,
            ..self.clone()
        }
    }

    /// The same mint of tokens that live so many seconds, where their recipe leaves `exp` as it is.
    #[must_use]
    pub fn with_lifetime(&self, seconds: u32) -> Self {
        let mut profile = IssuerProfile::clone(&self.profile);
        profile.token.lifetime_s = seconds;
        Self {
            profile: Arc::new(profile),
            ..self.clone()
        }
    }

    /// The same mint for a user of the profile: their subject, their claims and their scopes.
    pub fn for_user(&self, name: &str) -> Result<Self, UnknownUser> {
        let user = self.profile.user(name)?;
        Ok(self.with_defaults(self.defaults.clone().for_user(user)))
    }

    /// The exact text of the `iss` claim.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// What a token says unless its recipe says otherwise.
    pub fn defaults(&self) -> &MintDefaults {
        &self.defaults
    }

    /// The keys.
    pub fn keys(&self) -> &IssuerKeys {
        &self.keys
    }

    /// The profile.
    pub fn profile(&self) -> &IssuerProfile {
        &self.profile
    }

    /// The token of a recipe at `now` (seconds since the epoch). The same arguments give the same token.
    pub fn mint(&self, recipe: &Recipe, now: i64) -> Result<String, MintError> {
        self.mint_serial(recipe, now, None)
    }

    /// One of many tokens of a recipe at `now`: two serials give two tokens.
    ///
    /// They differ in `jti`, which is a SHA-256 over seed, subject, client, `now` and serial. An issuer whose tokens have
    /// no `jti` (Auth0) gets one here, because its tokens of one second are otherwise equal. A recipe with its own
    /// `jti` or its own payload bytes decides for itself, and then the tokens are equal.
    pub fn mint_numbered(
        &self,
        recipe: &Recipe,
        now: i64,
        serial: u64,
    ) -> Result<String, MintError> {
        self.mint_serial(recipe, now, Some(serial))
    }

    /// The tokens of all serials of a range, in order, minted on up to `threads` threads (at least one), each of them
    /// handed to `finish` where it was minted.
    ///
    /// Blocks for about 0.3 ms a token and thread: mint before a clock starts. Disjoint ranges give disjoint pools.
    pub fn mint_pool<T: Send, E: From<MintError> + Send>(
        &self,
        recipe: &Recipe,
        now: i64,
        serials: Range<u64>,
        threads: usize,
        finish: impl Fn(String) -> Result<T, E> + Sync,
    ) -> Result<Vec<T>, E> {
        let chunks = serials
            .end
            .saturating_sub(serials.start)
            .div_ceil(CHUNK_TOKENS);
        let threads = u64::try_from(threads)
            .unwrap_or(u64::MAX)
            .clamp(1, chunks.max(1));
        // Whoever is free takes the next chunk: a core that others use as well holds up nobody.
        let next = AtomicU64::new(0);
        let work = || {
            let mut minted = Vec::new();
            loop {
                let chunk = next.fetch_add(1, Ordering::Relaxed);
                if chunk >= chunks {
                    return Ok::<_, E>(minted);
                }
                let first = serials.start + chunk * CHUNK_TOKENS;
                let last = serials.end.min(first + CHUNK_TOKENS);
                let tokens = (first..last)
                    .map(|serial| finish(self.mint_numbered(recipe, now, serial)?))
                    .collect::<Result<Vec<T>, E>>()?;
                minted.push((chunk, tokens));
            }
        };
        let mut minted = std::thread::scope(|scope| {
            let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
            let mut minted = Vec::new();
            for worker in workers {
                match worker.join() {
                    Ok(chunks) => minted.extend(chunks?),
                    Err(panic) => std::panic::resume_unwind(panic),
                }
            }
            Ok::<_, E>(minted)
        })?;
        minted.sort_unstable_by_key(|(chunk, _)| *chunk);
        Ok(minted.into_iter().flat_map(|(_, tokens)| tokens).collect())
    }

    pub(crate) fn mint_serial(
        &self,
        recipe: &Recipe,
        now: i64,
        serial: Option<u64>,
    ) -> Result<String, MintError> {
        let scope = self.defaults.scope.join(" ");
        let serial_text = serial.unwrap_or_default().to_string();
        let bindings = self.bindings(&scope, &serial_text, now);
        if let Some(genuine) = &self.genuine
            && recipe.is_of_the_issuer()
        {
            // Numbered tokens have to differ, which takes new signatures.
            if serial.is_some() {
                return Err(MintError::signing(Lacking::PrivateKey));
            }
            return self.tampered(genuine.text.clone(), recipe, &bindings);
        }
        let header = part_bytes(&recipe.header, &bindings, "header", || {
            self.baseline_header(&bindings)
        })?;
        let payload = part_bytes(&recipe.payload, &bindings, "claims", || {
            self.baseline_claims(&bindings, serial)
        })?;
        let mut payload = recipe.payload_encoding.encode(payload);
        let (header, length) = (base64url(&header), payload.len());
        let mut signing_input = |blanks: usize| {
            payload.resize(length + blanks, b' ');
            format!("{header}.{}", base64url(&payload))
        };
        let signing_input = match recipe.sign {
            // Blanks behind a payload change nothing that it says.
            Sign::ExponentTwo => even_exponent::first_with_root(signing_input),
            _ => signing_input(0),
        };
        let signature = self.signature(&recipe.sign, signing_input.as_bytes(), &bindings)?;
        let token = format!("{signing_input}.{}", base64url(&signature));
        self.tampered(token, recipe, &bindings)
    }

    fn bindings<'a>(&'a self, scope: &'a str, serial: &'a str, now: i64) -> Bindings<'a> {
        let shown = self.shown.get_or_init(|| self.show_keys());
        let listener = match self.defaults.listener.as_str() {
            "" => NO_LISTENER,
            url => url,
        };
        let mut bindings = Bindings {
            names: vec![
                ("issuer", self.issuer.as_str()),
                ("audience", &self.defaults.audience),
                ("scope", scope),
                ("client_id", &self.defaults.client_id),
                ("attacker_kid", self.keys.attacker.kid()),
                ("jwks_uri", &self.defaults.jwks_uri),
                ("issuer_host", host(&self.defaults.jwks_uri)),
                ("listener", listener),
                ("listener_address", without_scheme(listener)),
                ("listener_port", behind_host(listener)),
                ("serial", serial),
            ],
            now,
            jwks: vec![
                ("attacker_jwk", &shown.attacker_jwk),
                ("attacker_x5c", &shown.attacker_x5c),
                ("attacker_ed25519_jwk", &shown.attacker_ed25519_jwk),
                ("attacker_p256_jwk", &shown.attacker_p256_jwk),
            ],
            lacking: Vec::new(),
        };
        match (self.defaults.lookalike_host.as_str(), listener) {
            ("", NO_LISTENER) => bindings.names.push(("lookalike_host", NO_LOOKALIKE)),
            ("", _) => bindings.lacking.push(("lookalike_host", Lacking::Address)),
            (host, _) => bindings.names.push(("lookalike_host", host)),
        }
        match &self.genuine {
            None => {
                bindings.names.push(("open_redirect", REDIRECT_TO));
                bindings.names.push(("kid", self.keys.signing.kid()));
                bindings.names.push(("next_kid", self.keys.next.kid()));
                bindings.jwks.push(("issuer_jwk", &shown.issuer_jwk));
                let thumbprint = &shown.issuer_x5t_s256;
                bindings.jwks.push(("issuer_x5t_s256", thumbprint));
            }
            Some(genuine) => genuine.bind(&mut bindings),
        }
        bindings
    }

    fn show_keys(&self) -> ShownKeys {
        let keys = &self.keys;
        ShownKeys {
            attacker_ed25519_jwk: edwards_key::public_jwk(),
            attacker_jwk: jwk_as_served(&self.profile, &keys.attacker),
            attacker_p256_jwk: elliptic_key::public_jwk(),
            attacker_x5c: keys.attacker.x5c(),
            issuer_jwk: jwk_as_served(&self.profile, &keys.signing),
            issuer_x5t_s256: keys.signing.x5t_s256(),
        }
    }

    /// The signature of `sign` over a signing input.
    fn signature(
        &self,
        sign: &Sign,
        input: &[u8],
        bindings: &Bindings<'_>,
    ) -> Result<Vec<u8>, MintError> {
        let key = &self.keys.signing;
        if self.genuine.is_some() && sign.takes_the_issuers_key() {
            return Err(MintError::signing(Lacking::PrivateKey));
        }
        Ok(match sign {
            Sign::Attacker => self.keys.attacker.sign_rs256(input),
            Sign::AttackerEd25519 => edwards_key::sign(input),
            Sign::AttackerP256 => elliptic_key::sign(input),
            Sign::Bytes(bytes) => bytes.clone(),
            // x to the power of 1 is x: the encoded message is its own signature.
            Sign::ExponentOne => emsa::pkcs1(EncodedMessage::Canonical, input, MODULUS_BYTES),
            Sign::ExponentThree => emsa::cube_root_forgery(input, MODULUS_BYTES),
            Sign::ExponentTwo => even_exponent::sign(input),
            Sign::Encoded(form) => {
                key.raw_private_operation(&emsa::pkcs1(*form, input, MODULUS_BYTES))
            }
            Sign::Hmac { hash, secret } => {
                let secret = self.secret_bytes(secret, bindings)?;
                hmac_tag(*hash, &secret, input)
            }
            Sign::Integer(integer) => self
                .public_key()?
                .0
                .special_integer(*integer, || key.sign_rs256(input)),
            Sign::Issuer => key.sign_rs256(input),
            Sign::Next => self.keys.next.sign_rs256(input),
            Sign::None => Vec::new(),
            Sign::OfLength(length) => length.sign(input),
            Sign::Rsa(RsaScheme::Pkcs1Sha384) => {
                key.sign_pkcs1(&signature::RSA_PKCS1_SHA384, input)
            }
            Sign::Rsa(RsaScheme::Pkcs1Sha512) => {
                key.sign_pkcs1(&signature::RSA_PKCS1_SHA512, input)
            }
            Sign::Rsa(RsaScheme::PssSha256) => {
                key.raw_private_operation(&emsa::pss_sha256(input, MODULUS_BYTES))
            }
        })
    }

    /// The issuer's public key, and its JWK as the key set shows it.
    fn public_key(&self) -> Result<(&PublicKey, Cow<'_, Value>), MintError> {
        match &self.genuine {
            None => {
                let key = &self.keys.signing;
                let jwk = Cow::Owned(jwk_as_served(&self.profile, key));
                Ok((key.public(), jwk))
            }
            Some(genuine) => match &genuine.key {
                Some((key, jwk)) => Ok((key, Cow::Borrowed(jwk))),
                None => Err(MintError::signing(Lacking::PublicKey)),
            },
        }
    }

    /// The issuer's certificate in DER, where its key set shows one.
    fn certificate(&self) -> Result<Vec<u8>, MintError> {
        if self.genuine.is_none() {
            return Ok(self.keys.signing.certificate().to_vec());
        }
        let (_, jwk) = self.public_key()?;
        let shown = jwk["x5c"][0].as_str().and_then(from_base64);
        shown.ok_or_else(|| MintError::signing(Lacking::Certificate))
    }

    fn secret_bytes(&self, secret: &Secret, bindings: &Bindings<'_>) -> Result<Vec<u8>, MintError> {
        match secret {
            Secret::Bytes(bytes) => Ok(bytes.clone()),
            Secret::CertificateDer => self.certificate(),
            Secret::CertificatePem => {
                let der = self.certificate()?;
                Ok(pem("CERTIFICATE", &der, "\n").into_bytes())
            }
            Secret::PublicKey(form) => {
                let (key, as_served) = self.public_key()?;
                Ok(key.form(*form, &as_served))
            }
            Secret::Text(text) => {
                bindings
                    .fill_text(text)
                    .map(String::into_bytes)
                    .map_err(|reason| MintError::Fill {
                        member: "sign.secret",
                        reason,
                    })
            }
        }
    }
}

/// A URL without `http://`.
fn without_scheme(url: &str) -> &str {
    url.split_once("://").map_or(url, |(_, rest)| rest)
}

/// What stands behind the host: the port, and the path if there is one.
fn behind_host(url: &str) -> &str {
    let address = without_scheme(url);
    address.split_once(':').map_or("", |(_, rest)| rest)
}

/// Host and port of a URL.
fn host(url: &str) -> &str {
    let rest = without_scheme(url);
    rest.split_once('/').map_or(rest, |(host, _)| host)
}

fn hmac_tag(hash: HmacHash, secret: &[u8], input: &[u8]) -> Vec<u8> {
    let algorithm = match hash {
        HmacHash::Sha256 => hmac::HMAC_SHA256,
        HmacHash::Sha384 => hmac::HMAC_SHA384,
        HmacHash::Sha512 => hmac::HMAC_SHA512,
    };
    hmac::sign(&hmac::Key::new(algorithm, secret), input)
        .as_ref()
        .to_vec()
}

fn part_bytes(
    source: &PartSource,
    bindings: &Bindings<'_>,
    member: &'static str,
    baseline: impl FnOnce() -> Result<Map<String, Value>, FillError>,
) -> Result<Vec<u8>, MintError> {
    let bytes = match source {
        PartSource::Bytes(bytes) => Ok(bytes.clone()),
        PartSource::Text(text) => bindings.fill_text(text).map(String::into_bytes),
        PartSource::Merge(changes) => baseline().and_then(|mut object| {
            bindings.merge(&mut object, changes)?;
            Ok(Value::Object(object).to_string().into_bytes())
        }),
    };
    bytes.map_err(|reason| MintError::Fill { member, reason })
}
