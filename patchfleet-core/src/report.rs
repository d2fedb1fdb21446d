//! What became of every location and every node.

mod node;

pub use node::{NodeOutcome, NodeRow, Tally};
