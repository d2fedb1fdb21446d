//! A small AWS to run campaigns against: its time is virtual, its answers follow from a script for
//! each location, and it counts what took effect. Every call gives way once before it takes effect
//! and once before it is answered, so a test that polls by hand can stop a driver at each instant.

use crate::id::{AlarmName, ClientToken, CommandId, DocumentName, ExecutionId, Location, NodeId};
use crate::port::*;
use futures_util::FutureExt as _;
use jiff::{SignedDuration, Timestamp};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use uuid::Uuid;

mod alarms;
mod automation;
mod chaos;
mod clock;
mod commands;
mod documents;
mod nodes;
mod sends;
mod slots;

pub(crate) use chaos::{Chaos, Fault};
pub(crate) use clock::{FakeClock, finish, give_way};

/// What the runbook says, at first.
pub(crate) const RUNBOOK: &str =
    r#"{"schemaVersion": "0.3", "parameters": {"Targets": {"type": "MapList"}}}"#;

/// How long each location runs.
pub(crate) const RUNS: SignedDuration = SignedDuration::from_secs(60);
/// How long after it began a location has sent its command.
const SENDS: SignedDuration = SignedDuration::from_secs(20);

#[derive(Debug, Clone)]
pub(crate) enum Script {
    Nodes(Vec<Node>),
    /// The execution role cannot be assumed.
    RoleMissing,
    /// The child fails before it sends a command.
    FailsEarly,
    /// The step fails before there is a child.
    NeverBegins,
    /// No node is left.
    Emptied,
    /// The command fails before it is sent to any node, with these details.
    CommandFails(&'static str),
    /// Everything runs well, and nobody may read it.
    Sealed,
}

#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub(crate) id: NodeId,
    /// Empty: the command was not sent to it.
    pub(crate) status: &'static str,
    /// Failed, missing, pending a reboot; `None`: no fresh patch state.
    pub(crate) patches: Option<[u32; 3]>,
    /// How long after the end of the run the patch state can be read.
    pub(crate) late: SignedDuration,
    pub(crate) ping: Option<PingStatus>,
    /// How long before now its agent was last heard of, at the least. An agent that answers pings every
    /// five minutes until it dies at `dies`.
    pub(crate) dies: Option<SignedDuration>,
    /// Whether the census did not find it.
    pub(crate) joined: bool,
    /// Whether the census found it, and nobody does later.
    pub(crate) left: bool,
    /// Whether the census found it, and it left the selection since. Systems Manager still lists it.
    pub(crate) moved: bool,
    /// Whose snapshot its patch state has.
    pub(crate) snapshot: Option<&'static str>,
    /// Whether a step of its command is known to have begun.
    pub(crate) begun: bool,
    /// What it printed.
    pub(crate) printed: String,
    pub(crate) selected: bool,
}

impl Node {
    pub(crate) fn well(n: u32) -> Self {
        Self {
            id: format!("i-{n:08}").parse().unwrap(),
            status: "Success",
            patches: Some([0, 0, 0]),
            late: SignedDuration::ZERO,
            ping: Some(PingStatus::Online),
            dies: None,
            joined: false,
            left: false,
            moved: false,
            snapshot: None,
            begun: false,
            printed: String::new(),
            selected: true,
        }
    }
}

#[derive(Debug, Clone)]
pub(crate) struct Execution {
    pub(crate) id: ExecutionId,
    pub(crate) request: StartRequest,
    pub(crate) token: ClientToken,
    pub(crate) started_at: Timestamp,
    pub(crate) cancelled_at: Option<Timestamp>,
    /// What its alarm has AWS stop it for.
    pub(crate) triggered: Option<TriggeredAlarm>,
    /// Whether Run Command refuses its command, because a node that it names is stopped.
    pub(crate) refused: bool,
}

/// What AWS makes of a client token that was used for another start.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub(crate) enum OneToken {
    /// The test fails: a driver never sends two starts under one token.
    #[default]
    OneStart,
    /// IdempotentParameterMismatch.
    Mismatch,
    /// The same, unless they differ in their tags alone. Then it is the same execution.
    MismatchButForTags,
}

type Answers = Vec<fn() -> PortError>;

