//! What the inputs of both posts have in common. Names are flat and in PascalCase, a list may be one text with commas,
//! an empty text means that nothing is set, and there is one resource group.

use super::defaults::OWN_DOCUMENT;
use super::draft::Draft;
use super::fields::{Collector, Field, Fields};
use super::node::Node;
use super::{PatchRequest, Regions, Selector};
use crate::id::{ParseIdError, Region, ResourceGroupName};
use crate::problem::ProblemCode;
use std::str::FromStr;

/// `node` with every text trimmed, and the texts under `lists` split at their commas.
pub(super) fn tidied(node: Node, lists: &[&str]) -> Node {
    match node {
        Node::Table(entries) => Node::Table(
            entries
                .into_iter()
                .map(|(key, value)| {
                    let value = match value {
                        Node::Text(text) if lists.contains(&key.as_str()) && !text.trim().is_empty() => {
                            Node::List(text.split(',').map(|part| Node::Text(part.to_owned())).collect())
                        }
                        other => other,
                    };
                    (key, trimmed(value))
                })
                .collect(),
        ),
        other => other,
    }
}

fn trimmed(node: Node) -> Node {
    match node {
        Node::Text(text) => Node::Text(text.trim().to_owned()),
        Node::List(items) => Node::List(items.into_iter().map(trimmed).collect()),
        other => other,
    }
}

/// The identifiers of a list. Empty entries are passed over, and repeated ones count once.
pub(super) fn lenient_ids<T>(field: &Field<'_>, expected: &str, out: &mut Collector) -> Vec<T>
where
    T: FromStr<Err = ParseIdError> + PartialEq,
{
    let mut ids = Vec::new();
    for item in field.list(expected, out).unwrap_or_default() {
        if matches!(item.node(), Node::Text(text) if text.is_empty()) {
            continue;
        }
        if let Some(id) = item.id(out)
            && !ids.contains(&id)
        {
            ids.push(id);
        }
    }
    ids
}

/// The Regions, which must be there.
pub(super) fn regions(fields: &mut Fields<'_>, key: &'static str, out: &mut Collector) -> Option<Regions> {
    const EXPECTED: &str = "Regions, as a list or with commas: us-east-1,eu-west-1";
    let Some(field) = fields.take_filled(key) else {
        out.missing(&fields.path_of(key), EXPECTED);
        return None;
    };
    let regions: Vec<Region> = lenient_ids(&field, EXPECTED, out);
    let empty = |item: &Node| matches!(item, Node::Text(text) if text.is_empty());
    if matches!(field.node(), Node::List(items) if items.iter().all(empty)) {
        out.add(field.problem(ProblemCode::OutOfRange, "at least one Region"));
    }
    Some(Regions::List(regions))
}

/// Yes or no. CloudFormation and consoles write it as a text.
pub(super) fn flag(field: &Field<'_>, out: &mut Collector) -> Option<bool> {
    match field.node() {
        Node::Text(_) => field.choice(&[("true", true), ("false", false)], out),
        _ => field.boolean(out),
    }
}

/// The resource group, which must be there. The request gets its own name by [`named`].
pub(super) fn group(fields: &mut Fields<'_>, key: &'static str, draft: &mut Draft, out: &mut Collector) {
    let Some(field) = fields.take_filled(key) else {
        out.missing_id::<ResourceGroupName>(&fields.path_of(key));
        return;
    };
    let group: Option<ResourceGroupName> = field.id(out);
    draft.name = group.as_ref().and_then(|_| PROVISIONAL_NAME.parse().ok());
    draft.selector = group.map(Selector::ResourceGroup);
}

/// The name of a request while its content is read. It is the same for all, so the digest that ends the final name is
/// that of the content alone.
const PROVISIONAL_NAME: &str = "unnamed";

/// The request under the name that follows from its content: `prefix`, the group and a digest.
pub(super) fn named(request: PatchRequest, prefix: &str) -> PatchRequest {
    let group = match &request.targets.selector {
        Selector::ResourceGroup(group) => group.to_string(),
        _ => String::new(),
    };
    request.named_by_content(prefix, &group)
}

/// Fills in the parameters of a runbook of the user's own: those of the posts' runbook.
/// `Operation` is always given, so a runbook whose own default is Install installs nothing unasked. The others are given
/// if the input has them. `SnapshotId` is left to the runbook's default, because a snapshot lives for three days and a
/// fixed one would be older.
pub(super) fn fill_parameters(draft: &mut Draft, reboot_option_given: bool) {
    if draft
        .document
        .as_ref()
        .is_none_or(|document| document.as_str() == OWN_DOCUMENT)
    {
        return;
    }
    let assume_role = draft.assume_role.as_ref().map(ToString::to_string);
    let operation = draft.operation.map(|operation| operation.as_str().to_owned());
    let reboot_option = reboot_option_given.then(|| draft.reboot_option.as_str().to_owned());
    for (key, value) in [
        ("AutomationAssumeRole", assume_role),
        ("Operation", operation),
        ("RebootOption", reboot_option),
        ("InstallOverrideList", draft.install_override_list.clone()),
    ] {
        if let Some(value) = value {
            draft.parameters.insert(key.to_owned(), vec![value]);
        }
    }
}

/// The role in the target accounts. The posts' set-up has one, so the census reads with it as well.
pub(super) fn execution_role(field: Option<Field<'_>>, draft: &mut Draft, out: &mut Collector) {
    if let Some(role) = field.and_then(|field| field.id(out)) {
        draft.execution_role = role;
        draft.access.discovery_role = draft.execution_role.clone();
    }
}
