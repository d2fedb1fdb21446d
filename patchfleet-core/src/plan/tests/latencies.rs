//! How many calls one after the other a plan takes, on a clock on which each call takes one step.

use super::helpers::attended;
use crate::id::{AccountId, DocumentName, Location, NodeId, OrgParent, OuId};
use crate::plan::{Options, Plan, PlanError, make};
use crate::port::{
    AccountView, BoxFuture, Caller, Directory, DocumentVersion, DocumentView, Documents, Inventory,
    ManagedNode, MemberPage, Page, PageToken, PingStatus, PlacedAccount, PortResult, RegionView, Resolution,
    Selection,
};
use crate::request::PatchRequest;
use crate::tests::world::{CENTRAL, World, account, ec2, request, request_with, wait};
use serde_json::json;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};

const REGIONS: [&str; 2] = ["eu-west-1", "us-east-1"];
const ROOT: &str = "r-ab12";

/// A world in which each call is answered at the step after the one at which it was made.
struct Slow<'w> {
    world: &'w World,
    now: AtomicUsize,
    made: AtomicUsize,
    under_way: AtomicUsize,
    most_at_once: AtomicUsize,
}

impl Slow<'_> {
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

/// An organization of so many accounts, with one node in each Region of each.
fn organization(accounts: u64) -> World {
    let mut world = World::default();
    let mut ids = vec![account(CENTRAL)];
    world.add(CENTRAL, &REGIONS);
    for n in 0..accounts {
        let id = format!("{:012}", 500_000_000_000 + n);
        world.add(&id, &REGIONS);
        for (nth, region) in (0..).zip(REGIONS) {
            let node = ec2(10 * n + nth);
            let place = world.place(&id, region);
            place.managed.insert(node.clone(), PingStatus::Online);
            place.members.push(node);
        }
        ids.push(account(&id));
    }
    let root = OrgParent::Root(ROOT.parse().unwrap());
    world.units.insert(root, (ids, vec![]));
    world
}

fn everything() -> PatchRequest {
    request(json!({
        "resource_group": "Web", "regions": REGIONS, "accounts": [ROOT], "include_child_ous": true,
    }))
}

/// The plan of all of it, the calls that it took one after the other, and the most calls at once.
fn planned(world: &World, concurrency: usize) -> (Plan, usize, usize) {
    let (plan, steps, most_at_once) = made(world, concurrency, &everything());
    (plan.unwrap(), steps, most_at_once)
}

/// What becomes of a request, the calls that it took one after the other, and the most calls at once.
fn made(
    world: &World,
    concurrency: usize,
    request: &PatchRequest,
) -> (Result<Plan, PlanError>, usize, usize) {
    let slow = Slow {
        world,
        now: AtomicUsize::new(0),
        made: AtomicUsize::new(0),
        under_way: AtomicUsize::new(0),
        most_at_once: AtomicUsize::new(0),
    };
    let options = Options {
        concurrency,
        ..attended()
    };
    let mut plan = pin!(make(&slow, &slow, &slow, request, &options));
    let mut context = Context::from_waker(Waker::noop());
    for step in 0..10_000 {
        slow.now.store(step, Ordering::Relaxed);
        let (mut made, mut quiet) = (slow.made.load(Ordering::Relaxed), 0);
        // Whoever is woken at this step may have to be polled some times before all its calls are made.
        while quiet < 30 {
            if let Poll::Ready(plan) = plan.as_mut().poll(&mut context) {
                return (plan, step, slow.most_at_once.load(Ordering::Relaxed));
            }
            let now = slow.made.load(Ordering::Relaxed);
            quiet = if now == made { quiet + 1 } else { 0 };
            made = now;
        }
    }
    panic!("the plan is never made");
}

#[test]
fn locations_are_asked_while_the_organization_is_still_being_listed() {
    // 21 pages of two accounts, with an empty one before each and one at the end.
    let world = organization(41);
    let (plan, steps, _) = planned(&world, 256);
    let pages = world.calls("organization");
    assert_eq!((plan.locations.len(), pages), (82, 43));
    let calls = world.calls.lock().unwrap();
    let last_page = calls.iter().rposition(|call| call == "organization").unwrap();
    let before = |what: &str| {
        calls[..last_page]
            .iter()
            .filter(|call| call.starts_with(what))
            .count()
    };
    let all = |what: &str| calls.iter().filter(|call| call.starts_with(what)).count();
    assert!(
        before("members") * 10 > all("members") * 8,
        "{} of {}",
        before("members"),
        all("members")
    );
    // After the last page an account's Regions (3 pages), the members of its locations (3 pages), which of them
    // are managed (3 pages), and whether they have a runbook of their own. Before the first page, who calls.
    assert!(
        steps <= 1 + pages + 3 + 3 + 3 + 1,
        "{steps} calls one after the other, {pages} of them pages"
    );
}

#[test]
fn what_is_asked_early_changes_neither_the_plan_nor_the_number_of_calls_nor_how_many_are_made_at_once() {
    let mut answers = vec![];
    for concurrency in [1, 3, 256] {
        let world = organization(9);
        let (plan, _, most_at_once) = planned(&world, concurrency);
        // A page of the organization and the search for the runbook go beside.
        assert!(
            most_at_once <= concurrency + 2,
            "{most_at_once} at once, and {concurrency} were allowed"
        );
        let mut calls = world.calls.lock().unwrap().clone();
        calls.sort();
        answers.push((plan.to_json(), calls));
    }
    assert_eq!(answers[0], answers[1]);
    assert_eq!(answers[1], answers[2]);
}

#[test]
fn a_target_that_is_not_there_is_told_without_a_census() {
    let world = organization(3);
    let request = request(json!({
        "resource_group": "Web", "regions": REGIONS, "accounts": [CENTRAL, "500000000000", "999999999999"],
    }));
    assert!(wait(make(&world, &world, &world, &request, &attended())).is_err());
    assert_eq!((world.calls("regions") > 0, world.calls("members")), (true, 0));
}

#[test]
fn a_region_that_no_account_has_is_told_without_a_census() {
    let world = organization(50);
    let request = request(json!({
        "resource_group": "Web", "regions": ["eu-west-1", "eu-wset-1"], "accounts": [ROOT], "include_child_ous": true,
    }));
    assert!(wait(make(&world, &world, &world, &request, &attended())).is_err());
    assert_eq!((world.calls("regions") > 0, world.calls("members")), (true, 0));
}

#[test]
fn once_a_unit_is_known_to_be_missing_no_further_location_is_asked() {
    let world = organization(60);
    let request = request(json!({
        "resource_group": "Web", "regions": "all-enabled", "accounts": [ROOT, "ou-ab12-missing0"],
        "include_child_ous": true,
    }));
    assert!(made(&world, 4, &request).0.is_err());
    let asked = world.calls("members");
    assert!(
        asked < 60,
        "{asked} of 120 locations, asked while the organization was listed"
    );
}

#[test]
fn a_request_that_is_refused_already_asks_no_location() {
    let world = organization(3);
    let elsewhere = "arn:aws-cn:iam::111111111111:role/Patching";
    let request = request_with(
        json!({
            "resource_group": "Web", "regions": "all-enabled", "accounts": [ROOT], "include_child_ous": true,
        }),
        json!({"automation": {"assume_role": elsewhere}}),
    );
    assert!(wait(make(&world, &world, &world, &request, &attended())).is_err());
    assert_eq!((world.calls("regions") > 0, world.calls("members")), (true, 0));
}
