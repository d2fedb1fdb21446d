// An AWS with one account, one Region and one node, for the example on the crate's front page.
// Whoever implements the ports for an inventory of their own finds every call of them here.

use patchfleet_core::id::{
    AccountId, ClientToken, CommandId, DocumentName, ExecutionId, Location, NodeId, OrgParent, OuId,
};
use patchfleet_core::port::{
    AccountState, AccountView, Alarms, Automation, BoxFuture, Caller, ChildView, Clock, CommandCounts, CommandStatus,
    CommandView, Commands, Directory, DocumentVersion, DocumentView, Documents, ExecutionStatus, ExecutionView,
    InvocationStatus, InvocationView, Inventory, ManagedNode, MemberPage, Page, PageToken, PatchStateView,
    PatchStates, PingStatus, PlacedAccount, PluginView, PortError, PortErrorKind, PortResult, Ports,
    RegionOptStatus, RegionView, Resolution, Selection, SentCommand, StartRequest, StepView, StopType,
};
use std::sync::{Arc, Mutex};

/// What was started, and when. It runs for ten minutes.
type Started = Mutex<Option<(jiff::Timestamp, StartRequest)>>;

struct OneNode {
    clock: Arc<Watch>,
    started: Started,
}

/// Time that passes only while somebody waits for it.
struct Watch(Mutex<jiff::Timestamp>);

impl Clock for Watch {
    fn now(&self) -> jiff::Timestamp {
        *self.0.lock().unwrap()
    }
    fn sleep_until(&self, at: jiff::Timestamp) -> BoxFuture<'_, ()> {
        let mut now = self.0.lock().unwrap();
        *now = at.max(*now);
        Box::pin(std::future::ready(()))
    }
}

/// The ports on it.
fn one_node() -> Ports {
    let clock = Arc::new(Watch(Mutex::new("2026-03-01T02:00:00Z".parse().unwrap())));
    let started = Mutex::new(None);
    Ports::of(OneNode { clock: clock.clone(), started }, clock)
}

fn account() -> AccountId {
    "111122223333".parse().unwrap()
}

fn node() -> NodeId {
    "i-0123456789abcdef0".parse().unwrap()
}

fn execution_id() -> ExecutionId {
    "11111111-2222-4333-8444-555555555555".parse().unwrap()
}

fn answer<T: Send + 'static>(answer: PortResult<T>) -> BoxFuture<'static, PortResult<T>> {
    Box::pin(std::future::ready(answer))
}

fn page<T: Send + 'static>(items: Vec<T>) -> BoxFuture<'static, PortResult<Page<T>>> {
    answer(Ok(Page::last(items)))
}

fn not_found<T: Send + 'static>() -> BoxFuture<'static, PortResult<T>> {
    answer(Err(PortError::new(PortErrorKind::NotFound, "there is no such thing")))
}

impl OneNode {
    /// When what was started ends; `None` if nothing was.
    fn ends(&self) -> Option<jiff::Timestamp> {
        let started = self.started.lock().unwrap();
        let (at, _) = started.as_ref()?;
        Some(*at + jiff::SignedDuration::from_mins(10))
    }

    fn status(&self) -> ExecutionStatus {
        match self.ends() {
            Some(ends) if ends <= self.clock.now() => ExecutionStatus::Success,
            _ => ExecutionStatus::InProgress,
        }
    }

    fn parameter(&self, name: &str) -> Option<String> {
        let started = self.started.lock().unwrap();
        started.as_ref()?.1.parameters.get(name)?.first().cloned()
    }
}

