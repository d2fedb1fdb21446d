//! What became of a node, of a location and of a campaign: always one typed value.

mod finished;
mod location;
mod lost_at_work;
mod node;
mod patches;

pub use finished::FinishedOutcome;
pub use location::LocationOutcome;
pub use lost_at_work::LostAtWork;
pub(crate) use node::saturating_sum;
pub use node::{Goal, NodeOutcome, NodeRow, Tally};
pub(crate) use patches::NODES_NAMED;
pub use patches::{NamedPatch, NamesUnread, NamesUnreadReason, PATCHES_NAMED, PatchNames};

#[cfg(test)]
mod tests;
