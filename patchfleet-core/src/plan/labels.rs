//! What a plan makes of `budget.labels`: which nodes have which value, and the bounds of each value as counts.

use super::{LeftBound, LeftOfValue, Plan, PlannedLocation, Retried};
use crate::budget::WorstCase;
use crate::census::{CensusTaken, ManagedNodes};
use crate::id::{Location, NodeId};
use crate::refusal::{RefusalCode, RefusalReason};
use crate::request::{LabelBudget, LabelKey, OfflineAction, PatchRequest, Untagged};
use crate::text::{by_number, counted, names};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

mod cells;

pub(crate) use cells::Cells;

/// What a plan makes of one label of `budget.labels`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct PlannedLabel {
    /// What the nodes are told apart by.
    pub by: LabelKey,
    /// The values, ascending, that of nodes without the tag first. Together they have every node that a command is sent to,
    /// but for `unbounded`.
    pub values: Vec<PlannedValue>,
    /// Nodes without the tag that the label does not bound, ascending.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unbounded: Vec<NodeId>,
}

/// One value of a label, and its bounds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct PlannedValue {
    /// The value; `None`: that of the nodes without the tag, which count as one value.
    pub value: Option<String>,
    /// How many of its nodes are being patched at the same time at most; `None`: the label bounds that no further.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_in_flight: Option<u32>,
    /// How many of its nodes end failed or lost at most; `None`: the label bounds that no further.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_damaged: Option<u32>,
    /// Its nodes that commands are sent to, ascending.
    pub nodes: Vec<NodeId>,
}

impl PlannedValue {
    /// The bounds of a value that has these nodes. A retry has what is `left` of the first campaign's. A value that the first
    /// campaign did not have is bounded by what the request says.
    fn new(
        label: &LabelBudget,
        left: Option<&LeftOfValue>,
        value: Option<String>,
        nodes: Vec<NodeId>,
    ) -> Self {
        let of = count(nodes.len());
        let in_flight = left.and_then(|left| Some(left.max_in_flight?.left().min(of)));
        let damaged = left.and_then(|left| Some(left.of_damage(left.max_damaged?, &nodes).min(of)));
        Self {
            value,
            max_in_flight: (label.max_in_flight).map(|rate| in_flight.unwrap_or(rate.as_count(of))),
            max_damaged: (label.max_damaged).map(|rate| damaged.unwrap_or(rate.as_count(of))),
            nodes,
        }
    }

    /// How many of its nodes may be in flight at once under both bounds, as any that is may be damaged.
    fn at_once(&self) -> u32 {
        let bounds = self.max_in_flight.into_iter().chain(self.max_damaged);
        bounds.min().unwrap_or(u32::MAX)
    }
}

/// A value in words.
pub(crate) fn in_words(by: &LabelKey, value: Option<&str>) -> String {
    match (by, value) {
        (LabelKey::Tag(_), None) => format!("nodes without {by}"),
        (_, None) => by.to_string(),
        (_, Some(value)) => format!("{by} = {value:?}"),
    }
}

/// What becomes of the labels of a request, in its order, and every reason against the plan: a tag that no node has, nodes
/// without it where the request refuses these, a share that comes to no node, a bound that the campaigns before have used up.
pub(crate) fn resolve(
    request: &PatchRequest,
    retries: Option<&Retried>,
    locations: &[PlannedLocation],
    census: &CensusTaken,
) -> (Vec<PlannedLabel>, Vec<RefusalReason>) {
    let (mut planned, mut reasons) = (vec![], vec![]);
    for (index, label) in request.budget.labels.iter().enumerate() {
        let (mut values, mut unbounded) = (BTreeMap::<Option<String>, Vec<NodeId>>::new(), vec![]);
        let mut without: BTreeMap<Location, usize> = BTreeMap::new();
        for (location, node) in reached(request, locations, census) {
            let value = value_of(label, &location, node, census);
            if value.is_none() {
                *without.entry(location).or_default() += 1;
                if label.untagged == Some(Untagged::Unbounded) {
                    unbounded.push(node.clone());
                    continue;
                }
            }
            values.entry(value).or_default().push(node.clone());
        }
        let values = values.into_iter().map(|(value, mut nodes)| {
            nodes.sort();
            let left = left_of(retries, index, value.as_deref());
            PlannedValue::new(label, left, value, nodes)
        });
        unbounded.sort();
        let of_label = PlannedLabel {
            by: label.by.clone(),
            values: values.collect(),
            unbounded,
        };
        let used_up = used_up(retries, index, &of_label);
        let is_known = is_known(retries, index);
        let against = against(label, &of_label, is_known, &without, used_up);
        reasons.extend(against.into_iter().map(|detail| RefusalReason {
            code: RefusalCode::LabelBudget,
            subject: format!("budget.labels[{index}]"),
            detail,
        }));
        planned.push(of_label);
    }
    (planned, reasons)
}

