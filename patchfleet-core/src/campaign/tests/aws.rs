//! A small AWS to run campaigns against: its time is virtual, its answers follow from a script for
//! each location, and it counts what took effect. Every call gives way once before it takes effect
//! and once before it is answered, so a test that polls by hand can stop a driver at each instant.

use crate::id::{ClientToken, CommandId, DocumentName, ExecutionId, Location, NodeId};
use crate::port::*;
use futures_util::FutureExt as _;
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeMap;
use std::future::Future;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use uuid::Uuid;

/// How long each location runs.
pub(crate) const RUNS: SignedDuration = SignedDuration::from_secs(60);
/// How long after it began a location has sent its command.
const SENDS: SignedDuration = SignedDuration::from_secs(20);
/// How long an execution that was started can be neither listed nor read.
const LISTED: SignedDuration = SignedDuration::from_secs(5);

/// Polls a future to its end. What never ends fails the test.
pub(crate) fn finish<F: Future>(future: F) -> F::Output {
    let mut future = std::pin::pin!(future);
    for _ in 0..1_000_000 {
        if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            return output;
        }
    }
    panic!("it never ends");
}

/// Gives way once.
pub(crate) async fn give_way() {
    let mut gave = false;
    std::future::poll_fn(|context| {
        context.waker().wake_by_ref();
        if std::mem::replace(&mut gave, true) {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    })
    .await;
}

pub(crate) struct FakeClock(pub(super) Mutex<Timestamp>);

impl FakeClock {
    pub(crate) fn advance(&self, by: SignedDuration) {
        *self.0.lock().unwrap() += by;
    }
}

impl Clock for FakeClock {
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap()
    }

    fn sleep_until(&self, at: Timestamp) -> BoxFuture<'_, ()> {
        async move {
            give_way().await;
            let mut now = self.0.lock().unwrap();
            *now = at.max(*now);
        }
        .boxed()
    }
}

/// What goes wrong with calls, by their number over all ports together.
#[derive(Default)]
pub(crate) struct Chaos {
    pub(crate) calls: Mutex<u32>,
    pub(crate) fault: Mutex<Option<(u32, Fault)>>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Fault {
    /// The call has no effect, and says so.
    Before,
    /// The call has its effect, and its answer is lost.
    After,
}

impl Chaos {
    pub(super) fn call<'a, T: Send + 'a>(
        &'a self,
        effect: impl FnOnce() -> PortResult<T> + Send + 'a,
    ) -> BoxFuture<'a, PortResult<T>> {
        async move {
            give_way().await;
            let number = {
                let mut calls = self.calls.lock().unwrap();
                *calls += 1;
                *calls
            };
            let fault = self
                .fault
                .lock()
                .unwrap()
                .filter(|(at, _)| *at == number)
                .map(|(_, fault)| fault);
            let unavailable = || PortError::new(PortErrorKind::Unavailable, "no answer");
            if fault == Some(Fault::Before) {
                return Err(unavailable());
            }
            let answer = effect();
            give_way().await;
            if fault == Some(Fault::After) {
                Err(unavailable().maybe_sent())
            } else {
                answer
            }
        }
        .boxed()
    }
}

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
}

type Answers = Vec<fn() -> PortError>;

pub(crate) struct FakeAws {
    pub(crate) chaos: Arc<Chaos>,
    pub(crate) clock: Arc<FakeClock>,
    pub(crate) scripts: Mutex<BTreeMap<Location, Script>>,
    pub(crate) executions: Mutex<Vec<Execution>>,
    /// What the next starts are answered with, without effect.
    pub(crate) refusals: Mutex<Answers>,
    pub(crate) starts: Mutex<Vec<(ClientToken, String)>>,
    /// Whether the steps name no execution.
    pub(crate) unnamed: Mutex<bool>,
    /// How long after its end a command's results are listed.
    pub(crate) lists_late: Mutex<SignedDuration>,
    /// From and until when the caller's credentials do not work.
    pub(crate) locked_out: Mutex<Option<(Timestamp, Timestamp)>>,
    /// How long a client token is remembered.
    pub(crate) remembers: SignedDuration,
}

fn id_of<T: std::str::FromStr<Err = crate::id::ParseIdError>>(text: &str) -> T {
    Uuid::new_v5(&Uuid::nil(), text.as_bytes())
        .to_string()
        .parse()
        .unwrap()
}

