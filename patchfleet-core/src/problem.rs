//! What is wrong with an input. All problems are told at once, each with a stable code, the field, the value, and what
//! would be right.

use crate::presigned::concealed_within;
use crate::text::{counted, is_hidden, one_line};
use serde::Serialize;
use std::borrow::Cow;
use std::error::Error;
use std::fmt;

/// The longest part of a value that a problem repeats, in characters.
pub(crate) const MAX_VALUE_CHARS: usize = 80;

/// How many problems are written out for people. [`Problems::problems`] has all of them.
pub(crate) const MAX_SHOWN: usize = 100;

/// One thing that is wrong with an input.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// Which kind of problem. Stable: scripts may match on it.
    pub code: ProblemCode,
    /// The field's path, such as `targets.accounts[1]`. It is empty for the input as a whole.
    pub path: String,
    /// The value as it was given, with texts in quotes, cut after 80 characters. It is empty if there is no value.
    pub value: String,
    /// What would be right.
    pub expected: String,
    /// Where the field stands in the text, if the input is one. For a missing field it is the place of the table that
    /// should have it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<Place>,
}

/// A place in a text. Lines and columns (in characters) count from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Place {
    /// The line.
    pub line: u64,
    /// The column.
    pub column: u64,
}

impl Place {
    /// The place of the character that follows `before`.
    pub(crate) fn after(before: &str) -> Self {
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        Self {
            line: u64::try_from(line).unwrap_or(u64::MAX),
            column: u64::try_from(column).unwrap_or(u64::MAX),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}", self.line, self.column)
    }
}

impl Problem {
    /// A problem of the field at `path`. The value is put into one line and cut. A presigned URL in it is replaced by
    /// its digest.
    ///
    /// ```
    /// use patchfleet_core::problem::{Problem, ProblemCode};
    ///
    /// let problem = Problem::new(ProblemCode::WrongType, "targets.accounts[1]", "1234", "12 digits, in quotes");
    /// assert_eq!(
    ///     problem.to_string(),
    ///     "[wrong_type] targets.accounts[1] = 1234: expected 12 digits, in quotes"
    /// );
    /// ```
    #[must_use]
    pub fn new(
        code: ProblemCode,
        path: impl Into<String>,
        value: impl Into<String>,
        expected: impl Into<String>,
    ) -> Self {
        Self {
            code,
            path: shown(path.into()),
            value: shortened(&concealed_within(&value.into())),
            expected: concealed_within(&expected.into()).into_owned(),
            at: None,
        }
    }
}

impl std::error::Error for Problem {}

/// A path in which hidden characters are escaped, since a key may be anybody's text.
fn shown(path: String) -> String {
    if path.chars().any(is_hidden) {
        one_line(&path)
    } else {
        path
    }
}

/// `text` in one line of at most [`MAX_VALUE_CHARS`] characters.
fn shortened(text: &str) -> String {
    let cut = text.chars().nth(MAX_VALUE_CHARS).is_some();
    let few: String = text.chars().take(MAX_VALUE_CHARS).collect();
    let mut short = one_line(&few);
    if cut || short.chars().count() > MAX_VALUE_CHARS {
        if let Some((last, _)) = short.char_indices().nth(MAX_VALUE_CHARS - 1) {
            short.truncate(last);
        }
        short.push('…');
    }
    short
}

/// The kinds of problem. Their snake_case names are stable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ProblemCode {
    /// The text is not TOML, JSON or YAML, or not UTF-8.
    Syntax,
    /// The input is something else than what was asked for, such as an event instead of a request.
    NotARequest,
    /// The input is larger than is read.
    TooLarge,
    /// A key that no field has.
    UnknownKey,
    /// A field that must be there is not.
    Missing,
    /// A value of another type than the field's.
    WrongType,
    /// A value that does not look as the field's values do.
    InvalidValue,
    /// A number or a length outside its range.
    OutOfRange,
    /// The same value twice where each must differ.
    Duplicate,
    /// Fields that exclude each other.
    Conflict,
    /// A right value that this version does not support.
    Unsupported,
}

impl ProblemCode {
    /// The code's stable name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Syntax => "syntax",
            Self::NotARequest => "not_a_request",
            Self::TooLarge => "too_large",
            Self::UnknownKey => "unknown_key",
            Self::Missing => "missing",
            Self::WrongType => "wrong_type",
            Self::InvalidValue => "invalid_value",
            Self::OutOfRange => "out_of_range",
            Self::Duplicate => "duplicate",
            Self::Conflict => "conflict",
            Self::Unsupported => "unsupported",
        }
    }
}

