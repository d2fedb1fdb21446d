//! What can be wrong with a world file.

/// Why no world can be made of a spec.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WorldError {
    /// Not TOML, an unknown key, or a value of the wrong shape. The text has line and column.
    #[error("the world file cannot be read: {0}")]
    Syntax(String),
    /// Every key reads, and the world does not hold together. Every problem found, not the first.
    #[error("the world file contradicts itself:{}", list(.0))]
    Inconsistent(Vec<String>),
}

fn list(problems: &[String]) -> String {
    problems
        .iter()
        .map(|problem| format!("\n  - {problem}"))
        .collect()
}