/// The nodes that commands are sent to, with their locations.
fn reached<'a>(
    request: &'a PatchRequest,
    locations: &'a [PlannedLocation],
    census: &'a CensusTaken,
) -> impl Iterator<Item = (Location, &'a NodeId)> {
    let skips = request.policy.offline == OfflineAction::Skip;
    locations.iter().flat_map(move |planned| {
        let location = planned.location();
        let managed: Option<&ManagedNodes> = census.managed.get(&location);
        let offline = managed.filter(|_| !skips).map(|managed| &managed.offline);
        let online = managed.map(|managed| &managed.online);
        let nodes = online.into_iter().chain(offline).flatten();
        nodes.map(move |node| (location.clone(), node))
    })
}

fn value_of(label: &LabelBudget, location: &Location, node: &NodeId, census: &CensusTaken) -> Option<String> {
    let Some(key) = label.by.tag() else {
        return label.by.of_location(location);
    };
    census.tags.get(location)?.get(key)?.get(node).cloned()
}

/// Whether nodes of the first campaign had the tag, so that it is spelt right although none has it that is tried again.
fn is_known(retries: Option<&Retried>, label: usize) -> bool {
    let values = retries.and_then(|retries| retries.bounds.labels.get(label));
    values.is_some_and(|values| values.iter().any(|left| left.value.is_some()))
}

/// What is against a plan with this label. `is_known` says whether its tag was there before, and `without` how many nodes of each
/// location do not have the tag.
fn against(
    label: &LabelBudget,
    planned: &PlannedLabel,
    is_known: bool,
    without: &BTreeMap<Location, usize>,
    used_up: Vec<String>,
) -> Vec<String> {
    let mut reasons = vec![];
    let missing = without.values().sum::<usize>();
    let has_any = is_known || planned.values.iter().any(|value| value.value.is_some());
    let by = &label.by;
    if missing > 0 && !has_any {
        reasons.push(format!(
            "none of {} that would be patched has the tag, so nothing tells them apart by {by}: is the key spelt right, in \
             upper and lower case too?",
            counted(missing, "node")
        ));
    } else if missing > 0 && label.untagged == Some(Untagged::Refuse) {
        reasons.push(format!(
            "{} {} not have {by} (in {}), and untagged = \"refuse\": give {} the tag, or have them bounded as one value \
             (\"together\") or not at all (\"unbounded\")",
            counted(missing, "node"),
            by_number(missing, "does", "do"),
            names(without.keys()),
            by_number(missing, "it", "them"),
        ));
    }
    if !used_up.is_empty() {
        reasons.extend(used_up);
        return reasons;
    }
    let starved = planned
        .values
        .iter()
        .filter(|value| value.max_damaged == Some(0) && !value.nodes.is_empty());
    let starved: Vec<String> = starved
        .map(|value| {
            let (words, nodes) = (
                in_words(by, value.value.as_deref()),
                counted(value.nodes.len(), "node"),
            );
            format!("{words} ({nodes})")
        })
        .collect();
    if let (Some(rate), false) = (label.max_damaged, starved.is_empty()) {
        reasons.push(format!(
            "max_damaged: {rate} is less than one node of {}: {}. Any node that is begun may be damaged, so with none allowed \
             none of these could be begun: give a count, such as 1, or a larger share",
            counted(starved.len(), "value"),
            names(starved)
        ));
    }
    reasons
}

/// What is left of a value for a retry, if the first campaign had it.
fn left_of<'a>(retries: Option<&'a Retried>, label: usize, value: Option<&str>) -> Option<&'a LeftOfValue> {
    retries?.bounds.of_value(label, value)
}

