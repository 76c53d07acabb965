//! Applying the tampers of a recipe to the text of a finished token.

use serde_json::{Map, Value, json};

use crate::encoding::{base64url, from_base64url};
use crate::fill::{Bindings, FILLED_BYTES_MAX, FillError};
use crate::recipe::{JwsSerialization, Recipe, Sign, Tamper, TokenPart};

use super::{MintError, Minter};

/// Why one tamper cannot be applied.
pub(super) enum Obstacle {
    Fill(FillError),
    Unfit(&'static str),
}

impl From<FillError> for Obstacle {
    fn from(error: FillError) -> Self {
        Self::Fill(error)
    }
}

impl From<MintError> for Obstacle {
    fn from(error: MintError) -> Self {
        match error {
            MintError::Fill { reason, .. } => Self::Fill(reason),
            MintError::Tamper { reason, .. } => Self::Unfit(reason),
        }
    }
}

/// The three parts of a compact JWS, RFC 7515 §7.1.
pub(super) struct Parts<'a> {
    pub(super) header: &'a str,
    pub(super) payload: &'a str,
    pub(super) signature: &'a str,
}

impl<'a> Parts<'a> {
    pub(super) fn of(token: &'a str) -> Result<Self, Obstacle> {
        let mut parts = token.split('.');
        match (parts.next(), parts.next(), parts.next(), parts.next()) {
            (Some(header), Some(payload), Some(signature), None) => Ok(Self {
                header,
                payload,
                signature,
            }),
            _ => Err(Obstacle::Unfit(
                "needs a token of three parts: put it before the tampers that change their number",
            )),
        }
    }

    fn part(&self, part: TokenPart) -> &'a str {
        match part {
            TokenPart::Header => self.header,
            TokenPart::Payload => self.payload,
            TokenPart::Signature => self.signature,
        }
    }

    fn with(&self, part: TokenPart, text: &str) -> String {
        let pick = |which, own| if part == which { text } else { own };
        format!(
            "{}.{}.{}",
            pick(TokenPart::Header, self.header),
            pick(TokenPart::Payload, self.payload),
            pick(TokenPart::Signature, self.signature)
        )
    }

    fn signature_bytes(&self) -> Result<Vec<u8>, Obstacle> {
        from_base64url(self.signature).ok_or(Obstacle::Unfit(
            "needs a signature in base64url: put it before the tampers that change its encoding",
        ))
    }

    fn with_signature_bytes(&self, bytes: &[u8]) -> String {
        self.with(TokenPart::Signature, &base64url(bytes))
    }
}

impl Minter {
    /// The token after the recipe's tampers, in order.
    pub(super) fn tampered(
        &self,
        token: String,
        recipe: &Recipe,
        bindings: &Bindings<'_>,
    ) -> Result<String, MintError> {
        let mut token = token;
        for (index, tamper) in recipe.tamper.iter().enumerate() {
            let spoilt =
                self.apply(tamper, &token, &recipe.sign, bindings)
                    .map_err(|obstacle| match obstacle {
                        Obstacle::Fill(reason) => MintError::Fill {
                            member: "tamper",
                            reason,
                        },
                        Obstacle::Unfit(reason) => MintError::Tamper { index, reason },
                    })?;
            // A tamper without effect would send a good token where a bad one is meant. Signing again is the one step
            // that may rightly change nothing.
            if spoilt == token && *tamper != Tamper::SignAgain {
                return Err(MintError::Tamper {
                    index,
                    reason: "changes nothing in this token",
                });
            }
            token = spoilt;
        }
        Ok(token)
    }

