//! Bringing the runbook to every Region, and sharing it: what is called, what is left as it is, and what is told.

#![expect(clippy::unwrap_used, reason = "helpers of tests, outside of #[test]")]

use futures_util::FutureExt;
use patchfleet_core::id::{AccountId, DocumentName, Location, Region};
use patchfleet_core::port::{
    BoxFuture, Caller, DocumentVersion, DocumentView, Documents, MAX_SHARED_AT_ONCE, Page, PageToken,
    PortError, PortErrorKind, PortResult, Share, ShareWith, SharedVersion,
};
use patchfleet_core::request::RunbookPin;
use patchfleet_core::runbook::{NAME, Placed, Reach, Runbook, distribute, in_text, shared_version};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

/// The documents of one Region, and what was called.
#[derive(Default)]
struct State {
    content: Option<String>,
    shares: BTreeMap<String, SharedVersion>,
    calls: Vec<String>,
}

/// An account's documents, in some Regions.
#[derive(Clone)]
struct Shelf {
    region: Region,
    all: Arc<Mutex<BTreeMap<Region, State>>>,
    /// Accounts that AWS does not take.
    bad: BTreeSet<String>,
    /// Regions in which every call fails, and how.
    broken: BTreeMap<Region, PortErrorKind>,
    /// How the sharing fails, if it does.
    sharing: Option<PortErrorKind>,
    /// Whether the first share's answer is lost.
    lost: Arc<Mutex<bool>>,
}

fn region(text: &str) -> Region {
    text.parse().unwrap()
}

fn account(n: u32) -> AccountId {
    format!("{n:012}").parse().unwrap()
}

fn ready<'a, T: Send + 'a>(value: PortResult<T>) -> BoxFuture<'a, PortResult<T>> {
    std::future::ready(value).boxed()
}

impl Shelf {
    fn new() -> Self {
        Self {
            region: region("us-east-1"),
            all: Arc::default(),
            bad: BTreeSet::new(),
            broken: BTreeMap::new(),
            sharing: None,
            lost: Arc::default(),
        }
    }

    fn here<T>(&self, what: &str, act: impl FnOnce(&mut State) -> PortResult<T>) -> PortResult<T> {
        let mut all = self.all.lock().unwrap();
        let state = all.entry(self.region.clone()).or_default();
        if !what.is_empty() {
            state.calls.push(what.to_owned());
        }
        match self.broken.get(&self.region) {
            Some(kind) => Err(PortError::new(*kind, format!("{what} failed"))),
            None => act(state),
        }
    }

    fn with_share(self, n: u32, version: SharedVersion) -> Self {
        let shared = self.here("", |state| {
            state.shares.insert(account(n).to_string(), version);
            Ok(())
        });
        shared.unwrap();
        self
    }

    fn calls(&self, at: &str) -> Vec<String> {
        let all = self.all.lock().unwrap();
        all.get(&region(at))
            .map(|state| state.calls.clone())
            .unwrap_or_default()
    }

    fn forget_calls(&self) {
        self.all
            .lock()
            .unwrap()
            .values_mut()
            .for_each(|state| state.calls.clear());
    }

    fn shared(&self, n: u32) -> Option<SharedVersion> {
        let all = self.all.lock().unwrap();
        all.get(&self.region)?.shares.get(account(n).as_str()).copied()
    }
}

