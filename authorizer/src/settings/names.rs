//! The names of the settings in the environment.

/// The issuer, exactly as tokens have it.
pub(super) const TOKEN_ISSUER: &str = "TOKEN_ISSUER";
/// Where the issuer publishes its keys.
pub(super) const JWKS_URI: &str = "JWKS_URI";
/// The audiences, separated by spaces.
pub(super) const AUDIENCE: &str = "AUDIENCE";
/// The scopes, separated by spaces, all of which are required.
pub(super) const REQUIRED_SCOPE: &str = "REQUIRED_SCOPE";

/// Every further name starts with this, so that a mistyped one can be told from somebody else's variable.
pub(super) const PREFIX: &str = "AUTHORIZER_";

/// Allowed algorithms, separated by spaces.
pub(super) const ALGORITHMS: &str = "AUTHORIZER_ALGORITHMS";
/// `policy` or `simple`.
pub(super) const ANSWER: &str = "AUTHORIZER_ANSWER";
/// The claim that holds the caller's API key.
pub(super) const API_KEY_CLAIM: &str = "AUTHORIZER_API_KEY_CLAIM";
/// A TOML file with all settings.
pub(super) const CONFIG: &str = "AUTHORIZER_CONFIG";
/// `key=claim`, separated by spaces.
pub(super) const CONTEXT: &str = "AUTHORIZER_CONTEXT";
/// `on` or `off`.
pub(super) const DISCOVERY: &str = "AUTHORIZER_DISCOVERY";
/// `refuse` or `take`.
pub(super) const ID_TOKENS: &str = "AUTHORIZER_ID_TOKENS";
/// A file with a JWK Set.
pub(super) const JWKS_FILE: &str = "AUTHORIZER_JWKS_FILE";
/// Seconds.
pub(super) const KEYS_COOLDOWN: &str = "AUTHORIZER_KEYS_UNKNOWN_KID_COOLDOWN_S";
/// Milliseconds.
pub(super) const KEYS_DEADLINE: &str = "AUTHORIZER_KEYS_DEADLINE_MS";
/// Seconds.
pub(super) const KEYS_MAX_AGE: &str = "AUTHORIZER_KEYS_MAX_AGE_S";
/// Bytes.
pub(super) const KEYS_MAX_BYTES: &str = "AUTHORIZER_KEYS_MAX_BYTES";
/// Seconds.
pub(super) const KEYS_STALE: &str = "AUTHORIZER_KEYS_STALE_S";
/// Seconds.
pub(super) const LEEWAY: &str = "AUTHORIZER_LEEWAY_S";
/// `emf` or `off`.
pub(super) const METRICS: &str = "AUTHORIZER_METRICS";
/// `on` or `off`.
pub(super) const POLICY_ENDS_WITH_TOKEN: &str = "AUTHORIZER_POLICY_ENDS_WITH_TOKEN";
/// Routes, separated by semicolons.
pub(super) const ROUTES: &str = "AUTHORIZER_ROUTES";
/// The kind of access token: `auth0`, `okta`, ….
pub(super) const SHAPE: &str = "AUTHORIZER_SHAPE";
/// Number of entries.
pub(super) const TOKEN_CACHE: &str = "AUTHORIZER_TOKEN_CACHE";
/// Seconds.
pub(super) const TOKEN_CACHE_TTL: &str = "AUTHORIZER_TOKEN_CACHE_TTL_S";
/// `bearer` or `raw`.
pub(super) const TOKEN_FORM: &str = "AUTHORIZER_TOKEN_FORM";
/// The header field that holds the credential.
pub(super) const TOKEN_HEADER: &str = "AUTHORIZER_TOKEN_HEADER";
/// `either`, `at+jwt` or `JWT`.
pub(super) const TOKEN_TYPE: &str = "AUTHORIZER_TOKEN_TYPE";

/// Every setting, in the order in which they are documented: first those of the tutorial that this authorizer replaces.
pub(super) const NAMES: [&str; 27] = [
    TOKEN_ISSUER,
    JWKS_URI,
    AUDIENCE,
    REQUIRED_SCOPE,
    ALGORITHMS,
    ANSWER,
    API_KEY_CLAIM,
    CONFIG,
    CONTEXT,
    DISCOVERY,
    ID_TOKENS,
    JWKS_FILE,
    KEYS_COOLDOWN,
    KEYS_DEADLINE,
    KEYS_MAX_AGE,
    KEYS_MAX_BYTES,
    KEYS_STALE,
    LEEWAY,
    METRICS,
    POLICY_ENDS_WITH_TOKEN,
    ROUTES,
    SHAPE,
    TOKEN_CACHE,
    TOKEN_CACHE_TTL,
    TOKEN_FORM,
    TOKEN_HEADER,
    TOKEN_TYPE,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_guide_names_every_setting_and_no_other() {
        let guide = include_str!("../../../docs/authorizer.md");
        let cells = guide
            .lines()
            .filter_map(|line| line.strip_prefix("| `")?.split_once('`'));
        let mut documented: Vec<_> = cells
            .map(|(name, _)| name)
            .filter(|name| {
                name.chars()
                    .all(|char| char.is_ascii_uppercase() || char == '_')
            })
            .collect();
        documented.sort_unstable();
        let mut known = NAMES.to_vec();
        known.sort_unstable();
        assert_eq!(documented, known);
    }
}
