//! An organisation in memory, behind the ports. Every listing has empty pages between its short
//! ones, and answers come in another order than they were asked for.

use crate::id::{AccountId, Location, NodeId, OrgParent, OuId, Region};
use crate::port::{
    AccountState, AccountView, BoxFuture, Caller, Directory, Inventory, ManagedNode, MemberPage, Page,
    PageToken, PingStatus, PlacedAccount, PortError, PortErrorKind, PortResult, QueryError, RegionOptStatus,
    RegionView, Resolution, Selection,
};
use crate::request::PatchRequest;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::Mutex;
use std::task::{Context, Poll, Waker};

pub(crate) const CENTRAL: &str = "111111111111";

/// Drives a future whose only wakers are its own.
pub(crate) fn wait<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    for _ in 0..1_000_000 {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return output;
        }
    }
    panic!("the future never ends");
}

/// Is ready after `turns` polls.
fn later<'a, T: Send + Unpin + 'a>(turns: usize, value: T) -> BoxFuture<'a, T> {
    let (mut left, mut value) = (turns, Some(value));
    Box::pin(std::future::poll_fn(move |context| {
        if left == 0 {
            return Poll::Ready(value.take().expect("polled once when ready"));
        }
        left -= 1;
        context.waker().wake_by_ref();
        Poll::Pending
    }))
}

/// What Resource Groups and Systems Manager say in one location.
#[derive(Debug, Clone, Default)]
pub(crate) struct Place {
    pub(crate) members: Vec<NodeId>,
    /// The nodes that have a tag, by its key, each with the value.
    pub(crate) tags: BTreeMap<String, Vec<(NodeId, String)>>,
    pub(crate) tags_fail: Option<PortErrorKind>,
    pub(crate) managed: BTreeMap<NodeId, PingStatus>,
    /// The error of the page with this number (from 0) of the members.
    pub(crate) members_fail: Option<(usize, PortErrorKind)>,
    /// The page with this number of the members carries query errors.
    pub(crate) partial_at: Option<usize>,
    pub(crate) managed_fail: Option<PortErrorKind>,
}

/// What the listing of the whole organization says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Listing {
    /// Every account and its place.
    #[default]
    Whole,
    /// Nothing: it fails.
    Fails(PortErrorKind),
    /// Every account, and no place of the last one.
    PlaceUnknown,
    /// Every account but the caller's own.
    WithoutTheCaller,
}

pub(crate) struct World {
    pub(crate) central_region: Option<Region>,
    pub(crate) units: BTreeMap<OrgParent, (Vec<AccountId>, Vec<OuId>)>,
    /// Units that are below others may not be listed.
    pub(crate) units_fail: Option<PortErrorKind>,
    /// What the listing of the whole organization says.
    pub(crate) listing: Listing,
    pub(crate) accounts: BTreeMap<AccountId, AccountState>,
    pub(crate) account_fail: BTreeMap<AccountId, PortErrorKind>,
    /// The tags of accounts. An account that is not here has none.
    pub(crate) account_tags: BTreeMap<AccountId, Vec<(String, String)>>,
    pub(crate) account_tags_fail: BTreeMap<AccountId, PortErrorKind>,
    pub(crate) regions: BTreeMap<AccountId, BTreeMap<Region, RegionOptStatus>>,
    pub(crate) regions_fail: BTreeMap<AccountId, PortErrorKind>,
    pub(crate) places: BTreeMap<Location, Place>,
    /// Listings hand out the same page token again and again.
    pub(crate) endless: bool,
    /// AWS-RunPatchBaseline's content; `None` if it may not be read.
    pub(crate) command_document: Option<&'static str>,
    pub(crate) calls: Mutex<Vec<String>>,
    pub(crate) shelf: super::shelf::Shelf,
}

impl Default for World {
    fn default() -> Self {
        Self {
            central_region: None,
            units: BTreeMap::new(),
            units_fail: None,
            listing: Listing::default(),
            accounts: BTreeMap::new(),
            account_fail: BTreeMap::new(),
            account_tags: BTreeMap::new(),
            account_tags_fail: BTreeMap::new(),
            regions: BTreeMap::new(),
            regions_fail: BTreeMap::new(),
            places: BTreeMap::new(),
            endless: false,
            command_document: Some(RECORDED),
            shelf: super::shelf::Shelf::default(),
            calls: Mutex::default(),
        }
    }
}

const PAGE: usize = 2;

impl World {
    /// The pages: an empty one, then two items, an empty one, two items, ….
    fn page<T: Clone>(&self, items: &[T], token: Option<PageToken>) -> (usize, Page<T>) {
        let number: usize = token.map_or(0, |token| token.as_str().parse().unwrap());
        let chunks: Vec<&[T]> = items.chunks(PAGE).collect();
        let items = match number % 2 {
            1 => chunks[number / 2].to_vec(),
            _ => Vec::new(),
        };
        let next = match number {
            _ if self.endless => Some(PageToken::new("0")),
            n if n < 2 * chunks.len() => Some(PageToken::new((n + 1).to_string())),
            _ => None,
        };
        (number, Page { items, next })
    }

