//! Ports and stores whose calls are watched, so that no call goes without an answer for long and nobody is told.

mod store;

use crate::campaign::{Notices, Tried};
use crate::id::{
    AccountId, AlarmName, ClientToken, CommandId, DocumentName, ExecutionId, Location, NodeId, OrgParent,
    OuId, Region,
};
use crate::port::{
    AccountView, AlarmView, Alarms, Automation, BoxFuture, CalendarsView, Caller, ChildView, Clock,
    CommandView, Commands, Directory, DocumentVersion, DocumentView, Documents, ExecutionView, Inventory,
    InvocationView, ListedCommand, ManagedNode, MemberPage, Page, PageToken, PatchListState, PatchStateView,
    PatchStates, PatchView, PlacedAccount, PortResult, Ports, RegionView, Resolution, Selection, SendRequest,
    Share, SharedVersion, StartRequest, StepView, StopType, hearing,
};
use jiff::Timestamp;
use std::sync::Arc;

/// The same ports, of whose calls `notices` hears: one that has no answer for
/// 10 seconds is told, once somebody looks ([`Notices::look`]). Ports that wait for
/// their turn, or make a call again by themselves, do so within a call.
///
/// [`Campaigns`](crate::Campaigns) plans with such ports by itself. They are for
/// [`serve_event`](crate::serve_event), and for a plan that is only looked at
/// ([`Plan::make`](crate::plan::Plan::make)).
#[must_use]
pub fn watched(ports: &Ports, notices: &Notices) -> Ports {
    let watched = Watched {
        ports: ports.clone(),
        notices: notices.clone(),
    };
    Ports::of(watched, ports.clock.clone())
}

struct Watched {
    ports: Ports,
    notices: Notices,
}

impl Watched {
    /// Tells of a call from when it is made until it has an answer.
    fn call<'a, T>(
        &'a self,
        what: Tried,
        subject: impl ToString,
        call: BoxFuture<'a, PortResult<T>>,
    ) -> BoxFuture<'a, PortResult<T>>
    where
        T: Send + 'a,
    {
        let asked = (what, subject.to_string());
        told(&self.notices, &*self.ports.clock, asked, call)
    }
}

/// Tells of a call from when it is made until it has an answer. It tries this, of this subject.
fn told<'a, T: Send + 'a>(
    notices: &'a Notices,
    clock: &'a dyn Clock,
    (what, subject): (Tried, String),
    call: BoxFuture<'a, PortResult<T>>,
) -> BoxFuture<'a, PortResult<T>> {
    Box::pin(async move {
        let number = notices.asked_anew(what, &subject, clock.now());
        let mut asked = Asked {
            notices,
            clock,
            what,
            subject,
            number,
            works: false,
        };
        let hearer = notices.hearer(what, &asked.subject, number);
        let answer = hearing(call, hearer).await;
        asked.works = answer.is_ok();
        answer
    })
}

/// A call that has no answer yet. Whoever drops it waits no more.
struct Asked<'a> {
    notices: &'a Notices,
    clock: &'a dyn Clock,
    what: Tried,
    subject: String,
    number: u64,
    works: bool,
}

impl Drop for Asked<'_> {
    fn drop(&mut self) {
        let Self {
            notices,
            clock,
            what,
            subject,
            number,
            works,
        } = self;
        notices.answered_anew(*what, subject, *number, *works, clock.now());
    }
}

impl Directory for Watched {
    fn caller(&self) -> BoxFuture<'_, PortResult<Caller>> {
        self.call(Tried::Caller, "", self.ports.directory.caller())
    }

    fn account(&self, account: &AccountId) -> BoxFuture<'_, PortResult<AccountView>> {
        self.call(Tried::Organization, "", self.ports.directory.account(account))
    }

    fn organization(&self, page: Option<PageToken>) -> BoxFuture<'_, PortResult<Page<PlacedAccount>>> {
        self.call(Tried::Organization, "", self.ports.directory.organization(page))
    }

    fn accounts(
        &self,
        parent: &OrgParent,
        page: Option<PageToken>,
    ) -> BoxFuture<'_, PortResult<Page<AccountView>>> {
        self.call(
            Tried::Organization,
            "",
            self.ports.directory.accounts(parent, page),
        )
    }

    fn child_units(
        &self,
        parent: &OrgParent,
        page: Option<PageToken>,
    ) -> BoxFuture<'_, PortResult<Page<OuId>>> {
        self.call(
            Tried::Organization,
            "",
            self.ports.directory.child_units(parent, page),
        )
    }

    fn account_tags(
        &self,
        account: &AccountId,
        page: Option<PageToken>,
    ) -> BoxFuture<'_, PortResult<Page<(String, String)>>> {
        let tags = self.ports.directory.account_tags(account, page);
        self.call(Tried::Organization, "", tags)
    }

    fn regions(
        &self,
        account: &AccountId,
        page: Option<PageToken>,
    ) -> BoxFuture<'_, PortResult<Page<RegionView>>> {
        self.call(
            Tried::Regions,
            account,
            self.ports.directory.regions(account, page),
        )
    }
}

