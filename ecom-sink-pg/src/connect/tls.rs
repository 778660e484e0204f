//! TLS: how the certificate of the server is verified, and the certificate of the client.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ecom_stream::{Error, ErrorKind, Result};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{WebPkiServerVerifier, verify_server_cert_signed_by_trust_anchor};
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use tokio_postgres_rustls::MakeRustlsConnect;

/// What is checked of the server's certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Check {
    /// Nothing. Protects from eavesdropping, but not from a man in the middle.
    Nothing,
    /// That a trusted CA has signed it.
    Chain,
    /// That a trusted CA has signed it, and that it is for the host that was asked for.
    ChainAndName,
}

/// The CAs that are trusted.
#[derive(Debug, Clone)]
pub(super) enum Roots {
    System,
    File(PathBuf),
}

/// How a connection is encrypted.
#[derive(Debug, Clone)]
pub(super) struct Tls {
    pub(super) check: Check,
    pub(super) roots: Roots,
    /// The files with the client's certificate and its key.
    pub(super) client: Option<(PathBuf, PathBuf)>,
    /// Whether the host name is sent in clear, which servers behind a shared address need.
    pub(super) sni: bool,
    /// Whether TLS starts at once, without asking the server first.
    pub(super) direct: bool,
}

impl Tls {
    /// Reads the files, and builds the connector of the driver.
    pub(super) fn connector(&self) -> Result<MakeRustlsConnect> {
        let unusable =
            |err: rustls::Error| Error::new(ErrorKind::Configuration, "the TLS settings cannot be used").caused_by(err);
        let provider = Arc::new(ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .map_err(unusable)?
            .dangerous()
            .with_custom_certificate_verifier(self.verifier(provider)?);
        let mut config = match &self.client {
            Some((certificate, key)) => builder
                .with_client_auth_cert(certificates(certificate)?, private_key(key)?)
                .map_err(unusable)?,
            None => builder.with_no_client_auth(),
        };
        config.enable_sni = self.sni;
        if self.direct {
            config.alpn_protocols = vec![b"postgresql".to_vec()];
        }
        Ok(MakeRustlsConnect::new(config))
    }

    /// The verifier for the certificate of the server.
    fn verifier(&self, provider: Arc<CryptoProvider>) -> Result<Arc<dyn ServerCertVerifier>> {
        let algorithms = provider.signature_verification_algorithms;
        Ok(match self.check {
            Check::Nothing => Arc::new(WithoutName {
                roots: None,
                algorithms,
            }),
            Check::Chain => Arc::new(WithoutName {
                roots: Some(self.roots.read()?),
                algorithms,
            }),
            Check::ChainAndName => {
                let roots = Arc::new(self.roots.read()?);
                let verifier = WebPkiServerVerifier::builder_with_provider(roots, provider).build();
                verifier.map_err(|err| {
                    Error::new(ErrorKind::Configuration, "the trusted CAs cannot be used").caused_by(err)
                })?
            }
        })
    }
}

impl Roots {
    fn read(&self) -> Result<RootCertStore> {
        let mut roots = RootCertStore::empty();
        match self {
            Self::File(path) => {
                for certificate in certificates(path)? {
                    roots.add(certificate).map_err(|err| unreadable(path).caused_by(err))?;
                }
            }
            Self::System => {
                roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
                if roots.is_empty() {
                    return Err(
                        Error::new(ErrorKind::Configuration, "this machine has no list of trusted CAs").hint(
                            "install one (on Debian the package ca-certificates), or set sslrootcert to a file with \
                             the CA certificate of the database",
                        ),
                    );
                }
            }
        }
        Ok(roots)
    }
}

/// The certificates in a PEM file; at least one.
fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>> {
    let read = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let certificates = read.map_err(|err| unreadable(path).caused_by(err))?;
    match certificates.is_empty() {
        true => Err(unreadable(path).hint("it contains no certificate in PEM format")),
        false => Ok(certificates),
    }
}

/// The key in a PEM file that others cannot read.
fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>> {
    let meta = fs::metadata(path).map_err(|err| unreadable(path).caused_by(err))?;
    // As in libpq: of root's files a group may read.
    let forbidden = if meta.uid() == 0 { 0o037 } else { 0o077 };
    if meta.mode() & forbidden != 0 {
        return Err(unreadable(path).hint("other users can read the private key: run chmod 0600"));
    }
    PrivateKeyDer::from_pem_file(path).map_err(|err| {
        unreadable(path)
            .caused_by(err)
            .hint("it must be an unencrypted private key in PEM format")
    })
}

fn unreadable(path: &Path) -> Error {
    Error::new(
        ErrorKind::Configuration,
        format!("the TLS file {} cannot be used", path.display()),
    )
}

/// Verifies the chain of certificates if there are roots, but not the name.
#[derive(Debug)]
struct WithoutName {
    roots: Option<RootCertStore>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl ServerCertVerifier for WithoutName {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        if let Some(roots) = &self.roots {
            let certificate = ParsedCertificate::try_from(certificate)?;
            let algorithms = self.algorithms.all;
            verify_server_cert_signed_by_trust_anchor(&certificate, roots, intermediates, now, algorithms)?;
        }
        Ok(ServerCertVerified::assertion())
    }

    // That the server has the key of its certificate is checked in any case: channel binding relies on it.

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signed, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signed, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
