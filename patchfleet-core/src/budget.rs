//! How much at once, and how many failures: AWS's grammar, one rounding policy, worst cases.

mod fleet;
mod rate;
mod rounding;
mod seconds;
pub(crate) mod shares;
mod turns;
mod worst_case;

pub(crate) use fleet::{AwsPaced, Size, Sizes};
pub use rate::{MaxConcurrency, MaxErrors, ParseRateError, RateControl};
pub use seconds::Seconds;
pub(crate) use turns::{Queue, one_after_another};
pub use worst_case::{DriverDead, InTruth, WorstCase};
pub(crate) use worst_case::{Paced, PacedCommand, PacedNodes, PacedUnit, PacedWave};
