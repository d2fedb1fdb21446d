//! How much at once, and how many failures: AWS's grammar, one rounding policy, worst cases.

mod rate;
mod rounding;
mod worst_case;

pub use rate::{MaxConcurrency, MaxErrors, ParseRateError};
pub(crate) use worst_case::Paced;
pub use worst_case::WorstCase;
