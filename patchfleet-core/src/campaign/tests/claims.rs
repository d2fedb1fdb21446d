//! A name is not given away while a campaign of it is open, whatever became of the claims.

use super::world::*;
use crate::campaign::{Appended, CampaignLog, Chain, LogKey};
use crate::campaign::{DriveError, Driver, Event, MemoryLog, Record, State, open_campaign};
use crate::id::{CampaignId, RequestName};
use crate::outcome::FinishedOutcome;
use crate::plan::Plan;
use crate::port::*;
use crate::refusal::RefusalCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

fn world() -> World {
    let well = || Script::Nodes(vec![Node::well(1)]);
    World::new(&[&[("us-east-1", well())], &[("us-east-1", well())]], 1, 0)
}

fn claims_of(world: &World) -> LogKey {
    LogKey::Name(world.plan.request.name.clone())
}

/// The same plan under another name.
fn named(world: &World, name: &str) -> Plan {
    let mut plan = world.plan.clone();
    plan.request.name = name.parse().unwrap();
    plan
}

#[track_caller]
fn assert_taken(error: &DriveError, by: CampaignId) {
    assert!(
        matches!(error, DriveError::NameTaken { open, .. } if *open == by),
        "{error:?}"
    );
    let refusal = error.refusal().unwrap();
    assert_eq!(refusal.reasons[0].code, RefusalCode::CampaignOpen);
    assert!(refusal.to_string().contains(&by.to_string()), "{refusal}");
}

#[test]
fn a_deleted_claim_gives_no_name_away_while_its_campaign_is_open() {
    let world = world();
    let (open, other) = (world.campaign(), world.campaign_of("another event"));
    finish(async {
        world.driver(1).begin(open, &world.plan).await.unwrap();
        world.log.cut(&claims_of(&world), 0);
        let refused = world.driver(2).begin(other, &world.plan).await.unwrap_err();
        assert_taken(&refused, open);
        let name = &world.plan.request.name;
        assert_eq!(open_campaign(&*world.log, name).await.unwrap(), Some(open));
        assert!(
            world
                .log
                .read(&LogKey::Campaign(other), 0)
                .await
                .unwrap()
                .is_empty(),
            "a refused one leaves no trace"
        );

        // The open one goes on, and has its name again. After it the name is free.
        let state = world.driver(3).run(open).await.unwrap();
        assert_eq!(state.finished().unwrap().0, FinishedOutcome::Succeeded);
        world.log.cut(&claims_of(&world), 0);
        world.driver(2).begin(other, &world.plan).await.unwrap();
        assert_eq!(open_campaign(&*world.log, name).await.unwrap(), Some(other));
    });
}

#[test]
fn claims_that_were_cut_short_give_no_name_away_either() {
    let world = world();
    let next = world.campaign_of("the next event");
    finish(async {
        world
            .driver(1)
            .begin(world.campaign(), &world.plan)
            .await
            .unwrap();
        world.driver(1).run(world.campaign()).await.unwrap();
        world.driver(1).begin(next, &world.plan).await.unwrap();
        let claims = claims_of(&world);
        assert_eq!(world.log.read(&claims, 0).await.unwrap().len(), 2);
        world.log.cut(&claims, 1);
        let third = world.campaign_of("a third event");
        let refused = world.driver(2).begin(third, &world.plan).await.unwrap_err();
        assert_taken(&refused, next);
    });
}

#[test]
fn another_name_is_not_hindered_by_an_open_campaign_without_a_claim() {
    let world = world();
    finish(async {
        world
            .driver(1)
            .begin(world.campaign(), &world.plan)
            .await
            .unwrap();
        world.log.cut(&claims_of(&world), 0);
        let other = world.campaign_of("another request");
        let plan = named(&world, "weekly-windows");
        world.driver(2).begin(other, &plan).await.unwrap();
    });
}

