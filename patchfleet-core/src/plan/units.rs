//! Drafts of a plan's units, with their locations, their nodes, and how long their commands live.

use super::lifetime::Lifetime;
use super::{Cells, Followed, PlannedFleet, PlannedLocation, PlannedWaveBudget, Unit};
use crate::budget::{MaxConcurrency, PacedNodes, PacedUnit, PacedWave, Queue, Seconds, shares};
use crate::census::{CensusTaken, NodeCounts};
use crate::id::{Location, NodeId, UnitId};
use crate::pack::{Rectangle, pack};
use crate::port::{Caller, MAX_NODES, Resolution, StartRequest, TargetLocation};
use crate::request::{Dispatch, OfflineAction, PatchRequest, Selector};
use crate::runbook::{self, STEP_TIMEOUT_PARAMETER, TIMEOUT_PARAMETER, TargetTooLong};
use std::collections::{BTreeMap, BTreeSet};

/// What bounds the nodes that one start names.
#[derive(Clone, Copy)]
pub(super) struct Bounds<'a> {
    pub(super) fleet: Option<&'a PlannedFleet>,
    /// The budgets that waves have of their own.
    pub(super) of_waves: &'a [PlannedWaveBudget],
    pub(super) cells: &'a Cells,
}

impl<'a> Bounds<'a> {
    /// The bounds on nodes that hold in a wave.
    fn fleet_in(self, wave: u32) -> Option<&'a PlannedFleet> {
        let own = self.of_waves.iter().find(|own| own.wave == wave);
        own.map_or(self.fleet, |own| own.fleet.as_ref())
    }
}

/// A unit in the making.
pub(super) struct Draft {
    pub(super) wave: u32,
    pub(super) rectangle: Rectangle,
    /// The nodes that the start names; `None` if it names none.
    nodes: Option<Vec<NodeId>>,
    parameters: BTreeMap<String, Vec<String>>,
    /// One for each of its locations.
    pub(super) commands: Vec<Command>,
}

/// The command that a unit sends in one of its locations.
#[derive(Debug, Clone)]
pub(super) struct Command {
    pub(super) location: Location,
    /// The nodes that it is sent to. `None` if they were not counted.
    pub(super) nodes: Option<Reach>,
}

/// How many nodes a command is sent to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Reach {
    pub(super) online: u32,
    pub(super) offline: u32,
    /// The nodes of all commands of its location. The limits within the location are a part of these.
    pub(super) location: u32,
}

impl Reach {
    pub(super) fn total(self) -> u32 {
        self.online.saturating_add(self.offline)
    }

    /// The nodes in their queue, under this limit within the location. The commands of one location
    /// follow each other, and each has the limit of all nodes there.
    pub(super) fn queue(self, limit: MaxConcurrency) -> Queue {
        Queue {
            online: self.online,
            offline: self.offline,
            places: limit.as_count(self.location).min(self.total()),
        }
    }
}

impl From<NodeCounts> for Reach {
    fn from(nodes: NodeCounts) -> Self {
        Self {
            online: nodes.online,
            offline: nodes.offline,
            location: nodes.online.saturating_add(nodes.offline),
        }
    }
}

impl From<Reach> for PacedNodes {
    fn from(nodes: Reach) -> Self {
        Self {
            own: nodes.total(),
            location: nodes.location,
        }
    }
}

impl Draft {
    /// How many locations it has.
    pub(super) fn size(&self) -> u32 {
        count(self.rectangle.len())
    }