    fn apply(
        &self,
        tamper: &Tamper,
        token: &str,
        sign: &Sign,
        bindings: &Bindings<'_>,
    ) -> Result<String, Obstacle> {
        match tamper {
            Tamper::Append(text) => Ok(format!("{token}{}", bindings.fill_text(text)?)),
            Tamper::AppendZeroByte => edit_signature(token, |bytes| {
                bytes.push(0);
                Ok(())
            }),
            Tamper::ClaimsAfterSigning(changes) => {
                edit_members(token, TokenPart::Payload, changes, bindings)
            }
            Tamper::CutEnd(count) => cut_end(token, *count),
            Tamper::DropHeaderPart => {
                Parts::of(token).map(|p| format!("{}.{}", p.payload, p.signature))
            }
            Tamper::DropPayloadPart => {
                Parts::of(token).map(|p| format!("{}.{}", p.header, p.signature))
            }
            Tamper::DropSignaturePart => {
                Parts::of(token).map(|p| format!("{}.{}", p.header, p.payload))
            }
            Tamper::EmptyHeader => Ok(Parts::of(token)?.with(TokenPart::Header, "")),
            Tamper::EmptyPayload => Ok(Parts::of(token)?.with(TokenPart::Payload, "")),
            Tamper::EmptySignature => Ok(Parts::of(token)?.with(TokenPart::Signature, "")),
            Tamper::Encrypt(encryption) => self.encrypted(token, encryption, bindings),
            Tamper::FlipSignatureBit(bit) => edit_signature(token, |bytes| flip_bit(bytes, *bit)),
            Tamper::HeaderAfterSigning(changes) => {
                edit_members(token, TokenPart::Header, changes, bindings)
            }
            Tamper::Insert { part, text, at } => {
                insert(token, *part, &bindings.fill_text(text)?, *at)
            }
            Tamper::JsonSerialization(form) => json_serialization(token, *form),
            Tamper::LowerCase => Ok(token.to_ascii_lowercase()),
            Tamper::PadBase64 => pad(token, TokenPart::Signature),
            Tamper::PadBase64Of(part) => pad(token, *part),
            Tamper::PayloadOfOther => self.payload_of_other(token, bindings),
            Tamper::Polyglot(changes) => polyglot(token, changes, bindings),
            Tamper::Prepend(text) => Ok(format!("{}{token}", bindings.fill_text(text)?)),
            Tamper::PrependZeroByte => edit_signature(token, |bytes| {
                bytes.insert(0, 0);
                Ok(())
            }),
            Tamper::Repeat { text, count } => repeat(&bindings.fill_text(text)?, *count),
            Tamper::Replace(text) => replace(token, text, bindings),
            Tamper::SetTrailingBits => set_trailing_bits(token),
            Tamper::SignAgain => self.sign_again(token, sign, bindings),
            Tamper::StandardBase64Alphabet => {
                edit_signature_text(token, |text| text.replace('-', "+").replace('_', "/"))
            }
            Tamper::SwapCaseOfSignature => edit_signature_text(token, swap_case),
            Tamper::TruncateSignature(count) => edit_signature(token, |bytes| {
                let kept = bytes
                    .len()
                    .checked_sub(*count)
                    .ok_or(Obstacle::Unfit("takes more bytes than the signature has"))?;
                bytes.truncate(kept);
                Ok(())
            }),
            Tamper::UnencodedPayload => unencoded_payload(token),
        }
    }

    /// Genuine in every way, and not this one: the profile's own token for another subject.
    fn payload_of_other(&self, token: &str, bindings: &Bindings<'_>) -> Result<String, Obstacle> {
        let parts = Parts::of(token)?;
        let mut claims = self.baseline_claims(bindings, None)?;
        claims.insert("sub".to_owned(), json!("another-principal"));
        let payload = base64url(Value::Object(claims).to_string().as_bytes());
        Ok(parts.with(TokenPart::Payload, &payload))
    }

    fn sign_again(
        &self,
        token: &str,
        sign: &Sign,
        bindings: &Bindings<'_>,
    ) -> Result<String, Obstacle> {
        // Split at the last dot: an unencoded payload may hold others.
        let (input, _) = token
            .rsplit_once('.')
            .ok_or(Obstacle::Unfit("needs a token with a dot"))?;
        let signature = self.signature(sign, input.as_bytes(), bindings)?;
        Ok(format!("{input}.{}", base64url(&signature)))
    }
}

fn edit_signature(
    token: &str,
    edit: impl FnOnce(&mut Vec<u8>) -> Result<(), Obstacle>,
) -> Result<String, Obstacle> {
    let parts = Parts::of(token)?;
    let mut bytes = parts.signature_bytes()?;
    edit(&mut bytes)?;
    Ok(parts.with_signature_bytes(&bytes))
}

fn edit_signature_text(token: &str, edit: impl FnOnce(&str) -> String) -> Result<String, Obstacle> {
    let parts = Parts::of(token)?;
    Ok(parts.with(TokenPart::Signature, &edit(parts.signature)))
}

fn edit_members(
    token: &str,
    part: TokenPart,
    changes: &Map<String, Value>,
    bindings: &Bindings<'_>,
) -> Result<String, Obstacle> {
    let parts = Parts::of(token)?;
    let edited = edited_object(parts.part(part), changes, bindings)?;
    Ok(parts.with(part, &edited))
}

/// The base64url text of a JSON object with some members changed.
fn edited_object(
    part: &str,
    changes: &Map<String, Value>,
    bindings: &Bindings<'_>,
) -> Result<String, Obstacle> {
    let bytes = from_base64url(part).ok_or(Obstacle::Unfit("needs a part in base64url"))?;
    let mut object: Map<String, Value> = serde_json::from_slice(&bytes)
        .map_err(|_| Obstacle::Unfit("needs a part that is a JSON object"))?;
    bindings.merge(&mut object, changes)?;
    Ok(base64url(Value::Object(object).to_string().as_bytes()))
}

