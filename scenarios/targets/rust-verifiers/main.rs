//! A protected resource behind axum, verified by the crate that the first argument names.
//!
//! Settings come from the environment: PORT, ISSUER, JWKS_URI, AUDIENCE, SCOPE and, for the questions about withdrawn keys,
//! KEYS_MAX_AGE_S. Nothing is logged.

mod by_jsonwebtoken;
mod by_jwt_simple;
mod by_tower_oauth2;
mod keys;
mod resource;

use std::error::Error;
use std::time::Duration;

/// How long a key set is used when nothing else is said.
const KEYS_MAX_AGE: Duration = Duration::from_secs(600);

/// What a verifier is told.
pub struct Settings {
    pub issuer: String,
    pub jwks_uri: String,
    pub audience: String,
    /// All of them required.
    pub scopes: Vec<String>,
    pub keys_max_age: Duration,
}

fn setting(name: &str) -> Result<String, String> {
    std::env::var(name)
        .ok()
        .filter(|value| !value.is_empty())
        .ok_or_else(|| format!("{name} is not set"))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let settings = Settings {
        issuer: setting("ISSUER")?,
        jwks_uri: setting("JWKS_URI")?,
        audience: setting("AUDIENCE")?,
        scopes: setting("SCOPE")?.split(' ').map(str::to_owned).collect(),
        keys_max_age: match std::env::var("KEYS_MAX_AGE_S") {
            Ok(seconds) => Duration::from_secs(seconds.parse()?),
            Err(_) => KEYS_MAX_AGE,
        },
    };
    let verifier = std::env::args().nth(1).unwrap_or_default();
    let planets = match verifier.as_str() {
        "jsonwebtoken" => resource::router(by_jsonwebtoken::Verifier::new(&settings)?, &settings),
        "jwt-simple" => resource::router(by_jwt_simple::Verifier::new(&settings)?, &settings),
        "tower-oauth2-resource-server" => by_tower_oauth2::router(&settings).await?,
        other => {
            return Err(format!(
                "no verifier {other:?}: jsonwebtoken, jwt-simple or tower-oauth2-resource-server"
            )
            .into());
        }
    };
    let app = planets.merge(resource::health());
    let address = format!("127.0.0.1:{}", setting("PORT")?);
    let listener = tokio::net::TcpListener::bind(address).await?;
    axum::serve(listener, app).await?;
    Ok(())
}
