//! What a world file says of AWS itself, and nothing changes.

use crate::spec::{AutomationSpec, ConsistencySpec, QuotasSpec, RunCommandSpec, WorldSpec};
use jiff::SignedDuration;
use patchfleet_core::id::Region;
use std::collections::{BTreeMap, BTreeSet};

/// How AWS is in this world.
#[derive(Debug, Clone)]
pub(crate) struct Rules {
    /// How long every call takes.
    pub(crate) latency: SignedDuration,
    /// Whether listings give short and empty pages.
    pub(crate) short_pages: bool,
    /// How long a document takes to become Active.
    pub(crate) document_settle: SignedDuration,
    pub(crate) automation: AutomationSpec,
    pub(crate) run_command: RunCommandSpec,
    pub(crate) quotas: QuotasSpec,
    pub(crate) consistency: ConsistencySpec,
    /// The S3 buckets that there are; `None`: every name is one.
    pub(crate) buckets: Option<BTreeSet<String>>,
    /// The Regions of S3 buckets. One without is in every Region.
    pub(crate) bucket_regions: BTreeMap<String, Region>,
}

impl Rules {
    pub(in crate::world) fn of(spec: &WorldSpec) -> Self {
        Self {
            latency: SignedDuration::from_millis(i64::from(spec.api_latency_ms)),
            short_pages: spec.short_pages,
            document_settle: SignedDuration::from_secs(i64::from(spec.document_settle_seconds)),
            automation: spec.automation.clone(),
            run_command: spec.run_command,
            quotas: spec.quotas.clone(),
            consistency: spec.consistency.clone(),
            buckets: spec.buckets.clone().map(BTreeSet::from_iter),
            bucket_regions: spec.bucket_regions.clone(),
        }
    }
}
