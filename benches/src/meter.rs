//! How much memory a campaign takes beside the simulator and its log.
//!
//! All bytes alive are counted. What comes into being or goes while the simulator is polled, or while the log is
//! written, is theirs. An answer is handed over: the campaign gets a copy, and what the simulator made is its own.

use patchfleet_core::campaign::{Appended, CampaignLog, LogKey, NodeRows, Record, Store};
use patchfleet_core::id::{
    AccountId, AlarmName, CampaignId, ClientToken, CommandId, DocumentName, ExecutionId, Location, NodeId,
    OrgParent, OuId, RequestName,
};
use patchfleet_core::outcome::NodeRow;
use patchfleet_core::port::{
    AccountView, AlarmView, Alarms, Automation, BoxFuture, CalendarsView, Caller, ChildView, Clock,
    CommandView, Commands, Directory, DocumentVersion, DocumentView, Documents, ExecutionView, Inventory,
    InvocationView, ListedCommand, ManagedNode, MemberPage, Page, PageToken, PatchListState, PatchStateView,
    PatchStates, PatchView, PlacedAccount, PortResult, Ports, RegionView, Resolution, Selection, SendRequest,
    StartRequest, StepView, StopType,
};
use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::task::Poll;

/// Says how many bytes are alive, whoever's they are. A program that measures memory counts them in its allocator.
pub type Alive = fn() -> usize;

/// Whose the bytes are, on one thread.
#[derive(Debug)]
pub struct Meter {
    alive: Alive,
    /// Bytes that were alive when measuring began.
    before: i64,
    /// Bytes alive that are the simulator's and the log's, beyond those.
    others: AtomicI64,
    /// The most bytes alive that were nobody else's.
    peak: AtomicI64,
}

impl Meter {
    /// Measures from now on.
    #[must_use]
    pub fn new(alive: Alive) -> Arc<Self> {
        Arc::new(Self {
            alive,
            before: bytes(alive),
            others: AtomicI64::new(0),
            peak: AtomicI64::new(0),
        })
    }

    /// The most bytes alive so far that were neither there before, nor the simulator's or the log's.
    pub fn peak(&self) -> i64 {
        self.look();
        self.peak.load(Ordering::Relaxed)
    }

    fn look(&self) -> i64 {
        let now = bytes(self.alive);
        let own = now - self.before - self.others.load(Ordering::Relaxed);
        self.peak.fetch_max(own, Ordering::Relaxed);
        now
    }

    /// Does work of the simulator's or of the log's.
    fn theirs<T>(&self, work: impl FnOnce() -> T) -> T {
        let before = self.look();
        let made = work();
        let after = bytes(self.alive);
        self.others.fetch_add(after - before, Ordering::Relaxed);
        made
    }

    /// Makes a call of theirs, and hands its answer over.
    fn call<'a, T: Clone + Send + 'a>(
        &'a self,
        begin: impl FnOnce() -> BoxFuture<'a, PortResult<T>>,
    ) -> BoxFuture<'a, PortResult<T>> {
        let mut call = Some(self.theirs(begin));
        Box::pin(poll_fn(move |context| {
            let answer = self.theirs(|| {
                let polled = call.as_mut().map(|call| call.as_mut().poll(context));
                let Some(Poll::Ready(answer)) = polled else {
                    return None;
                };
                call = None;
                Some(answer)
            });
            match answer {
                None => Poll::Pending,
                Some(Err(error)) => Poll::Ready(Err(error)),
                Some(Ok(answer)) => {
                    let copy = answer.clone();
                    self.theirs(|| drop(answer));
                    Poll::Ready(Ok(copy))
                }
            }
        }))
    }
}

fn bytes(alive: Alive) -> i64 {
    i64::try_from(alive()).unwrap_or(i64::MAX)
}

/// Ports, and a log, whose work is not the campaign's.
pub struct Metered {
    meter: Arc<Meter>,
    log: Arc<dyn CampaignLog>,
    directory: Arc<dyn Directory>,
    inventory: Arc<dyn Inventory>,
    automation: Arc<dyn Automation>,
    commands: Arc<dyn Commands>,
    patch_states: Arc<dyn PatchStates>,
    documents: Arc<dyn Documents>,
    alarms: Arc<dyn Alarms>,
    clock: Arc<dyn Clock>,
}

impl Metered {
    /// These ports, and an empty log.
    #[must_use]
    pub fn new(meter: Arc<Meter>, ports: &Ports) -> Arc<Self> {
        Arc::new(Self {
            meter,
            log: Store::in_memory().log,
            directory: ports.directory.clone(),
            inventory: ports.inventory.clone(),
            automation: ports.automation.clone(),
            commands: ports.commands.clone(),
            patch_states: ports.patch_states.clone(),
            documents: ports.documents.clone(),
            alarms: ports.alarms.clone(),
            clock: ports.clock.clone(),
        })
    }

    /// The ports.
    #[must_use]
    pub fn ports(self: &Arc<Self>) -> Ports {
        Ports {
            directory: self.clone(),
            inventory: self.clone(),
            automation: self.clone(),
            commands: self.clone(),
            patch_states: self.clone(),
            documents: self.clone(),
            alarms: self.clone(),
            clock: self.clone(),
        }
    }
}

