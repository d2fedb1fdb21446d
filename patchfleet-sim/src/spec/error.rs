//! What can be wrong with a world file.

use patchfleet_core::text::one_line;
use std::fmt;

/// Why no world can be made of a spec. Each lists every problem that was found, not the first.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WorldError {
    /// Not TOML, unknown keys, or values of the wrong shape.
    #[error("the world file cannot be read:{}", list(.0))]
    Syntax(Vec<Problem>),
    /// Every key reads, and the world does not hold together.
    #[error("the world file contradicts itself:{}", list(.0))]
    Inconsistent(Vec<Problem>),
}

impl WorldError {
    /// Every problem, in the order of the file.
    #[must_use]
    pub fn problems(&self) -> &[Problem] {
        let (Self::Syntax(problems) | Self::Inconsistent(problems)) = self;
        problems
    }
}

/// One thing that is wrong with a world. It is shown as `12:5: groups[2].nodes[0].count: …`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Where in the file; `None` for a spec that was made without one.
    pub position: Option<Position>,
    /// The key that is wrong, from the top: `groups[2].nodes[0].count`. Empty if it is no single key.
    pub path: String,
    /// What is wrong with it.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(position) = self.position {
            write!(to, "{position}: ")?;
        }
        if !self.path.is_empty() {
            write!(to, "{}: ", self.path)?;
        }
        to.write_str(&self.message)
    }
}

/// A place in a file, as editors count: both numbers begin at 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// The line.
    pub line: usize,
    /// The character in the line.
    pub column: usize,
}

impl fmt::Display for Position {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(to, "{}:{}", self.line, self.column)
    }
}

fn list(problems: &[Problem]) -> String {
    let line = |problem: &Problem| format!("\n{}", one_line(&problem.to_string()));
    problems.iter().map(line).collect()
}