#[test]
fn whenever_a_driver_dies_and_its_claim_is_deleted_no_second_campaign_runs_beside_what_it_started() {
    let (mut refused, mut begun) = (0, 0);
    for polls in 0.. {
        let world = world();
        let mut first = ByHand::new(whole_life(&world, 1));
        if (0..polls).any(|_| first.poll()) {
            break;
        }
        drop(first);
        world.log.cut(&claims_of(&world), 0);
        let case = format!("killed after {polls} polls");
        let started = world.executions().len();
        let other = world.campaign_of("another event");
        match finish(world.driver(2).begin(other, &world.plan)) {
            Ok(_) => {
                let over =
                    State::from_records(&world.records()).is_ok_and(|state| state.finished().is_some());
                assert!(started == 0 || over, "{case}: {started} started, and it is open");
                begun += 1;
                if !over && !world.records().is_empty() {
                    let late = finish(world.driver(3).run(world.campaign())).unwrap_err();
                    assert_taken(&late, other);
                    assert_eq!(world.executions().len(), 0, "{case}");
                }
            }
            Err(error) => {
                assert_taken(&error, world.campaign());
                refused += 1;
            }
        }
    }
    assert!(refused > 50 && begun > 3, "{refused} refused, {begun} begun");
}

#[test]
fn two_campaigns_that_are_open_without_claims_come_to_their_ends_one_after_another() {
    let world = world();
    let later = world.campaign_of("a later event");
    finish(async {
        world
            .driver(1)
            .begin(world.campaign(), &world.plan)
            .await
            .unwrap();
        let first = world.records();
        // As if a folder had been put back that was taken away meanwhile.
        world.log.cut(&claims_of(&world), 0);
        world.log.cut(&LogKey::Campaign(world.campaign()), 0);
        world.clock.advance(jiff::SignedDuration::from_secs(1));
        world.driver(1).begin(later, &world.plan).await.unwrap();
        world.log.cut(&claims_of(&world), 0);
        for record in &first {
            let _ = world
                .log
                .append(&LogKey::Campaign(world.campaign()), record)
                .await
                .unwrap();
        }
        let refused = world.driver(2).run(later).await.unwrap_err();
        assert_taken(&refused, world.campaign());
        world.driver(2).run(world.campaign()).await.unwrap();
        world.driver(2).run(later).await.unwrap();
    });
}

#[test]
fn an_emptied_log_gives_away_no_name_that_its_campaign_has_claimed() {
    let world = world();
    let other = world.campaign_of("another event");
    finish(async {
        let open = world.campaign();
        world.driver(1).begin(open, &world.plan).await.unwrap();
        world.log.cut(&LogKey::Campaign(open), 0);
        let refused = world.driver(2).begin(other, &world.plan).await.unwrap_err();
        let code = refused.refusal().unwrap().reasons[0].code;
        assert_eq!(code, RefusalCode::LogDamaged);
        assert!(refused.to_string().contains("weekly"), "{refused}");
        let name = &world.plan.request.name;
        open_campaign(&*world.log, name).await.unwrap_err();

        // Another name is free. This one is not while a claim of it names a campaign that nobody can read.
        let plan = named(&world, "weekly-windows");
        world.driver(2).begin(other, &plan).await.unwrap();
        let next = world.campaign_of("the next event");
        world.log.take_away(&LogKey::Campaign(open));
        let refused = world.driver(2).begin(next, &world.plan).await.unwrap_err();
        let code = refused.refusal().unwrap().reasons[0].code;
        assert_eq!(code, RefusalCode::LogDamaged);
        assert!(
            refused
                .refusal()
                .unwrap()
                .to_string()
                .contains("names/weekly-linux"),
            "{refused}"
        );
        world.log.take_away(&claims_of(&world));
        world.driver(2).begin(next, &world.plan).await.unwrap();
    });
}

/// Counts what is read of campaigns' logs.
struct Counting {
    log: Arc<MemoryLog>,
    names: AtomicUsize,
    lasts: AtomicUsize,
    reads: AtomicUsize,
}

