//! The issuer of a run: its keys from the seed, what its tokens say by default, and its one client.

use std::net::SocketAddr;
use std::path::PathBuf;

use mock_idp::{
    Client, IssuerKeys, IssuerProfile, KeyStore, KeyStoreError, MintDefaults, Minter, MockIdpConfig,
};

/// The client that the token endpoint knows, and that tokens name. Like the keys it is public knowledge.
pub const CLIENT_ID: &str = "authbench-client";

/// The client's secret.
pub const CLIENT_SECRET: &str = "authbench-secret";

/// An issuer, described.
#[derive(Debug, Clone)]
pub struct Issuer {
    /// What it looks like.
    pub profile: IssuerProfile,
    /// The seed of its keys.
    pub seed: u64,
    /// The API that tokens are for.
    pub audience: String,
    /// The scopes that tokens carry.
    pub scope: Vec<String>,
}

/// Keys that cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum IssuerError {
    /// No folder for keys is known.
    #[error("no folder for test keys: set {}", crate::cache::VARIABLES)]
    CacheFolder,
    /// A key cannot be read, made or kept.
    #[error("the issuer's keys cannot be had")]
    Keys(#[from] KeyStoreError),
}

impl Issuer {
    /// The keys of the seed, from the user's cache folder or newly made. Blocks: making a key takes 0.1 s to seconds.
    pub fn keys(&self) -> Result<IssuerKeys, IssuerError> {
        let store = KeyStore::open(key_folder()?);
        Ok(IssuerKeys {
            signing: store.signing_key(self.seed, "issuer")?,
            attacker: store.signing_key(self.seed, "attacker")?,
            next: store.signing_key(self.seed, "next")?,
        })
    }

    /// The certificate of the authority that signs for servers of keys, as a file.
    pub fn authority_file(&self) -> Result<PathBuf, IssuerError> {
        Ok(KeyStore::open(key_folder()?).authority_file()?)
    }

    /// What tokens say unless their recipe says otherwise.
    pub fn defaults(&self) -> MintDefaults {
        MintDefaults {
            audience: self.audience.clone(),
            scope: self.scope.clone(),
            client_id: CLIENT_ID.to_owned(),
            seed: self.seed,
            ..MintDefaults::default()
        }
    }

    /// How the issuer is started.
    pub fn config(&self, keys: IssuerKeys, listen: SocketAddr) -> MockIdpConfig {
        let client = Client {
            id: CLIENT_ID.to_owned(),
            secret: CLIENT_SECRET.to_owned(),
            audiences: vec![self.audience.clone()],
            scopes: self.scope.clone(),
            client_credentials: true,
        };
        MockIdpConfig {
            profile: self.profile.clone(),
            listen,
            issuer: None,
            keys,
            defaults: self.defaults(),
            clients: vec![client],
        }
    }

    /// A minter as the issuer has one when it listens at `base`.
    pub fn minter(&self, base: &str) -> Result<Minter, IssuerError> {
        let issuer = self.profile.issuer(base.trim_end_matches('/'));
        Ok(Minter::new(
            self.profile.clone(),
            issuer,
            MintDefaults {
                jwks_uri: format!("{}{}", base.trim_end_matches('/'), self.profile.jwks_path()),
                ..self.defaults()
            },
            self.keys()?,
        ))
    }
}

/// The folder of cached test keys.
fn key_folder() -> Result<PathBuf, IssuerError> {
    crate::cache::folder()
        .map(|folder| folder.join("keys"))
        .ok_or(IssuerError::CacheFolder)
}

/// Test keys of seed 7, made once.
#[cfg(test)]
pub(crate) fn test_keys() -> IssuerKeys {
    use mock_idp::KeyStore;
    let store = KeyStore::open(concat!(env!("CARGO_MANIFEST_DIR"), "/../target/test-keys"));
    IssuerKeys {
        signing: store.signing_key(7, "issuer").expect("a test key"),
        attacker: store.signing_key(7, "attacker").expect("a test key"),
        next: store.signing_key(7, "next").expect("a test key"),
    }
}
