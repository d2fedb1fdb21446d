//! How much at once, and how many failures: AWS's grammar, one rounding policy, worst cases.

mod rate;
mod worst_case;

pub use rate::{MaxConcurrency, MaxErrors};
pub use worst_case::WorstCase;
