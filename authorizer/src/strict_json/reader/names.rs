//! The names of one object that were seen so far.

use std::{borrow::Cow, collections::HashSet};

/// Up to this many plain names of one object are compared one by one; beyond, a hash set (randomly keyed, so that chosen
/// names cannot collide) keeps the cost of an object with thousands of members linear.
const FEW_NAMES: usize = 16;

/// Names without an escape are kept where they stand in the text, the first of them without an allocation.
#[derive(Default)]
pub(super) struct SeenNames<'a> {
    few: [&'a str; FEW_NAMES],
    count: usize,
    /// The names beyond, and those that hold an escape.
    rest: Option<HashSet<Cow<'a, str>>>,
}

impl<'a> SeenNames<'a> {
    /// Whether a name was new. `unescaped` is what it stands for, if that is not what is written.
    pub(super) fn insert(&mut self, raw: &'a str, unescaped: Option<String>) -> bool {
        let name = unescaped.as_deref().unwrap_or(raw);
        if self.few[..self.count].contains(&name)
            || self.rest.as_ref().is_some_and(|rest| rest.contains(name))
        {
            return false;
        }
        match unescaped {
            None if self.count < FEW_NAMES => {
                self.few[self.count] = raw;
                self.count += 1;
                true
            }
            unescaped => {
                let name = unescaped.map_or(Cow::Borrowed(raw), Cow::Owned);
                self.rest.get_or_insert_default().insert(name)
            }
        }
    }
}
