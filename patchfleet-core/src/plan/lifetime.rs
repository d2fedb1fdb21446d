//! How long the commands of a plan live, and which nodes may have no turn before they expire.
//!
//! A command expires as a whole (recorded). It lives for its `TimeoutSeconds` and the sum of the step timeouts of its
//! document. A node that has had no turn by then is not patched. But a command that is alive patches and reboots a node
//! whenever the node comes back. So a command lives as long as the nodes of its location need, and no longer than the cap,
//! the cutoff and the request allow.

use super::Plan;
use super::freezes::Freezes;
use super::in_wave::InWaves;
use super::units::{Command, Draft};
use crate::budget::{MaxConcurrency, Seconds};
use crate::id::UnitId;
use crate::port::StartRequest;
use crate::refusal::{RefusalCode, RefusalReason};
use crate::request::{DeliveryTimeout, PatchRequest};
use crate::runbook::{
    self, CommandSteps, DELIVERY_TIMEOUT_SECONDS, EXECUTION_TIMEOUT_SECONDS, StepSum, StepTimeout,
    TIMEOUT_PARAMETER,
};
use crate::text::{by_number, counted, names};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The longest that a command lives, unless the request says how long it is to be delivered.
pub(crate) const LIFETIME_CAP: Seconds = Seconds::hours(24);

/// How long it may take from the start of an execution until its command is sent, which a cutoff leaves room for. A
/// start without an answer is sent again for 5 minutes, and the execution in the location takes a moment more.
pub(crate) const CUTOFF_MARGIN: Seconds = Seconds::new(6 * 60);

/// What Run Command gives a node at least, in seconds (SSM model: `TimeoutSeconds` of 30 and more).
const SHORTEST: Seconds = Seconds::new(DeliveryTimeout::MIN_SECONDS as u64);

/// How long a node may take besides patching, until its agent takes the command and for its reboots.
const AROUND_PATCHING: Seconds = Seconds::hours(1);

/// How long commands live, under patchfleet's own runbook. Each start has its own `TimeoutSeconds`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Lifetime {
    /// What the steps of AWS-RunPatchBaseline add to a command's `TimeoutSeconds`.
    pub steps: StepSum,
    /// What is passed as `StepTimeoutSeconds`, where the document takes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step_timeout: Option<Seconds>,
    /// How long one turn counts: what one node may take, with its delivery and its reboots.
    pub node: Seconds,
    /// The instant by which every command has expired.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cutoff: Option<Timestamp>,
}

/// An instant by which every command of a campaign is to have expired.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cutoff {
    /// The instant.
    pub at: Timestamp,
    /// When the plan is made.
    pub now: Timestamp,
}

impl Lifetime {
    /// For commands of a document with these steps.
    pub(super) fn new(steps: CommandSteps, cutoff: Option<Cutoff>) -> Self {
        let of = |step_timeout: Seconds| Self {
            steps: steps.sum(step_timeout),
            step_timeout: steps.takes_step_timeout().then_some(step_timeout),
            node: steps.on_a_node(step_timeout).plus(AROUND_PATCHING),
            cutoff: cutoff.map(|cutoff| cutoff.at),
        };
        let usual = of(Seconds::new(u64::from(EXECUTION_TIMEOUT_SECONDS)));
        match cutoff {
            // If the cutoff leaves no time for that, a node gets an hour, as AWS gives it by default.
            Some(cutoff) if usual.left(cutoff.at, cutoff.now) < AROUND_PATCHING => of(Seconds::hours(1)),
            _ => usual,
        }
    }

    /// Likewise, for a request with freezes: if they leave no time for a command as it usually is, a node gets an hour.
    pub(super) fn between_freezes(
        steps: CommandSteps,
        cutoff: Option<Cutoff>,
        request: &PatchRequest,
        now: Option<Timestamp>,
    ) -> Self {
        let usual = Self::new(steps, cutoff);
        let opens = |lifetime: &Self| {
            now.is_none_or(|now| Freezes::new(request, Some(lifetime)).opens(now).is_some())
        };
        if request.freezes.is_empty() || opens(&usual) {
            return usual;
        }
        Self {
            steps: steps.sum(Seconds::hours(1)),
            step_timeout: steps.takes_step_timeout().then_some(Seconds::hours(1)),
            node: steps.on_a_node(Seconds::hours(1)).plus(AROUND_PATCHING),
            ..usual
        }
    }

