//! The fields of a request as people write it, read one by one into a draft.

use super::draft::{Draft, Names, OPERATIONS, REBOOT_OPTIONS, rate_control};
use super::fields::{Collector, Fields};
use super::lookalike::lookalike;
use super::node::Node;
use super::policy::OFFLINE;
use super::{
    Access, AtCutoff, Budget, DeniedAction, Dispatch, GoneAction, NothingSelected, Output, PatchRequest,
    Policy, PolicyAction, Regions, RunbookPin, Selector, breaker, fleet, forecast, freeze, labels, values,
    waves,
};
use crate::id::{NodeId, OrgParent, Region, RequestName, TargetAccount};
use crate::problem::{Problem, ProblemCode, Problems};

pub(super) const WHAT: &str = "the request";

const NAMES: Names = Names {
    operation: "patch.operation",
    install_override_list: "patch.install_override_list",
    baseline_override: "patch.baseline_override",
    regions: "targets.regions",
    assume_role: "automation.assume_role",
    parameters: "automation.parameters",
};

const POLICY_ACTIONS: [(&str, PolicyAction); 3] = [
    ("refuse", PolicyAction::Refuse),
    ("skip", PolicyAction::Skip),
    ("keep", PolicyAction::Keep),
];

const DENIED_ACTIONS: [(&str, DeniedAction); 4] = [
    ("refuse", DeniedAction::Refuse),
    ("skip", DeniedAction::Skip),
    ("keep", DeniedAction::Keep),
    ("exclude", DeniedAction::Exclude),
];

const SELECTORS: [&str; 4] = ["resource_group", "tags", "all_managed", "node_ids"];

/// The keys of `targets`.
const TARGETS: [&str; 9] = [
    "resource_group",
    "tags",
    "all_managed",
    "node_ids",
    "accounts",
    "exclude_accounts",
    "include_child_ous",
    "regions",
    "exclude_regions",
];

/// The request that `node` is.
pub(super) fn request(node: &Node) -> Result<PatchRequest, Problems> {
    if let Some(problem) = lookalike(node) {
        return Err(Problems::new(WHAT, vec![problem]));
    }
    let mut out = Collector::default();
    let mut draft = Draft::default();
    let mut root = Fields::of_root(node, &mut out);
    draft.name = required(&mut root, "name", &mut out);
    read_patch(&mut root, &mut draft, &mut out);
    read_targets(&mut root, &mut draft, &mut out);
    read_policy(&mut root, &mut draft.policy, &mut out);
    read_access(&mut root, &mut draft.access, &mut out);
    read_budget(&mut root, &mut draft.budget, &mut out);
    draft.waves = waves::read(&mut root, &mut out);
    if let Some(field) = root.take("change_calendars") {
        const SHAPE: &str = "a list of change calendars, each a name or an ARN in quotes";
        draft.change_calendars = field.ids(SHAPE, &mut out).unwrap_or_default();
    }
    draft.forecast = forecast::read(&mut root, &mut out);
    draft.freezes = freeze::read(&mut root, &mut out);
    if let Some(field) = root.take("breaker") {
        draft.breaker = breaker::read(&field, &mut out);
    }
    read_output(&mut root, &mut draft.output, &mut out);
    read_automation(&mut root, &mut draft, &mut out);
    root.finish(&mut out);
    draft.finish(WHAT, &NAMES, out)
}

fn required(fields: &mut Fields<'_>, key: &'static str, out: &mut Collector) -> Option<RequestName> {
    let field = fields.take(key);
    if field.is_none() {
        out.missing_id::<RequestName>(&fields.path_of(key));
    }
    field?.id(out)
}

fn read_patch(root: &mut Fields<'_>, draft: &mut Draft, out: &mut Collector) {
    let mut patch = root.take_table("patch", out);
    if let Some(field) = patch.take("operation") {
        draft.operation = field.choice(&OPERATIONS, out);
    }
    if let Some(field) = patch.take("reboot_option") {
        draft.reboot_option = field.choice(&REBOOT_OPTIONS, out).unwrap_or_default();
    }
    if let Some(field) = patch.take("delivery_timeout") {
        draft.delivery_timeout = values::delivery_timeout(&field, out);
    }
    if let Some(field) = patch.take("install_override_list") {
        draft.install_override_list = values::install_override_list(&field, out);
    }
    if let Some(field) = patch.take("baseline_override") {
        draft.baseline_override = values::baseline_override(&field, out);
    }
    patch.finish(out);
}

