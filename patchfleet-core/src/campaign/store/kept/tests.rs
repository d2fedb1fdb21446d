use super::*;
use crate::campaign::tests::world::*;
use crate::campaign::{MemoryLog, Store};
use crate::port::Clock as _;
use jiff::SignedDuration;

/// From where a log was read, and how many records that gave, each time.
type Reads = Mutex<Vec<(u64, usize)>>;

/// A log that says from where it was read, and how many records that gave.
struct Watched(Arc<MemoryLog>, Arc<Reads>);

impl CampaignLog for Watched {
    fn append(&self, key: &LogKey, record: &Record) -> BoxFuture<'_, PortResult<Appended>> {
        self.0.append(key, record)
    }

    fn read(&self, key: &LogKey, from: u64) -> BoxFuture<'_, PortResult<Vec<Record>>> {
        let read = finish(self.0.read(key, from));
        let given = read.as_ref().map_or(0, Vec::len);
        self.1.lock().unwrap().push((from, given));
        std::future::ready(read).boxed()
    }

    fn keys(&self) -> BoxFuture<'_, PortResult<Vec<LogKey>>> {
        self.0.keys()
    }

    fn request_name(&self, campaign: CampaignId) -> BoxFuture<'_, PortResult<Option<RequestName>>> {
        self.0.request_name(campaign)
    }

    fn last(&self, key: &LogKey) -> BoxFuture<'_, PortResult<Option<Record>>> {
        self.0.last(key)
    }
}

const MUCH: usize = 1 << 20;

/// A world with a campaign of one location that is over, its log's key, and a log that keeps so much of it.
fn kept(most: usize) -> (World, LogKey, KeptLog, Arc<Reads>) {
    let world = World::new(&[&[("us-east-1", Script::Nodes(vec![Node::well(1)]))]], 1, 0);
    finish(whole_life(&world, 1)).unwrap();
    let reads = Arc::<Reads>::default();
    let log = KeptLog::new(
        Arc::new(Watched(Arc::clone(&world.log), Arc::clone(&reads))),
        most,
    );
    let key = LogKey::Campaign(world.campaign());
    (world, key, log, reads)
}

#[test]
fn a_log_is_read_whole_once_and_then_only_what_is_new() {
    let (world, key, log, reads) = kept(MUCH);
    let all = world.records();
    let n = u64::try_from(all.len()).unwrap();
    for from in [0, 0, 2, n] {
        let expected = &all[usize::try_from(from).unwrap()..];
        assert_eq!(finish(log.read(key.clone(), from)).unwrap(), expected);
    }
    assert_eq!(*reads.lock().unwrap(), [(0, all.len()), (n, 0), (n, 0), (n, 0)]);
}

#[test]
fn what_another_process_or_this_one_has_appended_is_read_once_or_not_at_all() {
    let (world, key, log, reads) = kept(MUCH);
    // Up to its end but two: one is another's, and one this process's own.
    let all = world.records();
    let [.., other, own] = all.as_slice() else {
        panic!("{all:?}");
    };
    world.log.cut(&key, all.len() - 2);
    finish(log.read(key.clone(), 0)).unwrap();
    assert_eq!(finish(world.log.append(&key, other)).unwrap(), Appended::Yes);
    assert_eq!(finish(log.read(key.clone(), 0)).unwrap(), all[..all.len() - 1]);
    assert_eq!(
        finish(log.append(key.clone(), own.clone())).unwrap(),
        Appended::Yes
    );
    assert_eq!(finish(log.read(key.clone(), 0)).unwrap(), all);
    let given: Vec<usize> = reads.lock().unwrap().iter().map(|(_, given)| *given).collect();
    assert_eq!(given, [all.len() - 2, 1, 0]);
}