impl CampaignLog for Counting {
    fn append(&self, key: &LogKey, record: &Record) -> BoxFuture<'_, PortResult<Appended>> {
        self.log.append(key, record)
    }

    fn read(&self, key: &LogKey, from: u64) -> BoxFuture<'_, PortResult<Vec<Record>>> {
        if matches!(key, LogKey::Campaign(_)) {
            self.reads.fetch_add(1, Ordering::Relaxed);
        }
        self.log.read(key, from)
    }

    fn keys(&self) -> BoxFuture<'_, PortResult<Vec<LogKey>>> {
        self.log.keys()
    }

    fn request_name(&self, campaign: CampaignId) -> BoxFuture<'_, PortResult<Option<RequestName>>> {
        self.names.fetch_add(1, Ordering::Relaxed);
        self.log.request_name(campaign)
    }

    fn last(&self, key: &LogKey) -> BoxFuture<'_, PortResult<Option<Record>>> {
        self.lasts.fetch_add(1, Ordering::Relaxed);
        self.log.last(key)
    }
}

#[test]
fn of_campaigns_that_are_over_a_start_reads_no_more_than_whose_they_are_and_their_ends() {
    let world = world();
    finish(async {
        let driver = world.driver(1);
        driver.begin(world.campaign(), &world.plan).await.unwrap();
        driver.run(world.campaign()).await.unwrap();
        // The same course, under other names and ids.
        for n in 0..400 {
            let campaign = world.campaign_of(&format!("event {n}"));
            let plan = if n < 100 {
                world.plan.clone()
            } else {
                named(&world, &format!("other-{n}"))
            };
            let key = LogKey::Campaign(campaign);
            let mut chain = Chain::of(&key);
            for Record {
                seq,
                at,
                writer,
                mut events,
                ..
            } in world.records()
            {
                if seq == 0 {
                    events = vec![Event::Planned {
                        format: crate::campaign::RECORD_FORMAT,
                        campaign,
                        plan: Box::new(plan.clone()),
                    }];
                }
                let record = chain.record(at, writer, events);
                chain.take(&record).unwrap();
                let _ = world.log.append(&key, &record).await.unwrap();
            }
        }
        let counting = Arc::new(Counting {
            log: Arc::clone(&world.log),
            names: AtomicUsize::default(),
            lasts: AtomicUsize::default(),
            reads: AtomicUsize::default(),
        });
        let driver = Driver {
            log: counting.clone(),
            ..world.driver(2)
        };
        driver.begin(world.campaign_of("now"), &world.plan).await.unwrap();
        let count = |of: &AtomicUsize| of.load(Ordering::Relaxed);
        // The listing is asked before anything is written down, and the claim follows what was found. The claims'
        // own last campaign is looked at once more.
        assert_eq!(count(&counting.names), 401);
        assert_eq!(count(&counting.lasts), 1 + 401);
        assert_eq!(count(&counting.reads), 2, "its own log alone");
    });
}

/// A log in which no name can be read.
struct Nameless(Arc<MemoryLog>);

impl CampaignLog for Nameless {
    fn append(&self, key: &LogKey, record: &Record) -> BoxFuture<'_, PortResult<Appended>> {
        self.0.append(key, record)
    }

    fn read(&self, key: &LogKey, from: u64) -> BoxFuture<'_, PortResult<Vec<Record>>> {
        match key {
            LogKey::Name(_) => Box::pin(async { Err(PortError::new(PortErrorKind::Other, "no answer")) }),
            LogKey::Campaign(_) => self.0.read(key, from),
        }
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

#[test]
fn a_driver_that_cannot_read_its_name_says_whether_something_is_under_way() {
    for begun in [false, true] {
        let world = world();
        let driver = Driver {
            log: Arc::new(Nameless(Arc::clone(&world.log))),
            ..world.driver(2)
        };
        if begun {
            killed_once(&world, |world| !world.executions().is_empty());
        }
        let error = finish(driver.begin(world.campaign(), &world.plan)).unwrap_err();
        let name = &world.plan.request.name;
        let words = match begun {
            false => format!("nothing is started for the request {name}"),
            true => format!(
                "nothing more is started for the request {name}, of which campaign {} is under way",
                world.campaign()
            ),
        };
        assert_eq!(error.to_string(), words);
    }
}

#[cfg(feature = "file-log")]
mod in_a_folder;
