//! The results of nodes, one object for each location.

use super::objects::{Object, Objects, Only, Written};
use futures_util::FutureExt as _;
use patchfleet_core::campaign::NodeRows;
use patchfleet_core::id::{CampaignId, Location};
use patchfleet_core::outcome::NodeRow;
use patchfleet_core::port::{BoxFuture, PortError, PortErrorKind, PortResult};
use serde::{Deserialize, Serialize};
use std::error::Error;

/// How often rows are put anew because somebody else has put rows of the same location meanwhile.
const TRIES: u32 = 8;

/// Node rows in a bucket, the same as the log's.
#[derive(Debug)]
pub(super) struct S3Rows {
    objects: Objects,
}

#[derive(Serialize, Deserialize)]
struct Kept {
    campaign: CampaignId,
    location: Location,
    attempt: u32,
    rows: Vec<NodeRow>,
}

impl S3Rows {
    pub(super) fn new(objects: Objects) -> Self {
        Self { objects }
    }

    async fn put(&self, kept: Kept) -> PortResult<()> {
        let name = object(kept.campaign, &kept.location);
        let json = serde_json::to_vec(&kept).map_err(|error| {
            PortError::new(
                PortErrorKind::Invalid,
                format!("the rows of {} have no JSON", kept.location),
            )
            .with_source(error)
        })?;
        // Most rows are the first of their location.
        if let Written::Yes(_) = self.objects.put(&name, json.clone(), Only::IfNew).await? {
            return Ok(());
        }
        for _ in 0..TRIES {
            let there = self.objects.get(&name).await?;
            // What is damaged is written over: the rows that come are read anew.
            let newer = there
                .as_ref()
                .and_then(|there| self.read(&name, kept.campaign, &kept.location, there).ok());
            if newer.is_some_and(|newer| newer.attempt > kept.attempt) {
                return Ok(());
            }
            let tag = there.map(|there| there.tag.unwrap_or_default());
            let only = tag.as_deref().map_or(Only::IfNew, Only::IfTagged);
            if let Written::Yes(_) = self.objects.put(&name, json.clone(), only).await? {
                return Ok(());
            }
        }
        let message = format!("{} was written by others each time", self.objects.shown(&name));
        Err(PortError::new(PortErrorKind::Unavailable, message))
    }

    async fn rows(&self, campaign: CampaignId, location: Location) -> PortResult<Vec<NodeRow>> {
        let name = object(campaign, &location);
        match self.objects.get(&name).await? {
            Some(there) => Ok(self.read(&name, campaign, &location, &there)?.rows),
            None => Ok(vec![]),
        }
    }

    fn read(
        &self,
        name: &str,
        campaign: CampaignId,
        location: &Location,
        there: &Object,
    ) -> PortResult<Kept> {
        let damaged = |why: Box<dyn Error + Send + Sync>| {
            let message = format!(
                "{} cannot be read: it is damaged, or of a newer version",
                self.objects.shown(name)
            );
            PortError::new(PortErrorKind::Incompatible, message).with_source(why)
        };
        let kept: Kept = serde_json::from_slice(&there.bytes).map_err(|error| damaged(error.into()))?;
        if (kept.campaign, &kept.location) != (campaign, location) {
            let other = format!("it is of {} in campaign {}", kept.location, kept.campaign);
            return Err(damaged(other.into()));
        }
        Ok(kept)
    }
}

fn object(campaign: CampaignId, location: &Location) -> String {
    format!("nodes/{campaign}/{}_{}.json", location.account, location.region)
}

impl NodeRows for S3Rows {
    fn put(
        &self,
        campaign: CampaignId,
        location: &Location,
        attempt: u32,
        mut rows: Vec<NodeRow>,
    ) -> BoxFuture<'_, PortResult<()>> {
        rows.sort_by(|a, b| a.node.cmp(&b.node));
        let location = location.clone();
        self.put(Kept {
            campaign,
            location,
            attempt,
            rows,
        })
        .boxed()
    }

    fn rows(&self, campaign: CampaignId, location: &Location) -> BoxFuture<'_, PortResult<Vec<NodeRow>>> {
        self.rows(campaign, location.clone()).boxed()
    }
}
