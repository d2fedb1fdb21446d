//! What became of a node, of a location and of a campaign: always one typed value.

mod finished;
mod location;
mod node;
mod patches;

pub use finished::FinishedOutcome;
pub use location::LocationOutcome;
pub(crate) use node::saturating_sum;
pub use node::{Goal, NodeOutcome, NodeRow, Tally};
pub(crate) use patches::NODES_NAMED;
pub use patches::{NamedPatch, NamesUnread, NamesUnreadReason, PATCHES_NAMED, PatchNames};

#[cfg(test)]
mod tests;
