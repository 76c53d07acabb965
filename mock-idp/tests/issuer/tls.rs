//! The server of keys over TLS, visited by a client that trusts the authority and no other.

use std::sync::Arc;

use mock_idp::{KeyStore, ServerCertificate, TlsKeyServer};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{CertificateError, ClientConfig, Error, RootCertStore};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::fixture::{AUTH0, keys, profile};

fn client() -> TlsConnector {
    let folder = concat!(env!("CARGO_TARGET_TMPDIR"), "/issuer-keys");
    let file = KeyStore::open(folder).authority_file().unwrap();
    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_file(file).unwrap())
        .unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    TlsConnector::from(Arc::new(config))
}

/// The answer, or why there is none.
async fn visit(server: &TlsKeyServer) -> Result<String, Error> {
    let rest = server.jwks_uri().strip_prefix("https://").unwrap();
    let (authority, path) = rest.split_once('/').unwrap();
    let (host, _) = authority.split_once(':').unwrap();
    let name = ServerName::try_from(host.to_owned()).unwrap();
    let stream = TcpStream::connect(authority).await.unwrap();
    let connected = client().connect(name, stream).await;
    let mut stream = connected.map_err(|error| {
        let source = error.into_inner().unwrap();
        source.downcast_ref::<Error>().unwrap().clone()
    })?;
    let request = format!("GET /{path} HTTP/1.1\r\nhost: {authority}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    // A server that closes without a farewell has said what it had to.
    let _ = stream.read_to_end(&mut answer).await;
    Ok(String::from_utf8(answer).unwrap())
}

async fn started(certificate: ServerCertificate) -> TlsKeyServer {
    let (profile, keys) = (profile(AUTH0), keys());
    let started = TlsKeyServer::start(certificate, &profile, &keys).await;
    started.unwrap()
}

#[tokio::test]
async fn a_good_certificate_is_taken_and_the_next_key_is_behind_it_alone() {
    let server = started(ServerCertificate::Trusted).await;
    assert_eq!(server.handshakes(), 0);
    let answer = visit(&server).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert!(answer.contains(keys().next.kid()), "{answer}");
    assert!(!answer.contains(keys().signing.kid()), "{answer}");
    assert_eq!(server.handshakes(), 1);
    server.shutdown().await;
}

#[tokio::test]
async fn each_bad_certificate_is_refused_for_its_own_reason_and_the_try_is_counted() {
    for (certificate, is_why) in [
        (
            ServerCertificate::Expired,
            (|why| matches!(why, CertificateError::ExpiredContext { .. }))
                as fn(&CertificateError) -> bool,
        ),
        (ServerCertificate::WrongHost, |why| {
            matches!(why, CertificateError::NotValidForNameContext { .. })
        }),
        (ServerCertificate::SelfSigned, |why| {
            matches!(why, CertificateError::UnknownIssuer)
        }),
    ] {
        let server = started(certificate).await;
        match visit(&server).await {
            Err(Error::InvalidCertificate(why)) => assert!(is_why(&why), "{why:?}"),
            other => panic!("{certificate:?}: {other:?}"),
        }
        assert_eq!(server.handshakes(), 1, "{certificate:?}");
    }
}
