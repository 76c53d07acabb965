//! `authbench explain`: why a token is answered as it is.

use std::fmt::Write as _;
use std::io::Read as _;
use std::time::SystemTime;

use anyhow::Context as _;
use authorizer::{Answer, AuthorizerError, CheckVerdict, Explanation, MethodArn};
use clap::Args;
use loadgen::clock::unix_now;
use serde_json::Value;

use super::settings::SettingsArguments;
use super::{Failure, output};

/// The exit code for a token that is not let in.
const REFUSED: u8 = 1;

/// The longest token that is read from standard input: the authorizer looks at 16 KiB at most.
const STDIN_BYTES_MAX: u64 = 1024 * 1024;

/// The method of the gateway stand-in.
const DEFAULT_ARN: &str = gateway::PLANETS_ARN;

#[derive(Debug, Args)]
pub(crate) struct ExplainArguments {
    /// The token; `-` reads it from standard input, which keeps it out of the shell's history
    token: String,
    /// The method that is called
    #[arg(long, default_value = DEFAULT_ARN)]
    arn: String,
    /// The cache time of API Gateway's authorizer, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 300, value_parser = clap::value_parser!(u16).range(0..=3600))]
    cache_ttl: u16,
    #[command(flatten)]
    settings: SettingsArguments,
}

pub(crate) fn run(arguments: &ExplainArguments) -> Result<u8, Failure> {
    let token = token(&arguments.token)?;
    let method_arn = MethodArn::parse(&arguments.arn)
        .with_context(|| format!("--arn {}", arguments.arn))
        .map_err(Failure::usage)?;
    let authorizer = arguments.settings.authorizer()?;
    let explanation = super::runtime()?.block_on(authorizer.explain(
        token.trim(),
        &method_arn,
        SystemTime::now(),
    ));
    let (text, code) = text(&explanation, arguments)?;
    output::print(&text)?;
    Ok(code)
}

fn token(argument: &str) -> Result<String, Failure> {
    if argument != "-" {
        return Ok(argument.to_owned());
    }
    let mut token = String::new();
    std::io::stdin()
        .take(STDIN_BYTES_MAX)
        .read_to_string(&mut token)
        .context("the token on standard input")
        .map_err(Failure::usage)?;
    Ok(token)
}

fn text(explanation: &Explanation, arguments: &ExplainArguments) -> Result<(String, u8), Failure> {
    let mut text = String::new();
    for check in &explanation.checks {
        let (mark, found) = match &check.verdict {
            CheckVerdict::Failed(why) => ("!", why.clone()),
            CheckVerdict::NotReached => ("-", "not reached".to_owned()),
            CheckVerdict::Passed(found) => ("ok", found.clone()),
            CheckVerdict::Refused(rejection, found) => ("NO", format!("{rejection}; {found}")),
        };
        // Writing into a `String` does not fail.
        let _ = writeln!(text, "{mark:>3}  {:<29} {found}", check.name);
    }
    let answer = match &explanation.answer {
        Ok(answer) => {
            let answer = serde_json::to_value(answer)
                .context("the answer")
                .map_err(Failure::testbed)?;
            let _ = writeln!(text, "\nthe authorizer answers\n{answer:#}\n");
            Some(answer)
        }
        Err(error) => {
            let _ = writeln!(
                text,
                "\nthe authorizer fails with {:?}\n",
                error.to_string()
            );
            None
        }
    };
    let left_s = explanation
        .expires_at
        .map(|end| end.saturating_sub(unix_now()));
    let (gateway, code) = gateway(&explanation.answer, answer.as_ref(), arguments, left_s);
    text.push_str(&gateway);
    Ok((text, code))
}

/// What the client sees, and for how long API Gateway remembers it.
fn gateway(
    answer: &Result<Answer, AuthorizerError>,
    json: Option<&Value>,
    arguments: &ExplainArguments,
    left_s: Option<i64>,
) -> (String, u8) {
    let (status, code) = match (answer, json) {
        (Err(AuthorizerError::Unauthorized(_)), _) => {
            return (
                "API Gateway answers 401 and caches nothing.\n".to_owned(),
                REFUSED,
            );
        }
        (Err(_), _) | (_, None) => {
            return (
                "API Gateway answers 500 and caches nothing.\n".to_owned(),
                REFUSED,
            );
        }
        (Ok(Answer::Simple(_)), Some(json)) if json["isAuthorized"] == true => ("calls the API", 0),
        (Ok(Answer::Simple(_)), Some(_)) => ("answers 403", REFUSED),
        (Ok(Answer::Policy(_)), Some(json)) => {
            let output = json.to_string().into_bytes();
            let answer = gateway::FunctionAnswer::Payload(output.into());
            if gateway::decision::decide(&answer, &arguments.arn, unix_now()).is_allow() {
                ("calls the API", 0)
            } else {
                ("answers 403", REFUSED)
            }
        }
    };
    let ttl = arguments.cache_ttl;
    let mut text = if ttl == 0 {
        format!("API Gateway {status} and caches nothing (a cache time of 0).\n")
    } else {
        format!(
            "API Gateway {status} and caches the answer for {ttl} s, for every method of the stage.\n"
        )
    };
    let ends_itself = json.is_some_and(|json| json.to_string().contains("aws:CurrentTime"));
    if let Some(left_s) =
        left_s.filter(|left_s| *left_s < i64::from(ttl) && !ends_itself && code == 0)
    {
        let _ = writeln!(
            text,
            "The token expires in {left_s} s: the cached answer outlives it by {} s. A policy that ends with the token does not.",
            i64::from(ttl) - left_s
        );
    }
    (text, code)
}
