//! A clock on which each call takes one step.

use crate::id::*;
use crate::plan::{Options, Plan, PlanError, make};
use crate::port::*;
use crate::request::PatchRequest;
use crate::tests::world::{World, wait};
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};

/// A world in which each call is answered at the step after the one at which it was made.
pub(crate) struct Slow<'w> {
    world: &'w World,
    now: AtomicUsize,
    made: AtomicUsize,
    under_way: AtomicUsize,
    most_at_once: AtomicUsize,
}

/// What planning took.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Took {
    /// Calls one after the other.
    pub(crate) steps: usize,
    /// The most calls at once.
    pub(crate) most_at_once: usize,
}

impl<'w> Slow<'w> {
    pub(crate) fn new(world: &'w World) -> Self {
        Self {
            world,
            now: AtomicUsize::new(0),
            made: AtomicUsize::new(0),
            under_way: AtomicUsize::new(0),
            most_at_once: AtomicUsize::new(0),
        }
    }

    /// The ports with which results are read.
    pub(crate) fn results(&self) -> ResultPorts<'_> {
        ResultPorts {
            automation: self,
            commands: self,
            patch_states: self,
            inventory: self,
        }
    }

    /// Plans, and says what that took.
    pub(crate) fn plan(
        &self,
        request: &PatchRequest,
        options: &Options<'_>,
    ) -> (Result<Plan, PlanError>, Took) {
        let mut plan = pin!(make(self, self, self, request, options));
        let mut context = Context::from_waker(Waker::noop());
        for steps in 0..10_000 {
            self.now.store(steps, Ordering::Relaxed);
            let (mut made, mut quiet) = (self.made.load(Ordering::Relaxed), 0);
            // Whoever is woken at this step may have to be polled some times before all its calls are made.
            while quiet < 30 {
                if let Poll::Ready(plan) = plan.as_mut().poll(&mut context) {
                    let most_at_once = self.most_at_once.load(Ordering::Relaxed);
                    return (plan, Took { steps, most_at_once });
                }
                let now = self.made.load(Ordering::Relaxed);
                quiet = if now == made { quiet + 1 } else { 0 };
                made = now;
            }
        }
        panic!("the plan is never made");
    }

    /// One call that finds nothing.
    fn nothing<T: Send + 'static>(&self, call: &'static str) -> BoxFuture<'_, PortResult<T>> {
        self.world.called(call.to_owned());
        let error = PortError::new(PortErrorKind::NotFound, call);
        self.slowly(Box::pin(std::future::ready(Err(error))))
    }

    fn slowly<'a, T: Send + 'a>(&'a self, call: BoxFuture<'a, T>) -> BoxFuture<'a, T> {
        let (mut due, mut answer) = (None, Some(wait(call)));
        Box::pin(std::future::poll_fn(move |context| {
            let now = self.now.load(Ordering::Relaxed);
            let due = *due.get_or_insert_with(|| {
                self.made.fetch_add(1, Ordering::Relaxed);
                let under_way = self.under_way.fetch_add(1, Ordering::Relaxed) + 1;
                self.most_at_once.fetch_max(under_way, Ordering::Relaxed);
                now + 1
            });
            if now < due {
                context.waker().wake_by_ref();
                return Poll::Pending;
            }
            self.under_way.fetch_sub(1, Ordering::Relaxed);
            Poll::Ready(answer.take().expect("polled once when ready"))
        }))
    }
}

impl Directory for Slow<'_> {
    fn caller(&self) -> BoxFuture<'_, PortResult<Caller>> {
        self.slowly(self.world.caller())
    }

    fn account(&self, id: &AccountId) -> BoxFuture<'_, PortResult<AccountView>> {
        self.slowly(self.world.account(id))
    }

    fn organization(&self, page: Option<PageToken>) -> BoxFuture<'_, PortResult<Page<PlacedAccount>>> {
        self.slowly(self.world.organization(page))
    }

    fn accounts(
        &self,
        parent: &OrgParent,
        page: Option<PageToken>,
    ) -> BoxFuture<'_, PortResult<Page<AccountView>>> {
        self.slowly(self.world.accounts(parent, page))
    }

    fn child_units(
        &self,
        parent: &OrgParent,
        page: Option<PageToken>,
    ) -> BoxFuture<'_, PortResult<Page<OuId>>> {
        self.slowly(self.world.child_units(parent, page))
    }

    fn account_tags(
        &self,
        id: &AccountId,
        page: Option<PageToken>,
    ) -> BoxFuture<'_, PortResult<Page<(String, String)>>> {
        self.slowly(self.world.account_tags(id, page))
    }

    fn regions(
        &self,
        id: &AccountId,
        page: Option<PageToken>,
    ) -> BoxFuture<'_, PortResult<Page<RegionView>>> {
        self.slowly(self.world.regions(id, page))
    }
}