impl Documents for Shelf {
    fn read(
        &self,
        at: Option<&Location>,
        _: &DocumentName,
        _: DocumentVersion,
    ) -> BoxFuture<'_, PortResult<DocumentView>> {
        assert_eq!(at, None);
        ready(self.here("", |state| match &state.content {
            Some(content) => Ok(DocumentView {
                version: "1".to_owned(),
                content: content.clone(),
            }),
            None => Err(PortError::new(PortErrorKind::NotFound, "GetDocument")),
        }))
    }

    fn create(&self, _: &DocumentName, content: String) -> BoxFuture<'_, PortResult<String>> {
        ready(self.here("create", |state| {
            state.content = Some(content);
            Ok("1".to_owned())
        }))
    }

    fn update(&self, _: &DocumentName, content: String) -> BoxFuture<'_, PortResult<Option<String>>> {
        ready(self.here("update", |state| {
            state.content = Some(content);
            Ok(Some("2".to_owned()))
        }))
    }

    fn latest_version(&self, _: &DocumentName) -> BoxFuture<'_, PortResult<String>> {
        ready(Ok("2".to_owned()))
    }

    fn set_default(&self, _: &DocumentName, _: &str) -> BoxFuture<'_, PortResult<()>> {
        ready(self.here("set_default", |_| Ok(())))
    }

    fn in_region(&self, region: &Region) -> Option<Arc<dyn Documents>> {
        Some(Arc::new(Self {
            region: region.clone(),
            ..self.clone()
        }))
    }

    /// Pages of two.
    fn shares(&self, _: &DocumentName, page: Option<PageToken>) -> BoxFuture<'_, PortResult<Page<Share>>> {
        let from: usize = page.map_or(0, |token| token.as_str().parse().unwrap());
        ready(self.here("", |state| {
            let all = state.shares.iter().skip(from);
            let items: Vec<Share> = all
                .take(2)
                .map(|(with, version)| Share {
                    with: match with.parse() {
                        Ok(account) => ShareWith::Account(account),
                        Err(_) => ShareWith::Everybody,
                    },
                    version: *version,
                })
                .collect();
            let next = (from + 2 < state.shares.len()).then(|| PageToken::new((from + 2).to_string()));
            Ok(Page { items, next })
        }))
    }

    fn share(
        &self,
        _: &DocumentName,
        accounts: &[AccountId],
        version: SharedVersion,
    ) -> BoxFuture<'_, PortResult<()>> {
        assert!((1..=MAX_SHARED_AT_ONCE).contains(&accounts.len()));
        if let Some(kind) = self.sharing {
            return ready(self.here("share", |_| {
                Err(PortError::new(kind, "ModifyDocumentPermission failed"))
            }));
        }
        let what = format!("share {} {}", accounts.len(), version.as_str());
        let lost = std::mem::take(&mut *self.lost.lock().unwrap());
        ready(self.here(&what, |state| {
            if accounts.iter().any(|one| self.bad.contains(one.as_str())) {
                return Err(PortError::new(
                    PortErrorKind::Invalid,
                    "ModifyDocumentPermission failed",
                ));
            }
            for one in accounts {
                state.shares.insert(one.to_string(), version);
            }
            if lost {
                return Err(PortError::new(PortErrorKind::Unavailable, "no answer").maybe_sent());
            }
            Ok(())
        }))
    }
}

/// So many accounts in each of these Regions; the first is the central one.
fn reach(regions: &[&str], accounts: u32) -> Reach {
    let mut reach = reach_of_nobody(regions.first().unwrap());
    for one in regions {
        reach
            .regions
            .insert(region(one), (1..=accounts).map(account).collect());
    }
    reach
}

fn reach_of_nobody(central: &str) -> Reach {
    let request = patchfleet_core::request::PatchRequest::from_value(serde_json::json!({
        "name": "here", "targets": { "resource_group": "Web", "regions": [central] },
    }));
    let directory = Alone(Caller {
        account: account(999),
        region: region(central),
        arn: String::new(),
    });
    Reach::of(&directory, &request.unwrap())
        .now_or_never()
        .unwrap()
        .unwrap()
}

/// One account in one Region.
struct Alone(Caller);

impl patchfleet_core::port::Directory for Alone {
    fn caller(&self) -> BoxFuture<'_, PortResult<Caller>> {
        ready(Ok(self.0.clone()))
    }

    fn account(&self, account: &AccountId) -> BoxFuture<'_, PortResult<patchfleet_core::port::AccountView>> {
        ready(Err(PortError::new(PortErrorKind::NotFound, account.to_string())))
    }

    fn organization(
        &self,
        _: Option<PageToken>,
    ) -> BoxFuture<'_, PortResult<Page<patchfleet_core::port::PlacedAccount>>> {
        ready(Ok(Page::last(vec![])))
    }

    fn accounts(
        &self,
        _: &patchfleet_core::id::OrgParent,
        _: Option<PageToken>,
    ) -> BoxFuture<'_, PortResult<Page<patchfleet_core::port::AccountView>>> {
        ready(Ok(Page::last(vec![])))
    }

    fn child_units(
        &self,
        _: &patchfleet_core::id::OrgParent,
        _: Option<PageToken>,
    ) -> BoxFuture<'_, PortResult<Page<patchfleet_core::id::OuId>>> {
        ready(Ok(Page::last(vec![])))
    }

    fn account_tags(
        &self,
        _: &AccountId,
        _: Option<PageToken>,
    ) -> BoxFuture<'_, PortResult<Page<(String, String)>>> {
        ready(Ok(Page::last(vec![])))
    }

    fn regions(
        &self,
        _: &AccountId,
        _: Option<PageToken>,
    ) -> BoxFuture<'_, PortResult<Page<patchfleet_core::port::RegionView>>> {
        ready(Ok(Page::last(vec![patchfleet_core::port::RegionView {
            region: self.0.region.clone(),
            status: patchfleet_core::port::RegionOptStatus::EnabledByDefault,
        }])))
    }
}

