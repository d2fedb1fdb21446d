//! Whether an execution that was found is what a request asks for.

use crate::id::{CampaignId, Location, TargetAccount, UnitId};
use crate::plan::{Plan, PlannedLocation};
use crate::port::{ExecutionView, Resolution};
use crate::presigned::concealed;
use crate::request::{OfflineAction, PatchRequest, Regions, Selector};
use crate::runbook;
use crate::text::names;
use std::collections::{BTreeMap, BTreeSet};

type Parameters = BTreeMap<String, Vec<String>>;

pub(super) const TARGETS: &str = "Targets";

/// Parameters that a start leaves out if the request says nothing of them, and that would mean
/// something if they were there.
const OPTIONAL: [&str; 2] = ["InstallOverrideList", "BaselineOverride"];

/// In what the execution is not what the request asks for, a phrase each. What AWS does not report is
/// not compared, nor is what follows from a census.
pub(super) fn differences(
    request: &PatchRequest,
    campaign: CampaignId,
    resolution: Resolution,
    found: &ExecutionView,
) -> Vec<String> {
    let mut differences = vec![];
    let asked = &request.automation.document;
    if let Some(document) = &found.document
        && last_part(document) != last_part(asked.as_str())
    {
        differences.push(format!("it runs {document}, not {asked}"));
    }
    let there = &found.parameters;
    let said = said(request, campaign);
    for (name, values) in &said {
        if !same_values(values, of(there, name)) {
            differences.push(differs(name, of(there, name), values));
        }
    }
    if runbook::is_own(asked) {
        for name in OPTIONAL {
            let values = of(there, name);
            if !said.contains_key(name) && !is_empty(values) {
                differences.push(differs(name, values, &[]));
            }
        }
        differences.extend(other_targets(request, resolution, there));
    } else if !said.contains_key(runbook::SNAPSHOT_ID) {
        // Given by the campaign if the runbook takes one, which is not known without reading it.
        let (values, own) = (
            of(there, runbook::SNAPSHOT_ID),
            [campaign.snapshot_id().to_string()],
        );
        if !is_empty(values) && !same_values(&own, values) {
            differences.push(differs(runbook::SNAPSHOT_ID, values, &own));
        }
    }
    let ruled_out = found
        .locations
        .iter()
        .flatten()
        .filter(|at| rules_out(request, at));
    let ruled_out =
        named(ruled_out).map(|some| format!("it also runs in {some}, which the request rules out"));
    differences.extend(ruled_out);
    differences
}

/// In which locations a plan of now and what was started are not the same, a sentence each.
pub(super) fn changed(plan: &Plan, started: Option<&BTreeSet<Location>>) -> Vec<String> {
    let Some(started) = started else {
        return vec![];
    };
    let planned: BTreeSet<Location> = plan.locations.iter().map(PlannedLocation::location).collect();
    let fewer = named(started.difference(&planned)).map(|some| {
        format!("the earlier delivery started it in {some} too, where nothing would be patched now")
    });
    let more = named(planned.difference(started)).map(|some| {
        format!("by now there would also be nodes to patch in {some}, and the earlier delivery did not start it there")
    });
    fewer.into_iter().chain(more).collect()
}

/// The parameters that follow from the request and the campaign alone, but for the targets.
fn said(request: &PatchRequest, campaign: CampaignId) -> Parameters {
    let mut said = runbook::said(request);
    if runbook::is_own(&request.automation.document) {
        // Which unit it is follows from the plan.
        let of_campaign = runbook::of_campaign(campaign, UnitId::from_index(0)).into_iter();
        said.extend(of_campaign.filter(|(name, _)| name != runbook::UNIT_ID));
        if request.budget.fleet.is_some() {
            // What a bound on the fleet makes of it follows from the census.
            said.remove(runbook::MAX_CONCURRENCY);
        }
    }
    said
}

