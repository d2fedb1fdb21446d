//! A log that does not answer is told of, also before anything is planned.

use super::trouble::heard;
use super::*;
use patchfleet_core::campaign::{Appended, CampaignLog, LogKey, Record};
use patchfleet_core::id::RequestName;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Mutex, mpsc};
use std::time::Duration;

/// A clock that says each time that it was looked at, and that can be put ahead.
struct Looked {
    clock: SimClock,
    ahead: Arc<AtomicI64>,
    looked: mpsc::Sender<()>,
}

impl Clock for Looked {
    fn now(&self) -> Timestamp {
        // Nobody listens once the log has answered.
        let _ = self.looked.send(());
        self.clock.now() + SignedDuration::from_secs(self.ahead.load(Ordering::SeqCst))
    }

    fn sleep_until(&self, at: Timestamp) -> BoxFuture<'_, ()> {
        self.clock.sleep_until(at)
    }
}

/// The simulated organisation, with such a clock.
struct ByLooked(Simulated, Arc<Looked>);

impl Reach for ByLooked {
    async fn ports(&self, access: &Access) -> Result<Ports, Failure> {
        self.0.ports(access).await
    }

    fn clock(&self) -> Arc<dyn Clock> {
        self.1.clone()
    }
}

/// A log whose listing blocks its thread, as one on a network drive that has gone does, until somebody has looked at
/// the time twice.
struct Blocks {
    log: Arc<dyn CampaignLog>,
    ahead: Arc<AtomicI64>,
    looked: Mutex<mpsc::Receiver<()>>,
}

impl CampaignLog for Blocks {
    fn append(&self, key: &LogKey, record: &Record) -> BoxFuture<'_, PortResult<Appended>> {
        self.log.append(key, record)
    }

    fn read(&self, key: &LogKey, from: u64) -> BoxFuture<'_, PortResult<Vec<Record>>> {
        self.log.read(key, from)
    }

    fn keys(&self) -> BoxFuture<'_, PortResult<Vec<LogKey>>> {
        Box::pin(async {
            self.ahead.fetch_add(11, Ordering::SeqCst);
            {
                let looked = self.looked.lock().unwrap();
                while looked.try_recv().is_ok() {}
                for _ in 0..2 {
                    let longest = Duration::from_secs(60);
                    looked
                        .recv_timeout(longest)
                        .expect("somebody looks at the time meanwhile");
                }
            }
            self.log.keys().await
        })
    }

    fn request_name(&self, campaign: CampaignId) -> BoxFuture<'_, PortResult<Option<RequestName>>> {
        self.log.request_name(campaign)
    }

    fn last(&self, key: &LogKey) -> BoxFuture<'_, PortResult<Option<Record>>> {
        self.log.last(key)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_blocks_its_thread_before_anything_is_planned_is_told_of() {
    let dir = tempfile::tempdir().unwrap();
    let request = dir.path().join("request.toml");
    std::fs::write(&request, CALM.request).unwrap();
    let clock = SimClock::new(World::parse(CALM.world).unwrap(), ClockMode::Jump);
    let (looked, listens) = mpsc::channel();
    let ahead = Arc::<AtomicI64>::default();
    let by = Looked {
        clock: clock.clone(),
        ahead: ahead.clone(),
        looked,
    };
    let Store { log, rows } = Store::in_memory();
    let looked = Mutex::new(listens);
    let blocks = Blocks { log, ahead, looked };
    let stop = OnceLock::new();
    let job = Job {
        reach: ByLooked(Simulated { clock, stop }, Arc::new(by)),
        request,
        store: Store::new(Arc::new(blocks), rows),
        log: "my logs".into(),
        cutoff: None,
        second_attempt: false,
        carry_over: false,
        late: SignedDuration::from_mins(15),
        missed: Missed::Skip,
        schedule: None,
        stop: watch::channel(false).1,
    };
    let (code, told) = heard(job.end()).await;
    assert_eq!(code, 0);
    let words = "reading or writing the campaign's log has had no answer since";
    assert!(told.contains(words), "{told}");
}
