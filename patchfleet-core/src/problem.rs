//! What is wrong with an input: every problem at once, each with a stable code, the field, the
//! value and what would be right.

use serde::Serialize;
use std::fmt;

/// One thing that is wrong with an input.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// Which kind of problem. Stable: scripts may match on it.
    pub code: ProblemCode,
    /// The field's path, such as `targets.accounts[1]`. Empty: the input as a whole.
    pub path: String,
    /// The value as it was given, shortened if it is long. Empty: there is none.
    pub value: String,
    /// What would be right.
    pub expected: String,
}

/// The kinds of problem. Their snake_case names are stable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ProblemCode {
    /// The text is not TOML, JSON or YAML, or not UTF-8.
    Syntax,
    /// The input is larger than is read.
    TooLarge,
    /// A key that no field has.
    UnknownKey,
    /// A field that must be there is not.
    Missing,
    /// A value of another type than the field's.
    WrongType,
    /// A value that does not have the field's shape.
    InvalidValue,
    /// A number or a length outside its range.
    OutOfRange,
    /// The same value twice where each must differ.
    Duplicate,
    /// Fields that exclude each other.
    Conflict,
    /// Right in itself, and not supported by this version.
    Unsupported,
}

impl ProblemCode {
    /// The code's stable name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Syntax => "syntax",
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

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            code,
            path,
            value,
            expected,
        } = self;
        write!(f, "[{}] ", code.as_str())?;
        if !path.is_empty() {
            write!(f, "{path}")?;
            if !value.is_empty() {
                write!(f, " = {value}")?;
            }
            f.write_str(": ")?;
        } else if !value.is_empty() {
            write!(f, "{value}: ")?;
        }
        f.write_str(expected)
    }
}

/// An input that was not accepted: one line for each problem.
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

    /// The problems, in the order of the input's fields.
    #[must_use]
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let n = self.problems.len();
        write!(
            f,
            "{} has {n} problem{}",
            self.what,
            if n == 1 { "" } else { "s" }
        )?;
        for problem in &self.problems {
            write!(f, "\n  {problem}")?;
        }
        Ok(())
    }
}
