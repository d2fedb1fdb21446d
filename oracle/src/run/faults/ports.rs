//! AWS's ports with faults. A start that may not be sent any more is not sent, however long its process stood still.

use super::Faults;
use crate::draft::Of;
use jiff::{SignedDuration, Timestamp};
use patchfleet_core::id::{ClientToken, CommandId, DocumentName, ExecutionId, Location, NodeId, Region};
use patchfleet_core::internals::Driver;
use patchfleet_core::port::{
    Automation, BoxFuture, CalendarsView, ChildView, Clock, CommandView, Commands, DocumentVersion,
    DocumentView, Documents, ExecutionView, Inventory, InvocationView, ListedCommand, ManagedNode,
    MemberPage, Page, PageToken, PatchListState, PatchStateView, PatchStates, PatchView, PortError,
    PortErrorKind, PortResult, Resolution, Selection, SendRequest, Sent, StartRequest, StepView, StopType,
};
use std::sync::Arc;
use std::task::Poll;

/// Within what time of its intent a start is sent.
const SENT_WITHIN: SignedDuration = SignedDuration::from_secs(30);

/// For how long it counts that nobody knows whether a start took effect. A driver that looks for it in vain says so after two minutes
/// from its intent, and a person's word is waited for. Then others may be begun.
const IN_DOUBT_FOR: SignedDuration = SignedDuration::from_secs(60);

/// What a driver calls, with faults.
struct Faulty<T: ?Sized> {
    inner: Arc<T>,
    faults: Faults,
}

impl Faults {
    /// The same driver, whose calls of AWS may fail.
    pub(in crate::run) fn around(&self, driver: Driver) -> Driver {
        fn faulty<T: ?Sized>(inner: &Arc<T>, faults: &Faults) -> Arc<Faulty<T>> {
            Arc::new(Faulty {
                inner: inner.clone(),
                faults: faults.clone(),
            })
        }
        Driver {
            automation: faulty(&driver.automation, self),
            commands: faulty(&driver.commands, self),
            patch_states: faulty(&driver.patch_states, self),
            inventory: faulty(&driver.inventory, self),
            documents: faulty(&driver.documents, self),
            ..driver
        }
    }

    /// A start is handed to a port. Its time may not be over by then, nor last for longer than a start is on its way: another driver
    /// looks for what was sent within that time of its intent.
    fn is_made_by(&self, not_after: Timestamp) {
        let now = self.shared.clock.now();
        if not_after < now || not_after.duration_since(now) > SENT_WITHIN {
            let late = format!("to be sent by {not_after}, at {now}");
            self.shared.late.lock().unwrap().push(late);
        }
    }

    /// A start is handed to a port: the only one of which nobody knows whether it takes effect. One that is sent again is the same.
    fn is_made_alone<'a, T: Send + 'a>(
        &'a self,
        start: String,
        call: BoxFuture<'a, PortResult<T>>,
    ) -> BoxFuture<'a, PortResult<T>> {
        let now = self.shared.clock.now();
        let mut in_doubt = self.shared.in_doubt.lock().unwrap();
        if let Some((other, at)) = in_doubt.as_ref()
            && *other != start
            && now.duration_since(*at) < IN_DOUBT_FOR
        {
            let beside = format!("{start} at {now}, and {other} was at {at}");
            self.shared.beside.lock().unwrap().push(beside);
        }
        *in_doubt = Some((start.clone(), now));
        drop(in_doubt);
        Box::pin(async move {
            let answer = call.await;
            if answer.as_ref().err().is_none_or(|error| error.sent() == Sent::No) {
                self.is_known(Some(&start));
            }
            answer
        })
    }

    /// What became of a start is known: of this one, or of whichever it is.
    fn is_known(&self, start: Option<&str>) {
        let mut in_doubt = self.shared.in_doubt.lock().unwrap();
        if in_doubt
            .as_ref()
            .is_some_and(|(one, _)| start.is_none_or(|start| one == start))
        {
            *in_doubt = None;
        }
    }

    /// Looks for starts. What is found is known. One that cannot be looked for is given up.
    fn looks<'a, T: Send + 'a>(
        &'a self,
        look: BoxFuture<'a, PortResult<Page<T>>>,
    ) -> BoxFuture<'a, PortResult<Page<T>>> {
        Box::pin(async move {
            let answer = look.await;
            if answer.as_ref().map_or(true, |page| !page.items.is_empty()) {
                self.is_known(None);
            }
            answer
        })
    }

    /// A call that is not made after an instant. In memory a call takes effect in the turn in which it is answered.
    fn sent_by<'a, T: Send + 'a>(
        &self,
        not_after: Timestamp,
        mut call: BoxFuture<'a, PortResult<T>>,
    ) -> BoxFuture<'a, PortResult<T>> {
        let clock: Arc<dyn Clock> = self.shared.clock.clone();
        Box::pin(std::future::poll_fn(move |context| {
            if clock.now() > not_after {
                let error = PortError::new(PortErrorKind::Unavailable, "it is too late to send this");
                return Poll::Ready(Err(error));
            }
            call.as_mut().poll(context)
        }))
    }
}

