//! Every table of a small world, every set of scopes, every request: granted is what the table says is granted.

use serde_json::Value;

use super::{
    model::{ModelPolicy, ModelRoute, STAGE, glob, routed},
    requests::assert_routed,
};
use crate::{
    MethodArn,
    policy::{PolicyDocument, RouteTable, RouteTableError},
};

const PATHS: [&str; 18] = [
    "/",
    "/a",
    "/b",
    "/{x}",
    "/{p+}",
    "/a/b",
    "/a/{x}",
    "/{x}/b",
    "/{x}/{y}",
    "/a/{p+}",
    "/{x}/{p+}",
    "/a/b/{p+}",
    "/a/{x}/b",
    "/b/{x}/{y}",
    "/{x}/a/{y}",
    "/{x}/{y}/b",
    "/a/{x}/{p+}",
    "/{x}/a/{p+}",
];
const SCOPES: [&str; 3] = ["s0", "s1", "s2"];

/// All requests with these segments, up to a length, as paths. `c` is in no table and stands for every such text.
fn paths(segments: &[&str], length: usize) -> Vec<String> {
    let mut all = vec!["/".to_owned()];
    let mut last = vec![String::new()];
    for _ in 0..length {
        let longer = last.iter().flat_map(|path| {
            segments
                .iter()
                .map(move |segment| format!("{path}/{segment}"))
        });
        last = longer.collect();
        all.extend(last.iter().cloned());
    }
    all.sort();
    all.dedup();
    all
}

/// The sets of scopes that a token of this world can have.
fn scope_sets() -> impl Iterator<Item = Vec<&'static str>> {
    (0..1 << SCOPES.len()).map(|set: usize| {
        let scopes = SCOPES.iter().enumerate();
        let held = scopes.filter(|(bit, _)| set >> bit & 1 == 1);
        held.map(|(_, scope)| *scope).collect()
    })
}

fn policy(table: &RouteTable, held: &[&str]) -> Value {
    let arn = format!("{STAGE}GET/");
    let arn = MethodArn::parse(&arn).unwrap();
    let resources = table.select_by(|scope| held.contains(&scope));
    let policy = PolicyDocument::of_resources(resources, &arn, usize::MAX).unwrap();
    serde_json::from_str(&policy.to_json()).unwrap()
}

/// Nothing is granted that the table does not grant, and all that it grants to requests in canonical form is.
fn assert_exact(table: &RouteTable, text: &str, verbs: &[&str], paths: &[String]) {
    let routes: Vec<ModelRoute<'_>> = text.split(';').map(ModelRoute::read).collect();
    let requests = verbs.iter().flat_map(|v| paths.iter().map(move |p| (v, p)));
    let requests: Vec<(String, usize, bool)> = requests
        .filter_map(|(verb, path)| {
            let route = routed(&routes, verb, path)?;
            let canonical = path == "/" || !path.ends_with('/') && !path.contains("//");
            Some((format!("{STAGE}{verb}{path}"), route, canonical))
        })
        .collect();
    for held in scope_sets() {
        let json = policy(table, &held);
        let policy = ModelPolicy::read(&json);
        for (arn, route, canonical) in &requests {
            let granted = policy.lets_through(arn);
            let owed = routes[*route].lets_in(&held);
            assert!(
                granted == owed || !granted && !canonical,
                "{text}: {arn} with {held:?}, granted {granted}: {json}"
            );
        }
    }
}

/// A table that was refused has a set of scopes for which no policy of whole segments is exact: a permitted route's
/// narrowest resource covers a request of a refused one, and the narrowest pattern for that covers one that is owed.
fn assert_inexpressible(text: &str, verbs: &[&str], paths: &[String], canonical: &[String]) {
    let routes: Vec<ModelRoute<'_>> = text.split(';').map(ModelRoute::read).collect();
    let proven = scope_sets().any(|held| {
        let permitted = |route: usize| routes[route].lets_in(&held);
        verbs.iter().any(|verb| {
            let covering = routes
                .iter()
                .filter(|r| r.has_verb(verb) && r.lets_in(&held));
            let wild: Vec<String> = covering.map(ModelRoute::wildcard_path).collect();
            let mut leaks = paths.iter().filter(|path| {
                routed(&routes, verb, path).is_some_and(|route| !permitted(route))
                    && wild.iter().any(|pattern| glob(pattern, &path[1..]))
            });
            leaks.any(|leak| {
                let narrowest = leak.replace('c', "*");
                let mut owed = canonical.iter().filter(|path| glob(&narrowest, path));
                owed.any(|path| routed(&routes, verb, path).is_some_and(permitted))
            })
        })
    });
    assert!(proven, "{text} was refused without need");
}

#[derive(Debug, Default)]
struct Tally {
    exact: usize,
    refused: usize,
}

/// The requests of this world.
struct World {
    verbs: Vec<&'static str>,
    paths: Vec<String>,
    canonical: Vec<String>,
    tally: Tally,
}

impl World {
    fn new(verbs: &[&'static str]) -> World {
        World {
            verbs: verbs.to_vec(),
            paths: paths(&["a", "b", "c", ""], 4),
            canonical: paths(&["a", "b", "c"], 5),
            tally: Tally::default(),
        }
    }

    fn check(&mut self, text: &str) {
        match RouteTable::parse(text) {
            Ok(table) => {
                assert_exact(&table, text, &self.verbs, &self.paths);
                assert_routed(&table, text, &self.verbs, &self.paths);
                self.tally.exact += 1;
            }
            Err(RouteTableError::Inexpressible { .. }) => {
                assert_inexpressible(text, &self.verbs, &self.paths, &self.canonical);
                self.tally.refused += 1;
            }
            Err(RouteTableError::Duplicate { .. }) => {}
            Err(other) => panic!("{text}: {other}"),
        }
    }
}

#[test]
fn each_table_of_three_paths_and_scopes_is_exact_or_cannot_be() {
    let mut world = World::new(&["GET"]);
    for first in 0..PATHS.len() {
        for second in 0..first {
            for third in 0..second {
                let [a, b, c] = [first, second, third].map(|index| PATHS[index]);
                world.check(&format!("GET {a} any:s0;GET {b} any:s1;GET {c} any:s2"));
            }
        }
    }
    assert!(
        world.tally.exact > 300 && world.tally.refused > 100,
        "{:?}",
        world.tally
    );
}

#[test]
fn tables_with_verbs_and_lists_of_scopes_are_exact_or_cannot_be() {
    // `PUT` is in no list and stands for the five such verbs.
    let mut world = World::new(&["GET", "POST", "PUT"]);
    let mut dice = Dice(2_026);
    for _ in 0..800 {
        let routes = (0..2 + dice.roll(4)).map(|_| {
            let verbs = ["GET", "POST", "*", "GET,POST", "*"][dice.roll(5)];
            let path = PATHS[dice.roll(PATHS.len())];
            let (s, t) = (SCOPES[dice.roll(3)], SCOPES[dice.roll(3)]);
            let scopes = match dice.roll(8) {
                0 => "none".to_owned(),
                1 => format!("any:{s},{t}"),
                2 => format!("all:{s},{t}"),
                _ => format!("any:{s}"),
            };
            format!("{verbs} {path} {scopes}")
        });
        let text = routes.collect::<Vec<_>>().join(";");
        world.check(&text);
    }
    assert!(
        world.tally.exact > 200 && world.tally.refused > 100,
        "{:?}",
        world.tally
    );
}

/// The generator of Knuth's MMIX: the same tables in every run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005);
        self.0 = self.0.wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % sides
    }
}
