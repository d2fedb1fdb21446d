//! What became of every location and every node.
//!
//! A [`Report`] is made from a campaign's [`State`](crate::campaign::State) and its node rows. It
//! keeps every location, and of the nodes those that somebody has to look at. An [`Explanation`] says of one location or
//! node alone why it came to that, and which records of the log say so. An [`OverrideList`] names the patches that its nodes
//! have installed.

mod build;
mod explain;
mod override_list;
mod second;
mod text;

pub use build::{
    ExecutionReport, LocationReport, NodeReport, Report, ReportOutcome, Totals, UnresolvedReport,
    WaveToApprove,
};
pub use explain::{
    AwsId, AwsIdKind, Explanation, LastRecord, LocationExplanation, LogLine, NodeExplanation, PlannedNode,
    Standing, Subject, SubjectError, UnitExplanation,
};
pub use override_list::{OverrideList, PinnedPatch};
