//! `authbench case`: one case or sequence with everything about it, down to the bytes.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use clap::Args;
use loadgen::builtin;
use loadgen::catalogue::{Case, Cause, Grade};
use loadgen::clock::unix_now;
use loadgen::target::{
    EMULATOR_AT_ONCE, EMULATOR_PATH, Endpoint, EventForm, FunctionTarget, HttpTarget, Invoker,
    RequestShape, Target,
};
use serde_json::{Map, Value};

use super::{Failure, output};

mod sequence;

/// Where the shown request would go: `authbench serve gateway` listens here by default.
const AUTHORITY: &str = "127.0.0.1:8080";

/// Parts of a token that are shown one by one; a JWE has five.
const PARTS_SHOWN: usize = 5;

/// As lenient as the most lenient verifier: what is shown may be spoilt on purpose.
const BASE64URL: GeneralPurpose = GeneralPurpose::new(
    &alphabet::URL_SAFE,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

#[derive(Debug, Args)]
pub(crate) struct CaseArguments {
    /// The case's id, such as `rfc7519::aud-wrong`
    id: String,
    /// Print the token alone
    #[arg(long)]
    token_only: bool,
    /// The issuer profile: a built-in name or a path
    #[arg(long, value_name = "PROFILE", default_value = "auth0")]
    issuer: String,
    /// The audience of good tokens
    #[arg(long, default_value = "https://planets.example.com/")]
    audience: String,
    /// The scopes of good tokens, separated by blanks
    #[arg(long, default_value = "read:planets")]
    scope: String,
    /// The seed of the issuer's keys
    #[arg(long, default_value_t = 7)]
    seed: u64,
    /// A file of cases of your own, beside the built-in ones; may be given more than once
    #[arg(long, value_name = "FILE")]
    cases: Vec<String>,
}

pub(crate) fn run(arguments: &CaseArguments) -> Result<u8, Failure> {
    let catalogue = builtin::catalogue_with(&arguments.cases).map_err(Failure::usage)?;
    let id = &arguments.id;
    let issuer = super::mint::issuer(
        &arguments.issuer,
        &arguments.audience,
        &arguments.scope,
        arguments.seed,
    )?;
    let minter = issuer
        .minter(super::mint::DEFAULT_BASE)
        .map_err(Failure::testbed)?;
    let Some(case) = catalogue.find(id) else {
        let mut sequences = catalogue.sequences().iter();
        let sequence = sequences
            .find(|sequence| sequence.case.id == *id)
            .ok_or_else(|| {
                Failure::usage(anyhow::anyhow!(
                    "no case is called {id:?}; `authbench list cases` prints the ids"
                ))
            })?;
        if arguments.token_only {
            return Err(Failure::usage(anyhow::anyhow!(
                "--token-only: {id} is a sequence, which has no token of its own; leave the flag out to see them all"
            )));
        }
        output::print(&sequence::shown(sequence, &minter)?)?;
        return Ok(0);
    };
    let token = minter
        .mint(&case.recipe, unix_now())
        .map_err(Failure::usage)?;
    if arguments.token_only {
        output::print(&format!("{token}\n"))?;
        return Ok(0);
    }
    let second = case
        .second
        .as_ref()
        .map(|recipe| minter.mint(recipe, unix_now()));
    let second = second.transpose().map_err(Failure::usage)?;
    let mut text = about(case, &expected(case));
    changes(&mut text, case);
    if case.needs_function() {
        event(&mut text, case, &token)?;
    } else {
        request(&mut text, case, &token, second.clone())?;
    }
    let _ = writeln!(text);
    decoded(&mut text, "the token", &token);
    if let Some(second) = &second {
        decoded(&mut text, "the second token", second);
    }
    output::print(&text)?;
    Ok(0)
}

fn request(
    text: &mut String,
    case: &Case,
    token: &str,
    second: Option<String>,
) -> Result<(), Failure> {
    let target = Target::Http(HttpTarget::new(AUTHORITY, "/planets").into());
    let shape = RequestShape::from(case).with_second(second);
    let request = target.prepare(&shape, token).map_err(Failure::usage)?;
    let shown = shown(request.bytes());
    let _ = writeln!(text, "\nthe request\n{}", shown.trim_end_matches('\n'));
    Ok(())
}

/// The event of a case that only a function can be asked, in the form of a target that does not say otherwise.
fn event(text: &mut String, case: &Case, token: &str) -> Result<(), Failure> {
    let nowhere = Endpoint {
        authority: AUTHORITY.to_owned(),
        path: EMULATOR_PATH.to_owned(),
        at_once: EMULATOR_AT_ONCE,
    };
    let function = FunctionTarget::new(Invoker::Endpoint(nowhere), EventForm::default());
    let request = Target::Function(function.into())
        .prepare(&RequestShape::from(case), token)
        .map_err(Failure::usage)?;
    let shown = request
        .event_bytes()
        .map_or_else(|| "none: API Gateway answers by itself".to_owned(), json);
    let _ = writeln!(text, "\nthe event\n{shown}");
    Ok(())
}

fn expected(case: &Case) -> String {
    match case.grade {
        Grade::Fail => case.expect.word().to_owned(),
        Grade::Note => format!(
            "{} (another answer is noted, and no failure)",
            case.expect.word()
        ),
    }
}

fn about(case: &Case, expected: &str) -> String {
    let mut text = format!(
        "{}: {}\n{} · {} · {} · {}:{}\n",
        case.id,
        case.title,
        case.severity.word(),
        case.level.word(),
        case.clause,
        case.file,
        case.line
    );
    let needs: Vec<&str> = case.needs.iter().map(|need| need.word()).collect();
    let mut rows = vec![
        ("expected", expected.to_owned()),
        ("impact", case.impact.clone()),
        ("fix", case.fix.clone()),
    ];
    if let Some(cause) = Cause::find(&case.cause) {
        let weakness = cause.cwe.as_ref().map(|cwe| format!(", {cwe}"));
        let weakness = weakness.unwrap_or_default();
        rows.push(("cause", format!("{} ({}{weakness})", cause.title, cause.id)));
        if !cause.cves.is_empty() {
            rows.push(("seen as", cause.cves.join(", ")));
        }
    }
    if let Some(within) = case.within {
        rows.push(("within", format!("{within:?}")));
    }
    if let Some(most) = case.memory_growth_mb {
        rows.push(("memory", format!("{most} MB more at most")));
    }
    if let Some((name, holds)) = &case.answer_holds {
        rows.push(("answer", format!("has a {name} that holds {holds}")));
    }
    if case.answers.is_some() {
        rows.push(("answers", "none repeats a part of its token".to_owned()));
    }
    if !needs.is_empty() {
        rows.push(("needs", needs.join(", ")));
    }
    for (name, value) in rows {
        let _ = writeln!(text, "  {name:<9} {value}");
    }
    text
}

/// What makes the token another one than the genuine one, as the case file says it.
fn changes(text: &mut String, case: &Case) {
    let parts: [(&str, &Map<String, Value>, &str); 4] = [
        (
            "changed in the token",
            &case.source.recipe,
            "the token is the profile's genuine one",
        ),
        (
            "changed in the request",
            &case.source.request,
            "the token is sent as Authorization: Bearer",
        ),
        ("changed in the event", &case.source.event, ""),
        ("asked about the policy", &case.source.policy, ""),
    ];
    if !case.source.second.is_empty() {
        let _ = writeln!(text, "\nchanged in the second token");
        for (name, value) in &case.source.second {
            let _ = writeln!(text, "  {name} = {value}");
        }
    }
    for (what, members, nothing) in parts {
        if members.is_empty() {
            if !nothing.is_empty() {
                let _ = writeln!(text, "\n{nothing}");
            }
            continue;
        }
        let _ = writeln!(text, "\n{what}");
        for (name, value) in members {
            let _ = writeln!(text, "  {name} = {value}");
        }
    }
}

/// Bytes as text: line breaks as they are, what is not printable as `\xNN`.
fn shown(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        let (line, ended) = match line.strip_suffix(b"\r\n") {
            Some(line) => (line, "\n"),
            None => (line, ""),
        };
        for byte in line {
            match byte {
                b'\\' => text.push_str("\\\\"),
                0x20..=0x7e => text.push(char::from(*byte)),
                other => {
                    let _ = write!(text, "\\x{other:02x}");
                }
            }
        }
        text.push_str(ended);
    }
    text
}