    /// The unit with its start. `timeout` is that of its commands, under patchfleet's own runbook.
    pub(super) fn unit(
        self,
        id: UnitId,
        request: &PatchRequest,
        paced: PacedUnit,
        lifetime: Option<&Lifetime>,
        timeout: Seconds,
    ) -> Unit {
        let step_timeout = lifetime.and_then(|lifetime| lifetime.step_timeout);
        if let (Dispatch::RunCommand, Some(nodes), Some(command)) =
            (request.automation.dispatch, &self.nodes, self.commands.first())
        {
            let send = runbook::command(request, nodes.clone(), timeout, step_timeout);
            let start = StartRequest::of_command(command.location.clone(), send);
            return Unit::new(id, self.wave, self.nodes, request.budget.nodes, start);
        }
        let mut parameters = self.parameters;
        if lifetime.is_some() {
            parameters.insert(TIMEOUT_PARAMETER.to_owned(), vec![timeout.get().to_string()]);
            if let Some(seconds) = step_timeout {
                let value = vec![seconds.get().to_string()];
                parameters.insert(STEP_TIMEOUT_PARAMETER.to_owned(), value);
            }
        }
        let start = StartRequest {
            document_name: request.automation.document.clone(),
            document_version: None,
            parameters,
            target_locations: [TargetLocation {
                accounts: self.rectangle.accounts,
                regions: self.rectangle.regions,
                target_location_max_concurrency: paced.at_once,
                target_location_max_errors: paced.errors,
                execution_role_name: request.automation.execution_role.clone(),
            }],
            tags: Vec::new(),
            alarm: request.breaker.handed_alarm().cloned(),
            command: None,
        };
        Unit::new(id, self.wave, self.nodes, request.budget.nodes, start)
    }
}

/// What AWS is told of each unit: its share of the locations at once, and how many of its locations may
/// fail. `errors` is how many locations may fail over all waves.
pub(super) fn paced<'a>(
    drafts: impl Iterator<Item = &'a Draft>,
    errors: u32,
    budget: &dyn Fn(u32) -> PacedWave,
    followed: Followed,
) -> Vec<PacedUnit> {
    let drafts: Vec<(u32, u32)> = drafts.map(|draft| (draft.wave, draft.size())).collect();
    // Units of different waves are never open together, so each wave has all places.
    let waves = drafts.chunk_by(|(a, _), (b, _)| a == b).flat_map(|units| {
        let of_wave = units.first().map(|(wave, _)| budget(*wave));
        let sizes: Vec<u32> = units.iter().map(|(_, size)| *size).collect();
        let places = shares::of_places(of_wave.map_or(1, |wave| wave.location_budget), &sizes);
        let own = of_wave.and_then(|wave| wave.location_errors).unwrap_or(u32::MAX);
        places.into_iter().map(move |at_once| (at_once, own))
    });
    let sizes: Vec<u32> = drafts.iter().map(|(_, size)| *size).collect();
    let shared = match followed {
        Followed::ByDriver => vec![errors; sizes.len()],
        Followed::ByNobody => shares::of_errors(errors, &sizes),
    };
    let figures = drafts.iter().zip(waves).zip(shared);
    figures
        .map(|((&(wave, locations), (at_once, own)), errors)| PacedUnit {
            wave,
            locations,
            at_once,
            errors: errors.min(own),
        })
        .collect()
}

/// Whether each unit names its nodes. It also does so for all managed nodes, because AWS documents `InstanceIds` = `*` for
/// Automation and State Manager, but not for Run Command. A runbook of one's own finds its nodes itself.
///
/// Nodes from an inventory of one's own are named as well, since AWS might find others. So are all nodes under a bound on how
/// many are damaged, which is kept by beginning no more than may be, and all of a command that patchfleet sends itself.
pub(super) fn names_nodes(request: &PatchRequest, resolution: Resolution) -> bool {
    match request.targets.selector {
        _ if resolution == Resolution::ByIds || request.bounds_name_nodes() => true,
        _ if request.automation.dispatch == Dispatch::RunCommand => true,
        Selector::NodeIds(_) => true,
        Selector::AllManaged => runbook::is_own(&request.automation.document),
        Selector::ResourceGroup(_) | Selector::Tags(_) => false,
    }
}

