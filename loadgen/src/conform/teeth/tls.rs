//! How a verifier fetches over TLS, as strictly as its flaw lets it.

use std::sync::Arc;

use mock_idp::KeyStore;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::flaw::Flaw;

/// A connection to a host whose certificate the verifier is content with.
pub(super) async fn connect(authority: &str, flaw: Flaw) -> Option<TlsStream<TcpStream>> {
    if flaw == Flaw::NoTls {
        return None;
    }
    let (host, _) = authority.rsplit_once(':')?;
    let name = ServerName::try_from(host.to_owned()).ok()?;
    let stream = TcpStream::connect(authority).await.ok()?;
    let provider = Arc::new(default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("the provider's own versions")
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Verification::with(flaw)))
        .with_no_client_auth();
    let connector = TlsConnector::from(Arc::new(config));
    connector.connect(name, stream).await.ok()
}

#[derive(Debug)]
struct Verification {
    strict: Arc<WebPkiServerVerifier>,
    flaw: Flaw,
}

impl Verification {
    fn with(flaw: Flaw) -> Self {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../target/test-keys");
        let file = KeyStore::open(folder).authority_file();
        let file = file.expect("a folder that can be written");
        let authority = CertificateDer::from_pem_file(file).expect("a certificate");
        let mut roots = RootCertStore::empty();
        roots.add(authority).expect("a certificate of an authority");
        let provider = Arc::new(default_provider());
        let strict = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider);
        Self {
            strict: strict.build().expect("an authority"),
            flaw,
        }
    }

    fn excuses(&self, error: &Error) -> bool {
        use CertificateError as Why;
        let Error::InvalidCertificate(why) = error else {
            return false;
        };
        match self.flaw {
            Flaw::AnyCertificate => true,
            Flaw::AnyHostName => {
                matches!(
                    why,
                    Why::NotValidForName | Why::NotValidForNameContext { .. }
                )
            }
            Flaw::OldCertificates => matches!(why, Why::Expired | Why::ExpiredContext { .. }),
            _ => false,
        }
    }
}

impl ServerCertVerifier for Verification {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let strict = &self.strict;
        strict
            .verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
            .or_else(|error| {
                if self.excuses(&error) {
                    Ok(ServerCertVerified::assertion())
                } else {
                    Err(error)
                }
            })
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.strict
            .verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.strict
            .verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.strict.supported_verify_schemes()
    }
}