fn decoded(text: &mut String, title: &str, token: &str) {
    let parts: Vec<&str> = token.split('.').collect();
    let _ = writeln!(text, "{title}, of {} parts", parts.len());
    let header = parts.first().and_then(|part| BASE64URL.decode(part).ok());
    let header = header.and_then(|bytes| serde_json::from_slice::<Value>(&bytes).ok());
    let encrypted = header.is_some_and(|header| header.get("enc").is_some());
    for (index, part) in parts.iter().take(PARTS_SHOWN).enumerate() {
        // RFC 7516 §7.1 and RFC 7515 §7.1.
        let name = match (encrypted, index) {
            (_, 0) => "header".to_owned(),
            (true, 1) => "encrypted key".to_owned(),
            (true, 2) => "nonce".to_owned(),
            (true, 3) => "ciphertext".to_owned(),
            (true, 4) => "tag".to_owned(),
            (_, 1) => "payload".to_owned(),
            (_, 2) => "signature".to_owned(),
            (_, other) => format!("part {}", other + 1),
        };
        let what = match BASE64URL.decode(part) {
            _ if part.is_empty() => "empty".to_owned(),
            Err(error) => format!("not base64url ({error}): {}", shown(part.as_bytes())),
            Ok(bytes) if index == 0 || name == "payload" => json(&bytes),
            Ok(bytes) => format!("{} bytes", bytes.len()),
        };
        let _ = writeln!(text, "  {name}  {}", what.replace('\n', "\n  "));
    }
}

/// JSON with line breaks where that shows all of it; the exact text where a parser would hide something, such as a member
/// that is there twice.
fn json(bytes: &[u8]) -> String {
    match serde_json::from_slice::<Value>(bytes) {
        Ok(value) if value.to_string().as_bytes() == bytes => format!("{value:#}"),
        Ok(_) | Err(_) => shown(bytes),
    }
}
