//! The breakers of a plan in words.

use super::Plan;
use crate::text::{by_number, counted};

impl Plan {
    /// What `breaker` comes to, in words; `None` if the request has none.
    pub(super) fn breakers_in_words(&self) -> Option<String> {
        let breaker = &self.request.breaker;
        let mut lines = vec![];
        if let Some(most) = breaker.consecutive_failures {
            lines.push(format!(
                "  nothing more is begun once {} {} failed one after another (consecutive_failures = {most})",
                counted(most, "location"),
                by_number(most, "has", "have"),
            ));
            lines.extend(self.why_no_row(most));
        }
        if let Some(share) = breaker.failure_share {
            lines.push(format!(
                "  nothing more is begun once more than {} of the last {} failed, were lost, or are unknown (failure_share = \
                 {}, sample = {})",
                share.most,
                counted(share.sample, "node"),
                share.most,
                share.sample,
            ));
            let nodes = self.locations.iter().map(|location| location.nodes);
            let nodes: Option<u64> = nodes.map(|nodes| Some(u64::from(nodes?.total()))).sum();
            if let Some(nodes) = nodes.filter(|nodes| *nodes < u64::from(share.sample)) {
                let there = by_number(nodes, "is", "are");
                lines.push(format!(
                    "    it never says anything, as there {there} {}",
                    counted(nodes, "node")
                ));
            }
        }
        if let Some(alarm) = &breaker.alarm {
            lines.push(format!(
                "  nothing more is begun once the CloudWatch alarm {alarm} of the central account and Region is in the state \
                 ALARM (alarm)"
            ));
        }
        if breaker.handed_alarm().is_some() {
            lines.push(
                "    Systems Manager then stops by itself what was started, also if nobody drives the campaign, and if it cannot \
                 read the alarm (hand_alarm_to_aws)"
                    .to_owned(),
            );
        }
        (!lines.is_empty()).then(|| format!("Breakers\n{}\n", lines.join("\n")))
    }

    /// Why so many failures in a row never end this campaign, if something else ends it before.
    fn why_no_row(&self, most: u32) -> Option<String> {
        let begun: usize = self.units.iter().map(|unit| unit.locations().count()).sum();
        if u64::try_from(begun).unwrap_or(u64::MAX) < u64::from(most) {
            let there = by_number(begun, "is", "are");
            let begun = counted(begun, "location");
            return Some(format!("    it never trips, as there {there} {begun}"));
        }
        // Where several starts have one location, each of them counts here, and the budget counts the location once.
        let allowed = self.location_errors();
        (begun == self.locations.len() && allowed < most).then(|| {
            format!(
                "    budget.locations.max_errors = {} ends it by then, as it allows {allowed}",
                self.request.budget.locations.max_errors
            )
        })
    }
}
