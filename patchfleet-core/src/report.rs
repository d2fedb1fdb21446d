//! What became of every location and every node.
//!
//! A [`Report`] is made from a campaign's [`State`](crate::campaign::State) and its node rows. It
//! keeps every location, and of the nodes those that somebody has to look at.

mod build;
mod text;

pub use build::{
    ExecutionReport, LocationReport, NodeReport, Report, ReportOutcome, Totals, UnresolvedReport,
};
