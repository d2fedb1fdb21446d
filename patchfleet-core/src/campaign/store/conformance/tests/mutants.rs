//! Stores that break one promise each, and the law by which the kit finds them.

extern crate self as patchfleet_core;

use super::finish;
use crate::campaign::conformance::{Law, check};
use crate::campaign::tests::world::{Node, Script, World, give_way};
use crate::campaign::{Event, campaigns, load, open_campaign};
use crate::outcome::FinishedOutcome;
use crate::port::Clock as _;
use crate::port::Sent;
use crate::report::Report;
use jiff::SignedDuration;
use jiff::Timestamp;
use std::sync::atomic::{AtomicBool, Ordering};

include!("../objects.rs");

/// What is wrong with a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flaw {
    None,
    SwallowsAppends,
    AcceptsTheSecond,
    Overwrites,
    RefusesTheSecond,
    LeavesGaps,
    FollowsAnything,
    LooksThenPuts,
    SaysNotSent,
    SaysKept,
    IgnoresFrom,
    IsEmptyPastTheEnd,
    Reorders,
    SortsAsText,
    LosesTheLast,
    RemembersItsFirstRead,
    MakesWhatItReads,
    ListsUnread,
    HasNoNames,
    GivesTheFirstAsLast,
    GivesTheLastAsFirst,
    DamagedFirstIsNone,
    RoundsTimes,
    TrimsTexts,
    RefusesLarge,
    ReadsOnePage,
    ListsOnePage,
    FoldsCase,
    MixesPrefixes,
    ListsNothing,
    ListsCampaignsAlone,
    ListsAsAtFirst,
    ListsTwice,
    SharesNothing,
    DropsTheLastWhenOpened,
    SkipsDamaged,
    StopsAtDamage,
    AppendsToDamaged,
    BlamesTheNetwork,
    LastPutWins,
    FirstPutWins,
    MergesRows,
    ComparesAttemptsAsTexts,
    KeepsTheirOrder,
    KeepsRowsByRegion,
    KeepsRowsByLocation,
    DamagedRowsAreNone,
    DamagedRowsStay,
}

use Flaw as F;

/// A place whose stores have a flaw.
#[derive(Clone)]
struct Flawed {
    flaw: Flaw,
    bucket: Bucket,
}

/// A handle on such a store.
struct Handle {
    of: Flawed,
    read: Mutex<BTreeMap<LogKey, Vec<Record>>>,
    listed: Mutex<Option<Vec<LogKey>>>,
}

fn other(kind: PortErrorKind) -> PortError {
    PortError::new(kind, "by its flaw")
}

impl Handle {
    fn has(&self, flaw: Flaw) -> bool {
        self.of.flaw == flaw
    }

    /// As which log this one is kept.
    fn kept_as(&self, log: &LogKey) -> LogKey {
        match log {
            LogKey::Name(name) if self.has(F::FoldsCase) => {
                LogKey::Name(name.as_str().to_lowercase().parse().unwrap())
            }
            log => log.clone(),
        }
    }