impl Directory for OneNode {
    fn caller(&self) -> BoxFuture<'_, PortResult<Caller>> {
        let (account, region) = (account(), "us-east-1".parse().unwrap());
        answer(Ok(Caller { account, region, arn: "arn:aws:iam::111122223333:user/you".to_owned() }))
    }
    fn account(&self, account: &AccountId) -> BoxFuture<'_, PortResult<AccountView>> {
        answer(Ok(AccountView { id: account.clone(), state: AccountState::Active }))
    }
    fn organization(&self, _: Option<PageToken>) -> BoxFuture<'_, PortResult<Page<PlacedAccount>>> {
        page(vec![])
    }
    fn accounts(&self, _: &OrgParent, _: Option<PageToken>) -> BoxFuture<'_, PortResult<Page<AccountView>>> {
        page(vec![])
    }
    fn child_units(&self, _: &OrgParent, _: Option<PageToken>) -> BoxFuture<'_, PortResult<Page<OuId>>> {
        page(vec![])
    }
    fn account_tags(
        &self,
        _: &AccountId,
        _: Option<PageToken>,
    ) -> BoxFuture<'_, PortResult<Page<(String, String)>>> {
        page(vec![])
    }
    fn regions(&self, _: &AccountId, _: Option<PageToken>) -> BoxFuture<'_, PortResult<Page<RegionView>>> {
        let region = "us-east-1".parse().unwrap();
        page(vec![RegionView { region, status: RegionOptStatus::EnabledByDefault }])
    }
}

impl Inventory for OneNode {
    fn resolution(&self) -> Resolution {
        Resolution::SameAsAws
    }
    fn members(
        &self,
        _: &Location,
        _: &Selection,
        _: Option<PageToken>,
    ) -> BoxFuture<'_, PortResult<MemberPage>> {
        answer(Ok(MemberPage { page: Page::last(vec![node()]), query_errors: vec![] }))
    }
    fn managed(
        &self,
        _: &Location,
        _: Option<&[NodeId]>,
        _: Option<PageToken>,
    ) -> BoxFuture<'_, PortResult<Page<ManagedNode>>> {
        let last_ping = Some(self.clock.now());
        page(vec![ManagedNode { id: node(), ping: PingStatus::Online, last_ping, platform: None }])
    }
}

impl Automation for OneNode {
    fn start(
        &self,
        request: &StartRequest,
        _: ClientToken,
        _: jiff::Timestamp,
    ) -> BoxFuture<'_, PortResult<ExecutionId>> {
        let now = self.clock.now();
        self.started.lock().unwrap().get_or_insert((now, request.clone()));
        answer(Ok(execution_id()))
    }
    fn find(
        &self,
        _: &DocumentName,
        _: &str,
        _: Option<PageToken>,
    ) -> BoxFuture<'_, PortResult<Page<ExecutionId>>> {
        page(self.ends().map(|_| execution_id()).into_iter().collect())
    }
    fn execution(&self, _: &ExecutionId) -> BoxFuture<'_, PortResult<ExecutionView>> {
        let Some((at, request)) = self.started.lock().unwrap().clone() else {
            return not_found();
        };
        answer(Ok(ExecutionView {
            status: self.status(),
            failure: String::new(),
            started_at: Some(at),
            parameters: request.parameters,
            document: Some(request.document_name.to_string()),
            locations: None,
            triggered: None,
            answered_at: Some(self.clock.now()),
        }))
    }
    fn steps(&self, _: &ExecutionId, _: Option<PageToken>) -> BoxFuture<'_, PortResult<Page<StepView>>> {
        page(vec![StepView {
            location: Some(Location::new(account(), "us-east-1".parse().unwrap())),
            status: self.status(),
            child: Some(execution_id()),
            failure: String::new(),
        }])
    }
    fn child(&self, _: &Location, _: &ExecutionId) -> BoxFuture<'_, PortResult<ChildView>> {
        let id = "66666666-7777-4888-8999-000000000000".parse().unwrap();
        let document = Some("AWS-RunPatchBaseline".to_owned());
        let commands = vec![SentCommand { id, document }];
        answer(Ok(ChildView { status: self.status(), commands, failure: String::new() }))
    }
    fn children(
        &self,
        _: &Location,
        _: &ExecutionId,
        _: Option<PageToken>,
    ) -> BoxFuture<'_, PortResult<Page<ExecutionId>>> {
        page(vec![execution_id()])
    }
    fn stop(&self, _: &ExecutionId, _: StopType) -> BoxFuture<'_, PortResult<()>> {
        answer(Ok(()))
    }
    fn stop_child(&self, _: &Location, _: &ExecutionId, _: StopType) -> BoxFuture<'_, PortResult<()>> {
        answer(Ok(()))
    }
}

