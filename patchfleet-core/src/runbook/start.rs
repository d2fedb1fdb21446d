//! What a start is given: its parameters, and what the campaign adds to them.

use super::{MAX_CONCURRENCY, PlannedRunbook, SNAPSHOT_ID, TargetTooLong, is_own, targets::targets};
use crate::budget::Seconds;
use crate::id::{
    BucketName, CampaignId, ClientToken, LogGroupName, NodeId, RequestDigest, RoleArn, RoleName, S3KeyPrefix,
    UnitId,
};
use crate::port::{Caller, CommandSettings, SendRequest, StartRequest, Tag};
use crate::request::{ADMINISTRATION_ROLE, OutputTo, PatchRequest, Selector};
use std::collections::BTreeMap;

/// The tag of an execution that has the campaign's id.
pub(crate) const TAG_CAMPAIGN: &str = "patchfleet:campaign";

/// The tag of an execution that has the unit's number.
pub(crate) const TAG_UNIT: &str = "patchfleet:unit";

/// The parameter by which an automation is told which role to act in.
const ASSUME_ROLE: &str = "AutomationAssumeRole";

/// The parameters of a unit's start.
///
/// For patchfleet's own runbook: the role, the targets, the rate controls within a location, and
/// those of AWS-RunPatchBaseline; one that is not set is left out, because AWS takes no empty
/// text. `nodes` replaces the selector's node ids by those of the unit.
///
/// For a runbook of one's own: `automation.parameters` as they are, and `AutomationAssumeRole` if
/// the request names a role and the parameters do not. How such a runbook finds its nodes is its
/// own affair, so `nodes` says nothing to it.
///
/// # Errors
///
/// [`TargetTooLong`] if a target is longer than one parameter value may be.
pub(crate) fn parameters(
    request: &PatchRequest,
    central: &Caller,
    nodes: Option<&[NodeId]>,
) -> Result<BTreeMap<String, Vec<String>>, TargetTooLong> {
    let mut parameters = said(request);
    if !is_own(&request.automation.document) {
        return Ok(parameters);
    }
    let targets = match nodes {
        Some(nodes) => targets(&Selector::NodeIds(nodes.to_vec()))?,
        None => targets(&request.targets.selector)?,
    };
    parameters.insert("Targets".to_owned(), targets);
    parameters
        .entry(ASSUME_ROLE.to_owned())
        .or_insert_with(|| vec![default_role(central)]);
    Ok(parameters)
}

/// The command for these nodes of a location, where patchfleet sends it itself. The campaign adds its comment and the
/// snapshot. `timeout` is its `TimeoutSeconds`, and `step_timeout` is passed where the document takes one.
pub(crate) fn command(
    request: &PatchRequest,
    nodes: Vec<NodeId>,
    timeout: Seconds,
    step_timeout: Option<Seconds>,
) -> SendRequest {
    const SETTINGS: [&str; 6] = [
        MAX_CONCURRENCY,
        super::MAX_ERRORS,
        "Output",
        "OutputS3BucketName",
        "OutputS3KeyPrefix",
        "CloudWatchLogGroupName",
    ];
    let mut parameters = of_the_patch(request);
    parameters.retain(|name, _| !SETTINGS.contains(&name.as_str()));
    if let Some(seconds) = step_timeout {
        let value = vec![seconds.get().to_string()];
        parameters.insert(super::STEP_TIMEOUT_PARAMETER.to_owned(), value);
    }
    let output = &request.output;
    SendRequest {
        document_name: super::command_document(),
        parameters,
        settings: CommandSettings {
            instance_ids: nodes,
            timeout_seconds: timeout,
            rates: request.budget.nodes,
            comment: String::new(),
            output_s3_bucket: output.s3_bucket.clone(),
            output_s3_prefix: output.s3_prefix.clone(),
            cloudwatch_log_group: output.cloudwatch_log_group.clone(),
        },
    }
}

