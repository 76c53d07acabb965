//! `authbench mint`: one token on standard output and nothing else there, or many in a file.

use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::Args;
use loadgen::builtin;
use loadgen::catalogue::GENUINE;
use loadgen::clock::unix_now;
use loadgen::issuer::Issuer;
use loadgen::load::{PoolHeader, write_pool};
use mock_idp::{MintError, Minter, Recipe};
use serde_json::{Map, Value, json};

use super::{Failure, output};

/// Where `authbench serve idp` listens by default, and so the issuer of minted tokens.
pub(super) const DEFAULT_BASE: &str = "http://127.0.0.1:9000";

/// Ten minutes of a core's signing, and 1 GB.
const COUNT_MAX: u64 = 1_000_000;

#[derive(Debug, Args)]
pub(crate) struct MintArguments {
    /// The issuer profile: a built-in name or a path
    #[arg(long, default_value = "auth0")]
    profile: String,
    /// The issuer's base URL: where `authbench serve idp` listens
    #[arg(long, value_name = "URL", default_value = DEFAULT_BASE)]
    base: String,
    /// The audience
    #[arg(
        long = "aud",
        alias = "audience",
        default_value = "https://planets.example.com/"
    )]
    audience: String,
    /// The scopes, separated by blanks
    #[arg(long, default_value = "read:planets", conflicts_with = "user")]
    scope: String,
    /// A user of the profile, with that user's subject and scopes
    #[arg(long)]
    user: Option<String>,
    /// Seconds from now to the expiry; below zero for an expired token
    #[arg(long, value_name = "SECONDS", allow_negative_numbers = true)]
    expires_in: Option<i64>,
    /// A claim and its value as JSON (or as plain text), such as tier=2; may be given more than once
    #[arg(long, value_name = "NAME=VALUE", value_parser = parse_member)]
    claim: Vec<(String, Value)>,
    /// A header member and its value as JSON (or as plain text); may be given more than once
    #[arg(long, value_name = "NAME=VALUE", value_parser = parse_member)]
    header: Vec<(String, Value)>,
    /// The token of a conformance case, such as `rfc7519::aud-wrong`
    #[arg(long, conflicts_with_all = ["claim", "header", "expires_in"])]
    case: Option<String>,
    /// The seed of the issuer's keys
    #[arg(long, default_value_t = 7)]
    seed: u64,
    /// Print the JWKS that the token verifies against instead
    #[arg(long)]
    jwks: bool,
    /// Write many tokens to this file instead, each another, on all cores: a pool for `load URL --token-pool` and for phases
    #[arg(long, value_name = "FILE", requires = "count", conflicts_with_all = ["jwks", "user"])]
    pool: Option<PathBuf>,
    /// How many tokens the pool has
    #[arg(long, value_name = "N", requires = "pool", value_parser = clap::value_parser!(u64).range(1..=COUNT_MAX))]
    count: Option<u64>,
    /// Issue the tokens at this time, seconds since the epoch: with the same seed, the same file [default: now]
    #[arg(long, value_name = "SECONDS", requires = "pool")]
    issued_at: Option<i64>,
}

fn parse_member(text: &str) -> Result<(String, Value), String> {
    let (name, value) = text
        .split_once('=')
        .filter(|(name, _)| !name.is_empty())
        .ok_or_else(|| format!("{text:?} is not of the form NAME=VALUE"))?;
    let value = serde_json::from_str(value).unwrap_or_else(|_| Value::String(value.to_owned()));
    Ok((name.to_owned(), value))
}

pub(crate) fn run(arguments: &MintArguments) -> Result<u8, Failure> {
    let issuer = issuer(
        &arguments.profile,
        &arguments.audience,
        &arguments.scope,
        arguments.seed,
    )?;
    let minter = issuer.minter(&arguments.base).map_err(Failure::testbed)?;
    if arguments.jwks {
        let jwks = mock_idp::jwks_document(minter.profile(), minter.keys());
        output::print(&format!("{jwks:#}\n"))?;
        return Ok(0);
    }
    let minter = match &arguments.user {
        None => minter,
        Some(name) => minter.for_user(name).map_err(Failure::usage)?,
    };
    if let (Some(file), Some(count)) = (&arguments.pool, arguments.count) {
        return pool(&minter, arguments, file, count);
    }
    let token = minter
        .mint(
            &recipe(arguments, minter.profile().token_lifetime_s())?,
            unix_now(),
        )
        .map_err(Failure::usage)?;
    output::print(&format!("{token}\n"))?;
    Ok(0)
}