impl Commands for OneNode {
    fn command(&self, _: &Location, _: &CommandId) -> BoxFuture<'_, PortResult<CommandView>> {
        answer(Ok(CommandView {
            status: CommandStatus::Success,
            details: "Success".to_owned(),
            requested_at: self.clock.now(),
            expires_at: None,
            counts: CommandCounts { targets: 1, completed: 1, errors: 0, undelivered: 0 },
        }))
    }
    fn invocations(
        &self,
        _: &Location,
        _: &CommandId,
        _: bool,
        _: Option<PageToken>,
    ) -> BoxFuture<'_, PortResult<Page<InvocationView>>> {
        let plugin = PluginView {
            name: "PatchLinux".to_owned(),
            status: InvocationStatus::Success,
            response_code: Some(0),
            started_at: self.ends(),
            output: String::new(),
        };
        let (node, status, plugins) = (node(), InvocationStatus::Success, vec![plugin]);
        page(vec![InvocationView { node, status, requested_at: self.ends(), plugins }])
    }
    fn output(
        &self,
        _: &Location,
        _: &CommandId,
        _: &NodeId,
        _: &str,
    ) -> BoxFuture<'_, PortResult<String>> {
        answer(Ok(String::new()))
    }
    fn cancel(&self, _: &Location, _: &CommandId) -> BoxFuture<'_, PortResult<()>> {
        answer(Ok(()))
    }
}

impl PatchStates for OneNode {
    fn patch_states(
        &self,
        _: &Location,
        _: &[NodeId],
    ) -> BoxFuture<'_, PortResult<Vec<PatchStateView>>> {
        let Some(ended_at) = self.ends() else {
            return answer(Ok(vec![]));
        };
        answer(Ok(vec![PatchStateView {
            node: node(),
            operation: self.parameter("Operation").unwrap_or_default(),
            ended_at,
            snapshot: self.parameter("SnapshotId"),
            missing: 0,
            failed: 0,
            pending_reboot: 0,
            installed: 12,
        }]))
    }
}

// No request of the example names an alarm.
impl Alarms for OneNode {}

impl Documents for OneNode {
    fn read(
        &self,
        at: Option<&Location>,
        name: &DocumentName,
        _: DocumentVersion,
    ) -> BoxFuture<'_, PortResult<DocumentView>> {
        if at.is_some() || name.as_str() != patchfleet_core::runbook::NAME {
            return not_found();
        }
        let content = patchfleet_core::runbook::Runbook::default().to_json();
        answer(Ok(DocumentView { version: "1".to_owned(), content }))
    }
    fn create(&self, _: &DocumentName, _: String) -> BoxFuture<'_, PortResult<String>> {
        not_found()
    }
    fn update(&self, _: &DocumentName, _: String) -> BoxFuture<'_, PortResult<Option<String>>> {
        not_found()
    }
    fn latest_version(&self, _: &DocumentName) -> BoxFuture<'_, PortResult<String>> {
        not_found()
    }
    fn set_default(&self, _: &DocumentName, _: &str) -> BoxFuture<'_, PortResult<()>> {
        not_found()
    }
}

/// Waits for `work`, in a program without a runtime.
fn wait<F: Future>(work: F) -> F::Output {
    let mut work = std::pin::pin!(work);
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    loop {
        if let std::task::Poll::Ready(done) = work.as_mut().poll(&mut context) {
            return done;
        }
    }
}
