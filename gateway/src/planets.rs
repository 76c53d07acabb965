//! The back end behind the built-in API: planets in memory, and who asked for them.
//!
//! Every answer to an authorized request repeats `requestContext.authorizer`, so that a test sees whose request it was.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Mutex;

use http::StatusCode;
use serde::Deserialize;
use serde_json::Value;

use crate::api::{Integration, RouteMatch};

/// Planets that are kept. A load test that creates must not fill the memory.
const PLANETS_MAX: usize = 1_000;

/// Characters of a name; the longest of the solar system has seven.
const NAME_CHARS_MAX: usize = 64;

const SOLAR_SYSTEM: [&str; 8] = [
    "Mercury", "Venus", "Earth", "Mars", "Jupiter", "Saturn", "Uranus", "Neptune",
];

/// The planets.
#[derive(Debug)]
pub(crate) struct Planets {
    orbits: Mutex<Orbits>,
}

#[derive(Debug)]
struct Orbits {
    planets: BTreeMap<u64, String>,
    next_id: u64,
    /// The list as JSON, written anew with each change and sent with each `GET /planets`.
    listed: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewPlanet {
    name: String,
}

impl Planets {
    pub(crate) fn new() -> Self {
        let planets: BTreeMap<u64, String> = (1..).zip(SOLAR_SYSTEM.map(str::to_owned)).collect();
        let next_id = planets.keys().last().map_or(1, |last| last + 1);
        let listed = list(&planets);
        Self {
            orbits: Mutex::new(Orbits {
                planets,
                next_id,
                listed,
            }),
        }
    }

    /// The answer of an integration; `request_context` is a JSON object.
    pub(crate) fn answer(
        &self,
        route: &RouteMatch<'_>,
        body: &[u8],
        request_context: &str,
    ) -> (StatusCode, String) {
        let id = route
            .parameters
            .first()
            .and_then(|(_, id)| id.parse::<u64>().ok());
        let (status, members) = match route.integration {
            Integration::CreatePlanet => self.create(body),
            Integration::DeletePlanet => self.delete(id),
            Integration::Echo => (
                StatusCode::OK,
                format!("\"resource\":{}", Value::from(route.resource)),
            ),
            Integration::Health => (StatusCode::OK, "\"status\":\"ok\"".to_owned()),
            Integration::ListPlanets => (
                StatusCode::OK,
                format!("\"planets\":{}", self.orbits().listed),
            ),
            Integration::ReadPlanet => self.read(id),
        };
        (
            status,
            format!("{{{members},\"requestContext\":{request_context}}}"),
        )
    }

    fn orbits(&self) -> std::sync::MutexGuard<'_, Orbits> {
        self.orbits.lock().expect("no holder of this lock panics")
    }

    fn create(&self, body: &[u8]) -> (StatusCode, String) {
        let name = match serde_json::from_slice::<NewPlanet>(body) {
            Ok(new) if (1..=NAME_CHARS_MAX).contains(&new.name.chars().count()) => new.name,
            Ok(_) => return message(StatusCode::BAD_REQUEST, "name takes 1 to 64 characters"),
            Err(_) => {
                return message(
                    StatusCode::BAD_REQUEST,
                    "the body must be an object such as {\"name\":\"Pluto\"}",
                );
            }
        };
        let mut orbits = self.orbits();
        if orbits.planets.len() >= PLANETS_MAX {
            return message(
                StatusCode::CONFLICT,
                "there are 1,000 planets already; delete one first",
            );
        }
        let id = orbits.next_id;
        orbits.next_id += 1;
        let created = planet(id, &name);
        orbits.planets.insert(id, name);
        orbits.listed = list(&orbits.planets);
        (StatusCode::CREATED, format!("\"planet\":{created}"))
    }

    fn read(&self, id: Option<u64>) -> (StatusCode, String) {
        let orbits = self.orbits();
        match id.and_then(|id| Some((id, orbits.planets.get(&id)?))) {
            Some((id, name)) => (StatusCode::OK, format!("\"planet\":{}", planet(id, name))),
            None => message(StatusCode::NOT_FOUND, "there is no such planet"),
        }
    }

    fn delete(&self, id: Option<u64>) -> (StatusCode, String) {
        let mut orbits = self.orbits();
        match id.and_then(|id| Some((id, orbits.planets.remove(&id)?))) {
            Some((id, name)) => {
                orbits.listed = list(&orbits.planets);
                (StatusCode::OK, format!("\"deleted\":{}", planet(id, &name)))
            }
            None => message(StatusCode::NOT_FOUND, "there is no such planet"),
        }
    }
}

fn planet(id: u64, name: &str) -> String {
    format!("{{\"id\":{id},\"name\":{}}}", Value::from(name))
}

fn list(planets: &BTreeMap<u64, String>) -> String {
    let mut text = String::from("[");
    for (index, (id, name)) in planets.iter().enumerate() {
        let comma = if index == 0 { "" } else { "," };
        // Writing to a string cannot fail.
        let _ = write!(text, "{comma}{}", planet(*id, name));
    }
    text + "]"
}

fn message(status: StatusCode, text: &str) -> (StatusCode, String) {
    (status, format!("\"message\":{}", Value::from(text)))
}
