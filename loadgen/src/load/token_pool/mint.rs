//! Minting a pool: which tokens there are, on all cores, each handed to its request where it was minted.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicUsize;
use std::time::{Duration, Instant};

use mock_idp::{MintError, Minter, Recipe};

use super::draw::{Order, again, once};
use super::rotation::Rotation;
use super::times::life;
use super::{Class, Made, PoolError, Ready, TokenPool, Wanted};
use crate::catalogue::{Case, Catalogue, GENUINE};
use crate::clock::unix_now;
use crate::load::epochs::{Course, Epoch, Unlasting, at};
use crate::load::pool_file::PoolFile;
use crate::scenario::{LoadPhase, TOKENS_LIMIT};
use crate::schedule::Schedule;
use crate::target::{RequestShape, Target};

/// Where the tokens of a pool come from, and for whom they are.
#[derive(Debug, Clone, Copy)]
pub struct PoolSource<'a> {
    /// Who mints.
    pub minter: &'a Minter,
    /// The cases that the mix may name.
    pub catalogue: &'a Catalogue,
    /// Who is asked.
    pub target: &'a Target,
    /// The seed of what is drawn.
    pub seed: u64,
}

/// A class that is to be minted.
struct Planned<'a> {
    case: &'a Case,
    shape: RequestShape,
    wanted: Wanted,
}

/// Tokens of one class that are minted together: of one epoch and one key.
type Batch = (usize, usize, bool);

impl TokenPool {
    /// Mints a token for each request of a phase, each another, mixed by weight; the plain genuine token alone when there is
    /// no mix.
    pub fn once(phase: &LoadPhase, source: PoolSource<'_>) -> Result<Self, PoolError> {
        let requests = phase.arrival.requests().ok_or(PoolError::Endless)?;
        if requests > TOKENS_LIMIT {
            return Err(PoolError::TooLarge(requests));
        }
        let order = once(&weights(phase), requests);
        if let Some(file) = &phase.tokens.file {
            let file = PoolFile::read(file)?;
            return kept(&file, &order, phase, source, "each once");
        }
        let course = Course::of(phase, true);
        in_time(course, |course| {
            Pool::plan(phase, source, course)?.minted_once(&order, phase)
        })
    }

    /// Mints a population that is sent again and again.
    pub fn population_of(phase: &LoadPhase, source: PoolSource<'_>) -> Result<Self, PoolError> {
        let order = again(
            &weights(phase),
            phase.tokens.population(),
            phase.tokens.popularity,
            phase.arrival.requests(),
            source.seed,
        );
        if let Some(file) = &phase.tokens.file {
            let file = PoolFile::read(file)?;
            let popularity = phase.tokens.popularity.to_string();
            return kept(&file, &order, phase, source, &popularity);
        }
        let course = Course::of(phase, false);
        in_time(course, |course| {
            Pool::plan(phase, source, course)?.minted_again(&order, phase)
        })
    }
}

/// A pool of tokens that were minted before, of one class.
fn kept(
    file: &PoolFile,
    order: &Order,
    phase: &LoadPhase,
    source: PoolSource<'_>,
    popularity: &str,
) -> Result<TokenPool, PoolError> {
    let began = Instant::now();
    let id = phase.pool_case();
    let case = source
        .catalogue
        .find(id)
        .ok_or_else(|| PoolError::Case(id.to_owned()))?;
    let tokens: u64 = order.tokens.iter().sum();
    file.fits_phase(phase, source.minter, tokens)?;
    let (wanted, now) = (Wanted::Decision(case.expect), unix_now());
    let shape = RequestShape::from(&case.request);
    let population = usize::try_from(tokens).unwrap_or(usize::MAX);
    let requests = file
        .tokens()
        .take(population)
        .map(|token| {
            let until = life(token, wanted, now).and_then(|life| began.checked_add(life));
            let request = source.target.prepare(&shape, token)?;
            Ok(Ready { request, until })
        })
        .collect::<Result<Vec<_>, PoolError>>()?;
    let is_once = phase.arrival.requests() == Some(tokens) && popularity == "each once";
    Ok(TokenPool {
        names: vec![id.to_owned()],
        classes: vec![Class {
            name: id.to_owned(),
            wanted,
            requests,
            population: if is_once { 0 } else { population },
        }],
        order: order.turns.clone(),
        epochs: Vec::new(),
        epoch: AtomicUsize::new(0),
        made: Made {
            popularity: popularity.to_owned(),
            population: tokens,
            minted: tokens,
            took: began.elapsed(),
            ..Made::default()
        },
    })
}