impl Inventory for Watched {
    fn resolution(&self) -> Resolution {
        self.ports.inventory.resolution()
    }

    fn members(
        &self,
        location: &Location,
        selection: &Selection,
        page: Option<PageToken>,
    ) -> BoxFuture<'_, PortResult<MemberPage>> {
        let members = self.ports.inventory.members(location, selection, page);
        self.call(Tried::Census, location, members)
    }

    fn managed(
        &self,
        location: &Location,
        only: Option<&[NodeId]>,
        page: Option<PageToken>,
    ) -> BoxFuture<'_, PortResult<Page<ManagedNode>>> {
        let managed = self.ports.inventory.managed(location, only, page);
        self.call(Tried::Census, location, managed)
    }

    fn tag_values(
        &self,
        location: &Location,
        key: &str,
        page: Option<PageToken>,
    ) -> BoxFuture<'_, PortResult<Page<(NodeId, String)>>> {
        let values = self.ports.inventory.tag_values(location, key, page);
        self.call(Tried::Census, location, values)
    }
}

impl Automation for Watched {
    fn start(
        &self,
        request: &StartRequest,
        token: ClientToken,
        not_after: Timestamp,
    ) -> BoxFuture<'_, PortResult<ExecutionId>> {
        let started = self.ports.automation.start(request, token, not_after);
        self.call(Tried::Start, "", started)
    }

    fn find(
        &self,
        document: &DocumentName,
        tag_key: &str,
        page: Option<PageToken>,
    ) -> BoxFuture<'_, PortResult<Page<ExecutionId>>> {
        self.call(
            Tried::LookUp,
            "",
            self.ports.automation.find(document, tag_key, page),
        )
    }

    fn execution(&self, id: &ExecutionId) -> BoxFuture<'_, PortResult<ExecutionView>> {
        self.call(Tried::Execution, "", self.ports.automation.execution(id))
    }

    fn steps(&self, id: &ExecutionId, page: Option<PageToken>) -> BoxFuture<'_, PortResult<Page<StepView>>> {
        self.call(Tried::Execution, "", self.ports.automation.steps(id, page))
    }

    fn child(&self, location: &Location, id: &ExecutionId) -> BoxFuture<'_, PortResult<ChildView>> {
        self.call(
            Tried::Location,
            location,
            self.ports.automation.child(location, id),
        )
    }

    fn children(
        &self,
        location: &Location,
        parent: &ExecutionId,
        page: Option<PageToken>,
    ) -> BoxFuture<'_, PortResult<Page<ExecutionId>>> {
        let children = self.ports.automation.children(location, parent, page);
        self.call(Tried::Location, location, children)
    }

    fn stop(&self, id: &ExecutionId, kind: StopType) -> BoxFuture<'_, PortResult<()>> {
        self.call(Tried::Stop, "", self.ports.automation.stop(id, kind))
    }

    fn stop_child(
        &self,
        location: &Location,
        id: &ExecutionId,
        kind: StopType,
    ) -> BoxFuture<'_, PortResult<()>> {
        let stopped = self.ports.automation.stop_child(location, id, kind);
        self.call(Tried::StopBelow, location, stopped)
    }
}

