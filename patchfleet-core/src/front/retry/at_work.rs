//! Nodes that a retry leaves out, as a command may be at work on them still.

use crate::campaign::State;
use crate::id::CampaignId;
use crate::outcome::Tally;
use crate::refusal::{RefusalCode, RefusalReason};
use crate::text::{by_number, counted};

/// The nodes of a campaign of which nobody knows what they came to.
#[derive(Debug)]
pub(super) struct AtWork {
    campaign: CampaignId,
    nodes: Tally,
    /// Whether the campaign has bounds on nodes. Then it can be retried once, and no second time.
    is_bounded: bool,
}

impl AtWork {
    /// Those of this campaign, by its log. `None` if there are none.
    pub(super) fn of(campaign: &State) -> Option<Self> {
        let mut nodes = Tally::default();
        let settled = campaign.locations().filter_map(|(_, _, at)| at.settled.as_ref());
        for (outcome, n) in settled.flat_map(|settled| settled.nodes.iter()) {
            if outcome.is_unknown() {
                nodes.add(outcome, n);
            }
        }
        let plan = campaign.plan();
        (nodes.total() > 0).then(|| Self {
            campaign: campaign.campaign(),
            nodes,
            is_bounded: plan.fleet.is_some() || !plan.labels.is_empty(),
        })
    }

    /// That a retry leaves them out.
    pub(super) fn told(&self) -> String {
        let (n, campaign) = (self.nodes.total(), self.campaign);
        let first = match self.is_bounded {
            true => format!(
                ". Do so first: campaign {campaign} has bounds on nodes, so it is retried once and no second time"
            ),
            false => String::new(),
        };
        format!(
            "{} {} not tried again: {}{first}",
            self.counted(),
            by_number(n, "is", "are"),
            self.why(),
        )
    }

    /// That nothing else is left to try.
    pub(super) fn refused(&self) -> RefusalReason {
        RefusalReason {
            code: RefusalCode::NotRetried,
            subject: format!("campaign {}", self.campaign),
            detail: format!(
                "nothing can be tried again. It left {}: {}. Where that finds nothing, look at {} before you run the request again",
                self.counted(),
                self.why(),
                by_number(self.nodes.total(), "the node", "the nodes"),
            ),
        }
    }

    /// How many, and how many of them came to what.
    fn counted(&self) -> String {
        let each = self.nodes.iter();
        let each: Vec<String> = each
            .map(|(outcome, n)| format!("{n} {}", outcome.as_str()))
            .collect();
        format!("{} ({})", counted(self.nodes.total(), "node"), each.join(", "))
    }

    fn why(&self) -> String {
        let n = self.nodes.total();
        format!(
            "nobody knows what {} came to, and a command may be at work there still. `patchfleet collect {}` reads {} again, and a retry \
             after that takes what has failed",
            by_number(n, "it", "they"),
            self.campaign,
            by_number(n, "its results", "their results"),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::NodeOutcome;
    use uuid::Uuid;

    #[test]
    fn what_may_be_at_work_is_told_in_the_singular_and_in_the_plural() {
        let at_work = |nodes: &[NodeOutcome], is_bounded| AtWork {
            campaign: CampaignId::from_uuid(Uuid::from_u128(7)),
            nodes: nodes.iter().copied().collect(),
            is_bounded,
        };
        let one = at_work(&[NodeOutcome::Unknown], false);
        let three = at_work(
            &[
                NodeOutcome::Unknown,
                NodeOutcome::RunningAtExpiry,
                NodeOutcome::Unknown,
            ],
            true,
        );
        insta::assert_snapshot!(one.told(), @"1 node (1 unknown) is not tried again: nobody knows what it came to, and a command may be at work there still. `patchfleet collect 00000000-0000-0000-0000-000000000007` reads its results again, and a retry after that takes what has failed");
        insta::assert_snapshot!(three.told(), @"3 nodes (1 running_at_expiry, 2 unknown) are not tried again: nobody knows what they came to, and a command may be at work there still. `patchfleet collect 00000000-0000-0000-0000-000000000007` reads their results again, and a retry after that takes what has failed. Do so first: campaign 00000000-0000-0000-0000-000000000007 has bounds on nodes, so it is retried once and no second time");
        insta::assert_snapshot!(one.refused().detail, @"nothing can be tried again. It left 1 node (1 unknown): nobody knows what it came to, and a command may be at work there still. `patchfleet collect 00000000-0000-0000-0000-000000000007` reads its results again, and a retry after that takes what has failed. Where that finds nothing, look at the node before you run the request again");
        insta::assert_snapshot!(three.refused().detail, @"nothing can be tried again. It left 3 nodes (1 running_at_expiry, 2 unknown): nobody knows what they came to, and a command may be at work there still. `patchfleet collect 00000000-0000-0000-0000-000000000007` reads their results again, and a retry after that takes what has failed. Where that finds nothing, look at the nodes before you run the request again");
    }
}