fn flip_bit(bytes: &mut [u8], bit: usize) -> Result<(), Obstacle> {
    let byte = bytes
        .get_mut(bit / 8)
        .ok_or(Obstacle::Unfit("names a bit beyond the signature's last"))?;
    *byte ^= 0x80 >> (bit % 8);
    Ok(())
}

fn cut_end(token: &str, count: usize) -> Result<String, Obstacle> {
    let kept = token.chars().count().checked_sub(count);
    let kept = kept.ok_or(Obstacle::Unfit("takes more characters than the token has"))?;
    Ok(token.chars().take(kept).collect())
}

fn insert(token: &str, part: TokenPart, text: &str, at: usize) -> Result<String, Obstacle> {
    let parts = Parts::of(token)?;
    let (before, after) = parts
        .part(part)
        .split_at_checked(at)
        .ok_or(Obstacle::Unfit("inserts at a place beyond the part's end"))?;
    Ok(parts.with(part, &format!("{before}{text}{after}")))
}

fn pad(token: &str, part: TokenPart) -> Result<String, Obstacle> {
    let parts = Parts::of(token)?;
    let text = parts.part(part);
    let padding = 4 - text.len() % 4;
    Ok(parts.with(part, &format!("{text}{}", "=".repeat(padding))))
}

fn json_serialization(token: &str, form: JwsSerialization) -> Result<String, Obstacle> {
    let parts = Parts::of(token)?;
    let (header, payload, signature) = (parts.header, parts.payload, parts.signature);
    let value = match form {
        JwsSerialization::Flattened => {
            json!({"protected": header, "payload": payload, "signature": signature})
        }
        JwsSerialization::General => json!({
            "payload": payload,
            "signatures": [{"protected": header, "signature": signature}],
        }),
    };
    Ok(value.to_string())
}

/// The first member name holds the two characters that base64url decoders of the lenient kind skip, then the genuine
/// header and the forged payload, each before a dot.
fn polyglot(
    token: &str,
    changes: &Map<String, Value>,
    bindings: &Bindings<'_>,
) -> Result<String, Obstacle> {
    let parts = Parts::of(token)?;
    let forged = edited_object(parts.payload, changes, bindings)?;
    let name = format!("!!{}.{forged}.", parts.header);
    let value = json!({
        name: "",
        "protected": parts.header,
        "payload": parts.payload,
        "signature": parts.signature,
    });
    Ok(value.to_string())
}

fn repeat(text: &str, count: usize) -> Result<String, Obstacle> {
    match text.len().checked_mul(count) {
        Some(length) if length <= FILLED_BYTES_MAX => Ok(text.repeat(count)),
        _ => Err(Obstacle::Unfit("repeats to more than 1 MiB")),
    }
}

fn replace(token: &str, text: &str, bindings: &Bindings<'_>) -> Result<String, Obstacle> {
    let mut names = bindings.names.clone();
    let parts = Parts::of(token);
    if let Ok(parts) = &parts {
        names.extend([
            ("header", parts.header),
            ("payload", parts.payload),
            ("signature", parts.signature),
        ]);
    }
    let bindings = Bindings {
        names,
        now: bindings.now,
        jwks: Vec::new(),
        lacking: bindings.lacking.clone(),
    };
    Ok(bindings.fill_text(text)?)
}

/// The last character of a base64 text of 4k + 2 characters has four bits to spare, of 4k + 3 two (RFC 4648 §4).
fn set_trailing_bits(token: &str) -> Result<String, Obstacle> {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let parts = Parts::of(token)?;
    let spare: usize = match parts.signature.len() % 4 {
        2 => 0b1111,
        3 => 0b11,
        _ => {
            return Err(Obstacle::Unfit(
                "needs a signature whose text has spare bits",
            ));
        }
    };
    let (rest, last) = parts.signature.split_at(parts.signature.len() - 1);
    let value = ALPHABET
        .iter()
        .position(|char| [*char] == *last.as_bytes())
        .ok_or(Obstacle::Unfit("needs a signature in base64url"))?;
    let changed = char::from(ALPHABET[value | spare]);
    Ok(parts.with(TokenPart::Signature, &format!("{rest}{changed}")))
}

fn swap_case(text: &str) -> String {
    text.chars()
        .map(|char| {
            if char.is_ascii_lowercase() {
                char.to_ascii_uppercase()
            } else {
                char.to_ascii_lowercase()
            }
        })
        .collect()
}

fn unencoded_payload(token: &str) -> Result<String, Obstacle> {
    let parts = Parts::of(token)?;
    let text = from_base64url(parts.payload)
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .ok_or(Obstacle::Unfit("needs a payload in base64url that is text"))?;
    Ok(parts.with(TokenPart::Payload, &text))
}
