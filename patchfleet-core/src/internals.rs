//! Parts of the engine for this workspace's own benchmarks and tests, which measure a stage by itself, or kill a
//! driver after each of its turns. Anything here may change or go. A program calls
//! [`Campaigns`](crate::Campaigns).

pub use crate::campaign::driver::{Driver, Turn};
pub use crate::campaign::fire::fire_plan;
pub use crate::campaign::rule::planted::without;
pub use crate::census::take::take as census;
pub use crate::expand::expand;
pub use crate::pack::pack;
pub use crate::plan::build::build;
pub use crate::plan::make::Options;
pub use crate::runbook::start::for_campaign;
pub use crate::slip::{Slip, with_slip};

use crate::campaign::{Record, State};
use crate::port::{PortError, PortErrorKind, PortResult};

/// Folds the records of a log from record 0 on.
///
/// # Errors
///
/// [`PortErrorKind::Incompatible`] if they are no campaign's.
pub fn fold(records: &[Record]) -> PortResult<State> {
    State::from_records(records).map_err(|error| {
        PortError::new(PortErrorKind::Incompatible, "the records are no campaign").with_source(error)
    })
}
