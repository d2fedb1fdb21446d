//! What became of a node, of a location and of a campaign: always one typed value.

mod finished;
mod location;
mod node;

pub use finished::FinishedOutcome;
pub use location::LocationOutcome;
pub(crate) use node::saturating_sum;
pub use node::{Goal, NodeOutcome, NodeRow, Tally};

#[cfg(test)]
mod tests;