impl Automation for Faulty<dyn Automation> {
    fn start(
        &self,
        request: &StartRequest,
        token: ClientToken,
        not_after: Timestamp,
    ) -> BoxFuture<'_, PortResult<ExecutionId>> {
        self.faults.is_made_by(not_after);
        let call = self.faults.call(Of::Starts, || {
            let call = self.inner.start(request, token, not_after);
            self.faults.sent_by(not_after, call)
        });
        self.faults.is_made_alone(token.to_string(), call)
    }

    fn find(
        &self,
        document: &DocumentName,
        tag_key: &str,
        page: Option<PageToken>,
    ) -> BoxFuture<'_, PortResult<Page<ExecutionId>>> {
        let look = self
            .faults
            .call(Of::Looks, || self.inner.find(document, tag_key, page));
        self.faults.looks(look)
    }

    fn execution(&self, id: &ExecutionId) -> BoxFuture<'_, PortResult<ExecutionView>> {
        self.faults.call(Of::Looks, || self.inner.execution(id))
    }

    fn steps(&self, id: &ExecutionId, page: Option<PageToken>) -> BoxFuture<'_, PortResult<Page<StepView>>> {
        self.faults.call(Of::Looks, || self.inner.steps(id, page))
    }

    fn child(&self, location: &Location, id: &ExecutionId) -> BoxFuture<'_, PortResult<ChildView>> {
        self.faults.call(Of::Looks, || self.inner.child(location, id))
    }

    fn children(
        &self,
        location: &Location,
        parent: &ExecutionId,
        page: Option<PageToken>,
    ) -> BoxFuture<'_, PortResult<Page<ExecutionId>>> {
        self.faults
            .call(Of::Looks, || self.inner.children(location, parent, page))
    }

    fn stop(&self, id: &ExecutionId, kind: StopType) -> BoxFuture<'_, PortResult<()>> {
        self.faults.call(Of::Stops, || self.inner.stop(id, kind))
    }

    fn stop_child(
        &self,
        location: &Location,
        id: &ExecutionId,
        kind: StopType,
    ) -> BoxFuture<'_, PortResult<()>> {
        self.faults
            .call(Of::Stops, || self.inner.stop_child(location, id, kind))
    }
}

