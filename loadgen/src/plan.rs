//! A run, held against the files that it names.
//!
//! Scenario, target and cases are parsed one by one; what one of them says of another is looked at here, before anything
//! is started. Behind this module a run can fail for reasons of the testbed alone.

use std::time::Duration;

use mock_idp::IssuerProfile;

use crate::builtin::{self, LookupError};
use crate::catalogue::{Catalogue, Expectation, GENUINE, Selection};
use crate::load::{Course, Unlasting};
use crate::scenario::{IssuerFrom, LoadPhase, Phase, Scenario, TOKENS_LIMIT};
use crate::subject::{OwnIssuer, Subject};

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
    /// HTTP/2 where no server speaks it.
    #[error(
        "{at}: http2 = true is for targets of kind \"http\", and this one is of kind {kind:?}: leave it out, or name a server"
    )]
    Http2 {
        /// Where the phase, or its mix, stands.
        at: String,
        /// The kind.
        kind: &'static str,
    },
    /// An issuer profile that there is not, or that is wrong.
    #[error("{from} names an issuer profile that cannot be used")]
    Issuer {
        /// Who names it.
        from: IssuerFrom,
        /// What is wrong.
        source: Box<LookupError>,
    },
    /// Another profile on the command line than in the target file.
    #[error(
        "--issuer is {given:?}, and {} says that the target takes the tokens of {:?} alone: leave --issuer out, or name another \
         target", own.at, own.profile
    )]
    OtherIssuer {
        /// That of the command line.
        given: String,
        /// That of the target.
        own: OwnIssuer,
    },
    /// Tokens that cannot be made to last as long as their phase.
    #[error("{at}: {reason}")]
    Tokens {
        /// Where their phase, or its mix, stands.
        at: String,
        /// What is wrong, and what to do.
        reason: String,
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

    /// What is done, with the issuer profile that the target's tokens are of.
    pub fn scenario(&self) -> &Scenario {
        &self.scenario
    }

    /// What may be asked.
    pub fn catalogue(&self) -> &Catalogue {
        &self.catalogue
    }

    /// Holds the three against each other.
    pub fn new(
        mut scenario: Scenario,
        subject: Subject,
        catalogue: Catalogue,
    ) -> Result<Self, PlanError> {
        let issuer = issuer(&mut scenario, &subject)?;
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
            let Some(load) = phase.load() else {
                continue;
            };
            if load.connections.are_http2() && subject.kind.is_function() {
                return Err(PlanError::Http2 {
                    at: load.mix_at.clone(),
                    kind: subject.kind.word(),
                });
            }
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
        if scenario.real_issuer.is_none() {
            for phase in &scenario.phases {
                tokens_last(phase, &catalogue, issuer.token_lifetime_s())?;
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

/// The issuer profile of a run, put into the scenario: that of the target where its file names one, unless the command line names
/// another.
fn issuer(scenario: &mut Scenario, subject: &Subject) -> Result<IssuerProfile, PlanError> {
    if let Some(own) = &subject.issuer {
        if scenario.issuer_from == IssuerFrom::CommandLine && scenario.issuer != own.profile {
            return Err(PlanError::OtherIssuer {
                given: scenario.issuer.clone(),
                own: own.clone(),
            });
        }
        scenario.issuer.clone_from(&own.profile);
        scenario.issuer_from = IssuerFrom::File(own.at.clone());
    }
    builtin::issuer(&scenario.issuer).map_err(|source| PlanError::Issuer {
        from: scenario.issuer_from.clone(),
        source: Box::new(source),
    })
}

/// Whether the tokens of a phase live as long as they are sent, as they are or replaced in time. What only a minted token
/// tells is told once it is minted.
fn tokens_last(phase: &Phase, catalogue: &Catalogue, issuer_s: u32) -> Result<(), PlanError> {
    let Some(load) = phase.load() else {
        return Ok(());
    };
    // A file says itself when its tokens end.
    if load.tokens.file.is_some() {
        return Ok(());
    }
    let course = Course::of(load, matches!(phase, Phase::Verification(_)));
    let lifetime_s = load.tokens.lifetime_s().unwrap_or(issuer_s);
    let mut lives: Vec<(i64, &str)> = Vec::new();
    for id in mix(load) {
        let Some(case) = catalogue.find(id) else {
            continue;
        };
        let ends = matches!(case.expect, Expectation::Allow | Expectation::Forbidden);
        let life = case
            .recipe
            .lives_s(lifetime_s)
            .filter(|life| ends && *life > 0);
        lives.extend(life.map(|life| (life, id)));
    }
    let Some((life, id)) = lives.into_iter().min() else {
        return Ok(());
    };
    // A second less: a token's times are whole seconds, of which the one in which it is minted has begun.
    let seconds = u64::try_from(life).unwrap_or_default().saturating_sub(1);
    let is_own = catalogue
        .find(id)
        .is_some_and(|case| case.recipe.lives_s(0) != Some(0));
    let remedy = if is_own {
        "leave the case out, or make the phase shorter".to_owned()
    } else {
        match load.length() {
            Some(length) => format!(
                "raise token_lifetime; with \"{}s\" no token ends before the phase",
                course.lasting_s(length)
            ),
            None => "raise token_lifetime".to_owned(),
        }
    };
    course
        .epochs(Some(Duration::from_secs(seconds)))
        .map(drop)
        .map_err(|unlasting| PlanError::Tokens {
            at: load.mix_at.clone(),
            reason: match unlasting {
                Unlasting::Short(least) => format!(
                    "a token of {id} lives {life} s, and has to live {} s to be minted before the clock starts and sent after \
                     that: {remedy}",
                    least.as_secs() + 2
                ),
                Unlasting::Many(tokens) => format!(
                    "tokens of {id} live {life} s, so that {tokens} would have to be minted for the length of the phase, and the \
                     most is {TOKENS_LIMIT}: {remedy}"
                ),
            },
        })
}

fn mix(load: &LoadPhase) -> impl Iterator<Item = &str> {
    let named = load.mix.iter().filter(|(_, weight)| **weight > 0);
    let genuine = load.mix.is_empty().then_some(GENUINE);
    named.map(|(id, _)| id.as_str()).chain(genuine)
}
