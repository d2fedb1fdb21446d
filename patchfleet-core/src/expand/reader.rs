//! Reading accounts while others are still being found: their Regions, their tags, and what is in each of their locations.

use super::regions::{self, Listed, Statuses};
use super::tags::{self, AccountTags};
use crate::census::{Answered, Answers, Begun, Question};
use crate::id::{AccountId, Location, Region};
use crate::port::{BoxFuture, Directory, PortResult, RegionOptStatus};
use crate::request::{PatchRequest, Regions, Targets};
use futures_util::future::{Either, select};
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt as _, StreamExt as _};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::pin::pin;

/// Asks accounts for their Regions and their tags, and their locations for their nodes. So each role is assumed early, and
/// the last page of the organization is not waited for.
///
/// A Region that is enabled by default is enabled in every account, so its location is asked beside the account's Regions.
/// An opt-in Region's is asked once they are known.
///
/// What it asks for is what the request seems to want so far. An answer that nobody wants in the end is
/// dropped, and a location that was not asked here is asked by the census.
pub(super) struct Reader<'a> {
    directory: &'a dyn Directory,
    targets: &'a Targets,
    /// Whose waves say which accounts are asked for their tags. `None` if no account is.
    for_waves: Option<&'a PatchRequest>,
    /// How locations are asked. `None` if they are not asked here.
    question: Option<Question<'a>>,
    /// How many calls are made at once, at most.
    concurrency: usize,
    /// The accounts that are read, or will be.
    seen: BTreeMap<AccountId, Scope>,
    accounts: VecDeque<AccountId>,
    /// The accounts whose tags decide in which wave they are, and are not asked for yet.
    untagged: VecDeque<AccountId>,
    /// How many accounts are being asked for their tags.
    tagging: usize,
    locations: VecDeque<Location>,
    /// The Regions that the request lists and no account has named so far. One that nobody names refuses the request, so
    /// no location is asked until all are named.
    unnamed: BTreeSet<&'a Region>,
    /// The Regions that are enabled by default, by the first account that has named its Regions.
    by_default: Option<BTreeSet<Region>>,
    /// The accounts whose locations in these Regions are asked, or will be.
    early: BTreeSet<AccountId>,
    /// The calls under way: accounts that are asked for their Regions or their tags, and locations for their nodes.
    listing: FuturesUnordered<BoxFuture<'a, Heard>>,
    asking: FuturesUnordered<BoxFuture<'a, Heard>>,
    /// The locations that were asked and have not answered.
    open: BTreeSet<Location>,
    listed: Listed,
    tags: BTreeMap<AccountId, AccountTags>,
    answers: Answers,
}

/// One in so many calls at once is kept for accounts.
const KEPT_FOR_ACCOUNTS: usize = 8;

/// One in so many calls at once asks for tags. AWS answers them slowly, and these calls wait for their turn, so more of
/// them would only hold back the others.
const FOR_TAGS: usize = 8;

/// How much of an account is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Scope {
    /// Its Regions alone.
    Regions,
    /// Its Regions, and its locations that the request wants.
    Locations,
}

/// One answer.
enum Heard {
    Regions(AccountId, PortResult<Statuses>),
    Tags(AccountId, AccountTags),
    Location(Location, Answered),
}

impl<'a> Reader<'a> {
    pub(super) fn new(
        directory: &'a dyn Directory,
        request: &'a PatchRequest,
        question: Option<Question<'a>>,
        concurrency: usize,
    ) -> Self {
        let targets = &request.targets;
        Self {
            directory,
            targets,
            for_waves: Some(request),
            question,
            concurrency: concurrency.max(1),
            seen: BTreeMap::new(),
            accounts: VecDeque::new(),
            untagged: VecDeque::new(),
            tagging: 0,
            locations: VecDeque::new(),
            unnamed: match &targets.regions {
                Regions::List(regions) => regions.iter().collect(),
                Regions::AllEnabled => BTreeSet::new(),
            },
            by_default: None,
            early: BTreeSet::new(),
            listing: FuturesUnordered::new(),
            asking: FuturesUnordered::new(),
            open: BTreeSet::new(),
            listed: Listed::default(),
            tags: BTreeMap::new(),
            answers: Answers::default(),
        }
    }