/// Those parameters that follow from the request alone, wherever it is started from and whatever a
/// census finds: all but the targets, and the role if the request names none.
pub(crate) fn said(request: &PatchRequest) -> BTreeMap<String, Vec<String>> {
    let role = request.automation.assume_role.as_ref();
    let mut said = if is_own(&request.automation.document) {
        of_the_patch(request)
    } else {
        request.automation.parameters.clone()
    };
    if let Some(role) = role {
        said.entry(ASSUME_ROLE.to_owned())
            .or_insert_with(|| vec![role.to_string()]);
    }
    said
}

fn of_the_patch(request: &PatchRequest) -> BTreeMap<String, Vec<String>> {
    let (patch, rates) = (&request.patch, request.budget.nodes);
    let set = [
        (MAX_CONCURRENCY, rates.max_concurrency.to_string()),
        (super::MAX_ERRORS, rates.max_errors.to_string()),
        ("Operation", patch.operation.as_str().to_owned()),
        ("RebootOption", patch.reboot_option.as_str().to_owned()),
    ]
    .map(|(name, value)| (name, Some(value)));
    let lists = [
        ("InstallOverrideList", patch.install_override_list.clone()),
        ("BaselineOverride", patch.baseline_override.clone()),
    ];
    let output = &request.output;
    let text = |value: Option<&str>| value.map(str::to_owned);
    let places = [
        (
            "Output",
            Some(output.to())
                .filter(|to| *to != OutputTo::None)
                .map(|to| to.as_str().to_owned()),
        ),
        (
            "OutputS3BucketName",
            text(output.s3_bucket.as_ref().map(BucketName::as_str)),
        ),
        (
            "OutputS3KeyPrefix",
            text(output.s3_prefix.as_ref().map(S3KeyPrefix::as_str)),
        ),
        (
            "CloudWatchLogGroupName",
            text(output.cloudwatch_log_group.as_ref().map(LogGroupName::as_str)),
        ),
    ];
    let all = set.into_iter().chain(lists).chain(places);
    all.filter_map(|(name, value)| {
        let value = value.filter(|value| !value.is_empty())?;
        Some((name.to_owned(), vec![value]))
    })
    .collect()
}

/// The ARN of the central account's administration role, in the partition of the central Region.
fn default_role(central: &Caller) -> String {
    let name = ADMINISTRATION_ROLE.parse::<RoleName>();
    name.map(|name| RoleArn::build(central.region.partition(), &central.account, &name).to_string())
        .unwrap_or_default() // the name is right, see the tests
}

/// The start of a unit in a campaign: the plan's request with the campaign, the unit and the patch
/// snapshot, one for all nodes. A runbook of one's own is given the snapshot if the `bound` one has a
/// parameter `SnapshotId` and the request gives it none, as the second post's runbook has.
///
/// Each execution carries four tags of the five that AWS takes: campaign, unit, one whose key is unique for each start
/// (`start_tag_key`), and one whose key is that of the campaign (`campaign_tag_key`). AWS finds executions by a tag's key
/// only.
#[must_use]
pub fn for_campaign(
    request: &StartRequest,
    bound: Option<&PlannedRunbook>,
    campaign: CampaignId,
    unit: UnitId,
    attempt: u32,
) -> StartRequest {
    let mut start = request.clone();
    start.parameters.extend(added(request, bound, campaign, unit));
    if let Some(command) = &mut start.command {
        // A command has no tags.
        command.comment = CommandSettings::comment_of(campaign, unit, attempt);
        return start;
    }
    let token = campaign.client_token(unit, attempt);
    for (key, value) in [
        (TAG_CAMPAIGN.to_owned(), campaign.to_string()),
        (TAG_UNIT.to_owned(), unit.to_string()),
        (start_tag_key(token), "1".to_owned()),
        (campaign_tag_key(campaign), "1".to_owned()),
    ] {
        start.tags.push(Tag { key, value });
    }
    start
}

/// The key of the tag that every start of a campaign carries which a driver follows. By it everything is found that the
/// campaign has begun, also what its log does not know.
#[must_use]
pub(crate) fn campaign_tag_key(campaign: CampaignId) -> String {
    format!("patchfleet:campaign:{campaign}")
}

