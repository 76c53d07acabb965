//! `url` and `[tls]` of a target file: a server that is already there.

use std::path::{Path, PathBuf};

use serde::Deserialize;
use toml::Spanned;

use super::Mistake;
use crate::target::{HttpTarget, ServerUrl, TlsError, Trust};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawTls {
    ca_file: Option<Spanned<PathBuf>>,
    insecure: Option<Spanned<bool>>,
}

impl RawTls {
    /// Whose certificates are believed, and where that is said.
    fn trust(&self, folder: &Path) -> Result<Trust, Mistake> {
        match (&self.ca_file, &self.insecure) {
            (Some(_), Some(insecure)) if *insecure.get_ref() => {
                let message = "insecure believes any certificate, so ca_file says nothing: leave one of them out";
                Err(Mistake::at(insecure, message))
            }
            (Some(file), _) => Ok(Trust::Authorities(folder.join(file.get_ref()))),
            (None, Some(insecure)) if *insecure.get_ref() => Ok(Trust::Anyone),
            (None, _) => Ok(Trust::Public),
        }
    }
}

/// The server at a `url`.
pub(super) fn at_url(
    url: &Spanned<String>,
    tls: Option<&Spanned<RawTls>>,
    folder: &Path,
) -> Result<HttpTarget, Mistake> {
    let parts = server_url(url.get_ref()).map_err(|message| Mistake::at(url, message))?;
    if let Some(tls) = tls.filter(|_| !parts.is_https) {
        return Err(Mistake::at(tls, "[tls] is for a url of https"));
    }
    let trust = tls.map_or(Ok(Trust::Public), |tls| tls.get_ref().trust(folder))?;
    target(parts, &trust).map_err(|error| {
        let file = tls.and_then(|tls| tls.get_ref().ca_file.as_ref());
        match (&error, file) {
            (TlsError::Authorities { .. }, Some(file)) => {
                Mistake::at(file, format!("ca_file {error}"))
            }
            _ => Mistake::at(url, error.to_string()),
        }
    })
}

/// A server of the form that a target has.
pub(in crate::subject) fn target(url: ServerUrl, trust: &Trust) -> Result<HttpTarget, TlsError> {
    let target = HttpTarget::new(url.authority, url.path);
    if url.is_https {
        target.over_tls(trust)
    } else {
        Ok(target)
    }
}

pub(in crate::subject) fn server_url(url: &str) -> Result<ServerUrl, String> {
    ServerUrl::parse(url).ok_or_else(|| {
        format!("url {url:?} is not of the form http://host:port/path or https://host/path")
    })
}

/// An invoke endpoint, which is on loopback or inside one's own network.
pub(in crate::subject) fn endpoint_url(url: &str) -> Result<ServerUrl, String> {
    ServerUrl::parse(url)
        .filter(|parts| !parts.is_https)
        .ok_or_else(|| {
            format!(
                "url {url:?} is not of the form http://host:port/path; TLS is not spoken to an invoke endpoint"
            )
        })
}