/// How the targets of patchfleet's own runbook differ from the request's selection. Where a plan names
/// nodes, it depends on the census which those are.
fn other_targets(request: &PatchRequest, resolution: Resolution, there: &Parameters) -> Option<String> {
    let (targets, nodes) = (of(there, TARGETS), runbook::named_nodes(there));
    let selector = &request.targets.selector;
    let may_name_any = matches!(selector, Selector::AllManaged)
        || resolution == Resolution::ByIds
        || request.policy.offline == OfflineAction::Skip
        || request.budget.names_nodes();
    match (selector, nodes) {
        (Selector::NodeIds(asked), Some(nodes)) => {
            let others: Vec<String> = nodes
                .iter()
                .filter(|node| !asked.contains(node))
                .map(ToString::to_string)
                .collect();
            return (!others.is_empty())
                .then(|| format!("it names nodes that the request does not: {}", others.join(", ")));
        }
        (_, Some(_)) if may_name_any => return None,
        (Selector::AllManaged | Selector::NodeIds(_), None) => {
            return Some(format!("its {TARGETS} names no nodes: {}", shown(targets)));
        }
        (Selector::AllManaged | Selector::ResourceGroup(_) | Selector::Tags(_), _) => {}
    }
    // A selection that does not fit in a parameter was never started.
    let asked = runbook::targets(selector).unwrap_or_default();
    (!same_values(&asked, targets)).then(|| differs(TARGETS, targets, &asked))
}

/// Whether the request itself says that this location is not meant. A unit's accounts, and the Regions
/// that are enabled, are not known here.
fn rules_out(request: &PatchRequest, at: &Location) -> bool {
    let targets = &request.targets;
    let is_it = |account: &TargetAccount| matches!(account, TargetAccount::Account(id) if *id == at.account);
    let all_are_ids = targets
        .accounts
        .iter()
        .all(|account| matches!(account, TargetAccount::Account(_)));
    let other_account = !targets.accounts.is_empty() && all_are_ids && !targets.accounts.iter().any(is_it);
    let other_region = match &targets.regions {
        Regions::List(regions) => !regions.contains(&at.region),
        Regions::AllEnabled => false,
    };
    other_account
        || other_region
        || targets.exclude_regions.contains(&at.region)
        || targets.exclude_accounts.iter().any(is_it)
}

fn of<'a>(parameters: &'a Parameters, name: &str) -> &'a [String] {
    parameters.get(name).map(Vec::as_slice).unwrap_or_default()
}

/// Whether a parameter is as good as not there: AWS may report a default.
fn is_empty(values: &[String]) -> bool {
    values.iter().all(String::is_empty)
}

fn differs(name: &str, there: &[String], asked: &[String]) -> String {
    match (is_empty(there), is_empty(asked)) {
        (true, _) => format!("it has no {name}, and {} is asked for", shown(asked)),
        (_, true) => format!("its {name} is {}, and none is asked for", shown(there)),
        _ => format!("its {name} is {}, not {}", shown(there), shown(asked)),
    }
}

fn shown(values: &[String]) -> String {
    let values: Vec<_> = values.iter().map(|value| concealed(value)).collect();
    values.join(", ")
}

/// A document's name without the account and Region of its ARN.
fn last_part(document: &str) -> &str {
    document.rsplit('/').next().unwrap_or(document)
}

/// Whether two values of a parameter are the same. JSON may be spelt in another way.
pub(super) fn same_values(asked: &[String], there: &[String]) -> bool {
    let json = |text: &String| serde_json::from_str::<serde_json::Value>(text).ok();
    asked.len() == there.len()
        && asked
            .iter()
            .zip(there)
            .all(|(asked, there)| asked == there || (json(asked).is_some() && json(asked) == json(there)))
}

/// The first few of these locations; `None` if there are none.
fn named<'a>(locations: impl Iterator<Item = &'a Location>) -> Option<String> {
    let mut locations = locations.peekable();
    locations.peek()?;
    Some(names(locations))
}