/// Which bounds of a label's values the campaigns before a retry have used up, a sentence for the first such value of each kind.
fn used_up(retries: Option<&Retried>, index: usize, planned: &PlannedLabel) -> Vec<String> {
    let Some(retried) = retries else { return vec![] };
    let first = |of: fn(&LeftOfValue) -> Option<LeftBound>, left: fn(&PlannedValue) -> Option<u32>| {
        let mut values = planned.values.iter().filter(|value| left(value) == Some(0));
        values.find_map(|value| {
            let before = left_of(retries, index, value.value.as_deref())?;
            let bound = of(before)?;
            Some((
                in_words(&planned.by, value.value.as_deref()),
                bound,
                before.lost_at_work,
            ))
        })
    };
    let damaged = first(|left| left.max_damaged, |value| value.max_damaged).map(|(value, bound, _)| {
        let what = format!(
            "{value}: max_damaged allows {} to be damaged",
            counted(bound.allowed, "node")
        );
        retried.used_up_by_damage(&what, bound)
    });
    let in_flight = first(|left| left.max_in_flight, |value| value.max_in_flight);
    let in_flight = in_flight.map(|(value, bound, lost)| {
        let what = format!(
            "{value}: max_in_flight allows {} to be in flight",
            counted(bound.allowed, "node")
        );
        retried.used_up_by_unknown(&what, bound, lost)
    });
    damaged.into_iter().chain(in_flight).collect()
}

/// The most that can go wrong, if the bounds of these labels are kept.
pub(super) fn bounded(labels: &[PlannedLabel], worst: WorstCase) -> WorstCase {
    let mut bounded = worst;
    for label in labels {
        let sum = |of: fn(&PlannedValue) -> u32| {
            let unbounded = count(label.unbounded.len());
            let values = label
                .values
                .iter()
                .map(|value| of(value).min(count(value.nodes.len())));
            values.fold(unbounded, u32::saturating_add)
        };
        let (open, damaged) = (
            sum(PlannedValue::at_once),
            sum(|value| value.max_damaged.unwrap_or(u32::MAX)),
        );
        let least = |figure: Option<u32>, bound: u32| figure.map(|figure| figure.min(bound));
        bounded.nodes_at_once = least(bounded.nodes_at_once, open);
        bounded.nodes_damaged = least(bounded.nodes_damaged, damaged);
        bounded.in_truth.nodes_at_once = least(bounded.in_truth.nodes_at_once, open);
        bounded.in_truth.nodes_damaged = least(bounded.in_truth.nodes_damaged, damaged);
        bounded.driver_dead.nodes_at_once = least(bounded.driver_dead.nodes_at_once, open);
        bounded.driver_dead.nodes_damaged = least(bounded.driver_dead.nodes_damaged, damaged);
    }
    bounded
}

impl Plan {
    /// The values of all labels.
    pub(super) fn cells(&self) -> Cells {
        Cells::of(&self.labels)
    }

    /// What `budget.labels` comes to, in words, a part for each label.
    pub(super) fn labels_in_words(&self) -> impl Iterator<Item = String> {
        let of_request = self.request.budget.labels.iter();
        of_request.zip(&self.labels).map(|(asked, planned)| {
            let mut lines = vec![format!("By {}", planned.by)];
            if let Some(rate) = asked.max_in_flight {
                lines.push(format!(
                    "  at most {rate} of the nodes of each value in flight (max_in_flight)"
                ));
            }
            if let Some(rate) = asked.max_damaged {
                lines.push(format!(
                    "  at most {rate} of the nodes of each value damaged (max_damaged)"
                ));
            }
            if self
                .retries
                .as_ref()
                .is_some_and(|retried| !retried.bounds.labels.is_empty())
            {
                lines.push(
                    "  its bounds are those of the first campaign, less what the campaigns before it have used"
                        .to_owned(),
                );
            }
            lines.extend(planned.values_in_words());
            lines.extend(planned.untagged_in_words());
            lines.push(format!(
                "  kept by the campaign: each {} names its nodes, and is {} once there is room for them",
                self.start_in_a_word(),
                self.is_begun_in_words()
            ));
            lines.join("\n") + "\n"
        })
    }

    /// Who has another value of a label than in `newer`, a line for each label.
    pub(super) fn other_values<'a>(&'a self, newer: &'a Self) -> impl Iterator<Item = String> + 'a {
        let of = |label: &'a PlannedLabel| -> BTreeMap<&'a NodeId, Option<&'a str>> {
            let of_value = |value: &'a PlannedValue| {
                let name = value.value.as_deref();
                value.nodes.iter().map(move |node| (node, name))
            };
            let unbounded = label.unbounded.iter().map(|node| (node, None));
            label.values.iter().flat_map(of_value).chain(unbounded).collect()
        };
        self.labels
            .iter()
            .zip(&newer.labels)
            .filter_map(move |(was, is)| {
                let (before, after) = (of(was), of(is));
                let other: Vec<String> = before
                    .iter()
                    .filter_map(|(node, was)| {
                        let is = after.get(node).filter(|is| *is != was)?;
                        let words = |value: &Option<&str>| {
                            value.map_or_else(|| "nothing".to_owned(), |value| format!("{value:?}"))
                        };
                        Some(format!("{node} (was {}, is {})", words(was), words(is)))
                    })
                    .collect();
                (!other.is_empty()).then(|| {
                    format!(
                        "{}: {} {} another value: {}",
                        was.by,
                        counted(other.len(), "node"),
                        by_number(other.len(), "has", "have"),
                        names(other)
                    )
                })
            })
    }
}

