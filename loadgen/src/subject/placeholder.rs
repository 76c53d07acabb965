//! The values that only the testbed knows, filled into a target's arguments and environment.

/// What a target file may ask for between braces.
#[derive(Debug, Clone, Default)]
pub struct Placeholders {
    /// `{audience}`: the audience that the authorizer has to check.
    pub audience: String,
    /// `{authbench}`: this program's own path.
    pub authbench: String,
    /// `{ca_file}`: a certificate authority in PEM, to be trusted for https beside or in place of the usual ones.
    pub ca_file: String,
    /// `{client_id}`: the client that tokens are made for, which stands for the audience where they have none.
    pub client_id: String,
    /// `{issuer}`: the issuer that the authorizer has to trust, byte for byte.
    pub issuer: String,
    /// `{jwks_uri}`: where the issuer's keys are.
    pub jwks_uri: String,
    /// `{other_issuer}`: another issuer that the authorizer has to trust, byte for byte.
    pub other_issuer: String,
    /// `{other_jwks_uri}`: where the other issuer's keys are.
    pub other_jwks_uri: String,
    /// `{port}`: where an HTTP target has to listen, on 127.0.0.1; empty for a Lambda.
    pub port: String,
    /// `{public_key_pem}`: the issuer's public key as SPKI in PEM (RFC 7468 §13), several lines; empty where the issuer is
    /// another program's.
    pub public_key_pem: String,
    /// `{scope}`: the scope that the authorizer has to require; several, all of them required, with a blank between them.
    pub scope: String,
}

/// A placeholder that there is not.
#[derive(Debug, thiserror::Error)]
#[error(
    "placeholder {{{name}}} in {text:?} is unknown; there are {{audience}}, {{authbench}}, {{ca_file}}, {{client_id}}, {{issuer}}, \
     {{jwks_uri}}, {{other_issuer}}, {{other_jwks_uri}}, {{port}}, {{public_key_pem}} and {{scope}}"
)]
pub struct PlaceholderError {
    name: String,
    text: String,
}

impl Placeholders {
    /// Fills a text in. A brace that is not followed by a lower-case word is left alone, so JSON passes through.
    pub fn fill(&self, text: &str) -> Result<String, PlaceholderError> {
        let mut filled = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(start) = rest.find('{') {
            filled.push_str(&rest[..start]);
            rest = &rest[start..];
            let name = rest[1..]
                .split_once('}')
                .map(|(name, _)| name)
                .filter(|name| is_word(name));
            match name {
                None => {
                    filled.push('{');
                    rest = &rest[1..];
                }
                Some(name) => {
                    filled.push_str(self.value(name).ok_or_else(|| PlaceholderError {
                        name: name.to_owned(),
                        text: text.to_owned(),
                    })?);
                    rest = &rest[name.len() + 2..];
                }
            }
        }
        filled.push_str(rest);
        Ok(filled)
    }

    /// Whether a text names only what there is, which does not depend on the values.
    pub fn check(text: &str) -> Result<(), PlaceholderError> {
        Self::default().fill(text).map(drop)
    }

    fn value(&self, name: &str) -> Option<&str> {
        Some(match name {
            "audience" => &self.audience,
            "authbench" => &self.authbench,
            "ca_file" => &self.ca_file,
            "client_id" => &self.client_id,
            "issuer" => &self.issuer,
            "jwks_uri" => &self.jwks_uri,
            "other_issuer" => &self.other_issuer,
            "other_jwks_uri" => &self.other_jwks_uri,
            "port" => &self.port,
            "public_key_pem" => &self.public_key_pem,
            "scope" => &self.scope,
            _ => return None,
        })
    }
}

fn is_word(name: &str) -> bool {
    !name.is_empty()
        && name
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_names_are_filled_in_and_unknown_ones_are_refused() {
        let placeholders = Placeholders {
            audience: "api".into(),
            authbench: "/bin/authbench".into(),
            ca_file: "/ca.pem".into(),
            client_id: "app".into(),
            issuer: "https://i/".into(),
            jwks_uri: "https://i/keys".into(),
            other_issuer: "https://o/".into(),
            other_jwks_uri: "https://o/keys".into(),
            port: "81".into(),
            public_key_pem: "-----BEGIN".into(),
            scope: "read".into(),
        };
        let fill = |text| placeholders.fill(text).map_err(|error| error.to_string());
        assert_eq!(
            fill("--port={port} {issuer}x").as_deref(),
            Ok("--port=81 https://i/x")
        );
        assert_eq!(
            fill(r#"{"aud": "{audience}"}"#).as_deref(),
            Ok(r#"{"aud": "api"}"#)
        );
        assert_eq!(fill("{{port}").as_deref(), Ok("{81"));
        assert_eq!(fill("{public_key_pem}").as_deref(), Ok("-----BEGIN"));
        assert!(
            fill("{prot}")
                .expect_err("a typing mistake")
                .contains("{port}")
        );
    }
}
