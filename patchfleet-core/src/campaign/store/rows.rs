//! Where the results of single nodes go.

use crate::id::{CampaignId, Location};
use crate::outcome::NodeRow;
use crate::port::{BoxFuture, PortResult};

/// Per-node results, kept apart from the log so that a campaign's memory grows with its locations
/// and not with its nodes.
///
/// **Which put wins.** Rows of a newer attempt win over those of an older one, whichever comes last. Of one attempt
/// those that are put last win, so a put may be made again. Rows are replaced as a whole, and never seen half
/// written. A put that does not win is no error. Of two puts at the same instant either may win: drivers that work
/// on one campaign put what they read of the same location, and what the log says of it stands whatever the rows are.
///
/// Does not promise: that rows outlive the campaign. With the feature `store-tests`, `campaign::conformance` holds
/// an implementation to this.
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