/// One line: `[code] path = value (line 3, column 8): what would be right`.
impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            code,
            path,
            value,
            expected,
            at,
        } = self;
        write!(f, "[{}] {path}", code.as_str())?;
        if !value.is_empty() {
            let equals = if path.is_empty() { "" } else { " = " };
            write!(f, "{equals}{value}")?;
        }
        if let Some(at) = at {
            write!(f, " ({at})")?;
        }
        if !path.is_empty() || !value.is_empty() {
            f.write_str(": ")?;
        }
        match code {
            ProblemCode::Missing
            | ProblemCode::WrongType
            | ProblemCode::InvalidValue
            | ProblemCode::OutOfRange
            | ProblemCode::TooLarge => write!(f, "expected {expected}"),
            ProblemCode::Syntax
            | ProblemCode::NotARequest
            | ProblemCode::UnknownKey
            | ProblemCode::Duplicate
            | ProblemCode::Conflict
            | ProblemCode::Unsupported => f.write_str(expected),
        }
    }
}

/// An input that was not accepted. Its text has a line for each problem.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, thiserror::Error)]
pub struct Problems {
    what: String,
    problems: Vec<Problem>,
}

impl Problems {
    /// The problems of `what`, such as "the request".
    #[must_use]
    pub fn new(what: impl Into<String>, problems: Vec<Problem>) -> Self {
        Self {
            what: what.into(),
            problems,
        }
    }

    /// The same problems, said of something else: "the request weekly.toml".
    #[must_use]
    pub fn of(mut self, what: impl Into<String>) -> Self {
        self.what = what.into();
        self
    }

    /// The same problems, each with the place that `place` gives for its path, in the order of the text.
    pub(crate) fn placed(mut self, place: impl Fn(&str) -> Option<Place>) -> Self {
        for problem in &mut self.problems {
            problem.at = place(&problem.path);
        }
        self.problems
            .sort_by_key(|problem| problem.at.map_or((1, None), |at| (0, Some(at))));
        self
    }

    /// What has the problems, such as "the request".
    #[must_use]
    pub fn what(&self) -> &str {
        &self.what
    }

    /// The problems, in the order in which their fields stand in the text. Problems without a place in the text come
    /// after them, field by field in the order of the documentation. Problems between fields come last.
    #[must_use]
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let n = self.problems.len();
        write!(f, "{} has {}", one_line(&self.what), counted(n, "problem"))?;
        for problem in self.problems.iter().take(MAX_SHOWN) {
            write!(f, "\n  {problem}")?;
        }
        match n.saturating_sub(MAX_SHOWN) {
            0 => Ok(()),
            more => write!(f, "\n  … and {more} more"),
        }
    }
}

/// An error and every cause below it, joined by `: `, for logs and for people. A cause whose words stand in the text
/// before it is left out. Each cause is put into one line.
///
/// ```
/// use patchfleet_core::problem::chain;
/// let error = std::io::Error::other("the disk is full");
/// assert_eq!(chain(&error), "the disk is full");
/// ```
#[must_use]
pub fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let next = one_line(&error.to_string());
        if !text.ends_with(&next) {
            text.push_str(": ");
            text.push_str(&next);
        }
        cause = error.source();
    }
    match concealed_within(&text) {
        Cow::Borrowed(_) => text,
        Cow::Owned(concealed) => concealed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_kept_to_one_line_of_eighty_characters() {
        let value = |text: &str| Problem::new(ProblemCode::InvalidValue, "x", text, "less").value;
        assert_eq!(value(&"é".repeat(80)), "é".repeat(80));
        assert_eq!(value(&"é".repeat(81)), format!("{}…", "é".repeat(79)));
        assert_eq!(value("a\nb\u{1b}[31m"), "a b\\u{1b}[31m");
        assert_eq!(value(&"a  b ".repeat(20)).chars().last(), Some('…'));
        assert_eq!(value(""), "");
    }

    #[test]
    fn each_problem_is_one_line_that_says_where_what_and_what_would_be_right() {
        let new = Problem::new;
        let problems = Problems::new(
            "the request",
            vec![
                new(ProblemCode::Syntax, "", "", "the text is not valid TOML"),
                new(ProblemCode::TooLarge, "", "9 bytes", "at most 8 bytes"),
                new(ProblemCode::Missing, "name", "", "a request name"),
                new(
                    ProblemCode::Conflict,
                    "targets",
                    "",
                    "exactly one of tags, node_ids",
                ),
                new(ProblemCode::OutOfRange, "budget.max", "0", "a count from 1"),
            ],
        );
        insta::assert_snapshot!(problems, @r#"
        the request has 5 problems
          [syntax] the text is not valid TOML
          [too_large] 9 bytes: expected at most 8 bytes
          [missing] name: expected a request name
          [conflict] targets: exactly one of tags, node_ids
          [out_of_range] budget.max = 0: expected a count from 1
        "#);
    }

    #[test]
    fn a_flood_of_problems_is_cut_short_for_people_only() {
        let problem = Problem::new(ProblemCode::Missing, "x", "", "y");
        let problems = Problems::new("the request", vec![problem; 105]);
        let text = problems.to_string();
        assert_eq!(problems.problems().len(), 105);
        assert_eq!(text.lines().count(), 102);
        assert!(text.ends_with("\n  … and 5 more"), "{text}");
    }
}