/// A command that somebody sent by himself. Of it the small AWS makes an execution with one location.
#[derive(Debug, Clone)]
pub(crate) struct OwnCommand {
    pub(crate) id: CommandId,
    pub(crate) location: Location,
    pub(crate) request: SendRequest,
    pub(crate) at: Timestamp,
    owner: ExecutionId,
}

/// What becomes of a stop.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum TakesStops {
    #[default]
    Well,
    /// One of the kind `Complete` is taken, and changes nothing.
    CompleteInVain,
    /// Nobody may stop anything.
    Denied,
    /// AWS asks to be asked later.
    Throttled,
    /// The caller's credentials have expired.
    NoCredentials,
    /// AWS says that there is nothing to stop.
    NotRunning,
}

/// What was stopped below an execution.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Below {
    Child(StopType),
    Command,
}

/// Id, title, and whether it waits for a reboot, of each patch; or why nobody may read them.
pub(crate) type InstalledByName = Result<Vec<(&'static str, &'static str, bool)>, PortErrorKind>;

pub(crate) struct FakeAws {
    pub(crate) chaos: Arc<Chaos>,
    pub(crate) clock: Arc<FakeClock>,
    pub(crate) scripts: Mutex<BTreeMap<Location, Script>>,
    pub(crate) executions: Mutex<Vec<Execution>>,
    /// What the next starts are answered with, without effect.
    pub(crate) refusals: Mutex<Answers>,
    pub(crate) starts: Mutex<Vec<(ClientToken, String)>>,
    /// The commands that took effect, of those that somebody sent by himself.
    pub(crate) sends: Mutex<Vec<OwnCommand>>,
    /// Whether the steps name no execution.
    pub(crate) unnamed: Mutex<bool>,
    /// The document that the steps say their commands have, if they say one.
    pub(crate) command_document: Mutex<Option<&'static str>>,
    /// How long after its end a command's results are listed.
    pub(crate) lists_late: Mutex<SignedDuration>,
    /// How long AWS keeps an execution in a location waiting.
    pub(crate) waits: Mutex<SignedDuration>,
    /// How long after its step a command is over.
    pub(crate) runs_on: Mutex<SignedDuration>,
    /// How long after its step a command would expire.
    pub(crate) expires_late: Mutex<SignedDuration>,
    /// Whether a command counts no node as through before its results are listed.
    pub(crate) counts_late: Mutex<bool>,
    /// Whether a cancelled execution is over at once, and what runs in its locations runs on.
    pub(crate) runs_below: Mutex<bool>,
    /// Whether a cancelled execution says so before it is over.
    pub(crate) says_cancelling: Mutex<bool>,
    /// Where what runs was cancelled itself. It is over at once.
    pub(crate) cancelled_in: Mutex<BTreeSet<(ExecutionId, Location)>>,
    /// Whether the members of a Region are listed the later the higher its number is.
    pub(crate) staggered: Mutex<bool>,
    /// Until when nothing is answered there. Time passes while somebody waits.
    pub(crate) slow: Mutex<BTreeMap<Location, Timestamp>>,
    /// When each execution was looked at.
    pub(crate) looks: Mutex<Vec<(ExecutionId, Timestamp)>>,
    /// Whether nobody may look at an execution.
    pub(crate) looks_denied: Mutex<bool>,
    /// The stops that were asked for.
    pub(crate) stops: Mutex<Vec<(ExecutionId, StopType)>>,
    /// What becomes of a stop.
    pub(crate) takes_stops: Mutex<TakesStops>,
    /// What was stopped in each location, and when.
    pub(crate) stops_below: Mutex<Vec<(Location, Below, Timestamp)>>,
    /// What becomes of such a stop.
    pub(crate) takes_stops_below: Mutex<TakesStops>,
    /// Where an execution is listed that its parent never reached, by its steps.
    pub(crate) turns_up: Mutex<BTreeSet<Location>>,
    /// Where a hook is sent before the command that patches, and how it ended. One that was cancelled fails its
    /// execution, which then sends nothing else.
    pub(crate) hooks: Mutex<BTreeMap<Location, &'static str>>,
    /// What every question for the names of patches is answered with, if not with them.
    pub(crate) names_fail: Mutex<Option<PortErrorKind>>,
    /// Which nodes were asked for the names of their patches.
    pub(crate) names_asked: Mutex<Vec<(NodeId, PatchListState)>>,
    /// What each node has installed by name.
    pub(crate) installed: Mutex<BTreeMap<NodeId, InstalledByName>>,
    /// How long each such question takes; the longest span there is: it has no answer. Time passes while somebody waits.
    pub(crate) names_take: Mutex<SignedDuration>,
    /// Whether patch states have no answer once a node was asked for the names of its patches.
    pub(crate) states_hang: Mutex<bool>,
    /// Whether a node reports anew once it was asked for them.
    pub(crate) reports_anew: Mutex<bool>,
    /// Nodes that are stopped: they are not listed, and a command that names one is refused whole.
    pub(crate) stopped: Mutex<BTreeSet<NodeId>>,
    /// Whether stopped nodes are still listed as online.
    pub(crate) still_listed: Mutex<bool>,
    /// What the runbook says in the central account and Region; `None`: it is not there.
    pub(crate) runbook: Mutex<Option<String>>,
    /// What the next reads of it are answered with, the last first.
    pub(crate) runbook_reads: Mutex<Answers>,
    /// From when to when a change calendar is closed.
    pub(crate) calendars_closed: Mutex<Vec<(Timestamp, Timestamp)>>,
    /// How, and until when, AWS does not say whether they are.
    pub(crate) calendars_fail: Mutex<Option<(PortErrorKind, Timestamp)>>,
    /// When they were asked.
    pub(crate) calendars_asked: Mutex<Vec<Timestamp>>,
    /// From when to when the CloudWatch alarm is in the state ALARM.
    pub(crate) alarm_goes_off: Mutex<Vec<(Timestamp, Timestamp)>>,
    /// How, and until when, CloudWatch does not say; `None` of the kinds: there is no such alarm.
    pub(crate) alarm_fails: Mutex<Option<(Option<PortErrorKind>, Timestamp)>>,
    /// When it was asked.
    pub(crate) alarm_asked: Mutex<Vec<Timestamp>>,
    /// What copies of it say, or why they cannot be read.
    pub(crate) copies: Mutex<BTreeMap<Location, Result<String, PortErrorKind>>>,
    /// After how many reads a copy that cannot be read is not there any more; `None`: never.
    pub(crate) copies_mend_after: Mutex<Option<u32>>,
    /// How often it was read in each location; `None`: in the central account and Region.
    pub(crate) reads: Mutex<BTreeMap<Option<Location>, u32>>,
    /// From and until when the caller's credentials do not work.
    pub(crate) locked_out: Mutex<Option<(Timestamp, Timestamp)>>,
    /// From and until when AWS throttles every call.
    pub(crate) throttled: Mutex<Option<(Timestamp, Timestamp)>>,
    /// What every question which nodes are managed is answered with.
    pub(crate) look_up_fails: Mutex<Option<PortErrorKind>>,
    /// Why executions cannot be looked for by their tag.
    pub(crate) finds_fail: Mutex<Option<PortErrorKind>>,
    /// For how long the next command waits for its turn before it is sent.
    pub(crate) sends_wait: Mutex<SignedDuration>,
    /// Where commands cannot be listed.
    pub(crate) listing_denied: Mutex<BTreeSet<Location>>,
    /// Where nothing can be asked or sent that has to do with commands, and of what kind each answer is: the account is suspended.
    pub(crate) gone: Mutex<BTreeMap<Location, PortErrorKind>>,
    /// Until when nobody hears whether an execution has a tag. Time passes while somebody waits.
    pub(crate) finds_slow: Mutex<Option<Timestamp>>,
    /// Whether nobody may list the members of a selection.
    pub(crate) members_denied: Mutex<bool>,
    /// How long an execution that was started can be neither listed nor read.
    pub(crate) hidden: Mutex<SignedDuration>,
    /// How long it cannot be listed by tag keys that begin so, if that is longer.
    pub(crate) hidden_by: Mutex<BTreeMap<&'static str, SignedDuration>>,
    /// Whether AWS has forgotten every execution, as it does 30 days after its end.
    pub(crate) forgets: Mutex<bool>,
    /// What becomes of a client token that is used for another start.
    pub(crate) one_token: Mutex<OneToken>,
    /// How long a client token is remembered.
    pub(crate) remembers: SignedDuration,
}

