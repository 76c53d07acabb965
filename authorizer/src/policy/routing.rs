//! Which requests of one route a pattern covers, when API Gateway has chosen the route before it asks a policy.

use std::{cell::Cell, collections::BTreeSet, sync::Arc};

use super::{
    pattern::{Token, without_covered_in},
    route::{Route, Verb},
    route_order::RouteOrder,
    route_path::Segment,
};

/// Steps that the search for overlaps may take: well under a second even unoptimised. A table of a hundred ordinary routes
/// takes a hundredth of them; one that needs more has a product of parameters that nobody can read.
const MAX_STEPS: usize = 2_000_000;

/// The search took more than [`MAX_STEPS`].
#[derive(Debug)]
pub(super) struct TooManySteps;

/// Which requests of a route count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Requests {
    /// Those in canonical form, which a token that may call the route is owed: no empty segment, no slash at the end.
    Canonical,
    /// Whatever a client can send.
    Possible,
}

/// The routes of a table and their order.
#[derive(Debug)]
pub(super) struct Routing<'a> {
    routes: &'a [Route],
    order: RouteOrder,
    segments_max: usize,
    steps: Cell<usize>,
}

/// One segment of the requests for a route.
#[derive(Debug, Clone)]
enum Slot {
    /// Exactly this text.
    Literal(Arc<str>),
    /// Anything but nothing: a parameter.
    Filled,
    /// Anything, also nothing: a part of `{proxy+}`.
    Free,
}

impl<'a> Routing<'a> {
    pub(super) fn new(routes: &'a [Route]) -> Routing<'a> {
        let lengths = routes.iter().map(|route| route.path.segments().len());
        Routing {
            routes,
            order: RouteOrder::new(routes),
            segments_max: lengths.max().unwrap_or_default(),
            steps: Cell::new(0),
        }
    }

    /// The routes that have this verb, the most specific first.
    pub(super) fn serving(&self, verb: Verb) -> &[usize] {
        self.order.serving(verb)
    }

    pub(super) fn serves(&self, route: usize, verb: Verb) -> bool {
        self.serving(verb).contains(&route)
    }

    /// The least requests for `route` that `pattern` covers: the patterns that they are cover all such requests, and each
    /// pattern that covers one of these requests covers the pattern that it is.
    pub(super) fn shared(
        &self,
        verb: Verb,
        pattern: &[Token],
        route: usize,
        requests: Requests,
    ) -> Result<Vec<Vec<Token>>, TooManySteps> {
        let mut shared = BTreeSet::new();
        for slots in self.slots(pattern.len(), route, requests) {
            let mut met = BTreeSet::new();
            self.meet(pattern, &slots, &mut Vec::new(), requests, &mut met)?;
            while let Some(word) = met.pop_first() {
                self.step()?;
                if shared.contains(&word) {
                    continue;
                }
                let winner = self.winner(verb, &word);
                if winner == Some(route) {
                    shared.insert(word);
                } else if requests == Requests::Possible {
                    met.extend(self.evasions(&word, &slots, winner));
                }
            }
        }
        without_covered_in(shared.into_iter().collect(), |more| self.steps(more))
    }

    /// The requests that `winner` loses because a segment is empty where it has a parameter, or at the end, where routing
    /// does not see it. No other text would help: a parameter takes all of them.
    fn evasions(&self, word: &[Token], slots: &[Slot], winner: Option<usize>) -> Vec<Vec<Token>> {
        let segments = winner.map_or(&[][..], |winner| self.routes[winner].path.segments());
        let last = word.len().saturating_sub(1);
        let evades =
            |index: usize| index == last || segments.get(index) == Some(&Segment::Parameter);
        let empty = |index: usize| {
            let mut word = word.to_vec();
            word[index] = Token::empty();
            word
        };
        (0..word.len())
            .filter(|&index| {
                word[index] == Token::Any && matches!(slots[index], Slot::Free) && evades(index)
            })
            .map(empty)
            .collect()
    }

    fn winner(&self, verb: Verb, word: &[Token]) -> Option<usize> {
        self.order.winner(self.routes, verb, word)
    }

    /// The rows of segments that requests for `route` have.
    ///
    /// A `{proxy+}` has them in every length. One that is longer than the longest route by more than the tokens of the
    /// pattern has two neighbours that no route tells apart and that one wildcard of the pattern covers; without one of
    /// them it is a request that covers it. So longer ones add nothing.
    fn slots(&self, tokens: usize, route: usize, requests: Requests) -> Vec<Vec<Slot>> {
        let segments = self.routes[route].path.segments();
        let slots = |segment: &Segment| match segment {
            Segment::Literal(text) => Slot::Literal(Arc::clone(text)),
            Segment::Parameter => Slot::Filled,
            Segment::Proxy => Slot::Free,
        };
        let row: Vec<Slot> = segments.iter().map(slots).collect();
        let empty = || Slot::Literal("".into());
        let with = |slot: Slot| row.iter().cloned().chain([slot]).collect::<Vec<_>>();
        match (segments.last(), requests) {
            (Some(Segment::Proxy), _) => {
                let more = self.segments_max + tokens + 2 - row.len();
                (0..=more)
                    .map(|more| [row.clone(), vec![Slot::Free; more]].concat())
                    .collect()
            }
            // The root is one segment, and it is empty.
            (None, Requests::Canonical) => vec![vec![empty()]],
            (None, Requests::Possible) => vec![vec![empty()], vec![empty(), empty()]],
            (Some(_), Requests::Canonical) => vec![row],
            (Some(_), Requests::Possible) => vec![row.clone(), with(empty())],
        }
    }

    /// The widest requests that have these slots and that the pattern covers, one for each way to lay the pattern's
    /// wildcards over them.
    fn meet(
        &self,
        pattern: &[Token],
        slots: &[Slot],
        word: &mut Vec<Token>,
        requests: Requests,
        met: &mut BTreeSet<Vec<Token>>,
    ) -> Result<(), TooManySteps> {
        self.step()?;
        let (Some((token, tokens)), Some((slot, rest))) =
            (pattern.split_first(), slots.split_first())
        else {
            if pattern.is_empty() && slots.is_empty() {
                met.insert(word.clone());
            }
            return Ok(());
        };
        let Some(segment) = slot.narrowed(token, requests) else {
            return Ok(());
        };
        word.push(segment);
        self.meet(tokens, rest, word, requests, met)?;
        if *token == Token::Any {
            self.meet(pattern, rest, word, requests, met)?;
        }
        word.pop();
        Ok(())
    }

    fn step(&self) -> Result<(), TooManySteps> {
        self.steps(1)
    }

    fn steps(&self, more: usize) -> Result<(), TooManySteps> {
        let steps = self.steps.get().saturating_add(more);
        self.steps.set(steps);
        if steps > MAX_STEPS {
            Err(TooManySteps)
        } else {
            Ok(())
        }
    }
}

impl Slot {
    /// What this slot and a token of a pattern have in common.
    fn narrowed(&self, token: &Token, requests: Requests) -> Option<Token> {
        match (self, token) {
            (Slot::Literal(text), Token::Any) => Some(Token::Literal(Arc::clone(text))),
            (Slot::Literal(text), Token::Literal(wanted)) => {
                (text == wanted).then(|| token.clone())
            }
            (Slot::Filled | Slot::Free, Token::Any) => Some(Token::Any),
            (Slot::Filled, Token::Literal(_)) => (!token.is_empty()).then(|| token.clone()),
            (Slot::Free, Token::Literal(_)) => {
                (requests == Requests::Possible || !token.is_empty()).then(|| token.clone())
            }
        }
    }
}
