//! The patches that a campaign's nodes have installed, for a later request to install the same.

use super::{CampaignError, Campaigns};
use crate::campaign::State;
use crate::id::{CampaignId, WaveName};
use crate::plan::require_central;
use crate::report::OverrideList;
use crate::request::Operation;
use crate::text::names;

/// Why there is no list of what nodes have installed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OverrideListError {
    /// The campaign, or this wave of it, only scanned.
    #[error("{} of campaign {campaign} only scans, and a list is made of nodes that it has patched", wave.as_ref().map_or("every wave".to_owned(), |wave| format!("wave {wave}")))]
    OnlyScans {
        /// The campaign.
        campaign: CampaignId,
        /// The wave, if one was named.
        wave: Option<String>,
    },
    /// No location of the campaign is in this wave.
    #[error("campaign {campaign} has no location in a wave {wave}. It has locations in: {waves}")]
    NoSuchWave {
        /// The campaign.
        campaign: CampaignId,
        /// The wave that was named.
        wave: WaveName,
        /// The waves that have locations, in words.
        waves: String,
    },
    /// The campaign installed with a baseline override. AWS then keeps what nodes had reported before it.
    #[error(
        "campaign {campaign} installed with patch.baseline_override, and AWS keeps no list of patches of such a run: name the \
         patches by hand"
    )]
    BaselineOverride {
        /// The campaign.
        campaign: CampaignId,
    },
    /// As for every other call.
    #[error(transparent)]
    Campaign(#[from] CampaignError),
}

impl Campaigns {
    /// What the nodes of a campaign have installed, as a list that a later request names with
    /// `patch.install_override_list`. So what follows weeks after a canary gets the patches that the canary got. `state` is
    /// what the store says of the campaign ([`Store::load`](crate::campaign::Store::load)), and `wave` the name of a wave;
    /// `None`: all of its waves.
    ///
    /// AWS is asked now about each node that has been installed on and is `done` or waits for a reboot, at least two calls a
    /// node. Whatever was installed since is in the list, too. Nothing is started, and nothing is written into the log. The
    /// campaign may still be open: [`OverrideList::not_over`].
    ///
    /// Nodes that cannot be read are no error: [`OverrideList::unread`] has them.
    ///
    /// # Errors
    ///
    /// [`OverrideListError`] if the campaign or the wave installed nothing of which AWS keeps the patches, or there is no such
    /// wave; if the ports are not in the account and Region that the campaign was planned from; or if the rows do not
    /// answer.
    pub async fn override_list(
        &self,
        state: &State,
        wave: Option<&WaveName>,
    ) -> Result<OverrideList, OverrideListError> {
        let (plan, campaign) = (state.plan(), state.campaign());
        let waves = plan.waves();
        let number = match wave {
            None => None,
            Some(name) => match waves.iter().find(|planned| planned.name == name.as_str()) {
                Some(planned) => Some(planned.number),
                None => {
                    return Err(OverrideListError::NoSuchWave {
                        campaign,
                        wave: name.clone(),
                        waves: names(waves.iter().map(|planned| planned.name)),
                    });
                }
            },
        };
        let mut operations = waves
            .iter()
            .filter(|planned| number.is_none_or(|number| number == planned.number))
            .map(|planned| plan.request.operation_in(planned.number))
            .peekable();
        // Where there was nothing to do, no wave has a location.
        if operations.peek().is_some() && !operations.any(|operation| operation == Operation::Install) {
            return Err(OverrideListError::OnlyScans {
                campaign,
                wave: wave.map(ToString::to_string),
            });
        }
        if plan.request.patch.baseline_override.is_some() {
            return Err(OverrideListError::BaselineOverride { campaign });
        }
        let central = require_central(self.watched().directory.as_ref(), plan).await;
        central.map_err(CampaignError::from)?;
        let installed = self.driver().installed(state, number).await;
        let installed = installed.map_err(CampaignError::from)?;
        let (patches, left_out) = OverrideList::sorted(installed.patches.into_iter());
        Ok(OverrideList {
            campaign_id: campaign,
            request: plan.request.name.clone(),
            wave: wave.map(ToString::to_string),
            read_at: self.now(),
            nodes: installed.nodes,
            patches,
            left_out,
            unread: installed.unread,
            not_over: installed.not_over,
        })
    }
}