    async fn append(&self, log: &LogKey, record: &Record) -> PortResult<Appended> {
        let (bucket, name) = (&self.of.bucket, object(log, record.seq));
        let there = bucket.get(&name);
        match self.of.flaw {
            F::SwallowsAppends => return Ok(Appended::Yes),
            F::Overwrites if there.is_some() => {
                bucket.put(name, record.encode()?);
                return Ok(Appended::Yes);
            }
            F::LeavesGaps if there.is_none() => {
                bucket.put(name, record.encode()?);
                return Ok(Appended::Yes);
            }
            F::FollowsAnything | F::AppendsToDamaged => {
                let before = record.seq.checked_sub(1).map(|before| object(log, before));
                let is_next = before.is_none_or(|before| bucket.get(&before).is_some());
                let follows =
                    self.has(F::FollowsAnything) || bucket.record(log, record.seq.saturating_sub(1)).is_err();
                if there.is_none() && is_next && follows {
                    bucket.put(name, record.encode()?);
                    return Ok(Appended::Yes);
                }
            }
            F::LooksThenPuts => {
                if there.is_some() {
                    return Ok(Appended::Conflict);
                }
                give_way().await;
                bucket.put(name, record.encode()?);
                return Ok(Appended::Yes);
            }
            F::RefusesLarge if record.encode()?.len() > 400_000 => {
                return Err(other(PortErrorKind::LimitExceeded));
            }
            _ => {}
        }
        match (self.of.flaw, bucket.append(log, record)) {
            (F::AcceptsTheSecond, Ok(Appended::Conflict)) => Ok(Appended::Yes),
            (F::RefusesTheSecond, Ok(Appended::Conflict)) => Err(other(PortErrorKind::Invalid)),
            (F::SaysNotSent, Err(error)) if error.sent() == Sent::Maybe => Err(other(error.kind())),
            (F::SaysKept, Err(error)) if error.kind() == PortErrorKind::Unavailable => Ok(Appended::Yes),
            (_, answer) => answer,
        }
    }

    fn read(&self, log: &LogKey, from: u64) -> PortResult<Vec<Record>> {
        let bucket = &self.of.bucket;
        let whole = |bucket: &Bucket| bucket.read(log, 0);
        let skipped =
            |records: Vec<Record>| records.into_iter().filter(|record| record.seq >= from).collect();
        // Every record that can be read, with or without what stands between.
        let seqs = bucket.list(&format!("{log}/"), "").len() as u64;
        let readable = (0..seqs).map(|seq| bucket.record(log, seq));
        let mut records: Vec<Record> = match self.of.flaw {
            F::IgnoresFrom if from > 0 => whole(bucket)?,
            F::IsEmptyPastTheEnd => skipped(whole(bucket)?),
            F::SkipsDamaged => skipped(readable.filter_map(|record| record.ok().flatten()).collect()),
            F::StopsAtDamage => skipped(readable.map_while(|record| record.ok().flatten()).collect()),
            F::MixesPrefixes => {
                let all = bucket
                    .keys()
                    .into_iter()
                    .filter(|key| key.to_string().starts_with(&log.to_string()));
                let all: Vec<Record> = all.flat_map(|key| bucket.read(&key, 0).unwrap()).collect();
                skipped(all)
            }
            F::BlamesTheNetwork => bucket
                .read(log, from)
                .map_err(|_| other(PortErrorKind::Unavailable))?,
            F::MakesWhatItReads => {
                if bucket.list(&format!("{log}/"), "").is_empty() {
                    bucket.put(format!("{log}/made"), vec![]);
                }
                vec![]
            }
            _ => bucket.read(log, from)?,
        };
        match self.of.flaw {
            F::Reorders => records.reverse(),
            F::SortsAsText => records.sort_by_key(|record| record.seq.to_string()),
            F::LosesTheLast => drop(records.pop()),
            F::ReadsOnePage => records.truncate(1_000),
            F::RemembersItsFirstRead if from == 0 => {
                let mut read = self.read.lock().unwrap();
                records = read.entry(log.clone()).or_insert(records).clone();
            }
            F::RoundsTimes => {
                for record in &mut records {
                    record.at = Timestamp::new(record.at.as_second(), 0).unwrap();
                }
            }
            F::TrimsTexts => {
                for event in records.iter_mut().flat_map(|record| &mut record.events) {
                    if let Event::StartDeferred { detail, .. } = event {
                        *detail = detail.trim().to_owned();
                    }
                }
            }
            _ => {}
        }
        Ok(records)
    }

    fn keys(&self) -> Vec<LogKey> {
        let mut keys = self.of.bucket.keys();
        match self.of.flaw {
            F::ListsNothing => keys.clear(),
            F::ListsOnePage => keys.truncate(1_000),
            F::ListsCampaignsAlone => keys.retain(|key| matches!(key, LogKey::Campaign(_))),
            F::ListsTwice => keys.extend(keys.clone()),
            F::ListsAsAtFirst => keys = self.listed.lock().unwrap().get_or_insert(keys).clone(),
            F::ListsUnread => keys.push(LogKey::Campaign(CampaignId::from_uuid(uuid::Uuid::from_u128(77)))),
            _ => {}
        }
        keys
    }
}