impl Commands for Watched {
    fn send(
        &self,
        location: &Location,
        request: &SendRequest,
        not_after: Timestamp,
    ) -> BoxFuture<'_, PortResult<CommandId>> {
        let sent = self.ports.commands.send(location, request, not_after);
        self.call(Tried::Start, location, sent)
    }

    fn sent(
        &self,
        location: &Location,
        document: &DocumentName,
        after: Timestamp,
        page: Option<PageToken>,
    ) -> BoxFuture<'_, PortResult<Page<ListedCommand>>> {
        let sent = self.ports.commands.sent(location, document, after, page);
        self.call(Tried::LookUp, location, sent)
    }

    fn command(&self, location: &Location, id: &CommandId) -> BoxFuture<'_, PortResult<CommandView>> {
        self.call(
            Tried::Location,
            location,
            self.ports.commands.command(location, id),
        )
    }

    fn invocations(
        &self,
        location: &Location,
        id: &CommandId,
        plugins: bool,
        page: Option<PageToken>,
    ) -> BoxFuture<'_, PortResult<Page<InvocationView>>> {
        let invocations = self.ports.commands.invocations(location, id, plugins, page);
        self.call(Tried::Results, location, invocations)
    }

    fn output(
        &self,
        location: &Location,
        id: &CommandId,
        node: &NodeId,
        plugin: &str,
    ) -> BoxFuture<'_, PortResult<String>> {
        let output = self.ports.commands.output(location, id, node, plugin);
        self.call(Tried::Results, location, output)
    }

    fn cancel(&self, location: &Location, id: &CommandId) -> BoxFuture<'_, PortResult<()>> {
        let cancelled = self.ports.commands.cancel(location, id);
        self.call(Tried::StopBelow, location, cancelled)
    }
}

impl PatchStates for Watched {
    fn patch_states(
        &self,
        location: &Location,
        nodes: &[NodeId],
    ) -> BoxFuture<'_, PortResult<Vec<PatchStateView>>> {
        let states = self.ports.patch_states.patch_states(location, nodes);
        self.call(Tried::Results, location, states)
    }

    fn patches(
        &self,
        location: &Location,
        node: &NodeId,
        state: PatchListState,
        most: Option<usize>,
    ) -> BoxFuture<'_, PortResult<Vec<PatchView>>> {
        let patches = self.ports.patch_states.patches(location, node, state, most);
        self.call(Tried::Results, location, patches)
    }
}

impl Alarms for Watched {
    fn alarm(&self, name: &AlarmName) -> BoxFuture<'_, PortResult<Option<AlarmView>>> {
        self.call(Tried::Alarm, "", self.ports.alarms.alarm(name))
    }
}

impl Documents for Watched {
    fn read(
        &self,
        at: Option<&Location>,
        name: &DocumentName,
        version: DocumentVersion,
    ) -> BoxFuture<'_, PortResult<DocumentView>> {
        let subject = match at {
            Some(at) => format!("{name} in {at}"),
            None => name.to_string(),
        };
        self.call(
            Tried::Document,
            subject,
            self.ports.documents.read(at, name, version),
        )
    }

    fn create(&self, name: &DocumentName, content_json: String) -> BoxFuture<'_, PortResult<String>> {
        let created = self.ports.documents.create(name, content_json);
        self.call(Tried::Publish, name, created)
    }

    fn update(&self, name: &DocumentName, content_json: String) -> BoxFuture<'_, PortResult<Option<String>>> {
        let updated = self.ports.documents.update(name, content_json);
        self.call(Tried::Publish, name, updated)
    }

    fn latest_version(&self, name: &DocumentName) -> BoxFuture<'_, PortResult<String>> {
        self.call(Tried::Document, name, self.ports.documents.latest_version(name))
    }

    fn set_default(&self, name: &DocumentName, version: &str) -> BoxFuture<'_, PortResult<()>> {
        let set = self.ports.documents.set_default(name, version);
        self.call(Tried::Publish, name, set)
    }

    fn in_region(&self, region: &Region) -> Option<Arc<dyn Documents>> {
        let documents = self.ports.documents.in_region(region)?;
        Some(Arc::new(Self {
            ports: Ports {
                documents,
                ..self.ports.clone()
            },
            notices: self.notices.clone(),
        }))
    }

    fn calendars(&self, names: &[DocumentName]) -> BoxFuture<'_, PortResult<CalendarsView>> {
        self.call(Tried::Calendars, "", self.ports.documents.calendars(names))
    }

    fn shares(&self, name: &DocumentName, page: Option<PageToken>) -> BoxFuture<'_, PortResult<Page<Share>>> {
        self.call(Tried::Document, name, self.ports.documents.shares(name, page))
    }

    fn share(
        &self,
        name: &DocumentName,
        accounts: &[AccountId],
        version: SharedVersion,
    ) -> BoxFuture<'_, PortResult<()>> {
        let shared = self.ports.documents.share(name, accounts, version);
        self.call(Tried::Publish, name, shared)
    }
}
