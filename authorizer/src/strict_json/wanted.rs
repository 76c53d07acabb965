//! The names that a caller of the reader asks for.

/// Names, none twice, with what finds one among them: every member of every token and event is looked for here, and most
/// are told apart by one comparison of integers.
pub(crate) struct Wanted<const N: usize> {
    names: [&'static str; N],
    marks: [u64; N],
}

/// The same without the count, so that there is one reader for all of them.
#[derive(Clone, Copy)]
pub(super) struct Names<'n> {
    names: &'n [&'n str],
    marks: &'n [u64],
}

impl<const N: usize> Wanted<N> {
    pub(crate) const fn new(names: [&'static str; N]) -> Wanted<N> {
        let mut marks = [0; N];
        let mut at = 0;
        while at < N {
            marks[at] = mark(names[at]);
            at += 1;
        }
        Wanted { names, marks }
    }

    pub(super) fn names(&self) -> Names<'_> {
        Names {
            names: &self.names,
            marks: &self.marks,
        }
    }
}

impl<'n> Names<'n> {
    /// `marks` are those of `names`, as [`mark`] makes them.
    pub(super) fn new(names: &'n [&'n str], marks: &'n [u64]) -> Names<'n> {
        Names { names, marks }
    }

    /// The place of a name.
    pub(super) fn place_of(self, name: &str) -> Option<usize> {
        let mark = mark(name);
        let mut marked = self.marks.iter().zip(self.names);
        marked.position(|(of_wanted, wanted)| {
            // Of one length up to eight bytes, the mark is the name.
            *of_wanted == mark && wanted.len() == name.len() && (name.len() <= 8 || *wanted == name)
        })
    }
}

/// An integer that is the same for equal names and rarely for others: their first eight bytes, or, of a shorter one, its
/// first and last four or two. No loop over bytes, whose end no processor foresees.
#[inline]
pub(super) const fn mark(name: &str) -> u64 {
    let bytes = name.as_bytes();
    if let Some(first) = bytes.first_chunk::<8>() {
        u64::from_le_bytes(*first)
    } else if let (Some(first), Some(last)) = (bytes.first_chunk::<4>(), bytes.last_chunk::<4>()) {
        (u32::from_le_bytes(*first) as u64) << 32 | u32::from_le_bytes(*last) as u64
    } else if let (Some(first), Some(last)) = (bytes.first_chunk::<2>(), bytes.last_chunk::<2>()) {
        (u16::from_le_bytes(*first) as u64) << 16 | u16::from_le_bytes(*last) as u64
    } else if let Some(only) = bytes.first() {
        *only as u64
    } else {
        0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_found_by_all_of_its_bytes() {
        let names = ["", "a", "ab", "abcdefg", "abcdefgh", "abcdefgi", "iss"];
        let wanted = Wanted::new(names);
        for (place, name) in names.into_iter().enumerate() {
            assert_eq!(wanted.names().place_of(name), Some(place), "{name}");
        }
        let long = "abcdefgh".to_owned() + &"x".repeat(256);
        for other in [
            "b",
            "abc",
            "abcdefgj",
            "abcdefghi",
            "Iss",
            "is",
            "issu",
            "\0",
            &long,
        ] {
            assert_eq!(wanted.names().place_of(other), None, "{other}");
        }
    }
}