impl CampaignLog for Handle {
    fn append(&self, log: &LogKey, record: &Record) -> BoxFuture<'_, PortResult<Appended>> {
        let (log, record) = (self.kept_as(log), record.clone());
        async move { Handle::append(self, &log, &record).await }.boxed()
    }

    fn read(&self, log: &LogKey, from: u64) -> BoxFuture<'_, PortResult<Vec<Record>>> {
        let log = self.kept_as(log);
        async move {
            give_way().await;
            Handle::read(self, &log, from)
        }
        .boxed()
    }

    fn keys(&self) -> BoxFuture<'_, PortResult<Vec<LogKey>>> {
        ready(Ok(Handle::keys(self)))
    }

    fn request_name(&self, campaign: CampaignId) -> BoxFuture<'_, PortResult<Option<RequestName>>> {
        match self.of.flaw {
            F::HasNoNames => ready(Ok(None)),
            _ => ready(self.of.bucket.request_name(campaign)),
        }
    }

    fn first(&self, log: &LogKey) -> BoxFuture<'_, PortResult<Option<Record>>> {
        let log = self.kept_as(log);
        ready(match self.of.flaw {
            F::GivesTheLastAsFirst => self.of.bucket.last(&log),
            F::DamagedFirstIsNone => Ok(self.of.bucket.first(&log).ok().flatten()),
            _ => self.of.bucket.first(&log),
        })
    }

    fn last(&self, log: &LogKey) -> BoxFuture<'_, PortResult<Option<Record>>> {
        let log = self.kept_as(log);
        ready(match self.of.flaw {
            F::GivesTheFirstAsLast => self.of.bucket.record(&log, 0),
            _ => self.of.bucket.last(&log),
        })
    }
}

impl NodeRows for Handle {
    fn put(
        &self,
        campaign: CampaignId,
        location: &Location,
        attempt: u32,
        mut rows: Vec<NodeRow>,
    ) -> BoxFuture<'_, PortResult<()>> {
        let (bucket, kept) = (&self.of.bucket, self.of.bucket.kept(campaign, location));
        let there = kept.as_ref().ok().and_then(Clone::clone);
        let before = there.as_ref().map(|(attempt, _)| *attempt);
        let name = self.rows_object(campaign, location);
        let put = |attempt: u32, rows: &[NodeRow]| {
            let bytes = serde_json::to_vec(&(attempt, rows)).unwrap();
            bucket.put(name.clone(), bytes);
        };
        match self.of.flaw {
            F::LastPutWins | F::KeepsRowsByRegion | F::KeepsRowsByLocation => put(attempt, &rows),
            F::KeepsTheirOrder => put(attempt, &rows),
            F::FirstPutWins if before == Some(attempt) => {}
            F::ComparesAttemptsAsTexts => {
                if before.is_none_or(|before| before.to_string() <= attempt.to_string()) {
                    put(attempt, &rows);
                }
            }
            F::DamagedRowsStay if kept.is_err() => return ready(kept.map(|_| ())),
            F::MergesRows if before.is_some_and(|before| before <= attempt) => {
                rows.extend(there.unwrap_or_default().1);
                rows.sort_by(|one, other| one.node.cmp(&other.node));
                rows.dedup_by(|one, other| one.node == other.node);
                put(attempt, &rows);
            }
            _ => return NodeRows::put(bucket, campaign, location, attempt, rows),
        }
        ready(Ok(()))
    }

    fn rows(&self, campaign: CampaignId, location: &Location) -> BoxFuture<'_, PortResult<Vec<NodeRow>>> {
        let bytes = self.of.bucket.get(&self.rows_object(campaign, location));
        match self.of.flaw {
            F::KeepsRowsByRegion | F::KeepsRowsByLocation => {
                let rows =
                    bytes.map(|bytes| serde_json::from_slice::<(u32, Vec<NodeRow>)>(&bytes).unwrap().1);
                ready(Ok(rows.unwrap_or_default()))
            }
            F::DamagedRowsAreNone if self.of.bucket.kept(campaign, location).is_err() => ready(Ok(vec![])),
            _ => NodeRows::rows(&self.of.bucket, campaign, location),
        }
    }
}

