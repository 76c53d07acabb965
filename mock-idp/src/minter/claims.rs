//! The baseline token of a profile: header and claims before a recipe changes them.

use aws_lc_rs::digest;
use serde_json::{Map, Value, json};

use crate::encoding::base64url;
use crate::fill::{Bindings, FillError};
use crate::profile::{AudienceForm, ListForm};

use super::Minter;

/// Separates `jti` values from any other use of the same seed.
const JTI_DOMAIN: &[u8] = b"authbench mock-idp jti\0";

/// The form of `jti` for issuers that send none, when tokens have to differ.
const JTI_WHERE_ABSENT: &str = "{unique}";

impl Minter {
    pub(super) fn baseline_header(
        &self,
        bindings: &Bindings<'_>,
    ) -> Result<Map<String, Value>, FillError> {
        if let Some(genuine) = &self.genuine {
            return Ok(genuine.header.clone());
        }
        let mut header = Map::new();
        header.insert("alg".to_owned(), json!("RS256"));
        bindings.merge(&mut header, &self.profile.header)?;
        header.insert("kid".to_owned(), json!(self.keys.signing.kid()));
        Ok(header)
    }

    /// `iat` is `now`, `exp` is `now` and the profile's lifetime.
    pub(super) fn baseline_claims(
        &self,
        bindings: &Bindings<'_>,
        serial: Option<u64>,
    ) -> Result<Map<String, Value>, FillError> {
        if let Some(genuine) = &self.genuine {
            return Ok(genuine.claims.clone());
        }
        let shape = &self.profile.token;
        let defaults = &self.defaults;
        let subject = match &defaults.user {
            Some(user) => user.subject.clone(),
            None => bindings.fill_text(&shape.client_subject)?,
        };
        let mut claims = Map::new();
        let mut set = |name: &str, value: Value| claims.insert(name.to_owned(), value);
        set("iss", json!(self.issuer));
        set("sub", json!(subject));
        if let Some(audience) = self.audience_claim(bindings)? {
            set("aud", audience);
        }
        set(&shape.client_claim, json!(defaults.client_id));
        set("iat", json!(bindings.now));
        set(
            "exp",
            json!(bindings.now.saturating_add(i64::from(shape.lifetime_s))),
        );
        set(
            &shape.scope_claim,
            match shape.scope_form {
                ListForm::Array => json!(defaults.scope),
                ListForm::String => json!(defaults.scope.join(" ")),
            },
        );
        // An issuer without `jti` gets one only where tokens are numbered, and so have to differ.
        let jti = match (&shape.jti, serial) {
            (Some(template), _) => Some(template.as_str()),
            (None, Some(_)) => Some(JTI_WHERE_ABSENT),
            (None, None) => None,
        };
        if let Some(template) = jti {
            let unique = self.unique(&subject, bindings.now, serial);
            set("jti", json!(template.replace("{unique}", &unique)));
        }
        bindings.merge(&mut claims, &shape.claims)?;
        match &defaults.user {
            Some(user) => bindings.merge(&mut claims, &user.claims)?,
            None => bindings.merge(&mut claims, &shape.client_claims)?,
        }
        Ok(claims)
    }

    fn audience_claim(&self, bindings: &Bindings<'_>) -> Result<Option<Value>, FillError> {
        let shape = &self.profile.token;
        Ok(match shape.audience_form {
            AudienceForm::Absent => None,
            AudienceForm::Array => {
                let mut audiences = vec![self.defaults.audience.clone()];
                for template in &shape.additional_audiences {
                    audiences.push(bindings.fill_text(template)?);
                }
                Some(json!(audiences))
            }
            AudienceForm::String => Some(json!(self.defaults.audience)),
        })
    }

    /// 43 characters of base64url, the length of the ids that Okta sends after `AT.`.
    fn unique(&self, subject: &str, now: i64, serial: Option<u64>) -> String {
        let mut context = digest::Context::new(&digest::SHA256);
        context.update(JTI_DOMAIN);
        context.update(&self.defaults.seed.to_le_bytes());
        context.update(&now.to_le_bytes());
        match serial {
            Some(serial) => {
                context.update(&[1]);
                context.update(&serial.to_le_bytes());
            }
            None => context.update(&[0]),
        }
        context.update(self.defaults.client_id.as_bytes());
        context.update(&[0]);
        context.update(subject.as_bytes());
        base64url(context.finish().as_ref())
    }
}
