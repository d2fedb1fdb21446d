//! What is read where a listing changes, breaks or says too much.

use super::*;
use crate::port::{BoxFuture, MemberPage, PingStatus};
use futures_util::FutureExt as _;
use std::collections::VecDeque;
use std::sync::Mutex;

/// An inventory that gives these answers, one after the other.
struct Scripted {
    members: Mutex<VecDeque<PortResult<MemberPage>>>,
    managed: Vec<ManagedNode>,
}

impl Scripted {
    fn of(members: impl IntoIterator<Item = PortResult<MemberPage>>) -> Self {
        Self {
            members: Mutex::new(members.into_iter().collect()),
            managed: vec![],
        }
    }
}

impl Inventory for Scripted {
    fn members(
        &self,
        _: &Location,
        _: &Selection,
        _: Option<PageToken>,
    ) -> BoxFuture<'_, PortResult<MemberPage>> {
        let answer = self.members.lock().unwrap().pop_front();
        async { answer.expect("it is asked once too often") }.boxed()
    }

    fn managed(
        &self,
        _: &Location,
        _: Option<&[NodeId]>,
        _: Option<PageToken>,
    ) -> BoxFuture<'_, PortResult<Page<ManagedNode>>> {
        let nodes = self.managed.clone();
        async { Ok(Page::last(nodes)) }.boxed()
    }
}

fn node(n: u32) -> NodeId {
    format!("i-{n:017x}").parse().unwrap()
}

fn page(nodes: &[u32], next: Option<&str>) -> PortResult<MemberPage> {
    Ok(MemberPage {
        page: Page {
            items: nodes.iter().copied().map(node).collect(),
            next: next.map(PageToken::new),
        },
        query_errors: vec![],
    })
}

fn gone() -> PortResult<MemberPage> {
    Err(PortError::new(PortErrorKind::NotFound, "there is no such group"))
}

fn here() -> Location {
    Location::new("111122223333".parse().unwrap(), "us-east-1".parse().unwrap())
}

fn read(inventory: &Scripted, extent: Extent) -> PortResult<Members> {
    let group = Selection::Group("Web".parse().unwrap());
    let read = members(inventory, &here(), &group, extent)
        .now_or_never()
        .unwrap();
    assert!(
        inventory.members.lock().unwrap().is_empty(),
        "it is asked to the end"
    );
    read
}

fn found(nodes: &[u32]) -> Members {
    Members::Found(nodes.iter().copied().map(node).collect())
}

#[test]
fn a_group_that_goes_while_it_is_listed_is_asked_for_again_and_its_first_pages_do_not_count() {
    let went = Scripted::of([page(&[1], Some("2")), gone(), gone()]);
    assert_eq!(read(&went, Extent::All).unwrap(), Members::GroupMissing);
    let made_anew = Scripted::of([page(&[1], Some("2")), gone(), page(&[2], None)]);
    assert_eq!(read(&made_anew, Extent::All).unwrap(), found(&[2]));
}

#[test]
fn a_group_that_comes_and_goes_is_neither_empty_nor_missing() {
    let flickers = Scripted::of([page(&[1], Some("2")), gone(), page(&[1], Some("2")), gone()]);
    let error = read(&flickers, Extent::All).unwrap_err();
    assert_eq!(error.kind(), PortErrorKind::NotFound);
}

#[test]
fn a_group_that_is_not_there_is_told_from_one_without_members() {
    let missing = Scripted::of([gone()]);
    assert_eq!(read(&missing, Extent::All).unwrap(), Members::GroupMissing);
    let empty = Scripted::of([page(&[], Some("2")), page(&[], None)]);
    assert_eq!(read(&empty, Extent::All).unwrap(), found(&[]));
}

#[test]
fn tags_that_are_not_found_are_an_error() {
    let inventory = Scripted::of([gone()]);
    let tags = Selection::Tags(BTreeMap::new());
    let read = members(&inventory, &here(), &tags, Extent::All).now_or_never();
    assert_eq!(read.unwrap().unwrap_err().kind(), PortErrorKind::NotFound);
}

#[test]
fn a_page_that_says_that_the_list_is_not_whole_makes_all_of_it_partial() {
    let partial = QueryError {
        code: "CLOUDFORMATION_STACK_INACTIVE".to_owned(),
        message: String::new(),
    };
    let said = Ok(MemberPage {
        page: Page::last(vec![node(2)]),
        query_errors: vec![partial.clone()],
    });
    let inventory = Scripted::of([page(&[1], Some("2")), said]);
    assert_eq!(
        read(&inventory, Extent::All).unwrap(),
        Members::Partial(vec![partial])
    );
}

#[test]
fn whoever_wants_to_know_only_whether_there_is_a_member_reads_up_to_the_first() {
    let inventory = Scripted::of([page(&[], Some("2")), page(&[7, 8], Some("3"))]);
    assert_eq!(read(&inventory, Extent::First).unwrap(), found(&[7, 8]));
}

#[test]
fn a_managed_node_that_was_not_asked_for_is_left_out() {
    let managed = |n| ManagedNode {
        id: node(n),
        ping: PingStatus::Online,
        last_ping: None,
        platform: Some(crate::port::PlatformType::Linux),
    };
    let inventory = Scripted {
        managed: vec![managed(1), managed(2)],
        ..Scripted::of([])
    };
    let asked = BTreeSet::from([node(2), node(3)]);
    let found = managed_of(&inventory, &here(), &asked, 8).now_or_never().unwrap();
    assert_eq!(Vec::from_iter(found.unwrap().into_keys()), [node(2)]);
}
