//! Drives a campaign to its end, by drivers that die, stand still, work side by side, and find an older log.

use super::Ending;
use super::faults::{Faults, FaultyStore};
use super::people::People;
use crate::campaign::Campaign;
use crate::draft::{Death, Draft, Pause, Who};
use jiff::{SignedDuration, Timestamp};
use patchfleet_core::{
    campaign::{DriveError, LogKey, Record, State},
    id::WriterId,
    internals::{Driver, Turn, fold},
};
use patchfleet_sim::SimClock;
use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use uuid::Uuid;

/// A campaign that has not come to rest by then hangs.
const LONGEST_DAYS: i64 = 20;
/// So has one that takes more turns than this.
const MOST_TURNS: usize = 200_000;
/// How often a campaign is taken up again that was left open although calls had failed, at most.
const MOST_RESUMED: usize = 3;
/// How long a person waits before that.
const RESUMED_AFTER: SignedDuration = SignedDuration::from_mins(10);

/// What befell the drivers of a campaign.
#[derive(Default)]
pub(crate) struct Befell {
    /// How many were killed.
    pub(crate) killed: usize,
    /// How many turns were made by a second driver.
    pub(crate) second_turns: usize,
    /// From when and until when it may be that nobody saw what happened.
    pub(crate) blind: Vec<(Timestamp, Timestamp)>,
    /// How often everybody slept, and how often one driver stood still.
    pub(crate) slept: usize,
    pub(crate) stood_still: usize,
    /// How many records the log lost.
    pub(crate) lost_records: usize,
    /// Why drivers left the campaign open that others took up again.
    pub(crate) left_open: Vec<DriveError>,
    /// How many units a person had sent again.
    pub(crate) sent_again: usize,
    /// Which starts were handed to AWS's port once their time was over.
    pub(crate) late: Vec<String>,
    /// Which were handed to it while nobody knew whether another one had taken effect.
    pub(crate) beside: Vec<String>,
}

/// A campaign that is being driven.
pub(super) struct Driving<'a> {
    draft: &'a Draft,
    /// What people use: all calls of it are answered.
    pub(super) campaign: Campaign,
    /// What the drivers are made of.
    driver: Driver,
    clock: SimClock,
    faults: Faults,
    store: Option<Arc<FaultyStore>>,
    people: RefCell<Option<People>>,
    befell: RefCell<Befell>,
    /// How many drivers there were.
    drivers: Cell<u128>,
}

/// What becomes of the drivers of one seat.
struct Seat<'a> {
    is_second: bool,
    deaths: &'a [Death],
    /// Whether another one comes after the last death.
    is_kept: bool,
    comes: u32,
    pauses: Vec<Pause>,
}

impl<'a> Driving<'a> {
    pub(super) fn new(draft: &'a Draft, mut campaign: Campaign, clock: &SimClock) -> Self {
        let faults = Faults::new(draft.seed, &draft.course.faults, campaign.driver.clock.clone());
        let mut driver = campaign.driver.clone();
        let mut store = None;
        if draft.course.is_rough() {
            let faulty = FaultyStore::new(driver.log.clone(), driver.rows.clone(), faults.clone());
            let calm = Arc::new(faulty.without_faults());
            let faulty = Arc::new(faulty);
            (campaign.driver.log, campaign.driver.rows) = (calm.clone(), calm);
            (driver.log, driver.rows) = (faulty.clone(), faulty.clone());
            driver = faults.around(driver);
            store = Some(faulty);
        }
        Self {
            draft,
            campaign,
            driver,
            clock: clock.clone(),
            faults,
            store,
            people: RefCell::new(Some(People::default())),
            befell: RefCell::default(),
            drivers: Cell::new(0),
        }
    }

    /// What befell the campaign, and what people did.
    pub(super) fn into_parts(self) -> (Befell, People, Faults) {
        let mut befell = self.befell.into_inner();
        befell.blind.extend(self.faults.spans());
        befell.late = self.faults.late();
        befell.beside = self.faults.beside();
        (befell, self.people.into_inner().unwrap(), self.faults)
    }

    /// What the log says.
    pub(super) async fn state(&self) -> State {
        let key = LogKey::Campaign(self.campaign.id);
        fold(&self.campaign.driver.log.read(&key, 0).await.unwrap()).unwrap()
    }

    /// How often a person has said to go on.
    pub(super) fn times_gone_on(&self) -> usize {
        self.people
            .borrow()
            .as_ref()
            .map_or(0, |people| people.gone_on.len())
    }

