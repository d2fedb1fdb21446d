//! Asking the CloudWatch alarm of a request when it is planned.

use super::PlanError;
use crate::id::AlarmName;
use crate::port::{AlarmState, Alarms};
use crate::refusal::{Refusal, RefusalCode, RefusalReason};
use crate::request::PatchRequest;
use crate::text::{cut, one_line};
use jiff::Timestamp;

/// After how many characters CloudWatch's reason is cut. It may be 1,023 long (CloudWatch API, `StateReason`).
const REASON: usize = 300;

/// The warning that it is in the state ALARM now. Nothing of the plan begins then, and a run of it ends at once.
///
/// # Errors
///
/// A refusal if there is no such alarm or it cannot be asked: then nothing would ever begin. It refuses as well if it is in the
/// state ALARM and nobody would see what becomes of the campaign.
pub(super) async fn asked(
    alarms: &dyn Alarms,
    request: &PatchRequest,
    is_followed: bool,
) -> Result<Option<String>, PlanError> {
    let Some(name) = &request.breaker.alarm else {
        return Ok(None);
    };
    let refused = |detail| {
        Refusal {
            reasons: vec![RefusalReason {
                code: RefusalCode::Alarm,
                subject: "breaker.alarm".to_owned(),
                detail,
            }],
        }
        .into()
    };
    let view = match alarms.alarm(name).await {
        Ok(Some(view)) => view,
        Ok(None) => {
            return Err(refused(format!(
                "there is no CloudWatch alarm {name} in the central account and Region, and an alarm that does not exist never \
                 goes off. Name a metric or composite alarm that is there, or leave it out"
            )));
        }
        Err(error) if error.kind().is_transient() => return Err(PlanError::Port(error)),
        Err(error) => {
            return Err(refused(format!(
                "the CloudWatch alarm {name} cannot be asked in the central account and Region (cloudwatch:DescribeAlarms), so \
                 nothing would ever begin: {}",
                error.reason()
            )));
        }
    };
    match view.state {
        AlarmState::Alarm => {}
        AlarmState::InsufficientData => {
            return Ok(Some(format!(
                "the CloudWatch alarm {name} has too little data for a state, and goes off only once it has enough: see that it watches \
                 the right metric"
            )));
        }
        AlarmState::Ok => return Ok(None),
    }
    let said = in_alarm_in_words(name, &shown_reason(&view.reason), view.since);
    match is_followed {
        true => Ok(Some(format!(
            "{said}. As long as it is, a run of this plan ends at once and begins nothing"
        ))),
        false => Err(refused(format!("{said}, and nothing begins as long as it is"))),
    }
}

/// CloudWatch's reason in one line that is not too long.
pub(crate) fn shown_reason(reason: &str) -> String {
    cut(&one_line(reason), REASON)
}

/// That an alarm is in the state ALARM: since when, and why, as far as CloudWatch says so.
pub(crate) fn in_alarm_in_words(name: &AlarmName, reason: &str, since: Option<Timestamp>) -> String {
    let since = since.map_or(String::new(), |since| format!(" since {since:.0}"));
    let reason = match reason.is_empty() {
        true => String::new(),
        false => format!(" ({})", reason.trim_end_matches('.')),
    };
    format!("the CloudWatch alarm {name} is in the state ALARM{since}{reason}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::port::{AlarmView, BoxFuture, PortError, PortErrorKind, PortResult};
    use serde_json::json;

    /// What CloudWatch says.
    struct Says(fn() -> PortResult<Option<AlarmView>>);

    impl Alarms for Says {
        fn alarm(&self, _: &AlarmName) -> BoxFuture<'_, PortResult<Option<AlarmView>>> {
            Box::pin(std::future::ready((self.0)()))
        }
    }

    fn in_state(state: AlarmState) -> PortResult<Option<AlarmView>> {
        Ok(Some(AlarmView {
            state,
            reason: "Threshold Crossed: 1 datapoint\u{1b}[2J.".to_owned(),
            since: "2026-03-01T22:00:00Z".parse().ok(),
        }))
    }

    fn said(says: fn() -> PortResult<Option<AlarmView>>, is_followed: bool) -> String {
        let request = json!({
            "name": "web", "targets": {"resource_group": "Web", "regions": ["us-east-1"]}, "breaker": {"alarm": "web errors"},
        });
        let request = PatchRequest::from_value(request).unwrap();
        let asked = Box::pin(async move { asked(&Says(says), &request, is_followed).await });
        match futures_util::FutureExt::now_or_never(asked).unwrap() {
            Ok(None) => "nothing".to_owned(),
            Ok(Some(warning)) => format!("warns: {warning}"),
            Err(PlanError::Refused(refusal)) => format!("refuses: {refusal}"),
            Err(error) => format!("fails: {error}"),
        }
    }

    #[test]
    fn the_plan_says_what_the_alarm_says() {
        assert_eq!(said(|| in_state(AlarmState::Ok), true), "nothing");
        // Systems Manager as well takes it for no reason to stop.
        insta::assert_snapshot!(said(|| in_state(AlarmState::InsufficientData), false), @"warns: the CloudWatch alarm web errors has too little data for a state, and goes off only once it has enough: see that it watches the right metric");
        insta::assert_snapshot!(said(|| in_state(AlarmState::Alarm), true), @r"warns: the CloudWatch alarm web errors is in the state ALARM since 2026-03-01T22:00:00Z (Threshold Crossed: 1 datapoint\u{1b}[2J). As long as it is, a run of this plan ends at once and begins nothing");
        insta::assert_snapshot!(said(|| in_state(AlarmState::Alarm), false), @r"refuses: refused: [alarm] breaker.alarm: the CloudWatch alarm web errors is in the state ALARM since 2026-03-01T22:00:00Z (Threshold Crossed: 1 datapoint\u{1b}[2J), and nothing begins as long as it is");
        insta::assert_snapshot!(said(|| Ok(None), true), @r"refuses: refused: [alarm] breaker.alarm: there is no CloudWatch alarm web errors in the central account and Region, and an alarm that does not exist never goes off. Name a metric or composite alarm that is there, or leave it out");
        let denied = || Err(PortError::new(PortErrorKind::Denied, "AccessDenied: no"));
        insta::assert_snapshot!(said(denied, true), @r"refuses: refused: [alarm] breaker.alarm: the CloudWatch alarm web errors cannot be asked in the central account and Region (cloudwatch:DescribeAlarms), so nothing would ever begin: AccessDenied: no");
        let throttled = || Err(PortError::new(PortErrorKind::Throttled, "slow down"));
        insta::assert_snapshot!(said(throttled, true), @r"fails: slow down");
    }
}
