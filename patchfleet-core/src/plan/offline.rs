//! Nodes that are registered and do not answer. A command tries to reach such a node until the command expires. For as
//! long the node holds a place of its location.

use super::in_wave::InWaves;
use super::units::{Reach, names_nodes};
use super::{Attendance, PlannedLocation};
use crate::budget::Seconds;
use crate::census::CensusTaken;
use crate::port::Resolution;
use crate::refusal::{RefusalCode, RefusalReason};
use crate::request::{OfflineAction, Operation, PatchRequest};
use crate::runbook;
use crate::text::{by_number, counted, names};

/// Who counts as being there.
const NOBODY: &str =
    "nobody is there to see it (with --yes, and where no terminal is, nobody counts as being there)";

/// What a person does who is there.
const ATTENDED: &str = "at a terminal and without --yes, `patchfleet run` warns of it and asks";

/// Why a plan is refused for its offline nodes. Empty if it is not.
pub(super) fn reasons(
    in_waves: &InWaves,
    locations: &[PlannedLocation],
    census: &CensusTaken,
    attendance: Attendance,
) -> Vec<RefusalReason> {
    let reason = |code, detail| {
        vec![RefusalReason {
            code,
            subject: "policy.offline".to_owned(),
            detail,
        }]
    };
    let request = in_waves.whole();
    let uncounted = uncounted(in_waves, locations);
    if !uncounted.is_empty()
        && request.policy.offline == OfflineAction::Target
        && attendance == Attendance::Unattended
    {
        return reason(
            RefusalCode::NodesOffline,
            format!(
                "nodes were looked for and not counted, so nodes that do not answer may hold every place of their \
                 location while others wait, and {NOBODY}: {}. Plan with depth \"count\", or set policy.offline to \
                 \"skip\" or \"refuse\"; {ATTENDED}",
                names(uncounted)
            ),
        );
    }
    let offline: Vec<&PlannedLocation> = locations.iter().filter(|at| offline_in(at) > 0).collect();
    if offline.is_empty() {
        return vec![];
    }
    match request.policy.offline {
        OfflineAction::Refuse => reason(
            RefusalCode::NodesOffline,
            format!(
                "nodes do not answer Systems Manager, and the policy is to refuse: {}",
                names(
                    offline
                        .iter()
                        .map(|at| format!("{} ({})", at.location(), offline_in(at)))
                )
            ),
        ),
        OfflineAction::Skip if !runbook::is_own(&request.automation.document) => reason(
            RefusalCode::Unsupported,
            "only patchfleet's own runbook can be told which nodes to patch, so \"skip\" cannot be kept"
                .to_owned(),
        ),
        OfflineAction::Skip => vec![],
        OfflineAction::Target => {
            let blocked = blocked(in_waves, locations, census.resolution);
            if blocked.is_empty() || attendance == Attendance::Attended {
                return vec![];
            }
            reason(
                RefusalCode::NodesOffline,
                format!(
                    "nodes that do not answer can hold every place of their location while others wait, and \
                     {NOBODY}: {}. Set policy.offline = \"skip\" to name the nodes that answer, or raise {}; {ATTENDED}",
                    names(blocked),
                    limits(request)
                ),
            )
        }
    }
}

/// The locations of an Install whose nodes were not counted, so nobody knows how many answer. A location that the policy
/// keeps although nobody can look into it is not among them. Under a runbook of one's own, which has limits of its own,
/// there are none.
fn uncounted(in_waves: &InWaves, locations: &[PlannedLocation]) -> Vec<String> {
    if !runbook::is_own(&in_waves.whole().automation.document) {
        return vec![];
    }
    let uncounted = locations
        .iter()
        .filter(|at| in_waves.of(at.wave).patch.operation == Operation::Install)
        .filter(|at| at.nodes.is_none() && at.kept.is_none());
    uncounted.map(|at| at.location().to_string()).collect()
}

/// The locations in which nodes that do not answer can hold every place, with their figures.
fn blocked(in_waves: &InWaves, locations: &[PlannedLocation], resolution: Resolution) -> Vec<String> {
    let request = in_waves.whole();
    // A runbook of one's own has limits of its own. Units that name nodes never name one that does not answer together
    // with others.
    if names_nodes(request, resolution) || !runbook::is_own(&request.automation.document) {
        return vec![];
    }
    let queues = locations
        .iter()
        .filter(|at| at.left_out.is_empty())
        .filter_map(|at| {
            let limit = in_waves.of(at.wave).budget.nodes.max_concurrency;
            let queue = Reach::from(at.nodes?).queue(limit);
            queue.can_be_blocked().then(|| {
                format!(
                    "{} ({} offline, {} at once)",
                    at.location(),
                    queue.offline,
                    queue.places
                )
            })
        });
    queues.collect()
}

/// The warnings about nodes that do not answer. `expiry` is the longest life of a command, if it is known.
pub(super) fn warnings(
    in_waves: &InWaves,
    locations: &[PlannedLocation],
    census: &CensusTaken,
    expiry: Option<Seconds>,
) -> Vec<String> {
    let mut warnings = Vec::new();
    let until = expiry.map_or_else(
        || "until its command expires".to_owned(),
        |expiry| format!("until its command expires, {expiry} after it was sent"),
    );
    let offline = locations
        .iter()
        .filter(|at| at.left_out.is_empty())
        .fold(0_u32, |sum, at| sum.saturating_add(offline_in(at)));
    if offline > 0 {
        let ids = locations
            .iter()
            .filter(|at| at.left_out.is_empty())
            .flat_map(|at| {
                let managed = census.managed.get(&at.location());
                let ids = managed
                    .map(|managed| managed.offline.as_slice())
                    .unwrap_or_default();
                ids.iter().map(move |id| format!("{id} in {}", at.location()))
            });
        warnings.push(format!(
            "{} {} not answer Systems Manager and may not be reached: {}. Each holds a place {until}",
            counted(offline, "node"),
            by_number(offline, "does", "do"),
            names(ids)
        ));
    }
    let blocked = blocked(in_waves, locations, census.resolution);
    if !blocked.is_empty() {
        warnings.push(format!(
            "nodes that do not answer can hold every place of their location, and the others there may have no \
             turn: {}. Set policy.offline = \"skip\", or raise {}; without a person at a terminal, or with --yes, the run is \
             refused",
            names(blocked),
            limits(in_waves.whole())
        ));
    }
    let left_out: usize = locations.iter().map(|at| at.left_out.len()).sum();
    if left_out > 0 {
        let ids = locations
            .iter()
            .flat_map(|at| at.left_out.iter().map(|id| format!("{id} in {}", at.location())));
        warnings.push(format!("{}: {}", left_out_in_words(left_out), names(ids)));
    }
    warnings
}

/// That so many nodes are left out.
pub(crate) fn left_out_in_words(nodes: usize) -> String {
    format!(
        "{} {} not answer Systems Manager and {} left out, as policy.offline says",
        counted(nodes, "node"),
        by_number(nodes, "does", "do"),
        by_number(nodes, "is", "are")
    )
}

/// What may bound the nodes of a location that are patched at once.
fn limits(request: &PatchRequest) -> &'static str {
    match request.budget.fleet.and_then(|fleet| fleet.max_in_flight) {
        Some(_) => "budget.nodes.max_concurrency and budget.fleet.max_in_flight",
        None => "budget.nodes.max_concurrency",
    }
}

fn offline_in(at: &PlannedLocation) -> u32 {
    at.nodes.map_or(0, |nodes| nodes.offline)
}