fn read_targets(root: &mut Fields<'_>, draft: &mut Draft, out: &mut Collector) {
    const ACCOUNTS: &str = "a list of account, unit or root ids, each in quotes";
    let mut targets = root.take_table("targets", out);
    draft.selector = read_selector(&mut targets, out);
    if let Some(field) = targets.take("accounts") {
        draft.accounts = field.ids(ACCOUNTS, out).unwrap_or_default();
    }
    if let Some(field) = targets.take("exclude_accounts") {
        draft.exclude_accounts = field.ids_where(ACCOUNTS, refuse_root, out).unwrap_or_default();
    }
    if let Some(field) = targets.take("include_child_ous") {
        draft.include_child_ous = field.boolean(out).unwrap_or_default();
    }
    draft.regions = read_regions(&mut targets, out);
    if let Some(field) = targets.take("exclude_regions") {
        draft.exclude_regions = field.ids("a list of Regions", out).unwrap_or_default();
    }
    targets.finish(out);
}

/// Refuses the root, which AWS's `ExcludeAccounts` does not take either.
fn refuse_root(target: &TargetAccount) -> Option<&'static str> {
    matches!(target, TargetAccount::Parent(OrgParent::Root(_)))
        .then_some("an account or a unit: with the root excluded nothing is left")
}

/// Exactly one of the four selectors. Each one that is there is read, so that its own problems are told as well.
fn read_selector(targets: &mut Fields<'_>, out: &mut Collector) -> Option<Selector> {
    const KEYS: &str = "exactly one of resource_group, tags, all_managed = true, node_ids";
    let mut given: Vec<&str> = Vec::new();
    let mut selector = None;
    if let Some(field) = targets.take("resource_group") {
        given.push("resource_group");
        selector = field.id(out).map(Selector::ResourceGroup);
    }
    if let Some(field) = targets.take("tags") {
        given.push("tags");
        selector = values::tags(&field, out).map(Selector::Tags);
    }
    if let Some(field) = targets.take("all_managed") {
        match field.boolean(out) {
            Some(false) => {}
            yes => {
                given.push("all_managed");
                selector = yes.map(|_| Selector::AllManaged);
            }
        }
    }
    if let Some(field) = targets.take("node_ids") {
        given.push("node_ids");
        let ids = field.ids::<NodeId>("a list of node ids", out);
        if matches!(field.node(), Node::List(items) if items.is_empty()) {
            out.add(field.problem(ProblemCode::OutOfRange, "at least one node id"));
        }
        selector = ids.map(Selector::NodeIds);
    }
    match given.as_slice() {
        [] => {
            // A misspelt one is told by its name.
            if !targets.has_misspelt(&SELECTORS, &TARGETS) {
                out.missing(targets.path(), KEYS);
            }
            None
        }
        [_] => selector,
        several => {
            let expected = format!("{KEYS}; here are {}", several.join(" and "));
            out.add(Problem::new(ProblemCode::Conflict, targets.path(), "", expected));
            None
        }
    }
}

fn read_regions(targets: &mut Fields<'_>, out: &mut Collector) -> Option<Regions> {
    const EXPECTED: &str = "a list of Regions such as [\"eu-west-1\"], or \"all-enabled\"";
    let Some(field) = targets.take("regions") else {
        out.missing(&targets.path_of("regions"), EXPECTED);
        return None;
    };
    match field.node() {
        Node::Text(text) if text == "all-enabled" => Some(Regions::AllEnabled),
        Node::Text(_) => {
            out.add(field.problem(ProblemCode::InvalidValue, EXPECTED));
            None
        }
        Node::List(items) if items.is_empty() => {
            out.add(field.problem(ProblemCode::OutOfRange, "at least one Region, or \"all-enabled\""));
            None
        }
        _ => field.ids::<Region>(EXPECTED, out).map(Regions::List),
    }
}

