//! Which connections, events and tokens go together with which kind of phase of load.

use std::time::Duration;

use super::LoadPhase;
use crate::scenario::{Change, Event, Expiring, Popularity};

/// No event of a phase without a known length is later.
const PHASE_MAX: Duration = Duration::from_hours(24);

/// Whether there is a server that is asked over them in a phase of this kind.
pub(super) fn check_connections(kind: &str, load: &LoadPhase) -> Result<(), String> {
    if kind != "verification" && load.connections.are_http2() {
        return Err(format!(
            "a {kind} phase: http2 is for verification phases; before a server that speaks HTTP/2 there is no gateway with a \
             policy cache"
        ));
    }
    Ok(())
}

/// Whether every event can happen, and means something in a phase of this kind.
pub(super) fn check_events(kind: &str, load: &LoadPhase) -> Result<(), String> {
    let length = load.length().unwrap_or(PHASE_MAX);
    if let Some(event) = load.events.iter().find(|event| event.at >= length) {
        return Err(format!(
            "a {kind} phase: an event is at {:?}, and the phase is over after {length:?}: it would never happen",
            event.at
        ));
    }
    let expires = |event: &Event| matches!(event.change, Change::Expire(_));
    let is_stampede = kind == "expiry-stampede";
    if is_stampede != load.events.iter().any(expires) {
        return Err(if is_stampede {
            "an expiry-stampede phase needs an event that says what expires, such as { at = \"2s\", expire = \"policies\" }"
        } else {
            "an event with expire makes an expiry-stampede: give the phase that kind"
        }
        .to_owned());
    }
    for event in &load.events {
        if let Change::SignNext(over) = event.change {
            if kind == "verification" && load.arrival.schedule().is_none() {
                return Err(
                    "an event with sign needs a rate, stages or a replay: tokens are minted before the clock starts, and a closed \
                     loop does not say when each of them is sent"
                        .to_owned(),
                );
            }
            if kind != "verification" && !over.is_zero() {
                return Err(format!(
                    "over is for verification phases; the clients of a {kind} phase take their new tokens at once"
                ));
            }
        }
    }
    Ok(())
}

/// Whether what is said of tokens means something in a phase of this kind.
pub(super) fn check_tokens(kind: &str, load: &LoadPhase) -> Result<(), String> {
    let tokens = &load.tokens;
    if kind == "verification"
        && (tokens.population.is_some() || tokens.popularity != Popularity::InTurn)
    {
        return Err(
            "each token of a verification phase is new: population and popularity are for cache-hit and expiry-stampede"
                .to_owned(),
        );
    }
    if tokens.file.is_some() {
        if load.mix.len() > 1 {
            return Err(
                "token_pool is a file of tokens of one case: leave the mix out, or name that case alone"
                    .to_owned(),
            );
        }
        let news = |event: &Event| {
            matches!(
                event.change,
                Change::SignNext(_) | Change::Expire(Expiring::Tokens)
            )
        };
        if tokens.lifetime.is_some() || load.events.iter().any(news) {
            return Err(
                "the tokens of a token_pool are minted: token_lifetime, sign and expire = \"tokens\" are for new ones"
                    .to_owned(),
            );
        }
    }
    let classes = load.mix.values().filter(|weight| **weight > 0).count();
    if tokens.population() < classes as u64 {
        return Err(format!(
            "population is {}, and the mix has {classes} cases: each needs a token at least",
            tokens.population()
        ));
    }
    Ok(())
}