/// Mints, and once more where that took longer than the tokens can wait, with what is known by then.
fn in_time(
    course: Course<'_>,
    mint: impl Fn(Course<'_>) -> Result<TokenPool, PoolError>,
) -> Result<TokenPool, PoolError> {
    let pool = mint(course)?;
    if pool.is_in_time().is_ok() {
        return Ok(pool);
    }
    let seen = pool.made.took * 2;
    mint(Course { seen, ..course })
}

fn weights(phase: &LoadPhase) -> Vec<(&str, u32)> {
    if phase.mix.is_empty() {
        return vec![(GENUINE, 1)];
    }
    phase
        .mix
        .iter()
        .filter(|(_, weight)| **weight > 0)
        .map(|(name, weight)| (name.as_str(), *weight))
        .collect()
}

/// A pool on its way.
struct Pool<'a> {
    source: PoolSource<'a>,
    minter: Minter,
    classes: Vec<Planned<'a>>,
    epochs: Vec<Epoch>,
    /// The shortest of the lives.
    life: Option<Duration>,
    patience: Option<Duration>,
    began: Instant,
    now: i64,
}

impl<'a> Pool<'a> {
    fn plan(
        phase: &'a LoadPhase,
        source: PoolSource<'a>,
        course: Course<'_>,
    ) -> Result<Self, PoolError> {
        let minter = match phase.tokens.lifetime_s() {
            None => source.minter.clone(),
            Some(seconds) => source.minter.with_lifetime(seconds),
        };
        let (began, now) = (Instant::now(), unix_now());
        let mut classes = Vec::new();
        let mut shortest: Option<(Duration, &str)> = None;
        for (name, _) in weights(phase) {
            let case = source
                .catalogue
                .find(name)
                .ok_or_else(|| PoolError::Case(name.to_owned()))?;
            let wanted = Wanted::Decision(case.expect);
            let sample = minter
                .mint_numbered(&case.recipe, now, 0)
                .map_err(|error| not_minted(case, &error))?;
            if let Some(life) = life(&sample, wanted, now)
                && shortest.is_none_or(|(shortest, _)| life < shortest)
            {
                shortest = Some((life, &case.id));
            }
            classes.push(Planned {
                case,
                shape: RequestShape::from(&case.request),
                wanted,
            });
        }
        let life = shortest.map(|(life, _)| life);
        let epochs = course.epochs(life).map_err(|unlasting| match unlasting {
            Unlasting::Many(tokens) => PoolError::TooLarge(tokens),
            Unlasting::Short(least) => {
                let (life, case) = shortest.unwrap_or_default();
                PoolError::Short {
                    case: case.to_owned(),
                    life,
                    least,
                }
            }
        })?;
        Ok(Self {
            source,
            minter,
            classes,
            patience: course.patience(life, &epochs),
            epochs,
            life,
            began,
            now,
        })
    }

    fn minted_once(self, order: &Order, phase: &LoadPhase) -> Result<TokenPool, PoolError> {
        let schedule = phase.arrival.schedule();
        let mut rotation = Rotation::of(&phase.events);
        // Which batch each request belongs to, and its place in that.
        let mut sizes: BTreeMap<Batch, u64> = BTreeMap::new();
        let mut places = Vec::with_capacity(order.turns.len());
        for (index, (class, _)) in (0_u64..).zip(&order.turns) {
            let offset = offset(schedule, index);
            let batch = (
                *class as usize,
                at(&self.epochs, offset),
                rotation.takes(offset),
            );
            let size = sizes.entry(batch).or_default();
            places.push((batch, *size));
            *size += 1;
        }
        let mut starts = BTreeMap::new();
        let mut classes = self.empty_classes(0);
        for (batch, size) in &sizes {
            let (class, epoch, next_key) = *batch;
            let start = classes[class].requests.len() as u64;
            starts.insert(*batch, start);
            let ready = self.mint(class, epoch, next_key, start..start + size)?;
            classes[class].requests.extend(ready);
        }
        let turns = places
            .into_iter()
            .map(|(batch, place)| {
                let number = starts[&batch] + place;
                let class = u32::try_from(batch.0).unwrap_or(u32::MAX);
                (class, u32::try_from(number).unwrap_or(u32::MAX))
            })
            .collect();
        let next_key = sizes.iter().filter(|((_, _, next_key), _)| *next_key);
        let later = sizes.iter().filter(|((_, epoch, _), _)| *epoch > 0);
        let made = Made {
            later: later.map(|(_, size)| size).sum(),
            popularity: "each once".to_owned(),
            population: order.turns.len() as u64,
            next_key: next_key.map(|(_, size)| size).sum(),
            ..Made::default()
        };
        Ok(self.pool(classes, turns, Vec::new(), made))
    }

