//! TLS as libpq's `sslmode` has it, by rustls.

mod verifier;

use std::sync::Arc;

use rustls::ClientConfig;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_postgres::config::SslMode;
use tokio_postgres_rustls::MakeRustlsConnect;
use verifier::{Trust, Verifier};

/// libpq's `sslmode`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Mode {
    Disable,
    Allow,
    #[default]
    Prefer,
    Require,
    VerifyCa,
    VerifyFull,
}

/// What a URL says of TLS.
#[derive(Clone, Debug, Default)]
pub(super) struct TlsSettings {
    pub(super) mode: Mode,
    /// A PEM file, or `system`.
    pub(super) root_cert: Option<String>,
    pub(super) cert: Option<String>,
    pub(super) key: Option<String>,
}

impl Mode {
    pub(super) fn from_name(name: &str) -> Option<Self> {
        Some(match name {
            "disable" => Self::Disable,
            "allow" => Self::Allow,
            "prefer" => Self::Prefer,
            "require" => Self::Require,
            "verify-ca" => Self::VerifyCa,
            "verify-full" => Self::VerifyFull,
            _ => return None,
        })
    }

    /// What is tried with a host, one after the other.
    pub(super) fn tries(self) -> &'static [SslMode] {
        match self {
            Self::Disable => &[SslMode::Disable],
            Self::Allow => &[SslMode::Disable, SslMode::Require],
            Self::Prefer => &[SslMode::Prefer, SslMode::Disable],
            Self::Require | Self::VerifyCa | Self::VerifyFull => &[SslMode::Require],
        }
    }
}

impl TlsSettings {
    /// Reads the files that they name.
    pub(super) fn connector(&self) -> Result<MakeRustlsConnect, String> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let verifier = Verifier::new(self.trust()?, Arc::clone(&provider));
        let config = builder(provider)?.dangerous().with_custom_certificate_verifier(Arc::new(verifier));
        let config = match (&self.cert, &self.key) {
            (None, None) => config.with_no_client_auth(),
            (Some(cert), Some(key)) => {
                let key = PrivateKeyDer::from_pem_file(key).map_err(|error| {
                    format!("sslkey {key}: {error} (it must be PEM and without a password)")
                })?;
                config
                    .with_client_auth_cert(certificates("sslcert", cert)?, key)
                    .map_err(|error| format!("sslcert {cert}: {error}"))?
            }
            _ => return Err("sslcert and sslkey are given together or not at all".to_owned()),
        };
        Ok(MakeRustlsConnect::new(config))
    }

    /// As in libpq, a given root certificate is asked of every server that speaks TLS, whatever the mode.
    fn trust(&self) -> Result<Trust, String> {
        let with_name = self.mode == Mode::VerifyFull;
        match self.root_cert.as_deref() {
            None if matches!(self.mode, Mode::VerifyCa | Mode::VerifyFull) => {
                Err("this sslmode needs sslrootcert: a PEM file, or \"system\"".to_owned())
            }
            None => Ok(Trust::Anyone),
            Some("system") if !with_name => {
                Err("sslrootcert=system needs sslmode=verify-full: anyone can have a certificate".to_owned())
            }
            Some("system") => {
                let found = rustls_native_certs::load_native_certs();
                Trust::roots(found.certs, with_name)
                    .ok_or_else(|| "the system has no root certificates".to_owned())
            }
            Some(path) => Trust::roots(certificates("sslrootcert", path)?, with_name)
                .ok_or_else(|| format!("sslrootcert {path}: there is no usable certificate in it")),
        }
    }
}

type Builder = rustls::ConfigBuilder<ClientConfig, rustls::WantsVerifier>;

fn builder(provider: Arc<CryptoProvider>) -> Result<Builder, String> {
    ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())
}

fn certificates(what: &str, path: &str) -> Result<Vec<CertificateDer<'static>>, String> {
    let read = || CertificateDer::pem_file_iter(path)?.collect::<Result<Vec<_>, _>>();
    match read() {
        Ok(found) if found.is_empty() => Err(format!("{what} {path}: there is no certificate in it")),
        Ok(found) => Ok(found),
        Err(error) => Err(format!("{what} {path}: {error}")),
    }
}