    /// Whether a person who says to go on is heard.
    pub(super) async fn goes_on(&self) -> bool {
        let said = self.campaign.driver.go_on(self.campaign.id, "somebody").await;
        if said.is_ok()
            && let Some(people) = self.people.borrow_mut().as_mut()
        {
            people.gone_on.push(self.now());
        }
        said.is_ok()
    }

    fn now(&self) -> Timestamp {
        self.driver.clock.now()
    }

    /// Drives it until it is over, or nobody knows how to go on.
    pub(super) async fn to_rest(&self) -> Ending {
        let course = &self.draft.course;
        let pauses = |mine: &[Who]| -> Vec<Pause> {
            let all = course.pauses.iter();
            all.filter(|pause| mine.contains(&pause.who)).copied().collect()
        };
        let first = Seat {
            is_second: false,
            deaths: &self.draft.deaths,
            is_kept: true,
            comes: 0,
            pauses: pauses(&[Who::Everybody, Who::First]),
        };
        let mut ending = match &course.company {
            None => self.sit(&first).await,
            Some(company) => {
                let second = Seat {
                    is_second: true,
                    deaths: &company.deaths,
                    is_kept: false,
                    comes: company.comes,
                    pauses: pauses(&[Who::Second]),
                };
                self.both(&first, &second).await
            }
        }
        .unwrap();
        for _ in 0..MOST_RESUMED {
            let error = match ending {
                Ending::Open(error) if course.is_rough() => error,
                ending => return ending,
            };
            if matches!(error, DriveError::NotBegun { under_way: None, .. }) {
                let begun = super::begun_in(&self.clock);
                assert!(begun.is_empty(), "{error}, and {begun:?} are there");
            }
            self.wait(self.now() + RESUMED_AFTER).await;
            self.wait(self.faults.end_at()).await;
            if matches!(error, DriveError::Unresolved { .. }) && course.sends_again {
                self.send_again().await;
            }
            self.befell.borrow_mut().left_open.push(error);
            let seat = Seat {
                is_second: false,
                deaths: &[],
                is_kept: true,
                comes: 0,
                pauses: vec![],
            };
            ending = self.sit(&seat).await.unwrap();
        }
        ending
    }

    /// Waits until then, while nobody looks.
    async fn wait(&self, until: Timestamp) {
        let from = self.now();
        self.driver.clock.sleep_until(until).await;
        self.befell.borrow_mut().blind.push((from, self.now()));
    }

    /// A person has each start sent again of which nobody knows whether it took effect.
    async fn send_again(&self) {
        let units: BTreeSet<_> = self.state().await.unresolved().collect();
        let driver = &self.campaign.driver;
        if let Ok(sent) = driver.send_again(self.campaign.id, &units, "somebody").await {
            self.befell.borrow_mut().sent_again += sent.said.len();
        }
    }

    /// Two drivers side by side. Each has its turn whenever something may have happened, and nobody waits for a second one
    /// that has not come by the end.
    async fn both(&self, first: &Seat<'_>, second: &Seat<'_>) -> Option<Ending> {
        let (mut first, mut second) = (pin!(self.sit(first)), pin!(self.sit(second)));
        let (mut one, mut other) = (None, None);
        let mut swaps = false;
        std::future::poll_fn(|context| {
            swaps = !swaps;
            for is_first in [swaps, !swaps] {
                match is_first {
                    true if one.is_none() => {
                        if let Poll::Ready(ending) = first.as_mut().poll(context) {
                            one = Some(ending);
                        }
                    }
                    false if other.is_none() => {
                        if let Poll::Ready(ending) = second.as_mut().poll(context) {
                            other = Some(ending);
                        }
                    }
                    _ => (),
                }
            }
            let has_come = self.befell.borrow().second_turns > 0;
            match one.is_some() && (other.is_some() || !has_come) {
                true => Poll::Ready(()),
                false => Poll::Pending,
            }
        })
        .await;
        match (one.flatten(), other.flatten()) {
            // It is over, whatever the other one found.
            (Some(Ending::Open(error)), Some(Ending::Finished)) => {
                self.befell.borrow_mut().left_open.push(error);
                Some(Ending::Finished)
            }
            (ending, Some(Ending::Open(error))) => {
                self.befell.borrow_mut().left_open.push(error);
                ending
            }
            (ending, _) => ending,
        }
    }