    pub(crate) fn called(&self, call: String) -> usize {
        let mut calls = self.calls.lock().unwrap();
        calls.push(call);
        calls.len() * 7 % 5
    }

    pub(crate) fn calls(&self, prefix: &str) -> usize {
        let calls = self.calls.lock().unwrap();
        calls.iter().filter(|call| call.starts_with(prefix)).count()
    }

    pub(crate) fn caller_now(&self) -> Caller {
        Caller {
            account: account(CENTRAL),
            region: self.central_region.clone().unwrap_or_else(|| region("us-east-1")),
            arn: format!("arn:aws:iam::{CENTRAL}:user/op"),
        }
    }

    fn placed(&self, id: &AccountId) -> PlacedAccount {
        let mut above = Vec::new();
        let mut parent = self.units.iter().find(|(_, (accounts, _))| accounts.contains(id));
        while let Some((here, _)) = parent {
            above.insert(0, here.clone());
            let is_above = |units: &[OuId]| units.iter().any(|unit| OrgParent::Ou(unit.clone()) == *here);
            parent = self.units.iter().find(|(_, (_, units))| is_above(units));
        }
        PlacedAccount {
            account: AccountView {
                id: id.clone(),
                state: self.accounts[id].clone(),
            },
            above,
        }
    }

    /// Adds an account with these Regions on by default.
    pub(crate) fn add(&mut self, id: &str, regions: &[&str]) {
        self.accounts.insert(account(id), AccountState::Active);
        let statuses = regions
            .iter()
            .map(|&r| (region(r), RegionOptStatus::EnabledByDefault));
        self.regions.insert(account(id), statuses.collect());
    }

    /// Gives an account of the organization a tag.
    pub(crate) fn tag(&mut self, id: &str, key: &str, value: &str) {
        let tags = self.account_tags.entry(account(id)).or_default();
        tags.push((key.to_owned(), value.to_owned()));
    }

    pub(crate) fn place(&mut self, id: &str, name: &str) -> &mut Place {
        self.places.entry(at(id, name)).or_default()
    }
}

fn failed(kind: PortErrorKind, what: &str) -> PortError {
    PortError::new(kind, what).with_words(format!("{what}: because of {kind}"))
}

impl Directory for World {
    fn caller(&self) -> BoxFuture<'_, PortResult<Caller>> {
        later(0, Ok(self.caller_now()))
    }

    fn account(&self, id: &AccountId) -> BoxFuture<'_, PortResult<AccountView>> {
        let turns = self.called(format!("account {id}"));
        let answer = match (self.account_fail.get(id), self.accounts.get(id)) {
            (Some(&kind), _) => Err(failed(kind, "DescribeAccount")),
            (None, Some(state)) => Ok(AccountView {
                id: id.clone(),
                state: state.clone(),
            }),
            (None, None) => Err(failed(PortErrorKind::NotFound, "DescribeAccount")),
        };
        later(turns, answer)
    }

    fn organization(&self, page: Option<PageToken>) -> BoxFuture<'_, PortResult<Page<PlacedAccount>>> {
        let turns = self.called("organization".to_owned());
        if let Listing::Fails(kind) = self.listing {
            return later(turns, Err(failed(kind, "ListAccounts")));
        }
        let mut placed: Vec<PlacedAccount> = self.accounts.keys().map(|id| self.placed(id)).collect();
        match self.listing {
            Listing::PlaceUnknown => placed.last_mut().unwrap().above.clear(),
            Listing::WithoutTheCaller => placed.retain(|one| one.account.id != self.caller_now().account),
            _ => {}
        }
        later(turns, Ok(self.page(&placed, page).1))
    }

    fn accounts(
        &self,
        parent: &OrgParent,
        page: Option<PageToken>,
    ) -> BoxFuture<'_, PortResult<Page<AccountView>>> {
        let turns = self.called(format!("accounts {parent}"));
        let Some((accounts, _)) = self.units.get(parent) else {
            return later(
                turns,
                Err(failed(PortErrorKind::NotFound, "ListAccountsForParent")),
            );
        };
        let views: Vec<AccountView> = accounts
            .iter()
            .map(|id| AccountView {
                id: id.clone(),
                state: self.accounts[id].clone(),
            })
            .collect();
        later(turns, Ok(self.page(&views, page).1))
    }

    fn child_units(
        &self,
        parent: &OrgParent,
        page: Option<PageToken>,
    ) -> BoxFuture<'_, PortResult<Page<OuId>>> {
        let turns = self.called(format!("child_units {parent}"));
        if let Some(kind) = self.units_fail {
            return later(turns, Err(failed(kind, "ListOrganizationalUnitsForParent")));
        }
        later(turns, Ok(self.page(&self.units[parent].1, page).1))
    }

    fn account_tags(
        &self,
        id: &AccountId,
        page: Option<PageToken>,
    ) -> BoxFuture<'_, PortResult<Page<(String, String)>>> {
        let turns = self.called(format!("account_tags {id}"));
        if let Some(&kind) = self.account_tags_fail.get(id) {
            return later(turns, Err(failed(kind, "ListTagsForResource")));
        }
        let tags = self.account_tags.get(id).cloned().unwrap_or_default();
        later(turns, Ok(self.page(&tags, page).1))
    }

    fn regions(
        &self,
        id: &AccountId,
        page: Option<PageToken>,
    ) -> BoxFuture<'_, PortResult<Page<RegionView>>> {
        let turns = self.called(format!("regions {id}"));
        if let Some(&kind) = self.regions_fail.get(id) {
            return later(turns, Err(failed(kind, "ListRegions")));
        }
        let views: Vec<RegionView> = self
            .regions
            .get(id)
            .into_iter()
            .flatten()
            .map(|(region, &status)| RegionView {
                region: region.clone(),
                status,
            })
            .collect();
        later(turns, Ok(self.page(&views, page).1))
    }
}