fn id_of<T: std::str::FromStr<Err = crate::id::ParseIdError>>(text: &str) -> T {
    Uuid::new_v5(&Uuid::nil(), text.as_bytes())
        .to_string()
        .parse()
        .unwrap()
}

impl FakeAws {
    fn script(&self, location: &Location) -> Script {
        self.scripts
            .lock()
            .unwrap()
            .get(location)
            .cloned()
            .expect("a location of the world")
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    fn call<'a, T: Send + 'a>(
        &'a self,
        effect: impl FnOnce() -> PortResult<T> + Send + 'a,
    ) -> BoxFuture<'a, PortResult<T>> {
        self.chaos.call(move || {
            let (locked_out, throttled) = (*self.locked_out.lock().unwrap(), *self.throttled.lock().unwrap());
            if throttled.is_some_and(|(from, to)| from <= self.now() && self.now() < to) {
                let error = PortError::new(PortErrorKind::Throttled, "throttled");
                return Err(error.with_words("ThrottlingException: Rate exceeded"));
            }
            if locked_out.is_some_and(|(from, to)| from <= self.now() && self.now() < to) {
                return Err(PortError::new(
                    PortErrorKind::Credentials,
                    "the token has expired",
                ));
            }
            effect()
        })
    }

    /// Does something once the location answers.
    fn late<'a, T: Send + 'a>(
        &'a self,
        location: Location,
        answer: BoxFuture<'a, PortResult<T>>,
    ) -> BoxFuture<'a, PortResult<T>> {
        async move {
            let is_slow = || {
                self.slow
                    .lock()
                    .unwrap()
                    .get(&location)
                    .is_some_and(|until| self.now() < *until)
            };
            while is_slow() {
                self.clock.advance(SignedDuration::from_millis(50));
                give_way().await;
            }
            answer.await
        }
        .boxed()
    }

    /// Does something with commands in a location, unless that is gone.
    fn call_in<'a, T: Send + 'a>(
        &'a self,
        location: &Location,
        effect: impl FnOnce() -> PortResult<T> + Send + 'a,
    ) -> BoxFuture<'a, PortResult<T>> {
        let location = location.clone();
        self.call(move || match self.gone.lock().unwrap().get(&location) {
            Some(kind) => Err(PortError::new(*kind, "the account is gone")),
            None => effect(),
        })
    }

    fn waits(&self) -> SignedDuration {
        *self.waits.lock().unwrap()
    }

    fn hidden(&self) -> SignedDuration {
        *self.hidden.lock().unwrap()
    }

    fn is_shown(&self, execution: &Execution) -> bool {
        !*self.forgets.lock().unwrap() && execution.started_at + self.hidden() <= self.now()
    }

    /// Whether an execution is listed by a tag key.
    fn is_listed(&self, execution: &Execution, tag_key: &str) -> bool {
        let hidden_by = self.hidden_by.lock().unwrap();
        let mut of_key = hidden_by.iter().filter(|(key, _)| tag_key.starts_with(**key));
        execution.request.tags.iter().any(|tag| tag.key == tag_key)
            && self.is_shown(execution)
            && of_key.all(|(_, hidden)| execution.started_at + *hidden <= self.now())
    }

    /// An execution, if it can be seen already.
    fn seen(&self, id: &ExecutionId) -> PortResult<Execution> {
        let executions = self.executions.lock().unwrap();
        executions
            .iter()
            .find(|e| e.id == *id && self.is_shown(e))
            .cloned()
            .ok_or_else(|| PortError::new(PortErrorKind::NotFound, "no such execution"))
    }

    fn hook(&self, location: &Location) -> Option<&'static str> {
        self.hooks.lock().unwrap().get(location).copied()
    }

    fn nodes(&self, location: &Location) -> Vec<Node> {
        match self.script(location) {
            Script::Nodes(nodes) => nodes.into_iter().filter(|node| !node.left).collect(),
            Script::Emptied => vec![],
            _ => vec![Node::well(1), Node::well(2)],
        }
    }

    /// The nodes that a command was sent to: with node ids, only those that the start names.
    fn targets(&self, location: &Location, command: &CommandId) -> Vec<Node> {
        let executions = self.executions.lock().unwrap().clone();
        let owner = executions
            .iter()
            .find(|e| *command == id_of(&format!("command/{}/{location}", e.id)))
            .unwrap();
        let targets = owner.request.parameters.get("Targets").cloned();
        let targets = targets.filter(|targets| targets.iter().any(|json| json.contains("InstanceIds")));
        let named = |node: &Node| {
            targets
                .as_ref()
                .is_none_or(|targets| targets.iter().any(|json| json.contains(node.id.as_str())))
        };
        let mut nodes = self.nodes(location);
        nodes.retain(|node| !node.status.is_empty() && named(node));
        nodes
    }

    /// What becomes of stops.
    pub(crate) fn take_stops(&self, how: TakesStops) {
        *self.takes_stops.lock().unwrap() = how;
    }

    /// Cancels every execution that is not over.
    pub(crate) fn cancel(&self) {
        let now = self.now();
        let all = self.executions.lock().unwrap().clone();
        let open: Vec<bool> = all
            .iter()
            .map(|one| one.cancelled_at.is_none() && self.slots(one).iter().any(|slot| slot.ends > now))
            .collect();
        for (execution, open) in self.executions.lock().unwrap().iter_mut().zip(open) {
            if open {
                execution.cancelled_at = Some(now);
            }
        }
    }

    /// Stops every execution that is not over and was started with the alarm.
    pub(crate) fn stop_for_alarm(&self, triggered: TriggeredAlarm) {
        let all = self.executions.lock().unwrap().clone();
        assert!(
            all.iter().all(|one| one.request.alarm.is_some()),
            "AWS was told of no alarm"
        );
        self.cancel();
        let now = self.now();
        let mut executions = self.executions.lock().unwrap();
        for stopped in executions.iter_mut().filter(|one| one.cancelled_at == Some(now)) {
            stopped.triggered = Some(triggered);
        }
    }

    /// Cancels what the first execution runs in a location.
    pub(crate) fn cancel_in(&self, location: &Location) {
        let first = self.executions.lock().unwrap().first().unwrap().id.clone();
        self.cancelled_in
            .lock()
            .unwrap()
            .insert((first, location.clone()));
    }

    /// The locations in which an execution began something.
    pub(crate) fn begun(&self, execution: &Execution) -> Vec<Location> {
        let slots = self.slots(execution).into_iter();
        let begun = slots.filter(|slot| slot.begins.is_some_and(|at| at <= self.now()));
        begun.map(|slot| slot.location).collect()
    }

    /// Whether a node there fails its run.
    pub(crate) fn has_failing_node(&self, location: &Location) -> bool {
        let script = self.script(location);
        matches!(script, Script::Nodes(nodes) if nodes.iter().any(|node| node.status == "Failed"))
    }

    /// When each location in which something was begun began, and when the last of it ended or will have.
    pub(crate) fn spans(&self) -> Vec<(Location, Timestamp, Timestamp)> {
        let (now, runs_on) = (self.now(), *self.runs_on.lock().unwrap());
        let executions = self.executions.lock().unwrap().clone();
        let slots = executions.iter().flat_map(|one| self.slots(one));
        let spans = slots.filter_map(|slot| {
            // Elsewhere no command is at work on a node.
            let is_sent = matches!(self.script(&slot.location), Script::Nodes(_));
            let runs_on = if is_sent { runs_on } else { SignedDuration::ZERO };
            Some((slot.location, slot.begins?, slot.ends + runs_on))
        });
        spans.filter(|(_, begins, _)| *begins <= now).collect()
    }

    fn is_cancelled_in(&self, execution: &ExecutionId, location: &Location) -> bool {
        let cancelled = self.cancelled_in.lock().unwrap();
        cancelled.contains(&(execution.clone(), location.clone()))
    }

    /// Whether an execution was cancelled and is over, though what it began runs on.
    fn is_cut_off(&self, execution: &Execution) -> bool {
        *self.runs_below.lock().unwrap() && execution.cancelled_at.is_some_and(|at| at <= self.now())
    }
}
