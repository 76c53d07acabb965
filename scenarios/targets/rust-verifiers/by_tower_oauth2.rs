//! `tower-oauth2-resource-server`: a layer that fetches the keys by itself and verifies before the resource is asked.

use std::error::Error;
use std::time::{SystemTime, UNIX_EPOCH};

use axum::http::StatusCode;
use axum::routing::get;
use axum::{Extension, Router};
use jsonwebtoken::Algorithm;
use tower_oauth2_resource_server::server::OAuth2ResourceServer;
use tower_oauth2_resource_server::tenant::TenantConfiguration;
use tower_oauth2_resource_server::validation::ClaimsValidationSpec;

use crate::Settings;
use crate::resource::{self, Claims, Refusal};

pub async fn router(settings: &Settings) -> Result<Router, Box<dyn Error>> {
    // The key set's URL is given, so that the server starts without its issuer; what is checked is said, and no default.
    let claims = ClaimsValidationSpec::new()
        .iss(&settings.issuer)
        .aud(&vec![settings.audience.clone()])
        .exp(true);
    let mut tenant = TenantConfiguration::builder(&settings.issuer)
        .jwks_url(&settings.jwks_uri)
        .claims_validation(claims)
        .allowed_algorithms(&[Algorithm::RS256]);
    if settings.keys_max_age < crate::KEYS_MAX_AGE {
        tenant = tenant.jwks_refresh_interval(settings.keys_max_age);
    }
    let server = OAuth2ResourceServer::<Claims>::builder()
        .add_tenant(tenant.build().await?)
        .build()
        .await?;
    let scopes = settings.scopes.clone();
    let planets = async move |Extension(claims): Extension<Claims>| {
        if is_early(&claims) {
            return Err(StatusCode::from(Refusal::Unauthorized));
        }
        resource::answer(&claims.into(), &scopes)
    };
    Ok(Router::new()
        .route("/planets", get(planets))
        .layer(server.into_layer()))
}

/// The layer compares `nbf` only where it requires it, and most tokens have none.
fn is_early(claims: &Claims) -> bool {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let now = now.map_or(0.0, |now| now.as_secs_f64());
    claims.nbf.is_some_and(|nbf| nbf > now)
}