    /// Drives by the drivers of a seat, one after the other. `None`: the last of them died.
    async fn sit(&self, seat: &Seat<'_>) -> Option<Ending> {
        if seat.comes > 0 {
            let comes = self.now() + SignedDuration::from_secs(seat.comes.into());
            self.driver.clock.sleep_until(comes).await;
        }
        let begun = self.now();
        let mut turns_of_all = 0;
        for life in 0.. {
            let death = seat.deaths.get(life).copied();
            if death.is_none() && life > 0 && !seat.is_kept {
                return None;
            }
            self.drivers.set(self.drivers.get() + 1);
            let driver = Driver {
                writer: WriterId::from_uuid(Uuid::from_u128(self.drivers.get())),
                ..self.driver.clone()
            };
            let mut drive = match driver.open(self.campaign.id).await {
                Ok(drive) => drive,
                Err(error) => {
                    assert!(self.draft.course.is_rough(), "{error}");
                    return Some(Ending::Open(error));
                }
            };
            let (turns, mut polls) = match death {
                Some(Death::Turns(turns)) => (turns, usize::MAX),
                Some(Death::Polls(polls)) => (MOST_TURNS, polls),
                None => (MOST_TURNS, usize::MAX),
            };
            for _ in 0..turns {
                turns_of_all += 1;
                assert!(
                    turns_of_all < MOST_TURNS,
                    "the campaign hangs: {MOST_TURNS} turns of {:?}",
                    self.draft
                );
                self.befell.borrow_mut().second_turns += usize::from(seat.is_second);
                match polled(drive.step(), &mut polls).await {
                    // In the middle of whatever it did.
                    None => break,
                    Some(Ok(Turn::Done(_))) => return Some(Ending::Finished),
                    Some(Ok(Turn::Acted)) => {}
                    Some(Ok(Turn::Wait(at))) => {
                        driver.clock.sleep_until(at).await;
                        self.look().await;
                    }
                    Some(Err(error)) => return Some(Ending::Open(error)),
                }
                for pause in seat.pauses.iter().filter(|pause| pause.turns == turns_of_all) {
                    self.pause(*pause).await;
                }
                let passed = self.now().duration_since(begun);
                if passed.as_hours() >= 24 * LONGEST_DAYS {
                    self.hangs().await;
                }
            }
            drop(drive);
            self.befell.borrow_mut().killed += 1;
            self.after_death(life).await;
        }
        None
    }

    /// Panics with the end of the log, which says what goes on for ever.
    async fn hangs(&self) {
        let key = LogKey::Campaign(self.campaign.id);
        let records = self.campaign.driver.log.read(&key, 0).await.unwrap();
        let last: Vec<_> = records.iter().rev().take(8).rev().collect();
        panic!("the campaign hangs: {last:?} of {:?}", self.draft);
    }

    /// The person who may approve looks, unless they are at it already.
    async fn look(&self) {
        let people = self.people.borrow_mut().take();
        if let Some(mut people) = people {
            people.look(self.draft, &self.campaign).await;
            self.people.replace(Some(people));
        }
    }

    async fn pause(&self, pause: Pause) {
        let from = self.now();
        let span = SignedDuration::from_mins(pause.minutes.into());
        match pause.who {
            Who::Everybody => self.clock.advance(span),
            Who::First | Who::Second => self.driver.clock.sleep_until(from + span).await,
        }
        let mut befell = self.befell.borrow_mut();
        match pause.who {
            Who::Everybody => befell.slept += 1,
            Who::First | Who::Second => befell.stood_still += 1,
        }
        befell.blind.push((from, self.now()));
    }

    /// What happens before the next driver comes.
    async fn after_death(&self, death: usize) {
        let course = &self.draft.course;
        if course.gap > 0 {
            self.wait(self.now() + SignedDuration::from_secs(course.gap.into()))
                .await;
        }
        let Some((store, restore)) = self.store.as_ref().zip(course.restore) else {
            return;
        };
        if restore.death % self.draft.deaths.len().max(1) == death {
            let drivers = 1..=self.drivers.get();
            let is_of_driver = |record: &Record| drivers.contains(&record.writer.as_uuid().as_u128());
            let key = LogKey::Campaign(self.campaign.id);
            let lost = store.restore(&key, restore.records, is_of_driver);
            let mut befell = self.befell.borrow_mut();
            befell.lost_records += lost;
            self.faults.forget();
            let blind = (self.driver_began(), self.now());
            befell.blind.push(blind);
        }
    }

    /// What is forgotten may be as old as the campaign.
    fn driver_began(&self) -> Timestamp {
        self.faults.began()
    }
}

/// Polls the future so many times at most, and then drops it where it stands.
async fn polled<F: Future>(future: F, polls: &mut usize) -> Option<F::Output> {
    let mut future = pin!(future);
    std::future::poll_fn(|context| match future.as_mut().poll(context) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending if *polls == 0 => Poll::Ready(None),
        Poll::Pending => {
            *polls -= 1;
            Poll::Pending
        }
    })
    .await
}