fn read_policy(root: &mut Fields<'_>, policy: &mut Policy, out: &mut Collector) {
    let mut fields = root.take_table("policy", out);
    for (key, action) in [
        ("unknown", &mut policy.unknown),
        ("group_missing", &mut policy.group_missing),
        ("empty", &mut policy.empty),
    ] {
        choose(&mut fields, key, &POLICY_ACTIONS, action, out);
    }
    policy.denied = policy.unknown.into();
    choose(&mut fields, "denied", &DENIED_ACTIONS, &mut policy.denied, out);
    let nothing = [
        ("refuse", NothingSelected::Refuse),
        ("succeed", NothingSelected::Succeed),
    ];
    choose(
        &mut fields,
        "nothing_selected",
        &nothing,
        &mut policy.nothing_selected,
        out,
    );
    choose(&mut fields, "offline", &OFFLINE, &mut policy.offline, out);
    let gone = [("accept", GoneAction::Accept), ("fail", GoneAction::Fail)];
    choose(&mut fields, "gone", &gone, &mut policy.gone, out);
    let at_cutoff = [("cancel", AtCutoff::Cancel), ("finish", AtCutoff::Finish)];
    choose(&mut fields, "at_cutoff", &at_cutoff, &mut policy.at_cutoff, out);
    fields.finish(out);
}

/// Reads one of a few words, in place of the default.
fn choose<T: Copy>(
    fields: &mut Fields<'_>,
    key: &'static str,
    choices: &[(&str, T)],
    value: &mut T,
    out: &mut Collector,
) {
    if let Some(chosen) = fields.take(key).and_then(|field| field.choice(choices, out)) {
        *value = chosen;
    }
}

fn read_access(root: &mut Fields<'_>, access: &mut Access, out: &mut Collector) {
    let mut fields = root.take_table("access", out);
    if let Some(role) = fields.take("discovery_role").and_then(|field| field.id(out)) {
        access.discovery_role = role;
    }
    access.send_role = fields.take("send_role").and_then(|field| field.id(out));
    if let Some(field) = fields.take("external_id") {
        access.external_id = values::external_id(&field, out);
    }
    if let Some(name) = fields.take("session_name").and_then(|field| field.id(out)) {
        access.session_name = name;
    }
    fields.finish(out);
}

fn read_budget(root: &mut Fields<'_>, budget: &mut Budget, out: &mut Collector) {
    let mut fields = root.take_table("budget", out);
    for (key, rate) in [("nodes", &mut budget.nodes), ("locations", &mut budget.locations)] {
        let mut layer = fields.take_table(key, out);
        let (concurrency, errors) = (layer.take("max_concurrency"), layer.take("max_errors"));
        rate_control(rate, concurrency, errors, out);
        layer.finish(out);
    }
    budget.fleet = fields.take("fleet").and_then(|field| fleet::read(&field, out));
    if let Some(field) = fields.take("labels") {
        budget.labels = labels::read(&field, out);
    }
    fields.finish(out);
}

fn read_output(root: &mut Fields<'_>, output: &mut Output, out: &mut Collector) {
    let mut fields = root.take_table("output", out);
    let bucket = fields.take("s3_bucket");
    let prefix = fields.take("s3_prefix");
    let group = fields.take("cloudwatch_log_group");
    if bucket.is_none() && prefix.is_some() {
        let expected = "the bucket that output.s3_prefix is for";
        out.missing(&fields.path_of("s3_bucket"), expected);
    }
    output.s3_bucket = bucket.and_then(|field| field.id(out));
    output.s3_prefix = prefix.and_then(|field| field.id(out));
    output.cloudwatch_log_group = group.and_then(|field| field.id(out));
    fields.finish(out);
}

fn read_automation(root: &mut Fields<'_>, draft: &mut Draft, out: &mut Collector) {
    let mut fields = root.take_table("automation", out);
    let dispatches = [
        ("automation", Dispatch::Automation),
        ("run-command", Dispatch::RunCommand),
    ];
    choose(&mut fields, "dispatch", &dispatches, &mut draft.dispatch, out);
    if let Some(field) = fields.take("document") {
        draft.document = field.id(out);
    }
    if let Some(field) = fields.take("assume_role") {
        draft.assume_role = field.id(out);
    }
    if let Some(role) = fields.take("execution_role").and_then(|field| field.id(out)) {
        draft.execution_role = role;
    }
    let pins = [("default", RunbookPin::Default), ("version", RunbookPin::Version)];
    choose(&mut fields, "pin", &pins, &mut draft.pin, out);
    if let Some(field) = fields.take("parameters") {
        draft.parameters = values::parameters(&field, out).unwrap_or_default();
    }
    fields.finish(out);
}