impl Handle {
    fn rows_object(&self, campaign: CampaignId, location: &Location) -> String {
        match self.of.flaw {
            F::KeepsRowsByRegion => format!("rows/{campaign}/{}", location.region),
            F::KeepsRowsByLocation => format!("rows/{}_{}", location.account, location.region),
            _ => rows_object(campaign, location),
        }
    }
}

impl Place for Flawed {
    fn open(&self) -> BoxFuture<'_, PortResult<Store>> {
        let mut of = self.clone();
        match self.flaw {
            F::SharesNothing => of.bucket = Bucket::default(),
            F::DropsTheLastWhenOpened => {
                for log in of.bucket.keys() {
                    let last = of.bucket.list(&format!("{log}/"), "").pop().unwrap();
                    of.bucket.objects.lock().unwrap().remove(&last);
                }
            }
            _ => {}
        }
        let handle = Arc::new(Handle {
            of,
            read: Mutex::default(),
            listed: Mutex::default(),
        });
        ready(Ok(Store::new(handle.clone(), handle)))
    }

    fn fault(&self, fault: Fault) -> bool {
        self.bucket.fault(fault)
    }

    fn damage(&self, damage: &Damage) -> bool {
        self.bucket.damage(damage)
    }
}

fn flawed(flaw: Flaw) -> Flawed {
    Flawed {
        flaw,
        bucket: Bucket::default(),
    }
}

/// The kit finds the flaw by the law that names it, and says so.
#[track_caller]
fn is_found(flaw: Flaw, law: Law) {
    let found = finish(check(law, &flawed(flaw))).unwrap_err();
    assert_eq!(found.law, law);
    assert!(found.to_string().contains(law.text()), "{found}");
}

#[test]
fn a_store_that_keeps_each_record_as_an_object_keeps_every_promise() {
    the_bucket_is_a_store();
    let fresh = || -> Box<dyn Place> { Box::new(flawed(F::None)) };
    let unchecked = finish(check_all(&fresh)).unwrap_or_else(|findings| panic!("{findings}"));
    assert_eq!(unchecked, []);
}

#[test]
fn a_campaign_is_driven_resumed_listed_and_reported_on_a_store_of_ones_own() {
    let well = || Script::Nodes(vec![Node::well(1)]);
    let world = World::new(&[&[("us-east-1", well())], &[("eu-west-1", well())]], 1, 0);
    let bucket = Arc::new(Bucket::default());
    let driver = |writer| {
        let mut driver = world.driver(writer);
        (driver.log, driver.rows) = (bucket.clone(), bucket.clone());
        driver
    };
    let (campaign, name) = (world.campaign(), &world.plan.request.name);
    finish(async {
        driver(1).begin(campaign, &world.plan).await.unwrap();
        let soon = world.clock.now() + SignedDuration::from_secs(60);
        driver(1).run_until(campaign, soon).await.unwrap();
        assert_eq!(open_campaign(&*bucket, name).await.unwrap(), Some(campaign));
        assert_eq!(
            campaigns(&*bucket, jiff::Timestamp::MIN).await.unwrap().campaigns[0].finished,
            None
        );
        let state = driver(2).run(campaign).await.unwrap();
        assert_eq!(state.finished().unwrap().0, FinishedOutcome::Succeeded);
        assert_eq!(open_campaign(&*bucket, name).await.unwrap(), None);
        let list = campaigns(&*bucket, jiff::Timestamp::MIN).await.unwrap();
        assert_eq!(list.campaigns[0].finished, Some(FinishedOutcome::Succeeded));
        assert!(list.damaged.is_empty(), "{:?}", list.damaged);
        let state = load(&*bucket, campaign).await.unwrap().unwrap();
        let report = Report::build(&state, &*bucket, state.last_at()).await.unwrap();
        assert_eq!(report.locations.len(), 2);
        assert_eq!(report.exit_code(), 0);
    });
}