    /// The most that `TimeoutSeconds` may be for a start that is made now.
    fn left(&self, cutoff: Timestamp, now: Timestamp) -> Seconds {
        let left = u64::try_from(cutoff.duration_since(now).as_secs()).unwrap_or_default();
        Seconds::new(left).minus(CUTOFF_MARGIN).minus(self.steps.most)
    }

    /// How long before an instant the last start may be made whose command has expired by then.
    pub(super) fn needed(&self) -> Seconds {
        SHORTEST.plus(CUTOFF_MARGIN).plus(self.steps.most)
    }

    /// The last instant at which a start may be made; `None` without a cutoff.
    #[must_use]
    pub(crate) fn begins_until(&self) -> Option<Timestamp> {
        let needed = self.needed();
        let needed = SignedDuration::from_secs(i64::try_from(needed.get()).unwrap_or(i64::MAX));
        self.cutoff
            .map(|at| at.checked_sub(needed).unwrap_or(Timestamp::MIN))
    }

    /// How long a command with this `TimeoutSeconds` lives at most.
    #[must_use]
    pub fn expiry(&self, timeout: Seconds) -> Seconds {
        timeout.plus(self.steps.most)
    }

    /// How many turns fit into the life of a command with this `TimeoutSeconds`, if every node takes
    /// as long as it may.
    fn turns(&self, timeout: Seconds) -> u64 {
        timeout.plus(self.steps.least).get() / self.node.get().max(1)
    }

    /// Whether a command may expire while it patches a node. The run on the node then goes on. It may be so if a node that
    /// does not answer comes back late, or if time is too short for all nodes.
    pub(super) fn may_be_cut_off(&self, request: &PatchRequest, command: &Command, timeout: Seconds) -> bool {
        command.nodes.is_none_or(|nodes| {
            let queue = nodes.queue(request.budget.nodes.max_concurrency);
            nodes.offline > 0 || queue.turns().is_none_or(|turns| turns > self.turns(timeout))
        })
    }

    /// `TimeoutSeconds` of a unit. It is what its worst location needs, within every bound.
    pub(super) fn timeout(&self, request: &PatchRequest, unit: &Draft, now: Option<Timestamp>) -> Seconds {
        let cap = LIFETIME_CAP.minus(self.steps.most).max(SHORTEST);
        let limit = request.budget.nodes.max_concurrency;
        let usual = Seconds::new(u64::from(DELIVERY_TIMEOUT_SECONDS));
        let timeout = match request.patch.delivery_timeout {
            Some(said) => Seconds::new(u64::from(said.seconds())),
            None => unit
                .commands
                .iter()
                .map(|command| match needed_turns(command, limit) {
                    Some(turns) => self.node.times(turns).minus(self.steps.least),
                    None => cap,
                })
                .max()
                .unwrap_or_default()
                .clamp(usual.min(cap), cap),
        };
        let Some(now) = now else { return timeout };
        // What is planned is the start at the first instant at which one may be made.
        let freezes = Freezes::new(request, Some(self));
        let opens = freezes.opens(now).unwrap_or(now);
        let freeze = freezes.bound(opens).map(|(_, begins)| begins);
        let bounds = self.cutoff.into_iter().chain(freeze);
        let left = bounds.map(|bound| self.left(bound, opens)).min();
        left.map_or(timeout, |left| timeout.min(left).max(SHORTEST))
    }
}

/// How many turns the nodes of a command need. `None` if they were not counted. If nodes that do not answer can hold every
/// place, more time would not help, so those nodes are left out of account.
fn needed_turns(command: &Command, limit: MaxConcurrency) -> Option<u64> {
    let queue = command.nodes?.queue(limit);
    let alone = crate::budget::Queue { offline: 0, ..queue };
    queue.turns().or_else(|| alone.turns())
}