    fn minted_again(mut self, order: &Order, phase: &LoadPhase) -> Result<TokenPool, PoolError> {
        let mut classes = self.empty_classes(1);
        for (class, tokens) in order.tokens.iter().enumerate() {
            classes[class].population = usize::try_from(*tokens).unwrap_or(usize::MAX);
            for (number, epoch) in self.epochs.iter().enumerate() {
                let start = tokens * number as u64;
                let ready = self.mint(class, number, epoch.next_key, start..start + tokens)?;
                classes[class].requests.extend(ready);
            }
        }
        let population = order.tokens.iter().sum();
        let by_next_key = self.epochs.iter().filter(|epoch| epoch.next_key);
        let made = Made {
            popularity: phase.tokens.popularity.to_string(),
            population,
            later: population * (self.epochs.len() as u64).saturating_sub(1),
            next_key: population * by_next_key.count() as u64,
            ..Made::default()
        };
        let epochs = std::mem::take(&mut self.epochs);
        Ok(self.pool(classes, order.turns.clone(), epochs, made))
    }

    fn empty_classes(&self, population: usize) -> Vec<Class> {
        let empty = |planned: &Planned<'_>| Class {
            name: planned.case.id.clone(),
            wanted: planned.wanted,
            requests: Vec::new(),
            population,
        };
        self.classes.iter().map(empty).collect()
    }

    /// Tokens as their issuer gives them at the start of an epoch.
    fn mint(
        &self,
        class: usize,
        epoch: usize,
        next_key: bool,
        serials: std::ops::Range<u64>,
    ) -> Result<Vec<Ready>, PoolError> {
        let Planned {
            case,
            shape,
            wanted,
        } = &self.classes[class];
        let recipe: Recipe = if next_key {
            case.recipe.by_next_key()
        } else {
            case.recipe.clone()
        };
        let later = self.epochs[epoch].from.as_secs();
        let now = self.now.saturating_add_unsigned(later);
        let issued = self.began + Duration::from_secs(later);
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let ready = |token: String| {
            let until = life(&token, *wanted, now).and_then(|life| issued.checked_add(life));
            let request = self.source.target.prepare(shape, &token)?;
            Ok::<_, Unready>(Ready { request, until })
        };
        self.minter
            .mint_pool(&recipe, now, serials, threads, ready)
            .map_err(|unready| match unready {
                Unready::Mint(error) => not_minted(case, &error),
                Unready::Request(error) => PoolError::Request(error),
            })
    }

    fn pool(
        self,
        classes: Vec<Class>,
        order: Vec<(u32, u32)>,
        epochs: Vec<Epoch>,
        made: Made,
    ) -> TokenPool {
        let minted = classes.iter().map(|class| class.requests.len() as u64);
        TokenPool {
            made: Made {
                minted: minted.sum(),
                life: self.life,
                began: Some(self.began),
                took: self.began.elapsed(),
                patience: self.patience,
                ..made
            },
            names: classes.iter().map(|class| class.name.clone()).collect(),
            classes,
            order,
            epochs,
            epoch: AtomicUsize::new(0),
        }
    }
}

/// A token without its request.
#[derive(Debug, thiserror::Error)]
enum Unready {
    #[error(transparent)]
    Mint(#[from] MintError),
    #[error(transparent)]
    Request(#[from] crate::target::RequestError),
}

fn not_minted(case: &Case, error: &MintError) -> PoolError {
    PoolError::Mint {
        case: case.id.clone(),
        reason: error.to_string(),
    }
}

/// When a request is due; of a closed loop all that is known is that it is after the start.
fn offset(schedule: Option<&Schedule>, index: u64) -> Duration {
    schedule.map_or(Duration::ZERO, |schedule| schedule.offset(index))
}
