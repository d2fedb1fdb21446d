//! The ports of one run, wired together.

use super::{Alarms, Automation, Clock, Commands, Directory, Documents, Inventory, PatchStates};
use std::fmt;
use std::sync::Arc;

/// Everything that planning and driving need of the world, but for the log. Cheap to clone.
#[derive(Clone)]
pub struct Ports {
    /// Which accounts and Regions there are.
    pub directory: Arc<dyn Directory>,
    /// Which nodes there are in a location.
    pub inventory: Arc<dyn Inventory>,
    /// Starts, follows and stops executions.
    pub automation: Arc<dyn Automation>,
    /// What commands did on each node.
    pub commands: Arc<dyn Commands>,
    /// What nodes report of their patches.
    pub patch_states: Arc<dyn PatchStates>,
    /// The runbook's home.
    pub documents: Arc<dyn Documents>,
    /// What state the CloudWatch alarm of a request is in.
    pub alarms: Arc<dyn Alarms>,
    /// Rules polling and waiting.
    pub clock: Arc<dyn Clock>,
}

impl Ports {
    /// The ports of one value that implements all of them, with a clock.
    #[must_use]
    pub fn of<T>(world: T, clock: Arc<dyn Clock>) -> Self
    where
        T: Directory + Inventory + Automation + Commands + PatchStates + Documents + Alarms + 'static,
    {
        let world = Arc::new(world);
        Self {
            directory: world.clone(),
            inventory: world.clone(),
            automation: world.clone(),
            commands: world.clone(),
            patch_states: world.clone(),
            documents: world.clone(),
            alarms: world,
            clock,
        }
    }

    /// The ports with which results are read.
    #[must_use]
    pub(crate) fn results(&self) -> ResultPorts<'_> {
        ResultPorts {
            automation: self.automation.as_ref(),
            commands: self.commands.as_ref(),
            patch_states: self.patch_states.as_ref(),
            inventory: self.inventory.as_ref(),
        }
    }
}

impl fmt::Debug for Ports {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ports").finish_non_exhaustive()
    }
}

/// The ports with which the results of a campaign are read, borrowed.
#[derive(Clone, Copy)]
pub struct ResultPorts<'a> {
    /// What the executions came to.
    pub automation: &'a dyn Automation,
    /// What commands did on each node.
    pub commands: &'a dyn Commands,
    /// What nodes report of their patches.
    pub patch_states: &'a dyn PatchStates,
    /// Which nodes there are.
    pub inventory: &'a dyn Inventory,
}

impl fmt::Debug for ResultPorts<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResultPorts").finish_non_exhaustive()
    }
}