/// The time until a cutoff below which no campaign of the request can begin, whatever version AWS-RunPatchBaseline has. Its
/// document, as it is when a plan is made, may need more. `None`: no cutoff can be kept, because the runbook is not
/// patchfleet's own.
#[must_use]
pub fn shortest_cutoff(request: &PatchRequest) -> Option<SignedDuration> {
    // The least of every known version: each step that takes a timeout is given an hour.
    cutoff_for(request, CommandSteps::Unread.sum(Seconds::hours(1)).least)
}

/// A cutoff that is further away than this lets a campaign of the request begin, whichever known version AWS-RunPatchBaseline
/// has: its steps come to 21,600 seconds at most, as AWS published it in 2026. It counts from when the last unit begins, so add
/// the time that planning takes, and that units wait for each other. `None` where
/// [`shortest_cutoff`] gives none.
#[must_use]
pub fn sufficient_cutoff(request: &PatchRequest) -> Option<SignedDuration> {
    cutoff_for(request, CommandSteps::Unread.sum(Seconds::hours(1)).most)
}

/// The time until a cutoff that a command needs whose steps come to this.
fn cutoff_for(request: &PatchRequest, steps: Seconds) -> Option<SignedDuration> {
    let needed = SHORTEST.plus(CUTOFF_MARGIN).plus(steps);
    let seconds = i64::try_from(needed.get()).unwrap_or(i64::MAX);
    runbook::is_own(&request.automation.document).then(|| SignedDuration::from_secs(seconds))
}

/// The reason against a cutoff that is too near for any command, if it is.
pub(super) fn too_near(lifetime: &Lifetime, cutoff: Cutoff) -> Option<RefusalReason> {
    let until = lifetime.begins_until()?;
    let needed = lifetime.needed();
    (cutoff.now > until).then(|| RefusalReason {
        code: RefusalCode::CutoffTooNear,
        subject: format!("the cutoff {:.0}", cutoff.at),
        detail: format!(
            "no command that is started now is sure to have expired by then: one lives for at least {} \
             ({SHORTEST} for its delivery and {} for the steps of AWS-RunPatchBaseline), and {CUTOFF_MARGIN} \
             pass until it is sent; the last start would be at {until:.0}. Name a cutoff that is more than {needed} \
             from now",
            SHORTEST.plus(lifetime.steps.most),
            lifetime.steps.most,
        ),
    })
}

/// The warnings about turns: where too few fit, and how many nodes may have none.
///
/// `paced` says how many starts run at once where they name their nodes, and which key bounds that.
pub(super) fn warnings(
    in_waves: &InWaves,
    lifetime: &Lifetime,
    units: &[(Draft, Seconds)],
    paced: Option<(u32, &str)>,
) -> Vec<String> {
    let request = in_waves.whole();
    // For each location: how many nodes may have no turn, of how many turns, and how many fit.
    let mut short: BTreeMap<String, (u32, u64, u64)> = BTreeMap::new();
    let mut uncounted = false;
    for (unit, timeout) in units {
        let fit = lifetime.turns(*timeout);
        let limit = in_waves.of(unit.wave).budget.nodes.max_concurrency;
        for command in &unit.commands {
            let Some(nodes) = command.nodes else {
                uncounted = true;
                continue;
            };
            let queue = nodes.queue(limit);
            let (Some(needed), served) = (queue.turns(), queue.served(fit)) else {
                continue; // told where offline nodes are
            };
            let without = queue.online.saturating_sub(served);
            if without > 0 {
                let at = short
                    .entry(command.location.to_string())
                    .or_insert((0, needed, fit));
                at.0 = at.0.saturating_add(without);
            }
        }
    }
    let longest = units
        .iter()
        .map(|(_, timeout)| *timeout)
        .max()
        .unwrap_or_default();
    let mut warnings = Vec::from_iter(too_late(request, lifetime, units.len(), paced));
    if !short.is_empty() {
        let nodes: u32 = short.values().fold(0, |sum, (n, ..)| sum.saturating_add(*n));
        let mut worst: Vec<(&String, &(u32, u64, u64))> = short.iter().collect();
        worst.sort_by(|a, b| b.1.0.cmp(&a.1.0).then(a.0.cmp(b.0)));
        let listed = names(worst.into_iter().map(|(location, (n, needed, fit))| {
            format!(
                "{location} ({}, {} needed and {fit} {})",
                counted(*n, "node"),
                counted(*needed, "turn") + by_number(*needed, " is", " are"),
                by_number(*fit, "fits", "fit"),
            )
        }));
        warnings.push(format!(
            "if every node takes the {} that it may, {} {} no turn before {} command expires, \
             {} after it was sent: {listed}. {}",
            lifetime.node,
            counted(nodes, "node"),
            by_number(nodes, "has", "have"),
            by_number(nodes, "its", "their"),
            lifetime.expiry(longest),
            remedy(request, lifetime),
        ));
    }
    if uncounted {
        warnings.push(format!(
            "nodes were not counted everywhere, so nobody knows how many turns they need. Their commands expire {} after \
             they were sent, and a node that has had no turn by then has none",
            lifetime.expiry(longest),
        ));
    }
    warnings
}

