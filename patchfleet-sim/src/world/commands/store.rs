//! Every command.

use crate::world::{
    Command,
    runs::{Run, Runs},
};
use patchfleet_core::id::Location;

/// Every command.
pub(crate) type Commands = Runs<Command>;

impl Run for Command {
    fn id(&self) -> &str {
        &self.id
    }

    fn location(&self) -> &Location {
        &self.order.location
    }
}