/// When a location of an execution begins; `None`: never.
struct Slot {
    location: Location,
    begins: Option<Timestamp>,
    ends: Timestamp,
    status: ExecutionStatus,
    failure: String,
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
            let locked_out = *self.locked_out.lock().unwrap();
            if locked_out.is_some_and(|(from, to)| from <= self.now() && self.now() < to) {
                return Err(PortError::new(
                    PortErrorKind::Credentials,
                    "the token has expired",
                ));
            }
            effect()
        })
    }

    /// An execution, if it can be seen already.
    fn seen(&self, id: &ExecutionId) -> PortResult<Execution> {
        let executions = self.executions.lock().unwrap();
        executions
            .iter()
            .find(|e| e.id == *id && e.started_at + LISTED <= self.now())
            .cloned()
            .ok_or_else(|| PortError::new(PortErrorKind::NotFound, "no such execution"))
    }

    /// What happens in each location, seen from its end.
    fn slots(&self, execution: &Execution) -> Vec<Slot> {
        let target = execution.request.target_location();
        let at_once: usize = target.target_location_max_concurrency.parse().unwrap();
        let allowed: usize = target.target_location_max_errors.parse().unwrap();
        let locations = target
            .accounts
            .iter()
            .flat_map(|a| target.regions.iter().map(|r| Location::new(a.clone(), r.clone())));
        let mut slots: Vec<Slot> = vec![];
        for (index, location) in locations.enumerate() {
            let batch = index / at_once;
            let before = &slots[..batch * at_once];
            let failed = before
                .iter()
                .filter(|slot| slot.status == ExecutionStatus::Failed)
                .count();
            let begins = execution.started_at + RUNS * i32::try_from(batch).unwrap();
            let cancelled = execution.cancelled_at.is_some_and(|at| at <= begins);
            let bad = |status: &str| ["Failed", "ExecutionTimedOut"].contains(&status);
            let (status, failure) = match self.script(&location) {
                Script::Nodes(nodes) if nodes.iter().any(|node| bad(node.status)) => ("Failed", ""),
                Script::Nodes(_) | Script::Sealed => ("Success", ""),
                Script::RoleMissing => (
                    "Failed",
                    "The execution role arn:aws:iam::1:role/x in the target location is unable to be assumed.",
                ),
                Script::FailsEarly => ("Failed", "Step fails when it is verifying."),
                Script::NeverBegins => ("Failed", "The document is not there."),
                Script::Emptied => ("Failed", "No instances in tag"),
            };
            slots.push(if failed > allowed || cancelled {
                Slot {
                    location,
                    begins: None,
                    ends: before
                        .iter()
                        .map(|slot| slot.ends)
                        .max()
                        .unwrap_or(execution.started_at),
                    status: ExecutionStatus::Pending,
                    failure: String::new(),
                }
            } else {
                Slot {
                    location,
                    begins: Some(begins),
                    ends: begins + RUNS,
                    status: status.into(),
                    failure: failure.into(),
                }
            });
        }
        slots
    }

    fn slot_of(&self, kind: &str, location: &Location, id: &str) -> PortResult<Slot> {
        let executions = self.executions.lock().unwrap().clone();
        let owner = executions
            .iter()
            .find(|e| id == id_of::<ExecutionId>(&format!("{kind}/{}/{location}", e.id)).as_str())
            .ok_or_else(|| PortError::new(PortErrorKind::NotFound, format!("no {kind} {id}")))?;
        if matches!(self.script(location), Script::Sealed) {
            return Err(PortError::new(PortErrorKind::Denied, "may not read"));
        }
        Ok(self
            .slots(owner)
            .into_iter()
            .find(|slot| slot.location == *location)
            .unwrap())
    }

    fn nodes(&self, location: &Location) -> Vec<Node> {
        match self.script(location) {
            Script::Nodes(nodes) => nodes,
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
        let named = |node: &Node| {
            targets
                .as_ref()
                .is_none_or(|targets| targets.iter().any(|json| json.contains(node.id.as_str())))
        };
        let mut nodes = self.nodes(location);
        nodes.retain(|node| !node.status.is_empty() && named(node));
        nodes
    }

    pub(crate) fn cancel(&self) {
        let now = self.now();
        for execution in self.executions.lock().unwrap().iter_mut() {
            execution.cancelled_at = Some(now);
        }
    }
}

