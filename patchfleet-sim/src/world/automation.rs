//! Automation: executions from their start to their end, and what may run at once.

mod alarm;
mod cancel;
mod execution;
mod executions;
mod fan_out;
mod lifecycle;
mod line;
mod locations;
mod rate_control;
mod signal;
mod steps;
mod target_location;
mod token;

pub(crate) use alarm::{AlarmConfiguration, TriggeredAlarm};
pub use execution::{Execution, LocationTargets, Shape, StartOrder, StartRefusal, Step};
pub(crate) use execution::{Failure, FailureKind, FailureStage, TargetUnit};
pub(crate) use executions::Executions;
pub(in crate::world) use lifecycle::Checked;
pub(in crate::world) use line::Lines;
pub(crate) use rate_control::RateInput;
pub use rate_control::{RateControl, Selection};
pub use signal::{Signal, SignalRefusal};
pub(in crate::world) use steps::Branch;
pub(crate) use target_location::TargetLocation;
pub(crate) use token::Token;
pub(in crate::world) use token::Tokens;
