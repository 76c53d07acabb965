//! A key set over TLS, by a certificate that is good or has one thing wrong: whoever takes keys from here looks, or does not.
//!
//! One authority for all of them, whose certificate a target may be told to trust: with it an expired certificate is told apart
//! from an unknown authority.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use axum::body::Bytes;
use axum::http::StatusCode;
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use serde::Deserialize;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_rustls::LazyConfigAcceptor;

use super::json_response;
use super::listener::{self, Limits};
use crate::certificate::{self, Party, ServerNames};
use crate::encoding::pem;
use crate::jwks_document::JwksDocument;
use crate::key_length::KeyLength;
use crate::minter::IssuerKeys;
use crate::profile::IssuerProfile;

/// Whoever opens a connection says something within this time, or is nobody's verifier.
const HANDSHAKE_DEADLINE: Duration = Duration::from_secs(10);

/// Where every certificate but one says that it is.
const HERE: ServerNames = ServerNames {
    dns: "localhost",
    ip: Some([127, 0, 0, 1]),
    is_over: false,
};

/// The certificate of a server of keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ServerCertificate {
    /// By the authority, and over.
    Expired,
    /// By nobody but itself.
    SelfSigned,
    /// By the authority, for this host, and not over.
    Trusted,
    /// By the authority, for another host.
    WrongHost,
}

impl ServerCertificate {
    /// What a server of TLS on 127.0.0.1 with this certificate is started with.
    pub fn server_config(self, keys: &IssuerKeys) -> Result<ServerConfig, rustls::Error> {
        let chain = vec![CertificateDer::from(self.der(keys))];
        let key = PrivatePkcs8KeyDer::from(keys.attacker.pkcs8().to_vec());
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(chain, PrivateKeyDer::from(key))
    }

    fn der(self, keys: &IssuerKeys) -> Vec<u8> {
        let own = Party {
            name: "authbench server of keys",
            spki_der: keys.attacker.public().spki_der(),
        };
        let authority_spki = KeyLength::Bits3072.spki_der();
        let authority = Party {
            name: AUTHORITY,
            spki_der: &authority_spki,
        };
        let by_authority = |message: &[u8]| KeyLength::Bits3072.sign(message);
        match self {
            Self::Expired => {
                let names = ServerNames {
                    is_over: true,
                    ..HERE
                };
                certificate::server(own, authority, names, by_authority)
            }
            Self::SelfSigned => {
                certificate::server(own, own, HERE, |message| keys.attacker.sign_rs256(message))
            }
            Self::Trusted => certificate::server(own, authority, HERE, by_authority),
            Self::WrongHost => {
                let names = ServerNames {
                    dns: "elsewhere.example",
                    ip: None,
                    ..HERE
                };
                certificate::server(own, authority, names, by_authority)
            }
        }
    }
}

/// The common name of the authority.
const AUTHORITY: &str = "authbench test authority";

/// The authority's certificate in PEM, the same in every run.
pub(crate) fn authority_pem() -> &'static str {
    static PEM: LazyLock<String> = LazyLock::new(|| {
        let spki_der = KeyLength::Bits3072.spki_der();
        let party = Party {
            name: AUTHORITY,
            spki_der: &spki_der,
        };
        let der = certificate::authority(party, |message| KeyLength::Bits3072.sign(message));
        pem("CERTIFICATE", &der, "\n")
    });
    &PEM
}

/// A running server on loopback. Dropping it stops it.
#[derive(Debug)]
pub struct TlsKeyServer {
    jwks_uri: String,
    handshakes: Arc<AtomicU64>,
    stop: watch::Sender<()>,
    task: JoinHandle<()>,
}

impl TlsKeyServer {
    /// Listens on a free port of 127.0.0.1. It publishes the key that the issuer changes to, and nothing else: who lets a
    /// token of that key in has been here.
    pub async fn start(
        certificate: ServerCertificate,
        profile: &IssuerProfile,
        keys: &IssuerKeys,
    ) -> io::Result<Self> {
        let socket = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address: SocketAddr = socket.local_addr()?;
        let config = certificate.server_config(keys).map_err(io::Error::other)?;
        let config = Arc::new(config);
        let document = JwksDocument::Withdrawn.render(profile, keys).to_string();
        let document = Bytes::from(document);
        let (stop, stopped) = watch::channel(());
        let handshakes = Arc::new(AtomicU64::new(0));
        let serve = serve(socket, config, document, Arc::clone(&handshakes), stopped);
        Ok(Self {
            jwks_uri: format!("https://{address}/jwks.json"),
            handshakes,
            stop,
            task: tokio::spawn(serve),
        })
    }

    /// Where the keys are.
    pub fn jwks_uri(&self) -> &str {
        &self.jwks_uri
    }

    /// How many clients have begun a handshake, whether or not they went through with it.
    pub fn handshakes(&self) -> u64 {
        self.handshakes.load(Ordering::Relaxed)
    }

    /// Takes no new connection and frees the port.
    pub async fn shutdown(self) {
        self.stop.send_replace(());
        self.task.abort();
        // It was aborted: that is the only way in which it ends here.
        let _ = self.task.await;
    }
}

async fn serve(
    socket: TcpListener,
    config: Arc<ServerConfig>,
    document: Bytes,
    handshakes: Arc<AtomicU64>,
    stop: watch::Receiver<()>,
) {
    let secured = move |stream| {
        let (config, handshakes) = (Arc::clone(&config), Arc::clone(&handshakes));
        async move {
            let acceptor = LazyConfigAcceptor::new(rustls::server::Acceptor::default(), stream);
            let hello = acceptor.await.ok()?;
            handshakes.fetch_add(1, Ordering::Relaxed);
            // Who does not like the certificate goes away here.
            hello.into_stream(config).await.ok()
        }
    };
    let bounded = move |stream| {
        let handshake = secured(stream);
        async move {
            tokio::time::timeout(HANDSHAKE_DEADLINE, handshake)
                .await
                .ok()?
        }
    };
    listener::serve_over(socket, Limits::default(), stop, bounded, move |_| {
        let answer = json_response(StatusCode::OK, document.clone());
        async move { Ok(answer) }
    })
    .await;
}