#[test]
fn a_log_that_was_cut_short_or_exchanged_is_not_taken_for_the_one_that_is_kept() {
    let (world, key, log, _) = kept(MUCH);
    let all = world.records();
    finish(log.read(key.clone(), 0)).unwrap();
    world.log.cut(&key, all.len() - 1);
    let cut = finish(log.read(key.clone(), 0)).unwrap_err();
    assert_eq!(cut.kind(), PortErrorKind::Incompatible);
    // Nothing is kept of it any more.
    assert_eq!(finish(log.read(key.clone(), 0)).unwrap(), all[..all.len() - 1]);

    // A copy that went another way, and is longer.
    let (world, key, log, _) = kept(MUCH);
    let all = world.records();
    world.log.cut(&key, all.len() - 1);
    finish(log.read(key.clone(), 0)).unwrap();
    world.log.cut(&key, all.len() - 2);
    let mut other = all[all.len() - 2].clone();
    other.at = world.clock.now() + SignedDuration::from_secs(1);
    let more = Chain::after(&other).record(other.at, other.writer, other.events.clone());
    for record in [&other, &more] {
        assert_eq!(finish(world.log.append(&key, record)).unwrap(), Appended::Yes);
    }
    let read = finish(log.read(key.clone(), 0)).unwrap();
    assert_eq!(read[all.len() - 2..], [other, more]);
}

#[test]
fn what_is_kept_is_bounded_and_the_log_that_was_used_longest_ago_goes_first() {
    let (world, key, log, reads) = kept(MUCH);
    let bytes = |records: &[Record]| {
        records
            .iter()
            .map(|one| one.encode().unwrap().len())
            .sum::<usize>()
    };
    let one_log = bytes(&world.records());
    let name = LogKey::Name(world.plan.request.name.clone());
    let both = one_log + bytes(&finish(world.log.read(&name, 0)).unwrap());
    finish(log.read(key.clone(), 0)).unwrap();
    finish(log.read(name.clone(), 0)).unwrap();
    assert_eq!(log.kept().bytes, both);

    let log = KeptLog::new(Arc::clone(&log.inner), both - 1);
    for key in [&key, &name] {
        finish(log.read(key.clone(), 0)).unwrap();
    }
    assert_eq!(log.kept().logs.keys().collect::<Vec<_>>(), [&name]);
    // One that is too large by itself is read as if nothing were kept.
    let log = KeptLog::new(Arc::clone(&log.inner), one_log - 1);
    reads.lock().unwrap().clear();
    for _ in 0..2 {
        assert_eq!(finish(log.read(key.clone(), 0)).unwrap(), world.records());
    }
    assert_eq!(*reads.lock().unwrap(), [(0, world.records().len()); 2]);
    assert_eq!(log.kept().bytes, 0);
    assert!(log.kept().logs.is_empty());
    // Nor does it push out another one.
    finish(log.read(name.clone(), 0)).unwrap();
    finish(log.read(key, 0)).unwrap();
    assert_eq!(log.kept().logs.keys().collect::<Vec<_>>(), [&name]);
}

#[test]
fn a_names_log_that_somebody_moved_away_is_read_as_it_is_and_a_campaigns_is_damage() {
    let (world, _, log, _) = kept(MUCH);
    let name = LogKey::Name(world.plan.request.name.clone());
    assert!(!finish(log.read(name.clone(), 0)).unwrap().is_empty());
    world.log.cut(&name, 0);
    assert_eq!(finish(log.read(name, 0)).unwrap(), []);
}

#[test]
fn a_campaign_is_driven_over_a_log_that_is_kept_as_over_any_other() {
    let world = World::new(&[&[("us-east-1", Script::Nodes(vec![Node::well(1)]))]], 1, 0);
    let mut driver = world.driver(1);
    let kept = Store::new(Arc::clone(&driver.log), Arc::clone(&driver.rows)).keeping(MUCH);
    driver.log = kept.log;
    let state = finish(async {
        driver.begin(world.campaign(), &world.plan).await?;
        driver.run(world.campaign()).await
    });
    assert!(state.unwrap().finished().is_some());
    let other = finish(world.driver(2).run(world.campaign())).unwrap();
    assert!(other.finished().is_some(), "whoever keeps nothing reads the same");
}
