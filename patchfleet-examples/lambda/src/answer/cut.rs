//! Answers that are not too large. A state machine ends where the answer of a task has more than 256 KiB (Step Functions
//! Developer Guide, "Quotas related to state machine executions").

use serde::Serialize;

/// How many bytes the lists of an answer have at most, as JSON. The rest of it has room beside them.
const LISTS: usize = 150 * 1024;

/// The room that is left for lists.
#[derive(Debug)]
pub(super) struct Room {
    bytes: usize,
}

impl Room {
    /// All that an answer has.
    pub(super) fn of_an_answer() -> Self {
        Self { bytes: LISTS }
    }

    /// The room of one of two reports in an answer.
    pub(super) fn of_half_an_answer() -> Self {
        Self { bytes: LISTS / 2 }
    }

    /// As many of these entries as there is room for, and how many are left out. An entry that is left out takes the
    /// later ones with it, so that what is shown is the beginning of the list.
    pub(super) fn fit<T: Serialize>(&mut self, entries: impl IntoIterator<Item = T>) -> (Vec<T>, usize) {
        let mut entries = entries.into_iter();
        let mut shown = vec![];
        for entry in entries.by_ref() {
            // With the comma behind it.
            let size = serde_json::to_vec(&entry).map_or(usize::MAX, |json| json.len().saturating_add(1));
            let Some(left) = self.bytes.checked_sub(size) else {
                return (shown, 1 + entries.count());
            };
            self.bytes = left;
            shown.push(entry);
        }
        (shown, 0)
    }
}

/// The beginning of a text that has at most so many bytes as JSON, in whole lines, and what is said in place of the rest.
pub(super) fn text(text: &str, most: usize, rest: &str) -> String {
    let as_json = |text: &str| serde_json::to_string(text).map_or(usize::MAX, |json| json.len());
    if as_json(text) <= most {
        return text.to_owned();
    }
    let mut room = most.saturating_sub(as_json(rest));
    let mut short = String::new();
    for line in text.split_inclusive('\n') {
        let Some(left) = room.checked_sub(as_json(line)) else {
            break;
        };
        room = left;
        short.push_str(line);
    }
    short.push_str(rest);
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_no_room_is_counted_and_the_beginning_of_each_list_is_shown() {
        let mut room = Room { bytes: 20 };
        assert_eq!(room.fit(["12345", "12345"]), (vec!["12345", "12345"], 0));
        assert_eq!(
            room.fit(["1", "1234567", "1"]),
            (vec!["1"], 2),
            "4 of 4 bytes, and then none"
        );
        assert_eq!(room.fit([""; 0]), (vec![], 0));
    }

    #[test]
    fn a_text_is_cut_between_two_lines_and_says_that_it_was() {
        assert_eq!(text("one\ntwo\n", 100, "…"), "one\ntwo\n");
        let long = "a line of it\n".repeat(1_000);
        let short = text(&long, 200, "and more");
        assert!(
            short.len() <= 200 && short.ends_with("a line of it\nand more"),
            "{short}"
        );
        assert_eq!(text(&"x".repeat(1_000), 50, "and more"), "and more");
    }
}