/// The units of one wave of a plan, in the order in which they are begun. `locations` are the wave's.
///
/// Nodes that are offline are never named together with others, because AWS refuses a whole command to ids if one of them
/// is stopped. Their units come last, since each holds its location until its command expires.
///
/// With a cutoff, a freeze or a breaker each location has a unit of its own (`each_alone`). AWS begins the later locations of a
/// start by itself when the earlier ones are through, so their commands would live past the cutoff, begin in the freeze, or
/// begin before anybody has read the failure that trips the breaker.
pub(super) fn units(
    wave: u32,
    request: &PatchRequest,
    central: &Caller,
    locations: &[PlannedLocation],
    census: &CensusTaken,
    each_alone: bool,
    bounds: Bounds<'_>,
) -> Result<Vec<Draft>, TargetTooLong> {
    let (fleet, cells) = (bounds.fleet_in(wave), bounds.cells);
    let skips = request.policy.offline == OfflineAction::Skip;
    let own = runbook::is_own(&request.automation.document);
    let (mut units, mut last) = (Vec::new(), Vec::new());
    let mut packed: BTreeMap<Location, Option<Reach>> = BTreeMap::new();
    for planned in locations {
        let location = planned.location();
        if !names_nodes(request, census.resolution) && planned.left_out.is_empty() {
            packed.insert(location, planned.nodes.map(Reach::from));
            continue;
        }
        let none = crate::census::ManagedNodes::default();
        let managed = census.managed.get(&location).unwrap_or(&none);
        let offline = if skips { &[] } else { managed.offline.as_slice() };
        let all = count(managed.online.len()).saturating_add(count(offline.len()));
        let most = nodes_in_a_start(request, fleet, all).min(most_nodes(request));
        let named = |nodes: &[NodeId], online: bool| {
            let n = count(nodes.len());
            Ok(Draft {
                wave,
                rectangle: single(&location),
                // A runbook of one's own is not told.
                nodes: own.then(|| nodes.to_vec()),
                parameters: match request.automation.dispatch {
                    Dispatch::Automation => runbook::parameters(request, central, Some(nodes))?,
                    Dispatch::RunCommand => BTreeMap::new(),
                },
                commands: vec![Command {
                    location: location.clone(),
                    nodes: Some(Reach {
                        online: if online { n } else { 0 },
                        offline: if online { 0 } else { n },
                        location: all,
                    }),
                }],
            })
        };
        for (turn, nodes) in cells.chunks(&managed.online, most).into_iter().enumerate() {
            units.push((turn, named(&nodes, true)?));
        }
        for (turn, nodes) in cells.chunks(offline, most).into_iter().enumerate() {
            last.push((turn, named(&nodes, false)?));
        }
    }
    if !cells.is_empty() {
        // The first of each location, then the second of each: what waits for a value keeps no location back.
        units.sort_by_key(|(turn, _)| *turn);
        last.sort_by_key(|(turn, _)| *turn);
    }
    let without_turn = |(_, draft): (usize, Draft)| draft;
    let wanted: BTreeSet<Location> = packed.keys().cloned().collect();
    let rectangles = if each_alone {
        wanted.iter().map(single).collect()
    } else {
        pack(&wanted)
    };
    let parameters = match wanted.is_empty() {
        true => BTreeMap::new(),
        false => runbook::parameters(request, central, None)?,
    };
    let mut all: Vec<Draft> = rectangles
        .into_iter()
        .map(|rectangle| Draft {
            wave,
            commands: rectangle
                .locations()
                .map(|location| Command {
                    nodes: packed.get(&location).copied().flatten(),
                    location,
                })
                .collect(),
            rectangle,
            nodes: None,
            parameters: parameters.clone(),
        })
        .collect();
    all.extend(units.into_iter().map(without_turn));
    all.extend(last.into_iter().map(without_turn));
    Ok(all)
}

/// How many nodes a start names at most: as many as a parameter of the runbook holds, or as SendCommand takes.
pub(super) fn most_nodes(request: &PatchRequest) -> usize {
    match request.automation.dispatch {
        Dispatch::Automation => runbook::MAX_NODE_IDS,
        Dispatch::RunCommand => MAX_NODES,
    }
}

/// How many nodes a start names at most in a location with so many. All nodes of a start may be open at once, and under a bound
/// on the fleet that is what is reckoned with. So the limit within the location is one of this number, too.
fn nodes_in_a_start(request: &PatchRequest, fleet: Option<&PlannedFleet>, all: u32) -> usize {
    let Some(most) = fleet.and_then(PlannedFleet::nodes_in_a_start) else {
        return most_nodes(request);
    };
    let limit = request.budget.nodes.max_concurrency.as_count(all);
    usize::try_from(most.min(limit)).unwrap_or(usize::MAX)
}

fn single(location: &Location) -> Rectangle {
    Rectangle {
        accounts: vec![location.account.clone()],
        regions: vec![location.region.clone()],
    }
}

fn count(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}