impl Commands for Faulty<dyn Commands> {
    fn send(
        &self,
        location: &Location,
        request: &SendRequest,
        not_after: Timestamp,
    ) -> BoxFuture<'_, PortResult<CommandId>> {
        self.faults.is_made_by(not_after);
        let call = self.faults.call(Of::Starts, || {
            let call = self.inner.send(location, request, not_after);
            self.faults.sent_by(not_after, call)
        });
        self.faults
            .is_made_alone(format!("{:?}", request.settings.comment), call)
    }

    fn sent(
        &self,
        location: &Location,
        document: &DocumentName,
        after: Timestamp,
        page: Option<PageToken>,
    ) -> BoxFuture<'_, PortResult<Page<ListedCommand>>> {
        let look = self
            .faults
            .call(Of::Looks, || self.inner.sent(location, document, after, page));
        self.faults.looks(look)
    }

    fn command(&self, location: &Location, id: &CommandId) -> BoxFuture<'_, PortResult<CommandView>> {
        self.faults.call(Of::Results, || self.inner.command(location, id))
    }

    fn invocations(
        &self,
        location: &Location,
        id: &CommandId,
        plugins: bool,
        page: Option<PageToken>,
    ) -> BoxFuture<'_, PortResult<Page<InvocationView>>> {
        self.faults.call(Of::Results, || {
            self.inner.invocations(location, id, plugins, page)
        })
    }

    fn output(
        &self,
        location: &Location,
        id: &CommandId,
        node: &NodeId,
        plugin: &str,
    ) -> BoxFuture<'_, PortResult<String>> {
        self.faults
            .call(Of::Results, || self.inner.output(location, id, node, plugin))
    }

    fn cancel(&self, location: &Location, id: &CommandId) -> BoxFuture<'_, PortResult<()>> {
        self.faults.call(Of::Stops, || self.inner.cancel(location, id))
    }
}

impl PatchStates for Faulty<dyn PatchStates> {
    fn patch_states(
        &self,
        location: &Location,
        nodes: &[NodeId],
    ) -> BoxFuture<'_, PortResult<Vec<PatchStateView>>> {
        self.faults
            .call(Of::Results, || self.inner.patch_states(location, nodes))
    }

    fn patches(
        &self,
        location: &Location,
        node: &NodeId,
        state: PatchListState,
        most: Option<usize>,
    ) -> BoxFuture<'_, PortResult<Vec<PatchView>>> {
        self.faults
            .call(Of::Results, || self.inner.patches(location, node, state, most))
    }
}

impl Inventory for Faulty<dyn Inventory> {
    fn resolution(&self) -> Resolution {
        self.inner.resolution()
    }

    fn members(
        &self,
        location: &Location,
        selection: &Selection,
        page: Option<PageToken>,
    ) -> BoxFuture<'_, PortResult<MemberPage>> {
        self.faults
            .call(Of::Results, || self.inner.members(location, selection, page))
    }

    fn managed(
        &self,
        location: &Location,
        only: Option<&[NodeId]>,
        page: Option<PageToken>,
    ) -> BoxFuture<'_, PortResult<Page<ManagedNode>>> {
        self.faults
            .call(Of::Results, || self.inner.managed(location, only, page))
    }

    fn tag_values(
        &self,
        location: &Location,
        key: &str,
        page: Option<PageToken>,
    ) -> BoxFuture<'_, PortResult<Page<(NodeId, String)>>> {
        self.inner.tag_values(location, key, page)
    }
}

/// A driver reads documents, and asks calendars. It writes none.
impl Documents for Faulty<dyn Documents> {
    fn read(
        &self,
        at: Option<&Location>,
        name: &DocumentName,
        version: DocumentVersion,
    ) -> BoxFuture<'_, PortResult<DocumentView>> {
        self.faults
            .call(Of::Documents, || self.inner.read(at, name, version))
    }

    fn create(&self, name: &DocumentName, content_json: String) -> BoxFuture<'_, PortResult<String>> {
        self.inner.create(name, content_json)
    }

    fn update(&self, name: &DocumentName, content_json: String) -> BoxFuture<'_, PortResult<Option<String>>> {
        self.inner.update(name, content_json)
    }

    fn latest_version(&self, name: &DocumentName) -> BoxFuture<'_, PortResult<String>> {
        self.inner.latest_version(name)
    }

    fn set_default(&self, name: &DocumentName, version: &str) -> BoxFuture<'_, PortResult<()>> {
        self.inner.set_default(name, version)
    }

    fn in_region(&self, region: &Region) -> Option<Arc<dyn Documents>> {
        self.inner.in_region(region)
    }

    fn calendars(&self, names: &[DocumentName]) -> BoxFuture<'_, PortResult<CalendarsView>> {
        self.faults.call(Of::Documents, || self.inner.calendars(names))
    }
}