/// The start of a unit in a campaign that nobody follows. It is that of [`for_campaign`], with other tags: the campaign,
/// the unit, and keys by which a later delivery of the same event finds it. `plan` is the plan's digest, and `is_last`
/// says whether the plan has no unit after this one. These are all five tags that AWS takes of a start.
#[must_use]
pub(crate) fn for_event(
    request: &StartRequest,
    bound: Option<&PlannedRunbook>,
    campaign: CampaignId,
    unit: UnitId,
    plan: &RequestDigest,
    is_last: bool,
) -> StartRequest {
    let mut start = request.clone();
    start.parameters.extend(added(request, bound, campaign, unit));
    let tags = [
        (TAG_CAMPAIGN.to_owned(), campaign.to_string()),
        (TAG_UNIT.to_owned(), unit.to_string()),
        (event_tag_key(campaign), "1".to_owned()),
        (plan_tag_key(campaign, plan), plan.to_string()),
    ];
    let last = is_last.then(|| (last_tag_key(campaign), "1".to_owned()));
    for (key, value) in tags.into_iter().chain(last) {
        start.tags.push(Tag { key, value });
    }
    start
}

/// The key of the tag that every start of a campaign carries which nobody follows.
#[must_use]
pub(crate) fn event_tag_key(campaign: CampaignId) -> String {
    format!("patchfleet:event:{campaign}")
}

/// The key of the tag that the starts of one plan of such a campaign carry. A tag is found by its key alone, so the
/// digest stands in it. Of its 64 characters half have room beside the campaign (a key has 128 at most).
#[must_use]
pub(crate) fn plan_tag_key(campaign: CampaignId, plan: &RequestDigest) -> String {
    let digest: String = plan.to_string().chars().take(32).collect();
    format!("patchfleet:plan:{campaign}:{digest}")
}

/// The key of the tag that the last start of a plan of such a campaign carries. Units are begun in their order, so where
/// it is found the whole plan was begun.
#[must_use]
pub(crate) fn last_tag_key(campaign: CampaignId) -> String {
    format!("patchfleet:last:{campaign}")
}

/// The first value that the start of a unit in a campaign ([`for_campaign`]) has for a parameter.
pub(crate) fn given(
    request: &StartRequest,
    bound: Option<&PlannedRunbook>,
    campaign: CampaignId,
    unit: UnitId,
    name: &str,
) -> Option<String> {
    let added = added(request, bound, campaign, unit);
    let values = added.into_iter().find(|(added, _)| added == name);
    let values = values.map(|(_, values)| values);
    let values = values.or_else(|| request.parameters.get(name).cloned());
    values?.into_iter().next()
}

/// The parameters that a campaign adds to those of the plan's request.
fn added(
    request: &StartRequest,
    bound: Option<&PlannedRunbook>,
    campaign: CampaignId,
    unit: UnitId,
) -> Vec<(String, Vec<String>)> {
    let takes_snapshot = |bound: &PlannedRunbook| bound.parameters.iter().any(|name| name == SNAPSHOT_ID);
    if request.command.is_some() {
        let snapshot = campaign.snapshot_id().to_string();
        vec![(SNAPSHOT_ID.to_owned(), vec![snapshot])]
    } else if is_own(&request.document_name) {
        of_campaign(campaign, unit).into()
    } else if bound.is_some_and(takes_snapshot) && !request.parameters.contains_key(SNAPSHOT_ID) {
        let snapshot = campaign.snapshot_id().to_string();
        vec![(SNAPSHOT_ID.to_owned(), vec![snapshot])]
    } else {
        vec![]
    }
}

/// The parameters of patchfleet's own runbook that follow from the campaign alone.
pub(crate) fn of_campaign(campaign: CampaignId, unit: UnitId) -> [(String, Vec<String>); 3] {
    [
        ("CampaignId", campaign.to_string()),
        (super::UNIT_ID, unit.to_string()),
        (SNAPSHOT_ID, campaign.snapshot_id().to_string()),
    ]
    .map(|(name, value)| (name.to_owned(), vec![value]))
}

/// The key of the tag that only the start with this client token carries.
///
/// DescribeAutomationExecutions filters on tag keys, not on their values, so what has to be found
/// again stands in the key.
#[must_use]
pub(crate) fn start_tag_key(token: ClientToken) -> String {
    format!("patchfleet:start:{token}")
}
