//! The ports of one run, wired together.

use super::{Automation, Clock, Directory, Documents, Inventory};
use std::fmt;
use std::sync::Arc;

/// Everything that planning and driving need of the world, but for the log. Cheap to clone.
#[derive(Clone)]
pub struct Ports {
    /// Which accounts and Regions there are.
    pub directory: Arc<dyn Directory>,
    /// Which nodes there are in a location.
    pub inventory: Arc<dyn Inventory>,
    /// Starts and follows executions.
    pub automation: Arc<dyn Automation>,
    /// The runbook's home.
    pub documents: Arc<dyn Documents>,
    /// Rules polling and waiting.
    pub clock: Arc<dyn Clock>,
}

impl Ports {
    /// The ports that one value implements, with a clock.
    #[must_use]
    pub fn of<T>(world: T, clock: Arc<dyn Clock>) -> Self
    where
        T: Directory + Inventory + Automation + Documents + 'static,
    {
        let world = Arc::new(world);
        Self {
            directory: world.clone(),
            inventory: world.clone(),
            automation: world.clone(),
            documents: world,
            clock,
        }
    }
}

impl fmt::Debug for Ports {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ports").finish_non_exhaustive()
    }
}