impl Inventory for Slow<'_> {
    fn resolution(&self) -> Resolution {
        self.world.resolution()
    }

    fn members(
        &self,
        location: &Location,
        selection: &Selection,
        page: Option<PageToken>,
    ) -> BoxFuture<'_, PortResult<MemberPage>> {
        self.slowly(self.world.members(location, selection, page))
    }

    fn managed(
        &self,
        location: &Location,
        only: Option<&[NodeId]>,
        page: Option<PageToken>,
    ) -> BoxFuture<'_, PortResult<Page<ManagedNode>>> {
        self.slowly(self.world.managed(location, only, page))
    }
}

impl Documents for Slow<'_> {
    fn read(
        &self,
        at: Option<&Location>,
        name: &DocumentName,
        version: DocumentVersion,
    ) -> BoxFuture<'_, PortResult<DocumentView>> {
        self.slowly(self.world.read(at, name, version))
    }

    fn create(&self, _: &DocumentName, _: String) -> BoxFuture<'_, PortResult<String>> {
        unreachable!("a plan makes no document")
    }

    fn update(&self, _: &DocumentName, _: String) -> BoxFuture<'_, PortResult<Option<String>>> {
        unreachable!("a plan changes no document")
    }

    fn latest_version(&self, _: &DocumentName) -> BoxFuture<'_, PortResult<String>> {
        unreachable!("a plan asks for no newest version")
    }

    fn set_default(&self, _: &DocumentName, _: &str) -> BoxFuture<'_, PortResult<()>> {
        unreachable!("a plan changes no document")
    }
}

impl Automation for Slow<'_> {
    fn start(
        &self,
        _: &StartRequest,
        _: ClientToken,
        _: jiff::Timestamp,
    ) -> BoxFuture<'_, PortResult<ExecutionId>> {
        unreachable!("a plan starts nothing")
    }

    fn find(
        &self,
        _: &DocumentName,
        _: &str,
        _: Option<PageToken>,
    ) -> BoxFuture<'_, PortResult<Page<ExecutionId>>> {
        self.nothing("try find")
    }

    fn execution(&self, _: &ExecutionId) -> BoxFuture<'_, PortResult<ExecutionView>> {
        self.nothing("try execution")
    }

    fn steps(&self, _: &ExecutionId, _: Option<PageToken>) -> BoxFuture<'_, PortResult<Page<StepView>>> {
        self.nothing("try steps")
    }

    fn child(&self, _: &Location, _: &ExecutionId) -> BoxFuture<'_, PortResult<ChildView>> {
        self.nothing("try child")
    }

    fn children(
        &self,
        _: &Location,
        _: &ExecutionId,
        _: Option<PageToken>,
    ) -> BoxFuture<'_, PortResult<Page<ExecutionId>>> {
        self.nothing("try children")
    }

    fn stop(&self, _: &ExecutionId, _: StopType) -> BoxFuture<'_, PortResult<()>> {
        self.nothing("try stop")
    }

    fn stop_child(&self, _: &Location, _: &ExecutionId, _: StopType) -> BoxFuture<'_, PortResult<()>> {
        self.nothing("try stop_child")
    }
}

impl Commands for Slow<'_> {
    fn command(&self, _: &Location, _: &CommandId) -> BoxFuture<'_, PortResult<CommandView>> {
        self.nothing("try command")
    }

    fn invocations(
        &self,
        _: &Location,
        _: &CommandId,
        _: bool,
        _: Option<PageToken>,
    ) -> BoxFuture<'_, PortResult<Page<InvocationView>>> {
        self.nothing("try invocations")
    }

    fn output(&self, _: &Location, _: &CommandId, _: &NodeId, _: &str) -> BoxFuture<'_, PortResult<String>> {
        self.nothing("try output")
    }

    fn cancel(&self, _: &Location, _: &CommandId) -> BoxFuture<'_, PortResult<()>> {
        self.nothing("try cancel")
    }
}

impl PatchStates for Slow<'_> {
    fn patch_states(&self, _: &Location, _: &[NodeId]) -> BoxFuture<'_, PortResult<Vec<PatchStateView>>> {
        self.nothing("try patch states")
    }
}