/// A bucket whose listing shows an object only after it was asked for some times.
struct Late {
    bucket: Bucket,
    waited: AtomicBool,
}

struct LateHandle(Arc<Late>);

impl CampaignLog for LateHandle {
    fn append(&self, log: &LogKey, record: &Record) -> BoxFuture<'_, PortResult<Appended>> {
        self.0.waited.store(false, Ordering::Relaxed);
        ready(self.0.bucket.append(log, record))
    }

    fn read(&self, log: &LogKey, from: u64) -> BoxFuture<'_, PortResult<Vec<Record>>> {
        ready(self.0.bucket.read(log, from))
    }

    fn keys(&self) -> BoxFuture<'_, PortResult<Vec<LogKey>>> {
        let mut keys = self.0.bucket.keys();
        if !self.0.waited.load(Ordering::Relaxed) {
            keys.pop();
        }
        ready(Ok(keys))
    }

    fn request_name(&self, campaign: CampaignId) -> BoxFuture<'_, PortResult<Option<RequestName>>> {
        ready(self.0.bucket.request_name(campaign))
    }

    fn last(&self, log: &LogKey) -> BoxFuture<'_, PortResult<Option<Record>>> {
        ready(self.0.bucket.last(log))
    }
}

impl Place for Arc<Late> {
    fn open(&self) -> BoxFuture<'_, PortResult<Store>> {
        ready(Ok(Store::new(
            Arc::new(LateHandle(self.clone())),
            Arc::new(self.bucket.clone()),
        )))
    }

    fn wait(&self) -> BoxFuture<'_, ()> {
        self.waited.store(true, Ordering::Relaxed);
        Box::pin(std::future::ready(()))
    }
}

#[test]
fn a_listing_may_be_late_if_it_shows_everything_before_long() {
    for law in [Law::Listed, Law::LongListings] {
        let late = Arc::new(Late {
            bucket: Bucket::default(),
            waited: AtomicBool::new(false),
        });
        assert_eq!(finish(check(law, &late)), Ok(true));
    }
}

macro_rules! found {
    ($($name:ident: $flaw:ident, $($law:ident),+;)*) => {
        $(
            #[test]
            fn $name() {
                $(is_found(F::$flaw, Law::$law);)+
            }
        )*
    };
}

