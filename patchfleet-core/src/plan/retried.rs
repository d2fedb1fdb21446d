//! That a plan is for what another campaign has left.

use crate::id::CampaignId;
use crate::request::PatchRequest;
use serde::{Deserialize, Serialize};

/// The campaign whose nodes a plan tries again. The plan's own request names these nodes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Retried {
    /// The campaign.
    pub campaign: CampaignId,
    /// The request that was first asked for, which says which nodes are selected. A retry of a retry has the same.
    pub request: Box<PatchRequest>,
}
