//! What can go wrong at most.
use serde::{Deserialize, Serialize};
/// Placeholder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorstCase;
