//! Text of others, made safe to show, such as AWS's words, the names of nodes and accounts, file names, and values of the
//! environment. A terminal obeys escape sequences, and bidi overrides show a text in another order than it has. Both
//! would let a tag's value rewrite a plan.
//!
//! * [`one_line`] for a value within a line.
//! * [`lines`] for a text of several lines that is about to be printed or logged, and [`ShownLines`]
//!   for a writer that everything goes through.
//! * [`json`] for JSON: the same value, spelled in visible characters.
//!
//! And what all texts for people have in common: [`counted`] things, [`names`] in a short line, a table, and
//! commands to type ([`in_log`]).

use std::fmt::Write as _;
use std::io;

mod commands;
mod table;
mod words;

pub use commands::in_log;
pub(crate) use table::table;
pub(crate) use words::cut;
pub use words::{by_number, counted, names};

/// Whether a terminal does anything with `c` but show it. That holds for control characters (C0, DEL, C1), separators of
/// lines and paragraphs, marks and overrides of direction, characters without width, and tags.
#[must_use]
pub(crate) fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{180e}'
            | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// `text` in one line. Each run of spaces, tabs and line ends becomes one space. Hidden characters are written as
/// `\u{…}`.
///
/// ```
/// use patchfleet_core::text::one_line;
/// assert_eq!(one_line("Rate\n  exceeded \u{1b}[2J"), "Rate exceeded \\u{1b}[2J");
/// assert_eq!(one_line("prod\u{202e}tset"), "prod\\u{202e}tset");
/// ```
#[must_use]
pub fn one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for word in text
        .split([' ', '\t', '\n', '\r'])
        .filter(|word| !word.is_empty())
    {
        if !line.is_empty() {
            line.push(' ');
        }
        push_shown(&mut line, word);
    }
    line
}

/// `text` with its line ends. Every other hidden character is written as `\u{…}`.
///
/// ```
/// use patchfleet_core::text::lines;
/// assert_eq!(lines("one\ntwo\u{9b}31m\r\n"), "one\ntwo\\u{9b}31m\\u{d}\n");
/// ```
#[must_use]
pub fn lines(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        let bare = line.strip_suffix('\n');
        push_shown(&mut shown, bare.unwrap_or(line));
        if bare.is_some() {
            shown.push('\n');
        }
    }
    shown
}

fn push_shown(shown: &mut String, text: &str) {
    for c in text.chars() {
        if is_hidden(c) {
            // Writing to a String does not fail.
            let _ = write!(shown, "{}", c.escape_unicode());
        } else {
            shown.push(c);
        }
    }
}

/// JSON text of the same value. Hidden characters that JSON does not escape are written as `\uXXXX`. Line ends between
/// values stay.
///
/// ```
/// use patchfleet_core::text::json;
/// assert_eq!(json("{\"a\": \"x\u{202e}y\"}"), "{\"a\": \"x\\u202ey\"}");
/// ```
#[must_use]
pub fn json(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if is_hidden(c) && c != '\n' {
            for unit in c.encode_utf16(&mut [0; 2]) {
                let _ = write!(shown, "\\u{unit:04x}");
            }
        } else {
            shown.push(c);
        }
    }
    shown
}

/// A writer for log records, which shows them as [`lines`] does. Each `write` is one record. Only its first line begins
/// at the margin, so a line break in somebody's text begins no record. What is not UTF-8 is replaced.
#[derive(Debug)]
pub struct ShownLines<W>(W);

impl<W: io::Write> ShownLines<W> {
    /// Writes to `inner`.
    pub fn new(inner: W) -> Self {
        Self(inner)
    }
}

impl<W: io::Write> io::Write for ShownLines<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let text = lines(&String::from_utf8_lossy(bytes));
        let (record, end) = match text.strip_suffix('\n') {
            Some(record) => (record, "\n"),
            None => (text.as_str(), ""),
        };
        let mut shown = String::with_capacity(record.len());
        for (n, line) in record.split('\n').enumerate() {
            if n > 0 {
                shown.push('\n');
                // A line with nothing on it cannot be taken for a record.
                shown.push_str(if line.is_empty() { "" } else { "    " });
            }
            shown.push_str(line);
        }
        shown.push_str(end);
        self.0.write_all(shown.as_bytes()).map(|()| bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::io::Write as _;

    /// Written apart from [`is_hidden`]: what may never reach a terminal.
    fn forbidden(c: char) -> bool {
        let n = u32::from(c);
        n < 0x20
            || (0x7f..=0x9f).contains(&n)
            || [0x61c, 0x200e, 0x200f, 0x2028, 0x2029, 0xfeff].contains(&n)
            || (0x202a..=0x202e).contains(&n)
            || (0x2066..=0x2069).contains(&n)
            || (0x200b..=0x200d).contains(&n)
    }

    proptest! {
        #[test]
        fn no_text_has_anything_hidden_left(text in any::<String>(), hidden in "[\u{0}-\u{1f}\u{7f}-\u{9f}\u{202a}-\u{202e}\u{2066}-\u{2069}\u{200b}-\u{200f}\u{2028}\u{2029}\u{61c}a-c \n]{0,40}") {
            for text in [text, hidden] {
                prop_assert!(!one_line(&text).chars().any(forbidden));
                prop_assert!(!lines(&text).chars().any(|c| c != '\n' && forbidden(c)));
                let mut written = Vec::new();
                ShownLines::new(&mut written).write_all(text.as_bytes()).unwrap();
                let written = String::from_utf8(written).unwrap();
                prop_assert_eq!(written.replace("\n    ", "\n"), lines(&text).replace("\n    ", "\n"));
                prop_assert!(written.lines().skip(1).all(|line| line.is_empty() || line.starts_with("    ")));
                let value = serde_json::to_string_pretty(&[&text]).unwrap();
                let shown = json(&value);
                prop_assert!(!shown.chars().any(|c| c != '\n' && forbidden(c)));
                prop_assert_eq!(serde_json::from_str::<Vec<String>>(&shown).unwrap(), vec![text]);
            }
        }
    }

    #[test]
    fn what_can_be_seen_stays_as_it_is() {
        let text = "Größe 10 % → «prod» 日本 ‘x’ a_b/c:d";
        assert_eq!(one_line(text), text);
        assert_eq!(lines(text), text);
        assert_eq!(json(text), text);
    }
}
