//! Run Command: commands on their way to nodes.

mod command;
mod store;
mod target;

pub(in crate::world) use command::Trouble;
pub use command::{Command, CommandOptions, CommandOrder, CommandRefusal, Invocation, InvocationState};
pub(crate) use command::{Plugin, is_error};
pub(crate) use store::Commands;
pub use target::Target;
