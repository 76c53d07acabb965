//! What a verifier compares of a token that has no audience, as its flaw lets it.

use serde_json::Value;

use super::flaw::Flaw;

/// Whether a token is an access token for this client.
pub(super) fn is_for(client: &str, claims: &Value, flaw: Flaw) -> bool {
    let client_id = &claims["client_id"];
    let named = match flaw {
        Flaw::AnyClient => true,
        Flaw::ClientByPart => client_id.as_str().is_some_and(|id| id.contains(client)),
        Flaw::ClientInAud => *client_id == *client || claims["aud"] == *client,
        Flaw::NeedsAud => claims["aud"].is_string() && *client_id == *client,
        _ => *client_id == *client,
    };
    let token_use = &claims["token_use"];
    let fit = match flaw {
        Flaw::AnyTokenUse => true,
        Flaw::NoIdTokensAlone => *token_use != "id",
        _ => *token_use == "access",
    };
    named && fit
}

/// Whether it is an ID token, which is for the client by its audience.
pub(super) fn is_login_of(client: &str, claims: &Value) -> bool {
    claims["token_use"] == "id" && claims["aud"] == *client
}
