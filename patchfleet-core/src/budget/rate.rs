//! AWS's grammar for rate controls.
use serde::{Deserialize, Serialize};
/// Placeholder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct MaxConcurrency;
/// Placeholder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct MaxErrors;
