//! Whether a verified token may make a request.

use super::refusal::Refusal;
use crate::{VerifiedToken, settings::Grants};

/// Holds the token's scopes against those that the stage, or the route of the request, asks for. Only then is the path
/// looked at: whoever has no token learns nothing about routes.
pub(super) fn permit(
    grants: &Grants,
    token: &VerifiedToken,
    method: &str,
    path: &str,
) -> Result<(), Refusal> {
    let (is_open, required) = match grants {
        Grants::Routes(table) => {
            let no_route = Refusal::InsufficientScope(String::new());
            let route = table.route_of(method, path).ok_or(no_route)?;
            (route.is_open_to(token), route.required_scopes())
        }
        Grants::Stage(scopes) => {
            let is_open = scopes.iter().all(|scope| token.has_scope(scope));
            (is_open, scopes.as_slice())
        }
    };
    if is_open {
        Ok(())
    } else {
        Err(Refusal::InsufficientScope(required.join(" ")))
    }
}