    /// Will read so much of an account, as far as it is not read already.
    pub(super) fn read(&mut self, account: &AccountId, scope: Scope) {
        let before = self.seen.get(account).copied();
        let needs_tags = |request: &PatchRequest| request.needs_tags_of(account);
        if scope == Scope::Locations && before < Some(scope) && self.for_waves.is_some_and(needs_tags) {
            self.untagged.push_back(account.clone());
        }
        match self.seen.insert(account.clone(), scope) {
            None => {
                self.accounts.push_back(account.clone());
                if scope == Scope::Locations {
                    self.want_early(account);
                }
            }
            Some(before) if before < scope => self.want(account),
            Some(before) => {
                self.seen.insert(account.clone(), before);
            }
        }
    }

    /// Asks no location and for no tags from now on, as the request is refused. Calls under way to locations are given up.
    /// Regions are read all the same, because they tell what else is wrong with the request.
    pub(super) fn ask_no_location(&mut self) {
        self.question = None;
        self.for_waves = None;
        self.untagged.clear();
        self.locations.clear();
        self.asking.clear();
        self.open.clear();
    }

    /// Waits for `work`, and goes on reading meanwhile.
    pub(super) async fn beside<T>(&mut self, work: impl Future<Output = T>) -> T {
        let mut work = pin!(work);
        loop {
            self.ask();
            if self.under_way() == 0 {
                return work.await;
            }
            let heard = match select(work.as_mut(), pin!(self.next())).await {
                Either::Left((done, _)) => return done,
                Either::Right((heard, _)) => heard,
            };
            self.hear(heard);
        }
    }

    /// Reads until the Regions and the tags of each account are known. Gives them, and the locations as they stand then: some
    /// have answered, and some are being asked.
    pub(super) async fn finish(mut self) -> (Listed, BTreeMap<AccountId, AccountTags>, Begun<'a>) {
        loop {
            self.ask();
            let has_tags = self.untagged.is_empty() && self.tagging == 0;
            if has_tags && self.listed.len() == self.seen.len() {
                break;
            }
            let heard = self.next().await;
            self.hear(heard);
        }
        let begun = Begun {
            answers: self.answers,
            open: self.open,
            asked: self.asking.into_iter().map(location_alone).collect(),
        };
        (self.listed, self.tags, begun)
    }

    fn under_way(&self) -> usize {
        self.listing.len().saturating_add(self.asking.len())
    }

    /// The next answer; `None` if no call is under way.
    async fn next(&mut self) -> Option<Heard> {
        match (self.listing.is_empty(), self.asking.is_empty()) {
            (_, true) => self.listing.next().await,
            (true, false) => self.asking.next().await,
            (false, false) => {
                select(self.listing.next(), self.asking.next())
                    .await
                    .factor_first()
                    .0
            }
        }
    }

    /// Asks as much as may be asked at once. Accounts come before locations, which follow from them. Tags come first, and few
    /// at once.
    fn ask(&mut self) {
        while self.under_way() < self.concurrency {
            let directory = self.directory;
            if let Some(account) = self.next_untagged() {
                self.tagging = self.tagging.saturating_add(1);
                let call = async move {
                    let tags = tags::read(directory, &account).await;
                    Heard::Tags(account, tags)
                };
                self.listing.push(call.boxed());
            } else if let Some(account) = self.accounts.pop_front() {
                let call = async move {
                    let statuses = regions::list(directory, &account).await;
                    Heard::Regions(account, statuses)
                };
                self.listing.push(call.boxed());
            } else if let (Some(question), Some(location)) = (self.question, self.next_location()) {
                self.open.insert(location.clone());
                let call = async move {
                    let answered = question.ask(&location).await;
                    Heard::Location(location, answered)
                };
                self.asking.push(call.boxed());
            } else {
                return;
            }
        }
    }

