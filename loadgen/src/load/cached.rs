//! The phases that the gateway's policy cache decides: hits alone, hits as far as there are some, and what happens when all
//! that is cached expires at once.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;

use super::phase::{
    HITS, INVOCATIONS, LoadContext, MISSES, PhaseError, REPEATS, counted, measure, minted, require,
};
use super::token_pool::TokenPool;
use crate::record::PhaseRecord;
use crate::scenario::LoadPhase;
use crate::target::{Decision, Target};

/// Connections that ask for tokens before the clock starts.
const PRIMERS: usize = 16;

/// What a policy has to outlast a phase by: the last answers come after its end, and the first policies are from before its
/// start.
const TTL_MARGIN: Duration = Duration::from_secs(15);

/// Requests that the gateway decides from its policy cache. Where every token's policy is there for the whole phase, the
/// authorizer's counter must not move; where there are more tokens than policies, or policies end before the phase, it is told
/// how many were hits.
pub async fn cache_hit(
    plan: &LoadPhase,
    context: LoadContext<'_>,
) -> Result<PhaseRecord, PhaseError> {
    let (mut record, pool) = primed(plan, context, "cache-hit").await?;
    if is_steady(plan, &pool, context) {
        "The gateway decides from a cached policy; the authorizer is not asked."
            .clone_into(&mut record.definition);
        require(&mut record, INVOCATIONS, 0);
    } else {
        record.definition = format!(
            "The gateway decides from a cached policy where it has one, and asks the authorizer where it has none: {}.",
            shares(&record)
        );
    }
    Ok(record)
}

/// Requests that the gateway decides from its cache, until all of it expires at once.
pub async fn expiry_stampede(
    plan: &LoadPhase,
    context: LoadContext<'_>,
) -> Result<PhaseRecord, PhaseError> {
    let (mut record, _) = primed(plan, context, "expiry-stampede").await?;
    record.definition = format!(
        "Everything that is cached expires at one instant: {}.",
        shares(&record)
    );
    Ok(record)
}

/// Measures with a cache that knows the most popular tokens, as many as it has room for.
async fn primed(
    plan: &LoadPhase,
    context: LoadContext<'_>,
    kind: &str,
) -> Result<(PhaseRecord, Arc<TokenPool>), PhaseError> {
    let pool = minted(plan, context, |source| {
        TokenPool::population_of(plan, source)
    })?;
    context.testbed.begin_policy_cache(plan.cache);
    let room = plan.cache.entries.unwrap_or(gateway::ENTRIES_MAX);
    let target = context.testbed.target().with_connections(plan.connections);
    // Stopped half-way, the phase ends before its first turn.
    if let Some(primed) = context
        .stop
        .unless_raised(prime(&pool, room, &target))
        .await
    {
        primed?;
    }
    let record = measure(kind, plan, &pool, context).await?;
    Ok((record, pool))
}

/// Whether each request has to be a hit. A cache that keeps nothing is no exception: such a phase is not what it says.
fn is_steady(plan: &LoadPhase, pool: &TokenPool, context: LoadContext<'_>) -> bool {
    let room = plan.cache.entries.unwrap_or(gateway::ENTRIES_MAX);
    let ttl = plan.cache.ttl.unwrap_or(context.testbed.cache_ttl());
    let lasts = plan
        .length()
        .is_none_or(|length| ttl.is_zero() || ttl >= length.saturating_add(TTL_MARGIN));
    pool.population().count() <= room && pool.epochs().len() <= 1 && lasts
}

/// How the requests were decided.
fn shares(record: &PhaseRecord) -> String {
    let (hits, misses) = (counted(record, HITS), counted(record, MISSES));
    let invocations = counted(record, INVOCATIONS);
    let repeats = counted(record, REPEATS);
    format!(
        "{} % of {} requests were hits, {misses} were misses, {invocations} invocations, of which {repeats} were for a policy \
         that another one had just fetched",
        percent(hits, hits + misses),
        hits + misses
    )
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a request count above 2^53 cannot be reached"
)]
fn percent(part: u64, all: u64) -> String {
    if all == 0 {
        return "0".to_owned();
    }
    format!("{:.1}", part as f64 / all as f64 * 100.0)
}

/// Asks for each of the tokens once, the most popular first, on some connections at once.
async fn prime(pool: &Arc<TokenPool>, room: usize, target: &Target) -> Result<(), PhaseError> {
    let mut primers = JoinSet::new();
    for primer in 0..PRIMERS {
        let (pool, target) = (Arc::clone(pool), target.clone());
        primers.spawn(async move {
            let mut connection = target.connection();
            for entry in pool.population().take(room).skip(primer).step_by(PRIMERS) {
                let answer = connection.call(entry.request).await;
                if answer.decision == Decision::Fault {
                    return Err(PhaseError::Prime {
                        class: entry.name.to_owned(),
                        answer: answer.summary(),
                    });
                }
            }
            Ok(())
        });
    }
    while let Some(primed) = primers.join_next().await {
        primed.map_err(|_| PhaseError::PrimingTask)??;
    }
    Ok(())
}
