//! Counts and lists in words, in one form wherever they stand.

use std::fmt::{Display, Write as _};

/// How many names [`names`] shows. The others are counted.
const NAMES: usize = 5;

/// A number of things, in words. The thing's plural must end in s.
///
/// ```
/// use patchfleet_core::text::counted;
/// assert_eq!(counted(1, "location"), "1 location");
/// assert_eq!(counted(0, "location"), "0 locations");
/// ```
#[must_use]
pub fn counted<N: Display + PartialEq + From<u8> + Copy>(n: N, thing: &str) -> String {
    format!("{n} {thing}{}", by_number(n, "", "s"))
}

/// The word that goes with a number: `one` with 1, and `several` with every other number.
///
/// ```
/// use patchfleet_core::text::{by_number, counted};
/// let skipped = |n: usize| format!("{} {} skipped", counted(n, "location"), by_number(n, "is", "are"));
/// assert_eq!(skipped(1), "1 location is skipped");
/// assert_eq!(skipped(2), "2 locations are skipped");
/// ```
#[must_use]
pub fn by_number<'a, N: PartialEq + From<u8>>(n: N, one: &'a str, several: &'a str) -> &'a str {
    if n == N::from(1) { one } else { several }
}

/// Names in a short line: the first five, and how many more there are.
///
/// ```
/// use patchfleet_core::text::names;
/// assert_eq!(names(["a", "b"]), "a, b");
/// assert_eq!(names(1..=7), "1, 2, 3, 4, 5, and 2 more");
/// ```
#[must_use]
pub fn names<T: Display>(all: impl IntoIterator<Item = T>) -> String {
    let (mut line, mut more) = (String::new(), 0_usize);
    for (index, name) in all.into_iter().enumerate() {
        if index < NAMES {
            let comma = if index > 0 { ", " } else { "" };
            // Writing to a String does not fail.
            let _ = write!(line, "{comma}{name}");
        } else {
            more += 1;
        }
    }
    if more > 0 {
        let _ = write!(line, ", and {more} more");
    }
    line
}

/// `text`, cut after so many characters. An ellipsis says that it was cut.
pub(crate) fn cut(text: &str, after: usize) -> String {
    let mut shown: String = text.chars().take(after).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    shown
}
