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
    /// Whether `name` was new.
    pub(super) fn insert(&mut self, name: Cow<'a, str>) -> bool {
        if self.few[..self.count].contains(&&*name) {
            return false;
        }
        match name {
            Cow::Borrowed(name) if self.count < FEW_NAMES => {
                if self.rest.as_ref().is_some_and(|rest| rest.contains(name)) {
                    return false;
                }
                self.few[self.count] = name;
                self.count += 1;
                true
            }
            name => self.rest.get_or_insert_default().insert(name),
        }
    }
}
