//! TLS to a server: whose certificates are believed, and which protocol is agreed on.

use std::path::PathBuf;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::loss::{Loss, Lost};

/// The names of the protocols in ALPN (RFC 7301; RFC 9113 §3.1).
const HTTP1: &[u8] = b"http/1.1";
const HTTP2: &[u8] = b"h2";

/// Whose certificates are believed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trust {
    /// Anybody's: who answers is not checked at all.
    Anyone,
    /// Those that an authority in this PEM file has signed.
    Authorities(PathBuf),
    /// Those that the authorities of Mozilla's programme have signed.
    Public,
}

/// TLS that cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The file of authorities.
    #[error("{path}: {reason}")]
    Authorities {
        /// The file.
        path: String,
        /// Why not.
        reason: String,
    },
    /// The host is no name that a certificate could be for.
    #[error("{0:?} is no host name")]
    Host(String),
    /// The cryptography offers no protocol version.
    #[error(transparent)]
    Versions(#[from] rustls::Error),
}

/// How a server is spoken to over TLS.
#[derive(Clone)]
pub(super) struct Tls {
    /// One that agrees on HTTP/1.1, and one that agrees on HTTP/2.
    http1: TlsConnector,
    http2: TlsConnector,
    name: ServerName<'static>,
}

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tls")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

impl Tls {
    pub(super) fn new(host: &str, trust: &Trust) -> Result<Self, TlsError> {
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let name =
            ServerName::try_from(bare.to_owned()).map_err(|_| TlsError::Host(host.to_owned()))?;
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()?;
        let mut config = match trust {
            Trust::Anyone => builder
                .dangerous()
                .with_custom_certificate_verifier(Arc::new(Unchecked(provider)))
                .with_no_client_auth(),
            Trust::Authorities(path) => builder
                .with_root_certificates(authorities(path)?)
                .with_no_client_auth(),
            Trust::Public => {
                let mut roots = RootCertStore::empty();
                roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
                builder.with_root_certificates(roots).with_no_client_auth()
            }
        };
        config.alpn_protocols = vec![HTTP1.to_vec()];
        let mut of_http2 = config.clone();
        of_http2.alpn_protocols = vec![HTTP2.to_vec()];
        Ok(Self {
            http1: Arc::new(config).into(),
            http2: Arc::new(of_http2).into(),
            name,
        })
    }

    /// Agrees on one of the two.
    pub(super) async fn handshake(
        &self,
        stream: TcpStream,
        http2: bool,
    ) -> Result<TlsStream<TcpStream>, Lost> {
        let connector = if http2 { &self.http2 } else { &self.http1 };
        let handshake = connector.connect(self.name.clone(), stream).await;
        let stream = handshake.map_err(|error| Lost::new(Loss::Tls, error.to_string()))?;
        // A server that knows no ALPN speaks HTTP/1.1; HTTP/2 has to be agreed on (RFC 9113 §3.2).
        if http2 && stream.get_ref().1.alpn_protocol() != Some(HTTP2) {
            return Err(Lost::new(Loss::Tls, "the server does not agree to HTTP/2"));
        }
        Ok(stream)
    }
}

fn authorities(path: &std::path::Path) -> Result<RootCertStore, TlsError> {
    let failed = |reason: String| TlsError::Authorities {
        path: path.display().to_string(),
        reason,
    };
    let mut roots = RootCertStore::empty();
    let certificates =
        CertificateDer::pem_file_iter(path).map_err(|error| failed(error.to_string()))?;
    for certificate in certificates {
        let certificate = certificate.map_err(|error| failed(error.to_string()))?;
        roots
            .add(certificate)
            .map_err(|error| failed(error.to_string()))?;
    }
    if roots.is_empty() {
        return Err(failed("no certificate in PEM is in it".to_owned()));
    }
    Ok(roots)
}

/// Believes every certificate; that the server holds its key is still checked.
#[derive(Debug)]
struct Unchecked(Arc<CryptoProvider>);

impl ServerCertVerifier for Unchecked {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
