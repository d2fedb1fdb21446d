//! A campaign together with the second attempt at the nodes that it did not reach.

use super::{Report, ReportOutcome};
use crate::outcome::{LocationOutcome, NodeOutcome};
use crate::refusal::SkipReason;

impl Report {
    /// Whether a second attempt may follow ([`Retry::Unreached`](crate::Retry)): the campaign came to its end, and there are nodes
    /// that it did not reach. One that was halted gets none, as what halted it is for a person to judge.
    #[must_use]
    pub fn left_unreached(&self) -> bool {
        self.outcome == ReportOutcome::Partial && self.totals.nodes.count(NodeOutcome::Unreached) > 0
    }

    /// The exit code of this campaign together with its second attempt: 0 if the first fell short of nothing but nodes that it did
    /// not reach, and the second brought each of these to its goal. Otherwise the higher one of both.
    #[must_use]
    pub fn exit_code_with(&self, second: &Self) -> u8 {
        match self.is_made_good_by(second) {
            true => 0,
            false => self.exit_code().max(second.exit_code()),
        }
    }

    fn is_made_good_by(&self, second: &Self) -> bool {
        use LocationOutcome as L;
        let in_locations = self.locations.iter().all(|location| {
            let is_told = matches!(location.outcome, Some(L::Succeeded | L::Emptied | L::NodesFailed));
            is_told && location.unnamed == 0
        });
        let skipped = self
            .skipped
            .iter()
            .any(|skip| matches!(skip.reason, SkipReason::Unknown | SkipReason::Offline));
        let not_reached = |node: &super::NodeReport| node.outcome == NodeOutcome::Unreached;
        let is_second = second.retries == Some(self.campaign_id);
        let unreached = self.totals.nodes.count(NodeOutcome::Unreached);
        self.left_unreached()
            && in_locations
            && !skipped
            && self.needs_action.iter().all(not_reached)
            && is_second
            && second.outcome == ReportOutcome::Succeeded
            // One that is not selected or not registered any more was not tried.
            && second.totals.nodes.total() >= unreached
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::CampaignId;
    use crate::report::{LocationReport, NodeReport, Totals};
    use serde_json::{Value, json};
    use uuid::Uuid;

    fn id(n: u128) -> CampaignId {
        CampaignId::from_uuid(Uuid::from_u128(n))
    }

    fn report(n: u128, outcome: &str, nodes: &Value) -> Report {
        let location = json!({
            "account": "111111111111", "region": "us-east-1", "units": 1, "detail": "", "nodes": nodes,
            "outcome": if outcome == "succeeded" { "succeeded" } else { "nodes_failed" },
        });
        let rows: Vec<Value> = nodes
            .as_object()
            .unwrap()
            .iter()
            .filter(|(outcome, _)| *outcome != "done")
            .map(|(outcome, _)| {
                json!({
                    "account": "111111111111", "region": "us-east-1", "node": "i-0123456789abcdef0",
                    "outcome": outcome, "detail": "",
                })
            })
            .collect();
        let totals: Totals = serde_json::from_value(json!({
            "candidates": 1, "locations": 1, "skipped": 0, "outcomes": {}, "nodes": nodes,
        }))
        .unwrap();
        let locations: Vec<LocationReport> = vec![serde_json::from_value(location).unwrap()];
        let needs_action: Vec<NodeReport> = serde_json::from_value(json!(rows)).unwrap();
        let mut report: Report = serde_json::from_value(json!({
            "campaign_id": id(n), "request": "weekly", "operation": "Install", "outcome": outcome,
            "executions": [], "locations": [], "skipped": [], "needs_action": [], "totals": totals,
        }))
        .unwrap();
        report.locations = locations;
        report.needs_action = needs_action;
        report
    }

    fn first() -> Report {
        report(1, "partial", &json!({"done": 3, "unreached": 1}))
    }

    fn second() -> Report {
        Report {
            retries: Some(id(1)),
            ..report(2, "succeeded", &json!({"done": 1}))
        }
    }

    #[test]
    fn a_second_attempt_that_reaches_each_node_makes_the_first_good() {
        assert!(first().left_unreached());
        assert_eq!(first().exit_code_with(&second()), 0);
    }

    #[test]
    fn whatever_else_is_left_keeps_the_exit_code() {
        let mut skipped = first();
        skipped.skipped = serde_json::from_value(json!([{
            "account": "111111111111", "region": "eu-west-1", "reason": "unknown", "detail": "",
        }]))
        .unwrap();
        let mut unnamed = first();
        unnamed.locations[0].unnamed = 1;
        let mut vanished = first();
        vanished.locations[0].outcome = Some(LocationOutcome::Vanished);
        let failed = report(1, "partial", &json!({"done": 2, "failed": 1, "unreached": 1}));
        for (what, first) in [
            ("skipped", skipped),
            ("unnamed", unnamed),
            ("vanished", vanished),
            ("failed", failed),
        ] {
            assert_eq!(first.exit_code_with(&second()), 4, "{what}");
        }
        let two = report(1, "partial", &json!({"done": 2, "unreached": 2}));
        assert_eq!(two.exit_code_with(&second()), 4, "one of two was tried");
        let of_another = Report {
            retries: Some(id(7)),
            ..second()
        };
        assert_eq!(first().exit_code_with(&of_another), 4);
        for (outcome, code) in [("partial", 4), ("halted", 5), ("nothing_to_do", 4)] {
            let second = Report {
                retries: Some(id(1)),
                ..report(2, outcome, &json!({"unreached": 1}))
            };
            assert_eq!(first().exit_code_with(&second), code, "{outcome}");
        }
    }

    #[test]
    fn a_campaign_that_was_halted_or_reached_each_node_has_no_second_attempt() {
        let halted = report(1, "halted", &json!({"done": 3, "unreached": 1}));
        let failed = report(1, "partial", &json!({"done": 3, "failed": 1}));
        assert!(!halted.left_unreached() && !failed.left_unreached());
        assert_eq!(halted.exit_code_with(&second()), 5);
    }
}
