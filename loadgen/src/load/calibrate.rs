//! The tool's own floor: a null route on loopback, asked by the same users with the same client.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::phase::{PhaseError, measure_target};
use super::timeline::Timeline;
use super::token_pool::{PoolError, TokenPool, Wanted};
use crate::record::PhaseRecord;
use crate::scenario::{ArrivalPlan, CachePlan, LoadPhase, PhaseEnd, TokenPlan};
use crate::stop::StopSignal;
use crate::target::{CaseRequest, Connections, RequestShape, Target};

/// Long enough for some ten thousand requests.
const CALIBRATION: Duration = Duration::from_millis(500);

/// Measures what a request costs when nothing is decided.
pub async fn calibrate(
    null_target: &Target,
    users: usize,
    run_started: Instant,
    stop: &StopSignal,
) -> Result<PhaseRecord, PhaseError> {
    let plan = LoadPhase {
        users,
        connections: Connections::default(),
        arrival: ArrivalPlan::Closed(PhaseEnd::Duration(CALIBRATION)),
        mix: BTreeMap::new(),
        mix_at: String::new(),
        thresholds: Vec::new(),
        name: None,
        events: Vec::new(),
        limits: Vec::new(),
        fail_fast: false,
        tokens: TokenPlan::default(),
        cache: CachePlan::default(),
        dashboard: None,
    };
    let bare = CaseRequest {
        authorization: Some("$absent".to_owned()),
        ..CaseRequest::default()
    };
    let request = null_target
        .prepare(&RequestShape::from(&bare), "")
        .map_err(PoolError::from)?;
    let pool = Arc::new(TokenPool::of_requests(
        "null",
        vec![request],
        Wanted::Success,
    ));
    let timeline = Arc::new(Timeline::default());
    let mut record = measure_target(
        "calibration",
        &plan,
        &pool,
        null_target,
        run_started,
        &timeline,
        stop,
    )
    .await?;
    "A null route on loopback, asked by the same client: what is not the authorizer's in the figures.".clone_into(&mut record.definition);
    Ok(record)
}
