//! Requests in JSON: their values, and where each stands.

use super::Format;
use crate::problem::{Place, Problem};
use crate::request::fields::joined;
use crate::request::node::Node;
use crate::request::places::Wanted;

/// Reads a text into a tree of values.
pub(super) fn read(text: &str) -> Result<Node, Problem> {
    serde_json::from_str(text).map_err(|e| {
        let message = e.to_string();
        let place = format!(" at line {} column {}", e.line(), e.column());
        let at = (e.line() > 0).then(|| {
            // serde_json counts the bytes read of the line, so it can stand at 0.
            let line_start = text
                .split_inclusive('\n')
                .take(e.line() - 1)
                .map(str::len)
                .sum::<usize>();
            let before = text
                .get(..line_start + e.column().saturating_sub(1))
                .unwrap_or(text);
            Place::after(before)
        });
        Format::Json.error(at, message.strip_suffix(&place).unwrap_or(&message))
    })
}

/// Notes where the fields of a text stand. The text was read, so it is valid.
pub(in crate::request) fn places(text: &str, wanted: &mut Wanted) {
    let mut scan = Scan {
        rest: text,
        line: 1,
        column: 1,
    };
    // If the walk should still disagree with the reader, the places that it has noted so far are kept.
    let _: Option<()> = scan.value("", wanted);
}

/// A walk over a valid text that knows in which line and column it is.
struct Scan<'a> {
    rest: &'a str,
    line: u64,
    column: u64,
}

impl<'a> Scan<'a> {
    fn step(&mut self) -> Option<char> {
        let mut rest = self.rest.chars();
        let next = rest.next()?;
        self.rest = rest.as_str();
        if next == '\n' {
            self.line += 1;
            self.column = 1;
        } else {
            self.column += 1;
        }
        Some(next)
    }

    /// Passes space, and gives what stands behind it.
    fn next(&mut self) -> Option<char> {
        while self.rest.starts_with([' ', '\t', '\r', '\n']) {
            self.step();
        }
        self.rest.chars().next()
    }

    fn place(&self) -> Place {
        Place {
            line: self.line,
            column: self.column,
        }
    }

    /// Passes a text, and gives it with its quotes.
    fn quoted(&mut self) -> Option<&'a str> {
        let from = self.rest;
        self.step()?;
        loop {
            match self.step()? {
                '\\' => {
                    self.step()?;
                }
                '"' => return from.get(..from.len() - self.rest.len()),
                _ => {}
            }
        }
    }

    /// Passes a value, and notes where what is in it stands. `None`: this is no JSON.
    fn value(&mut self, path: &str, wanted: &mut Wanted) -> Option<()> {
        match self.next()? {
            '{' => self.parts('}', |scan, _| {
                let at = scan.place();
                let key: String = serde_json::from_str(scan.quoted()?).ok()?;
                let path = joined(path, &key);
                wanted.note(&path, || Some(at));
                scan.next().filter(|next| *next == ':')?;
                scan.step();
                scan.value(&path, wanted)
            }),
            '[' => self.parts(']', |scan, index| {
                let path = format!("{path}[{index}]");
                wanted.note(&path, || Some(scan.place()));
                scan.value(&path, wanted)
            }),
            '"' => self.quoted().map(drop),
            _ => {
                while !self.rest.is_empty() && !self.rest.starts_with([',', ']', '}', ' ', '\t', '\r', '\n'])
                {
                    self.step();
                }
                Some(())
            }
        }
    }

    /// Passes the parts of a list or of a table, each with its number from 0, up to its bracket.
    fn parts(&mut self, end: char, mut part: impl FnMut(&mut Self, usize) -> Option<()>) -> Option<()> {
        self.step()?;
        if self.next()? == end {
            return self.step().map(drop);
        }
        for index in 0.. {
            self.next()?;
            part(self, index)?;
            let between = self.next()?;
            self.step();
            if between == end {
                return Some(());
            }
            (between == ',').then_some(())?;
        }
        None
    }
}