found! {
    the_kit_finds_a_store_that_swallows_an_append: SwallowsAppends, AppendsInOrder, Races;
    the_kit_finds_a_store_that_tells_a_second_writer_that_it_won: AcceptsTheSecond, OneWinner;
    the_kit_finds_a_store_that_writes_over_a_record: Overwrites, OneWinner;
    the_kit_finds_a_store_that_calls_a_second_writer_an_error: RefusesTheSecond, OneWinner;
    the_kit_finds_a_store_that_leaves_gaps: LeavesGaps, NoGaps, CutShortIsTold;
    the_kit_finds_a_store_that_appends_what_does_not_follow: FollowsAnything, NoGaps;
    the_kit_finds_a_store_that_looks_before_it_puts: LooksThenPuts, Races, ClaimsOnce;
    the_kit_finds_a_store_that_says_not_sent_of_what_was_kept: SaysNotSent, LostAnswers;
    the_kit_finds_a_store_that_says_kept_of_what_was_never_sent: SaysKept, LostAnswers;
    the_kit_finds_a_store_that_reads_all_whatever_is_asked_for: IgnoresFrom, ReadsFrom;
    the_kit_finds_a_store_that_is_empty_past_its_end: IsEmptyPastTheEnd, ReadsFrom, CutShortIsTold;
    the_kit_finds_a_store_that_reads_in_another_order: Reorders, AppendsInOrder;
    the_kit_finds_a_store_that_orders_numbers_as_texts: SortsAsText, ReadsFrom, LongLogs;
    the_kit_finds_a_store_that_reads_one_record_too_few: LosesTheLast, AppendsInOrder;
    the_kit_finds_a_store_that_remembers_what_it_read: RemembersItsFirstRead, HandlesAgree;
    the_kit_finds_a_store_that_makes_what_it_reads: MakesWhatItReads, NothingIsNothing;
    the_kit_finds_a_store_that_lists_what_is_not_there: ListsUnread, NothingIsNothing, Listed;
    the_kit_finds_a_store_that_does_not_say_whose_a_campaign_is: HasNoNames, FirstAndLast, DamageIsTold;
    the_kit_finds_a_store_that_gives_the_first_record_as_the_last: GivesTheFirstAsLast, FirstAndLast;
    the_kit_finds_a_store_that_gives_the_last_record_as_the_first: GivesTheLastAsFirst, FirstAndLast;
    the_kit_finds_a_store_whose_damaged_first_record_is_none: DamagedFirstIsNone, DamageIsTold;
    the_kit_finds_a_store_that_rounds_times: RoundsTimes, ByteForByte, AppendsInOrder;
    the_kit_finds_a_store_that_trims_texts: TrimsTexts, ByteForByte;
    the_kit_finds_a_store_that_keeps_no_large_record: RefusesLarge, LargeRecords;
    the_kit_finds_a_store_that_reads_one_page: ReadsOnePage, LongLogs;
    the_kit_finds_a_store_that_lists_one_page: ListsOnePage, LongListings;
    the_kit_finds_a_store_that_takes_capitals_for_small_letters: FoldsCase, LogsApart, Listed;
    the_kit_finds_a_store_that_takes_a_name_for_the_beginning_of_another: MixesPrefixes, LogsApart;
    the_kit_finds_a_store_that_lists_nothing: ListsNothing, Listed, LongListings;
    the_kit_finds_a_store_that_lists_no_names: ListsCampaignsAlone, Listed;
    the_kit_finds_a_store_whose_listing_never_changes: ListsAsAtFirst, Listed;
    the_kit_finds_a_store_that_lists_a_log_twice: ListsTwice, Listed;
    the_kit_finds_a_store_whose_handles_share_nothing: SharesNothing, HandlesAgree, Reopened, ClaimsOnce;
    the_kit_finds_a_store_that_drops_the_last_record_when_it_is_opened: DropsTheLastWhenOpened, Reopened;
    the_kit_finds_a_store_that_skips_what_is_damaged: SkipsDamaged, DamageIsTold;
    the_kit_finds_a_store_that_reads_up_to_what_is_damaged: StopsAtDamage, DamageIsTold;
    the_kit_finds_a_store_that_appends_to_what_is_damaged: AppendsToDamaged, DamageIsTold;
    the_kit_finds_a_store_that_takes_damage_for_bad_weather: BlamesTheNetwork, DamageIsTold, ReadsFrom;
    the_kit_finds_rows_of_an_older_attempt_that_win: LastPutWins, NewestRowsWin;
    the_kit_finds_rows_that_are_not_replaced: FirstPutWins, NewestRowsWin;
    the_kit_finds_rows_that_are_added_to_those_before: MergesRows, NewestRowsWin;
    the_kit_finds_attempts_that_are_compared_as_texts: ComparesAttemptsAsTexts, NewestRowsWin;
    the_kit_finds_rows_that_are_not_ordered: KeepsTheirOrder, RowsByteForByte;
    the_kit_finds_rows_that_two_accounts_share: KeepsRowsByRegion, RowsApart;
    the_kit_finds_rows_that_two_campaigns_share: KeepsRowsByLocation, RowsApart;
    the_kit_finds_damaged_rows_that_are_taken_for_none: DamagedRowsAreNone, DamagedRowsAreTold;
    the_kit_finds_damaged_rows_that_cannot_be_put_again: DamagedRowsStay, DamagedRowsAreTold;
}