impl Automation for FakeAws {
    fn start(&self, request: &StartRequest, token: ClientToken) -> BoxFuture<'_, PortResult<ExecutionId>> {
        let request = request.clone();
        self.call(move || {
            let now = self.now();
            let bytes = serde_json::to_string(&request).unwrap();
            self.starts.lock().unwrap().push((token, bytes));
            if let Some(refusal) = self.refusals.lock().unwrap().pop() {
                return Err(refusal());
            }
            let mut executions = self.executions.lock().unwrap();
            let known = executions
                .iter()
                .find(|e| e.token == token && now.duration_since(e.started_at) < self.remembers);
            if let Some(known) = known {
                assert_eq!(known.request, request, "one token, two requests");
                return Ok(known.id.clone());
            }
            let id: ExecutionId = id_of(&format!("{token}/{}", executions.len()));
            executions.push(Execution {
                id: id.clone(),
                request,
                token,
                started_at: now,
                cancelled_at: None,
            });
            Ok(id)
        })
    }

    fn find(
        &self,
        document: &DocumentName,
        tag_key: &str,
        since: Timestamp,
        page: Option<PageToken>,
    ) -> BoxFuture<'_, PortResult<Page<ExecutionId>>> {
        let (document, tag_key) = (document.clone(), tag_key.to_owned());
        self.call(move || {
            let executions = self.executions.lock().unwrap();
            let found = executions.iter().filter(|e| {
                e.request.document_name == document
                    && e.request.tags.iter().any(|tag| tag.key == tag_key)
                    && e.started_at >= since
                    && e.started_at + LISTED <= self.now()
            });
            // Everything stands on the second page.
            Ok(match page {
                None => Page {
                    items: vec![],
                    next: Some(PageToken::new("2")),
                },
                Some(_) => Page::last(found.map(|e| e.id.clone()).collect()),
            })
        })
    }

    fn execution(&self, id: &ExecutionId) -> BoxFuture<'_, PortResult<ExecutionView>> {
        let id = id.clone();
        self.call(move || {
            let execution = self.seen(&id)?;
            let slots = self.slots(&execution);
            let over = slots.iter().all(|slot| slot.ends <= self.now());
            let status = if !over {
                ExecutionStatus::InProgress
            } else if execution.cancelled_at.is_some() {
                ExecutionStatus::Cancelled
            } else if slots.iter().any(|slot| slot.status != ExecutionStatus::Success) {
                ExecutionStatus::Failed
            } else {
                ExecutionStatus::Success
            };
            Ok(ExecutionView {
                status,
                failure: String::new(),
                started_at: Some(execution.started_at),
                parameters: execution.request.parameters.clone(),
            })
        })
    }

    fn steps(&self, id: &ExecutionId, page: Option<PageToken>) -> BoxFuture<'_, PortResult<Page<StepView>>> {
        let id = id.clone();
        self.call(move || {
            let now = self.now();
            let execution = self.seen(&id)?;
            let mut steps: Vec<StepView> = vec![StepView {
                location: None,
                status: ExecutionStatus::Success,
                child: None,
                failure: String::new(),
            }];
            for slot in self.slots(&execution) {
                let begun = slot.begins.is_some_and(|at| at <= now);
                let over = begun && slot.ends <= now;
                let early = matches!(
                    self.script(&slot.location),
                    Script::RoleMissing | Script::NeverBegins
                );
                steps.push(StepView {
                    child: (begun && !early && !*self.unnamed.lock().unwrap())
                        .then(|| id_of(&format!("child/{}/{}", execution.id, slot.location))),
                    location: Some(slot.location),
                    status: match (begun, over) {
                        (false, _) => ExecutionStatus::Pending,
                        (true, false) => ExecutionStatus::InProgress,
                        (true, true) => slot.status,
                    },
                    failure: if over { slot.failure } else { String::new() },
                });
            }
            // Two steps a page.
            let first: usize = page.map_or(0, |token| token.as_str().parse().unwrap());
            let rest = steps.split_off(first.min(steps.len()));
            let next = (rest.len() > 2).then(|| PageToken::new((first + 2).to_string()));
            Ok(Page {
                items: rest.into_iter().take(2).collect(),
                next,
            })
        })
    }

    fn children(
        &self,
        location: &Location,
        parent: &ExecutionId,
        page: Option<PageToken>,
    ) -> BoxFuture<'_, PortResult<Page<ExecutionId>>> {
        let (location, parent) = (location.clone(), parent.clone());
        self.call(move || {
            let execution = self.seen(&parent)?;
            let mut slots = self.slots(&execution).into_iter();
            let slot = slots.find(|slot| slot.location == location).unwrap();
            let there = match self.script(&location) {
                Script::Sealed => return Err(PortError::new(PortErrorKind::Denied, "may not read")),
                Script::RoleMissing | Script::NeverBegins => false,
                _ => slot.begins.is_some_and(|at| at <= self.now()),
            };
            // Everything stands on the second page.
            Ok(match page {
                None => Page {
                    items: vec![],
                    next: Some(PageToken::new("2")),
                },
                Some(_) => {
                    let child = there.then(|| id_of(&format!("child/{parent}/{location}")));
                    Page::last(child.into_iter().collect())
                }
            })
        })
    }

    fn child(&self, location: &Location, id: &ExecutionId) -> BoxFuture<'_, PortResult<ChildView>> {
        let (location, id) = (location.clone(), id.clone());
        self.call(move || {
            let slot = self.slot_of("child", &location, id.as_str())?;
            let execution = self.executions.lock().unwrap().clone();
            let owner = execution
                .iter()
                .find(|e| id == id_of(&format!("child/{}/{location}", e.id)))
                .unwrap();
            let over = slot.ends <= self.now();
            let sends = !matches!(self.script(&location), Script::FailsEarly)
                && slot.begins.unwrap() + SENDS <= self.now();
            Ok(ChildView {
                status: if over {
                    slot.status
                } else {
                    ExecutionStatus::InProgress
                },
                command: sends.then(|| id_of(&format!("command/{}/{location}", owner.id))),
                failure: if over { slot.failure } else { String::new() },
            })
        })
    }

    fn command(&self, location: &Location, id: &CommandId) -> BoxFuture<'_, PortResult<CommandView>> {
        let (location, id) = (location.clone(), id.clone());
        self.call(move || {
            let slot = self.slot_of("command", &location, id.as_str())?;
            let empty = matches!(self.script(&location), Script::Emptied);
            let over = slot.ends <= self.now();
            let targets = u32::try_from(self.targets(&location, &id).len()).unwrap();
            Ok(CommandView {
                status: if over || empty { "Failed" } else { "InProgress" }.to_owned(),
                details: if empty { "NoInstancesInTag" } else { "InProgress" }.to_owned(),
                requested_at: slot.begins.unwrap() + SENDS,
                counts: CommandCounts {
                    targets,
                    completed: if over { targets } else { 0 },
                    errors: 0,
                    undelivered: 0,
                },
            })
        })
    }

    fn invocations(
        &self,
        location: &Location,
        id: &CommandId,
        _: Option<PageToken>,
    ) -> BoxFuture<'_, PortResult<Page<InvocationView>>> {
        let (location, id) = (location.clone(), id.clone());
        self.call(move || {
            let ends = self.slot_of("command", &location, id.as_str())?.ends;
            let listed = ends + *self.lists_late.lock().unwrap() <= self.now();
            let nodes = self.targets(&location, &id).into_iter().filter(|_| listed);
            Ok(Page::last(
                nodes
                    .map(|node| InvocationView {
                        status: InvocationStatus::from_details(node.status),
                        node: node.id,
                    })
                    .collect(),
            ))
        })
    }

    fn patch_states(
        &self,
        location: &Location,
        nodes: &[NodeId],
    ) -> BoxFuture<'_, PortResult<Vec<PatchStateView>>> {
        assert!(nodes.len() <= 50);
        let (location, nodes) = (location.clone(), nodes.to_vec());
        self.call(move || {
            let executions = self.executions.lock().unwrap().clone();
            let ends = executions
                .iter()
                .flat_map(|e| self.slots(e))
                .filter(|slot| slot.location == location)
                .map(|slot| slot.ends)
                .max()
                .unwrap();
            let known = self
                .nodes(&location)
                .into_iter()
                .filter(|node| nodes.contains(&node.id));
            Ok(known
                .filter_map(|node| {
                    let [failed, missing, pending_reboot] =
                        node.patches.filter(|_| ends + node.late <= self.now())?;
                    Some(PatchStateView {
                        node: node.id,
                        operation: "Install".to_owned(),
                        ended_at: ends,
                        snapshot: None,
                        missing,
                        failed,
                        pending_reboot,
                        installed: 10,
                    })
                })
                .collect())
        })
    }
}

impl Inventory for FakeAws {
    fn members(
        &self,
        location: &Location,
        _: &Selection,
        _: Option<PageToken>,
    ) -> BoxFuture<'_, PortResult<MemberPage>> {
        let location = location.clone();
        self.call(move || {
            let nodes = self.nodes(&location).into_iter().filter(|node| node.selected);
            Ok(MemberPage {
                page: Page::last(nodes.map(|node| node.id).collect()),
                query_errors: vec![],
            })
        })
    }

    fn managed(
        &self,
        location: &Location,
        only: Option<&[NodeId]>,
        _: Option<PageToken>,
    ) -> BoxFuture<'_, PortResult<Page<ManagedNode>>> {
        assert!(only.is_none_or(|nodes| nodes.len() <= 50));
        let (location, only) = (location.clone(), only.map(<[_]>::to_vec));
        self.call(move || {
            let nodes = self.nodes(&location).into_iter();
            Ok(Page::last(
                nodes
                    .filter(|node| only.as_ref().is_none_or(|only| only.contains(&node.id)))
                    .filter_map(|node| {
                        Some(ManagedNode {
                            id: node.id,
                            ping: node.ping?,
                        })
                    })
                    .collect(),
            ))
        })
    }
}