/// The warning about starts that may not be made before the cutoff: there are more of them than may run at once. Each has one location
/// where there is a cutoff, and all of it unless starts name their nodes.
fn too_late(
    request: &PatchRequest,
    lifetime: &Lifetime,
    starts: usize,
    paced: Option<(u32, &str)>,
) -> Option<String> {
    let until = lifetime.begins_until()?;
    let total = u32::try_from(starts).unwrap_or(u32::MAX);
    let of_locations = request.budget.locations.max_concurrency.as_count(total);
    let (at_once, key) = paced.unwrap_or((of_locations, "budget.locations.max_concurrency"));
    let wait = total.checked_sub(at_once).filter(|wait| *wait > 0)?;
    let (of, verb) = match paced {
        None => (
            counted(total, "location"),
            by_number(at_once, "is patched", "are patched"),
        ),
        Some(_) => (counted(total, "start"), by_number(at_once, "runs", "run")),
    };
    Some(format!(
        "{at_once} of {of} {verb} at once, and none is begun after {until:.0}, since its command would outlive the cutoff: the {wait} \
         that wait for a place are begun only if others are through by then. More at once ({key}) begins more of them",
    ))
}

/// The warnings about the documents. AWS-RunPatchBaseline could not be read, or the runbook's step ends before the commands
/// do.
pub(super) fn on_the_documents(
    steps: CommandSteps,
    expiry: Seconds,
    step: Option<StepTimeout>,
) -> Vec<String> {
    let mut warnings = Vec::new();
    if steps == CommandSteps::Unread {
        warnings.push(
            "AWS-RunPatchBaseline could not be read in the central account and Region, so how long its steps let a \
             command live is not known: between 3 h and 6 h are reckoned with, whichever is safe"
                .to_owned(),
        );
    }
    if let Some(step) = step.filter(|step| expiry > Seconds::new(u64::from(step.seconds()))) {
        warnings.push(format!(
            "commands live for up to {expiry}, and the runbook's step ends after {}: its execution is over then, \
             and the command goes on. Raise the step timeout with `patchfleet runbook ensure --step-timeout`",
            Seconds::new(u64::from(step.seconds()))
        ));
    }
    warnings
}

fn remedy(request: &PatchRequest, lifetime: &Lifetime) -> &'static str {
    match (lifetime.cutoff, request.patch.delivery_timeout) {
        (Some(_), _) => "Raise budget.nodes.max_concurrency, or set a later cutoff",
        (None, Some(_)) => "Raise budget.nodes.max_concurrency or patch.delivery_timeout",
        (None, None) => {
            "Raise budget.nodes.max_concurrency, or let commands live for longer than a day with \
             patch.delivery_timeout"
        }
    }
}

