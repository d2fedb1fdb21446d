//! The folder of campaign logs that a command names, and the campaigns there.

use crate::args::LogArgs;
use crate::exit::Failure;
use patchfleet_core::campaign::{CampaignSummary, State, Store};
use patchfleet_core::id::CampaignId;
use patchfleet_core::text::one_line;
use std::path::PathBuf;

/// Where campaigns are remembered, unless `--log` says so.
const DEFAULT_LOG: &str = ".patchfleet";

/// Campaigns' logs, and where they are.
pub(crate) struct Logs {
    pub(crate) store: Store,
    /// Where that is, for people.
    place: String,
}

impl Logs {
    /// The logs that are named.
    pub(crate) fn given(args: &LogArgs) -> Result<Self, Failure> {
        let dir = folder(args)?;
        Ok(Self {
            place: dir.display().to_string(),
            store: Store::in_folder(dir),
        })
    }

    /// Logs for a new campaign. A simulated organisation ends with the process, so nothing of it is worth
    /// keeping unless that is asked for.
    pub(crate) fn of(args: &LogArgs, simulated: bool) -> Result<Self, Failure> {
        if simulated && args.log.is_none() {
            return Ok(Self {
                store: Store::in_memory(),
                place: "memory".to_owned(),
            });
        }
        Self::given(args)
    }

    /// The campaign that is named, or the newest.
    pub(crate) async fn named_or_newest(&self, campaign: Option<CampaignId>) -> Result<State, Failure> {
        let campaign = match campaign {
            Some(campaign) => campaign,
            None => self.newest().await?,
        };
        self.find(campaign).await
    }

    /// The campaign that is named, or the newest that is open.
    pub(crate) async fn named_or_open(&self, campaign: Option<CampaignId>) -> Result<State, Failure> {
        let campaign = match campaign {
            Some(campaign) => campaign,
            None => self.newest_open().await?,
        };
        self.find(campaign).await
    }

    async fn find(&self, campaign: CampaignId) -> Result<State, Failure> {
        let found = self.store.load(campaign).await?;
        found.ok_or_else(|| Failure::Usage(format!("the log has no campaign {campaign}")))
    }

    async fn newest(&self) -> Result<CampaignId, Failure> {
        let found = self.listed().await?.first().map(|summary| summary.campaign);
        found.ok_or_else(|| Failure::Usage(format!("{} has no campaign", self.place)))
    }

    /// The newest campaign that its request's name belongs to. One that was refused the name was
    /// written down and never begun.
    async fn newest_open(&self) -> Result<CampaignId, Failure> {
        let all = self.listed().await?;
        for summary in all.iter().filter(|summary| summary.finished.is_none()) {
            if self.store.open_campaign(&summary.request).await? == Some(summary.campaign) {
                return Ok(summary.campaign);
            }
        }
        Err(Failure::Usage(format!("{} has no open campaign", self.place)))
    }

    /// The campaigns that can be read, the newest first; the others are named.
    async fn listed(&self) -> Result<Vec<CampaignSummary>, Failure> {
        let list = self.store.campaigns().await?;
        for damaged in &list.damaged {
            tracing::error!("{}: {}", damaged.log, one_line(&damaged.error.chain()));
        }
        Ok(list.campaigns)
    }
}

/// The folder of logs. A URL is no folder, and one of its name would be made here.
fn folder(args: &LogArgs) -> Result<PathBuf, Failure> {
    let dir = args.log.clone().unwrap_or_else(|| DEFAULT_LOG.into());
    if dir.as_os_str().is_empty() {
        return Err(Failure::Usage(format!(
            "--log (or PATCHFLEET_LOG) is empty: name a folder, or leave it out for {DEFAULT_LOG}"
        )));
    }
    if dir.to_string_lossy().contains("://") {
        return Err(Failure::Usage(format!(
            "--log (or PATCHFLEET_LOG) = {}: logs are kept in folders; other places are not supported by this version",
            dir.display()
        )));
    }
    Ok(dir)
}
