//! A run, held against the files that it names.
//!
//! Scenario, target and cases are parsed one by one; what one of them says of another is looked at here, before anything
//! is started. Behind this module a run can fail for reasons of the testbed alone.

use crate::conform::{Catalogue, Selection};
use crate::scenario::{Phase, Scenario};
use crate::subject::Subject;

/// What a run does, of whom it asks, and what it may ask: all of it there.
#[derive(Debug)]
pub struct RunPlan {
    pub(crate) scenario: Scenario,
    pub(crate) subject: Subject,
    pub(crate) catalogue: Catalogue,
}

/// A name that leads nowhere.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// A known divergence on a case that there is not: a typing mistake would be a divergence that nobody watches.
    #[error(
        "{at}: a divergence is declared on case {case:?}, which there is not; `authbench list cases` prints the ids"
    )]
    Divergence {
        /// Where it stands.
        at: String,
        /// The id.
        case: String,
    },
    /// Conditions that no case meets.
    #[error("{at}: no case is left by {selection}; `authbench list cases` prints them")]
    Selection {
        /// Where it stands.
        at: String,
        /// The conditions.
        selection: Selection,
    },
    /// A mix with a case that is about more than a token: under load there is one key set, one token, no listener, and no
    /// look at a policy.
    #[error(
        "{at}: the mix names case {case:?}, which needs a key set, a listener, a second token or a connection of its own, or is about a policy; `authbench conform` asks it"
    )]
    MixNeedsOwn {
        /// Where it stands.
        at: String,
        /// The id.
        case: String,
    },
    /// A mix with a case that there is not.
    #[error(
        "{at}: the mix names case {case:?}, which there is not; `authbench list cases` prints the ids"
    )]
    Mix {
        /// Where it stands.
        at: String,
        /// The id.
        case: String,
    },
}

impl RunPlan {
    /// The scenario's name.
    pub fn name(&self) -> &str {
        &self.scenario.name
    }

    /// Who is asked.
    pub fn subject(&self) -> &Subject {
        &self.subject
    }

    /// Holds the three against each other.
    pub fn new(
        scenario: Scenario,
        subject: Subject,
        catalogue: Catalogue,
    ) -> Result<Self, PlanError> {
        if let Some(plan) = &scenario.conformance
            && catalogue.select(&plan.selection).is_empty()
            && catalogue.select_sequences(&plan.selection).is_empty()
        {
            return Err(PlanError::Selection {
                at: plan.selection_at.clone(),
                selection: plan.selection.clone(),
            });
        }
        for phase in &scenario.phases {
            let (Phase::CacheHit(load) | Phase::Verification(load)) = phase else {
                continue;
            };
            for id in load.mix.keys() {
                let (at, named) = (load.mix_at.clone(), id.clone());
                match catalogue.find(id) {
                    None => return Err(PlanError::Mix { at, case: named }),
                    Some(case) if case.needs_own() => {
                        return Err(PlanError::MixNeedsOwn { at, case: named });
                    }
                    Some(_) => {}
                }
            }
        }
        let stray = |id: &str| !catalogue.holds(id);
        if let Some(divergence) = subject.divergences.iter().find(|known| stray(&known.case)) {
            return Err(PlanError::Divergence {
                at: divergence.case_at.clone(),
                case: divergence.case.clone(),
            });
        }
        Ok(Self {
            scenario,
            subject,
            catalogue,
        })
    }
}