/// Calls that are passed on to what stands in the field `of`.
macro_rules! passed_on {
    ($of:ident: $(
        $name:ident($($argument:ident: $kind:ty),*) -> $answer:ty;
    )*) => {
        $(fn $name<'a>(&'a self, $($argument: $kind),*) -> BoxFuture<'a, PortResult<$answer>> {
            self.meter.call(|| self.$of.$name($($argument),*))
        })*
    };
}

impl Directory for Metered {
    passed_on! { directory:
        caller() -> Caller;
        account(account: &AccountId) -> AccountView;
        organization(page: Option<PageToken>) -> Page<PlacedAccount>;
        accounts(parent: &OrgParent, page: Option<PageToken>) -> Page<AccountView>;
        child_units(parent: &OrgParent, page: Option<PageToken>) -> Page<OuId>;
        account_tags(account: &AccountId, page: Option<PageToken>) -> Page<(String, String)>;
        regions(account: &AccountId, page: Option<PageToken>) -> Page<RegionView>;
    }
}

impl Inventory for Metered {
    fn resolution(&self) -> Resolution {
        self.inventory.resolution()
    }

    passed_on! { inventory:
        members(location: &Location, selection: &Selection, page: Option<PageToken>) -> MemberPage;
        managed(location: &Location, only: Option<&[NodeId]>, page: Option<PageToken>) -> Page<ManagedNode>;
        tag_values(location: &Location, key: &str, page: Option<PageToken>) -> Page<(NodeId, String)>;
    }
}

impl Automation for Metered {
    passed_on! { automation:
        start(request: &StartRequest, token: ClientToken, not_after: jiff::Timestamp) -> ExecutionId;
        find(document: &DocumentName, tag_key: &str, page: Option<PageToken>) -> Page<ExecutionId>;
        execution(id: &ExecutionId) -> ExecutionView;
        steps(id: &ExecutionId, page: Option<PageToken>) -> Page<StepView>;
        child(location: &Location, id: &ExecutionId) -> ChildView;
        children(location: &Location, parent: &ExecutionId, page: Option<PageToken>) -> Page<ExecutionId>;
        stop(id: &ExecutionId, kind: StopType) -> ();
        stop_child(location: &Location, id: &ExecutionId, kind: StopType) -> ();
    }
}

impl Commands for Metered {
    passed_on! { commands:
        send(location: &Location, request: &SendRequest, not_after: jiff::Timestamp) -> CommandId;
        sent(
            location: &Location, document: &DocumentName, after: jiff::Timestamp, page: Option<PageToken>
        ) -> Page<ListedCommand>;
        command(location: &Location, id: &CommandId) -> CommandView;
        invocations(
            location: &Location, id: &CommandId, plugins: bool, page: Option<PageToken>
        ) -> Page<InvocationView>;
        output(location: &Location, id: &CommandId, node: &NodeId, plugin: &str) -> String;
        cancel(location: &Location, id: &CommandId) -> ();
    }
}

impl PatchStates for Metered {
    passed_on! { patch_states:
        patch_states(location: &Location, nodes: &[NodeId]) -> Vec<PatchStateView>;
        patches(location: &Location, node: &NodeId, state: PatchListState, most: Option<usize>) -> Vec<PatchView>;
    }
}

impl Documents for Metered {
    passed_on! { documents:
        read(at: Option<&Location>, name: &DocumentName, version: DocumentVersion) -> DocumentView;
        create(name: &DocumentName, content_json: String) -> String;
        update(name: &DocumentName, content_json: String) -> Option<String>;
        latest_version(name: &DocumentName) -> String;
        calendars(names: &[DocumentName]) -> CalendarsView;
        set_default(name: &DocumentName, version: &str) -> ();
    }
}

impl Alarms for Metered {
    passed_on! { alarms:
        alarm(name: &AlarmName) -> Option<AlarmView>;
    }
}

impl Clock for Metered {
    fn now(&self) -> jiff::Timestamp {
        self.clock.now()
    }

    fn sleep_until(&self, at: jiff::Timestamp) -> BoxFuture<'_, ()> {
        let slept = self.meter.call(move || {
            let sleep = self.clock.sleep_until(at);
            Box::pin(async move {
                sleep.await;
                Ok(())
            })
        });
        Box::pin(async move { drop(slept.await) })
    }
}

impl CampaignLog for Metered {
    passed_on! { log:
        append(key: &LogKey, record: &Record) -> Appended;
        read(key: &LogKey, from: u64) -> Vec<Record>;
        keys() -> Vec<LogKey>;
        request_name(campaign: CampaignId) -> Option<RequestName>;
        first(key: &LogKey) -> Option<Record>;
        last(key: &LogKey) -> Option<Record>;
    }
}

/// Rows that nobody keeps: a campaign hands them over for good.
impl NodeRows for Metered {
    fn put(&self, _: CampaignId, _: &Location, _: u32, rows: Vec<NodeRow>) -> BoxFuture<'_, PortResult<()>> {
        drop(rows);
        Box::pin(std::future::ready(Ok(())))
    }

    fn rows(&self, _: CampaignId, _: &Location) -> BoxFuture<'_, PortResult<Vec<NodeRow>>> {
        Box::pin(std::future::ready(Ok(vec![])))
    }
}