    fn next_untagged(&mut self) -> Option<AccountId> {
        let at_once = (self.concurrency / FOR_TAGS).max(1);
        match self.tagging < at_once {
            true => self.untagged.pop_front(),
            false => None,
        }
    }

    fn next_location(&mut self) -> Option<Location> {
        let next = self.locations.front()?;
        // Locations of an account that has not named its Regions wait for its role. The next accounts, whose roles could
        // be assumed meanwhile, do not wait for all of these.
        let at_once = match self.listed.has(&next.account) {
            true => self.concurrency,
            false => self.concurrency - self.concurrency / KEPT_FOR_ACCOUNTS,
        };
        match self.unnamed.is_empty() && self.under_way() < at_once {
            true => self.locations.pop_front(),
            false => None,
        }
    }

    fn hear(&mut self, heard: Option<Heard>) {
        match heard {
            Some(Heard::Regions(account, statuses)) => {
                if let Ok(statuses) = &statuses {
                    self.unnamed.retain(|region| !statuses.contains_key(*region));
                    self.learn(statuses);
                }
                self.listed.insert(account.clone(), statuses);
                if self.seen.get(&account) == Some(&Scope::Locations) {
                    self.want(&account);
                }
            }
            Some(Heard::Tags(account, tags)) => {
                self.tagging = self.tagging.saturating_sub(1);
                self.tags.insert(account, tags);
            }
            Some(Heard::Location(location, answered)) => {
                self.open.remove(&location);
                self.answers.insert(location, answered);
            }
            None => {}
        }
    }

    /// Takes note of the Regions that are enabled by default, if nobody has named them before. The accounts that are known
    /// by now are asked there.
    fn learn(&mut self, statuses: &Statuses) {
        if self.by_default.is_some() {
            return;
        }
        let by_default = statuses
            .iter()
            .filter(|(_, status)| **status == RegionOptStatus::EnabledByDefault);
        self.by_default = Some(by_default.map(|(region, _)| region.clone()).collect());
        let known = self
            .seen
            .iter()
            .filter(|(account, scope)| **scope == Scope::Locations && !self.listed.has(account));
        let known: Vec<AccountId> = known.map(|(account, _)| account.clone()).collect();
        for account in &known {
            self.want_early(account);
        }
    }

    /// Will ask the locations of an account in Regions that are enabled by default, if those are known.
    fn want_early(&mut self, account: &AccountId) {
        let Some(by_default) = self.by_default.as_ref().filter(|_| self.question.is_some()) else {
            return;
        };
        self.early.insert(account.clone());
        let targets = self.targets;
        let wanted = by_default.iter().filter(|region| names(targets, region));
        let locations = wanted.map(|region| Location::new(account.clone(), region.clone()));
        self.locations.extend(locations);
    }

    /// Will ask the locations of an account that the request wants, if its Regions are known.
    fn want(&mut self, account: &AccountId) {
        if self.question.is_none() {
            return;
        }
        let targets = self.targets;
        let statuses = self.listed.of_account(account);
        let usable = statuses.into_iter().flat_map(super::usable);
        let early = self.by_default.as_ref().filter(|_| self.early.contains(account));
        let is_asked = |region: &Region| early.is_some_and(|regions| regions.contains(region));
        let wanted = usable.filter(|region| names(targets, region) && !is_asked(region));
        let locations = wanted.map(|region| Location::new(account.clone(), region.clone()));
        self.locations.extend(locations);
    }
}

/// Whether the request names the Region, and does not exclude it.
fn names(targets: &Targets, region: &Region) -> bool {
    let named = match &targets.regions {
        Regions::List(regions) => regions.contains(region),
        Regions::AllEnabled => true,
    };
    named && !targets.exclude_regions.contains(region)
}

/// The same call. What it says of a location alone is kept.
fn location_alone(call: BoxFuture<'_, Heard>) -> BoxFuture<'_, Option<(Location, Answered)>> {
    call.map(|heard| match heard {
        Heard::Location(location, answered) => Some((location, answered)),
        Heard::Regions(..) | Heard::Tags(..) => None,
    })
    .boxed()
}