/// The warning about a budget of locations that ends a campaign before as many nodes of a value are damaged as may be.
pub(super) fn warning(labels: &[PlannedLabel], location_errors: u32, locations: u32) -> Option<String> {
    let damaged = |label: &PlannedLabel| {
        let bounds = label.values.iter().map(|value| value.max_damaged);
        let sum = bounds.map(Option::unwrap_or_default).fold(0, u32::saturating_add);
        (sum > 0).then_some((label.by.clone(), sum))
    };
    let (by, most) = labels.iter().find_map(damaged)?;
    (location_errors < locations.min(most)).then(|| {
        format!(
            "budget.locations.max_errors lets {} fail, and one with a damaged node has failed: the campaign may end, for the nodes \
             of every value, before as many are damaged as max_damaged by {by} would allow",
            counted(location_errors, "location"),
        )
    })
}

impl PlannedLabel {
    /// How many values there are, and the bounds of the largest.
    fn values_in_words(&self) -> Option<String> {
        let most = self.values.iter().max_by_key(|value| value.nodes.len())?;
        let bound = |n: Option<u32>, what: &str| n.map(|n| format!("{n} {what}"));
        let bounds: Vec<String> = bound(most.max_in_flight, "in flight")
            .into_iter()
            .chain(bound(most.max_damaged, "damaged"))
            .collect();
        Some(format!(
            "  {}; {} has the most nodes: of {}, at most {}",
            counted(self.values.len(), "value"),
            in_words(&self.by, most.value.as_deref()),
            counted(most.nodes.len(), "node"),
            bounds.join(" and ")
        ))
    }

    /// What becomes of the nodes without the tag, if there are any.
    fn untagged_in_words(&self) -> Option<String> {
        let together = self.values.iter().find(|value| value.value.is_none());
        let (nodes, what) = match together {
            Some(value) => (&value.nodes, "one value (untagged = \"together\")"),
            None => (&self.unbounded, "not bounded by it (untagged = \"unbounded\")"),
        };
        (!nodes.is_empty()).then(|| {
            format!(
                "  {} without it {} {what}: {}",
                counted(nodes.len(), "node"),
                by_number(nodes.len(), "is", "are"),
                names(nodes)
            )
        })
    }
}

impl Plan {
    /// What is wrong with the plan's labels: they are not those of the request, or do not have each node once that a start
    /// names, or a start names more nodes of a value than it may.
    pub(super) fn fault_of_labels(&self) -> Option<String> {
        let asked = &self.request.budget.labels;
        if asked.len() != self.labels.len() {
            return Some(format!(
                "{} are planned, and the request has {}",
                self.labels.len(),
                asked.len()
            ));
        }
        for (index, (label, planned)) in asked.iter().zip(&self.labels).enumerate() {
            let by = &label.by;
            if planned.by != *by {
                return Some(format!("{} stands where {by} should", planned.by));
            }
            let may_be_unbounded = label.untagged == Some(Untagged::Unbounded);
            if !may_be_unbounded && !planned.unbounded.is_empty() {
                return Some(format!("{by} has nodes that it does not bound"));
            }
            let wrong = planned.values.iter().find(|value| {
                let left = left_of(self.retries.as_ref(), index, value.value.as_deref());
                **value != PlannedValue::new(label, left, value.value.clone(), value.nodes.clone())
            });
            if let Some(value) = wrong {
                let words = in_words(by, value.value.as_deref());
                return Some(format!("the bounds of {words} do not follow from its nodes"));
            }
        }
        let cells = Cells::of(&self.labels);
        for unit in self.units.iter().filter(|_| !asked.is_empty()) {
            let Some(nodes) = &unit.nodes else {
                return Some(format!("unit {} names no nodes", unit.id));
            };
            if !cells.knows_each(nodes, self.labels.len()) {
                return Some(format!(
                    "unit {} names nodes that have no value, or several",
                    unit.id
                ));
            }
            if !cells.take(nodes) {
                return Some(format!(
                    "unit {} names more nodes of a value than may be in flight",
                    unit.id
                ));
            }
        }
        None
    }
}

fn count(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}