impl Inventory for World {
    fn resolution(&self) -> Resolution {
        Resolution::SameAsAws
    }

    fn members(
        &self,
        location: &Location,
        _: &Selection,
        page: Option<PageToken>,
    ) -> BoxFuture<'_, PortResult<MemberPage>> {
        let turns = self.called(format!("members {location}"));
        let place = self.places.get(location).cloned().unwrap_or_default();
        let (number, page) = self.page(&place.members, page);
        let answer = match place.members_fail {
            Some((at, kind)) if at == number => Err(failed(kind, "ListGroupResources")),
            _ => Ok(MemberPage {
                page,
                query_errors: match place.partial_at {
                    Some(at) if at == number => vec![QueryError {
                        code: "CLOUDFORMATION_STACK_INACTIVE".into(),
                        message: "gone".into(),
                    }],
                    _ => vec![],
                },
            }),
        };
        later(turns, answer)
    }

    fn managed(
        &self,
        location: &Location,
        only: Option<&[NodeId]>,
        page: Option<PageToken>,
    ) -> BoxFuture<'_, PortResult<Page<ManagedNode>>> {
        let turns = self.called(format!("managed {location}"));
        assert!(only.is_none_or(|only| (1..=50).contains(&only.len())));
        let place = self.places.get(location).cloned().unwrap_or_default();
        if let Some(kind) = place.managed_fail {
            return later(turns, Err(failed(kind, "DescribeInstanceInformation")));
        }
        let nodes: Vec<ManagedNode> = place
            .managed
            .iter()
            .filter(|(id, _)| only.is_none_or(|only| only.contains(id)))
            .map(|(id, &ping)| ManagedNode {
                id: id.clone(),
                ping,
                last_ping: None,
                platform: Some(crate::port::PlatformType::Linux),
            })
            .collect();
        later(turns, Ok(self.page(&nodes, page).1))
    }

    fn tag_values(
        &self,
        location: &Location,
        key: &str,
        page: Option<PageToken>,
    ) -> BoxFuture<'_, PortResult<Page<(NodeId, String)>>> {
        let turns = self.called(format!("tag_values {location}"));
        let place = self.places.get(location).cloned().unwrap_or_default();
        if let Some(kind) = place.tags_fail {
            return later(turns, Err(failed(kind, "GetResources")));
        }
        let tagged = place.tags.get(key).cloned().unwrap_or_default();
        later(turns, Ok(self.page(&tagged, page).1))
    }
}

/// AWS-RunPatchBaseline as it was recorded: three steps of two hours.
pub(crate) const RECORDED: &str = r#"{"schemaVersion": "2.2", "mainSteps": [
    {"inputs": {"timeoutSeconds": "7200"}}, {"inputs": {"timeoutSeconds": 7200}}, {"inputs": {"timeoutSeconds": 7200}}
]}"#;

/// As it is since it takes StepTimeoutSeconds.
pub(crate) const WITH_PARAMETER: &str = r#"{"schemaVersion": "2.2", "mainSteps": [
    {"inputs": {"timeoutSeconds": "{{ StepTimeoutSeconds }}"}},
    {"inputs": {"timeoutSeconds": "{{ StepTimeoutSeconds }}"}},
    {"inputs": {"timeoutSeconds": "{{ StepTimeoutSeconds }}"}}
]}"#;

pub(crate) fn account(id: &str) -> AccountId {
    id.parse().unwrap()
}

pub(crate) fn region(name: &str) -> Region {
    name.parse().unwrap()
}

pub(crate) fn at(id: &str, name: &str) -> Location {
    Location::new(account(id), region(name))
}

/// An EC2 node, told from others by its number.
pub(crate) fn ec2(n: u64) -> NodeId {
    format!("i-{n:017x}").parse().unwrap()
}

/// A hybrid node.
pub(crate) fn hybrid(n: u64) -> NodeId {
    format!("mi-{n:017x}").parse().unwrap()
}

/// A request for these targets; everything else as it is by default.
pub(crate) fn request(targets: Value) -> PatchRequest {
    request_with(targets, json!({}))
}

/// A request for these targets, with other tables.
pub(crate) fn request_with(targets: Value, tables: Value) -> PatchRequest {
    let mut whole = tables;
    whole["name"] = json!("weekly");
    whole["targets"] = targets;
    PatchRequest::from_value(whole).unwrap()
}
