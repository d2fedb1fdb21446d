//! Where the results of single nodes go.

use crate::id::{CampaignId, Location};
use crate::outcome::NodeRow;
use crate::port::{BoxFuture, PortResult};

/// Per-node results, kept apart from the log so that a campaign's memory grows with its locations
/// and not with its nodes.
///
/// Promises: [`put`](Self::put) is idempotent: rows put again for the same campaign, location and
/// attempt replace those put before. Does not promise: that rows outlive the campaign.
pub trait NodeRows: Send + Sync {
    /// Keeps the rows of a location.
    fn put(
        &self,
        campaign: CampaignId,
        location: &Location,
        attempt: u32,
        rows: Vec<NodeRow>,
    ) -> BoxFuture<'_, PortResult<()>>;

    /// The rows of a location, of its newest attempt, ordered by node.
    ///
    /// # Errors
    ///
    /// [`PortErrorKind::Incompatible`](crate::port::PortErrorKind::Incompatible) if what was kept is damaged or of
    /// another location; otherwise whatever keeps it from being read.
    fn rows(&self, campaign: CampaignId, location: &Location) -> BoxFuture<'_, PortResult<Vec<NodeRow>>>;
}