/// Mints a pool and says how long it took.
fn pool(
    minter: &Minter,
    arguments: &MintArguments,
    file: &Path,
    count: u64,
) -> Result<u8, Failure> {
    let recipe = recipe(arguments, minter.profile().token_lifetime_s())?;
    if arguments.case.is_none() && recipe.lives_s(1).is_none_or(|life| life <= 0) {
        return Err(Failure::usage(anyhow::anyhow!(
            "--pool: tokens of baseline::valid are good ones; name the case of others by --case, such as \
             rfc7519::exp-one-hour-past"
        )));
    }
    let (began, now) = (Instant::now(), arguments.issued_at.unwrap_or_else(unix_now));
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let tokens: Vec<String> = minter
        .mint_pool(&recipe, now, 0..count, threads, Ok::<_, MintError>)
        .map_err(Failure::usage)?;
    let took = began.elapsed();
    let lives = recipe.lives_s(minter.profile().token_lifetime_s());
    let header = PoolHeader {
        authbench_token_pool: PoolHeader::version(),
        issuer: minter.issuer().to_owned(),
        kid: minter.keys().signing.kid().to_owned(),
        audience: arguments.audience.clone(),
        scope: arguments.scope.clone(),
        case: arguments.case.clone().unwrap_or_else(|| GENUINE.to_owned()),
        seed: arguments.seed,
        issued_at: now,
        expires_at: lives.map(|seconds| now.saturating_add(seconds)),
        count,
    };
    write_pool(file, &header, &tokens)
        .map_err(|error| Failure::usage(anyhow::anyhow!("--pool {error}")))?;
    output::print(&format!(
        "{count} tokens in {} in {:.1} s on {threads} cores\n",
        file.display(),
        took.as_secs_f64()
    ))?;
    Ok(0)
}

/// The issuer of the flags that `mint` and `serve idp` share: equal flags give tokens that the server vouches for.
pub(super) fn issuer(
    profile: &str,
    audience: &str,
    scope: &str,
    seed: u64,
) -> Result<Issuer, Failure> {
    Ok(Issuer {
        profile: builtin::issuer(profile).map_err(Failure::usage)?,
        seed,
        audience: audience.to_owned(),
        scope: scope.split_ascii_whitespace().map(str::to_owned).collect(),
    })
}

fn recipe(arguments: &MintArguments, lifetime_s: u32) -> Result<Recipe, Failure> {
    if let Some(id) = &arguments.case {
        let catalogue = builtin::catalogue().map_err(Failure::usage)?;
        let case = catalogue.find(id).ok_or_else(|| {
            Failure::usage(anyhow::anyhow!(
                "no case is called {id:?}; `authbench list cases` prints the ids"
            ))
        })?;
        return Ok(case.recipe.clone());
    }
    let mut claims: Map<String, Value> = arguments.claim.iter().cloned().collect();
    if let Some(seconds) = arguments.expires_in {
        if claims.contains_key("exp") {
            return Err(Failure::usage(anyhow::anyhow!(
                "--expires-in and --claim exp=… both say when the token expires: give one of them"
            )));
        }
        claims.insert("exp".to_owned(), json!(format!("$now{seconds:+}")));
        if seconds <= 0 && !claims.contains_key("iat") {
            // A token that has expired was issued before that, and lived as long as the issuer's tokens do.
            let issued = seconds.saturating_sub(lifetime_s.into());
            claims.insert("iat".to_owned(), json!(format!("$now{issued:+}")));
        }
    }
    let header: Map<String, Value> = arguments.header.iter().cloned().collect();
    serde_json::from_value(json!({ "claims": claims, "header": header })).map_err(Failure::usage)
}