fn done(shelf: &Shelf, reach: &Reach, sharing: Option<SharedVersion>) -> Vec<Placed> {
    let name = NAME.parse().unwrap();
    distribute(shelf, &name, &Runbook::default(), reach, sharing)
        .now_or_never()
        .unwrap()
}

#[test]
fn it_is_made_and_shared_in_every_region_twenty_accounts_a_call_and_the_same_again_changes_nothing() {
    let (shelf, reach) = (Shelf::new(), reach(&["us-east-1", "eu-west-1"], 45));
    let placed = done(&shelf, &reach, Some(SharedVersion::Default));
    assert!(placed.iter().all(Placed::is_whole));
    assert_eq!(placed[0].region, region("us-east-1"), "the central one first");
    for one in ["us-east-1", "eu-west-1"] {
        assert_eq!(
            shelf.calls(one),
            [
                "create",
                "share 20 $DEFAULT",
                "share 20 $DEFAULT",
                "share 5 $DEFAULT"
            ]
        );
    }
    shelf.forget_calls();
    let again = done(&shelf, &reach, Some(SharedVersion::Default));
    assert!(shelf.calls("us-east-1").is_empty() && shelf.calls("eu-west-1").is_empty());
    assert_eq!(again[1].sharing.as_ref().unwrap().already.len(), 45);
    assert_eq!(
        in_text(&again),
        "us-east-1: unchanged; version 1 is the default; was shared with 45 already\n\
         eu-west-1: unchanged; version 1 is the default; was shared with 45 already\n"
    );
}

#[test]
fn without_being_asked_nothing_is_shared() {
    let shelf = Shelf::new();
    let placed = done(&shelf, &reach(&["us-east-1", "eu-west-1"], 3), None);
    assert_eq!(shelf.calls("eu-west-1"), ["create"]);
    assert!(placed.iter().all(|one| one.sharing.is_none()));
}

#[test]
fn a_pinned_version_is_shared_with_all_versions_and_nobody_sees_less_than_before() {
    assert_eq!(shared_version(RunbookPin::Default), SharedVersion::Default);
    let needed = shared_version(RunbookPin::Version);
    let shelf = Shelf::new()
        .with_share(1, SharedVersion::Default)
        .with_share(2, SharedVersion::All)
        .with_share(7, SharedVersion::Latest);
    let placed = done(&shelf, &reach(&["us-east-1"], 3), Some(needed));
    let sharing = placed[0].sharing.as_ref().unwrap();
    assert_eq!((sharing.shared.len(), sharing.already.len()), (2, 1));
    assert_eq!(shelf.shared(1), Some(SharedVersion::All));
    assert_eq!(
        shelf.shared(7),
        Some(SharedVersion::Latest),
        "nobody asked about that one"
    );

    // Whoever sees the newest version sees the default one as well, and goes on seeing the newest.
    let shelf = Shelf::new().with_share(1, SharedVersion::Latest);
    done(&shelf, &reach(&["us-east-1"], 1), Some(SharedVersion::Default));
    assert_eq!(shelf.shared(1), Some(SharedVersion::All));
}

#[test]
fn a_runbook_that_everybody_sees_is_shared_with_nobody_else() {
    let shelf = Shelf::new();
    let all = shelf.here("", |state| {
        state.shares.insert("all".to_owned(), SharedVersion::Default);
        Ok(())
    });
    all.unwrap();
    done(&shelf, &reach(&["us-east-1"], 3), Some(SharedVersion::Default));
    assert_eq!(shelf.calls("us-east-1"), ["create"]);
}

