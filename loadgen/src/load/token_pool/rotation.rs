//! Which of the issuer's two keys a request's token is signed with while the keys change.

use std::time::Duration;

use crate::scenario::{Change, Event};

/// Which of the two keys the next request's token is signed with: the share of the next one grows in a straight line.
pub(super) struct Rotation {
    change: Option<(Duration, Duration)>,
    owed: f64,
}

impl Rotation {
    pub(super) fn of(events: &[Event]) -> Self {
        let change = events.iter().find_map(|event| match event.change {
            Change::SignNext(over) => Some((event.at, over)),
            _ => None,
        });
        Self { change, owed: 0.0 }
    }

    /// Says it of the next request, which is due at this offset.
    pub(super) fn takes(&mut self, offset: Duration) -> bool {
        let Some((at, over)) = self.change.filter(|(at, _)| offset >= *at) else {
            return false;
        };
        let passed = offset.saturating_sub(at);
        if passed >= over {
            return true;
        }
        self.owed += passed.as_secs_f64() / over.as_secs_f64();
        let is_due = self.owed >= 1.0;
        if is_due {
            self.owed -= 1.0;
        }
        is_due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_share_of_the_next_key_grows_in_a_straight_line() {
        let event = Event {
            at: Duration::from_secs(1),
            change: Change::SignNext(Duration::from_secs(2)),
        };
        let mut rotation = Rotation::of(&[event]);
        let mut of_second = |second: u64| {
            let offsets = (0..1000).map(|ms| Duration::from_millis(second * 1000 + ms));
            offsets.filter(|offset| rotation.takes(*offset)).count()
        };
        let shares = [0, 1, 2, 3].map(&mut of_second);
        assert_eq!((shares[0], shares[3]), (0, 1000));
        assert!((248..=251).contains(&shares[1]), "{shares:?}");
        assert!((748..=751).contains(&shares[2]), "{shares:?}");
    }
}