impl Plan {
    /// Whether how long the commands of a start live depends on when it is made.
    pub(crate) fn depends_on_time(&self) -> bool {
        let has_cutoff = self
            .lifetime
            .as_ref()
            .is_some_and(|lifetime| lifetime.cutoff.is_some());
        has_cutoff || !self.request.freezes.is_empty()
    }

    /// The start of a unit that is begun at `now`. `None` if there is no such unit. It is the planned start. With a cutoff,
    /// or before a freeze, its commands live only for the time that is left.
    ///
    /// [`Lifetime::begins_until`] and [`Plan::frozen`] say whether it may be begun at all.
    #[must_use]
    pub(crate) fn start_at(&self, unit: UnitId, now: Timestamp) -> Option<StartRequest> {
        let mut start = self.unit(unit)?.start.clone();
        let freeze = self.expires_by(now).map(|(_, begins)| begins);
        let cutoff = self.lifetime.as_ref().and_then(|lifetime| lifetime.cutoff);
        if let Some(lifetime) = &self.lifetime
            && let Some(bound) = cutoff.into_iter().chain(freeze).min()
            && let Some(planned) = timeout_of(&start)
        {
            let left = lifetime.left(bound, now).max(SHORTEST);
            set_timeout(&mut start, Some(planned.min(left)));
        }
        Some(start)
    }
}

/// The `TimeoutSeconds` that a start gives its commands.
pub(crate) fn timeout_of(start: &StartRequest) -> Option<Seconds> {
    if let Some(command) = &start.command {
        return Some(command.timeout_seconds);
    }
    let text = start.parameters.get(TIMEOUT_PARAMETER)?.first()?;
    text.parse().ok().map(Seconds::new)
}

/// Has a start give its commands this `TimeoutSeconds`; `None`: none, or the least that a command can have.
pub(crate) fn set_timeout(start: &mut StartRequest, timeout: Option<Seconds>) {
    match (&mut start.command, timeout) {
        (Some(command), timeout) => command.timeout_seconds = timeout.unwrap_or(SHORTEST),
        (None, Some(timeout)) => {
            let value = vec![timeout.get().to_string()];
            start.parameters.insert(TIMEOUT_PARAMETER.to_owned(), value);
        }
        (None, None) => {
            start.parameters.remove(TIMEOUT_PARAMETER);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_known_version_of_awss_document_takes_a_shorter_cutoff_than_the_shortest() {
        let request = r#"{"name": "web", "patch": {"operation": "Scan"}, "targets": {"resource_group": "Web",
            "accounts": ["111122223333"], "regions": ["us-east-1"]}}"#;
        let request = PatchRequest::parse(request.as_bytes(), crate::request::Format::Json).unwrap();
        let shortest = shortest_cutoff(&request).unwrap();
        assert_eq!(shortest, SignedDuration::from_secs(3 * 3_600 + 6 * 60 + 30));
        let now = Timestamp::UNIX_EPOCH;
        for steps in [CommandSteps::PASSED, CommandSteps::Unread] {
            let at = now + shortest - SignedDuration::from_secs(1);
            let cutoff = Cutoff { at, now };
            assert!(
                too_near(&Lifetime::new(steps, Some(cutoff)), cutoff).is_some(),
                "{steps:?}"
            );
        }
        let at = now + shortest;
        let cutoff = Cutoff { at, now };
        assert_eq!(
            too_near(&Lifetime::new(CommandSteps::PASSED, Some(cutoff)), cutoff),
            None
        );
        let sufficient = sufficient_cutoff(&request).unwrap();
        assert_eq!(sufficient, SignedDuration::from_secs(6 * 3_600 + 6 * 60 + 30));
        let at = now + sufficient;
        let cutoff = Cutoff { at, now };
        for steps in [CommandSteps::PASSED, CommandSteps::Unread] {
            assert_eq!(
                too_near(&Lifetime::new(steps, Some(cutoff)), cutoff),
                None,
                "{steps:?}"
            );
        }
        let mut own = request;
        own.automation.document = "Our-Runbook".parse().unwrap();
        assert_eq!(
            shortest_cutoff(&own),
            None,
            "a runbook of one's own keeps no cutoff"
        );
    }
}