#[test]
fn one_account_at_fault_keeps_no_other_from_its_share_and_is_named() {
    let mut shelf = Shelf::new();
    shelf.bad.insert(account(2).to_string());
    let placed = done(&shelf, &reach(&["us-east-1"], 22), Some(SharedVersion::Default));
    let sharing = placed[0].sharing.as_ref().unwrap();
    assert_eq!(sharing.shared.len(), 21);
    let failed: Vec<&AccountId> = sharing.failed.iter().map(|one| &one.account).collect();
    assert_eq!(failed, [&account(2)]);
    assert!(!placed[0].is_whole());
    let text = in_text(&placed);
    assert!(
        text.contains("shared with 21 accounts, not shared with 1\n  not shared with 000000000002: "),
        "{text}"
    );
}

#[test]
fn more_than_a_thousand_accounts_in_all_are_refused_before_one_is_shared() {
    let shelf = Shelf::new().with_share(5_000, SharedVersion::Default);
    let placed = done(
        &shelf,
        &reach(&["us-east-1"], 1_000),
        Some(SharedVersion::Default),
    );
    assert_eq!(shelf.calls("us-east-1"), ["create"]);
    let failed = &placed[0].sharing.as_ref().unwrap().failed;
    assert_eq!(failed.len(), 1_000);
    assert!(
        failed[0].why.contains("1000 accounts in a Region") && failed[0].why.contains("1001"),
        "{}",
        failed[0].why
    );
    // A thousand with those that see it already are fine.
    let shelf = Shelf::new().with_share(1, SharedVersion::Default);
    let placed = done(
        &shelf,
        &reach(&["us-east-1"], 1_000),
        Some(SharedVersion::Default),
    );
    assert!(placed[0].is_whole());
}

#[test]
fn a_denial_is_told_once_for_each_account_and_tried_once() {
    for (kind, words) in [
        (PortErrorKind::Denied, "ssm:ModifyDocumentPermission is needed"),
        (PortErrorKind::Throttled, "the same command goes on from here"),
    ] {
        let mut shelf = Shelf::new();
        shelf.sharing = Some(kind);
        let placed = done(&shelf, &reach(&["us-east-1"], 41), Some(SharedVersion::Default));
        assert_eq!(shelf.calls("us-east-1"), ["create", "share"], "{kind}");
        let failed = &placed[0].sharing.as_ref().unwrap().failed;
        assert_eq!(failed.len(), 41);
        assert!(
            failed.iter().all(|one| one.why.contains(words)),
            "{}",
            failed[0].why
        );
    }
}

#[test]
fn a_share_whose_answer_is_lost_is_made_again() {
    let shelf = Shelf::new();
    *shelf.lost.lock().unwrap() = true;
    let placed = done(&shelf, &reach(&["us-east-1"], 3), Some(SharedVersion::Default));
    assert!(placed[0].is_whole());
    assert_eq!(shelf.calls("us-east-1").len(), 3);
}

#[test]
fn a_region_that_fails_keeps_no_other_from_being_done() {
    let mut shelf = Shelf::new();
    shelf
        .broken
        .insert(region("ap-east-1"), PortErrorKind::RegionNotEnabled);
    let reach = reach(&["us-east-1", "ap-east-1", "eu-west-1"], 1);
    let placed = done(&shelf, &reach, Some(SharedVersion::Default));
    let whole: Vec<(&str, bool)> = placed
        .iter()
        .map(|one| (one.region.as_str(), one.is_whole()))
        .collect();
    assert_eq!(
        whole,
        [("us-east-1", true), ("ap-east-1", false), ("eu-west-1", true)]
    );
    assert!(placed[1].sharing.is_none());
    let json = serde_json::to_value(&placed).unwrap();
    assert_eq!(json[0]["done"], "created");
    // It fails the same way each time, so the words say what ends that.
    let out = "enable it there, or leave it out of the request";
    assert!(in_text(&placed).contains(out), "{}", in_text(&placed));
    assert!(json[1]["error"].as_str().unwrap().contains(out), "{json}");
    assert!(json[1]["error"].is_string());
}
