//! Answers of S3 that pass, and what others leave in a bucket.

use crate::{BUCKET, WORLD, store};
use patchfleet_core::campaign::{Appended, LogKey, Store};
use patchfleet_core::id::Location;
use patchfleet_core::port::{PortErrorKind, Sent};
use patchfleet_sim::{
    Sim, SimOptions,
    spec::{FaultEffect, FaultSpec},
    world::World,
};

const PLACE: &str = "s3://campaign-logs/ops";

async fn sim() -> Sim {
    Sim::start(World::parse(WORLD).unwrap(), SimOptions::default())
        .await
        .unwrap()
}

fn fault(sim: &Sim, operation: &str, effect: FaultEffect, calls: Vec<u64>) {
    sim.with_world(|world| {
        world
            .add_fault(FaultSpec {
                operations: vec![operation.to_owned()],
                calls,
                ..FaultSpec::new(effect)
            })
            .unwrap();
    });
}

/// How often objects were to be written, and with which status.
fn writes(sim: &Sim) -> Vec<u16> {
    sim.with_world(|world| {
        let requests = world.requests().iter();
        let writes = requests.filter(|request| request.operation == "PutObject");
        writes.map(|request| request.status).collect()
    })
}

/// One campaign that is over, in memory.
async fn one_campaign() -> Store {
    crate::costs::campaigns(1).await
}

#[tokio::test]
async fn a_write_that_s3_puts_off_is_made_again_until_it_is_told() {
    for (code, status) in [
        ("ConditionalRequestConflict", 409),
        ("OperationAborted", 409),
        ("SlowDown", 503),
        ("InternalError", 500),
    ] {
        let (sim, memory) = (sim().await, one_campaign().await);
        fault(
            &sim,
            "s3:PutObject",
            FaultEffect::Error(code.to_owned()),
            vec![1, 2],
        );
        let log = store(&sim.endpoint(), PLACE).log;
        let key = memory.log.keys().await.unwrap().remove(0);
        let first = memory.log.first(&key).await.unwrap().unwrap();
        assert_eq!(log.append(&key, &first).await.unwrap(), Appended::Yes, "{code}");
        assert_eq!(writes(&sim), [status, status, 200], "{code}");
    }
}

#[tokio::test]
async fn a_write_that_s3_puts_off_each_time_was_certainly_not_made() {
    let (sim, memory) = (sim().await, one_campaign().await);
    let conflict = FaultEffect::Error("ConditionalRequestConflict".to_owned());
    fault(&sim, "s3:PutObject", conflict, vec![]);
    let log = store(&sim.endpoint(), PLACE).log;
    let key = memory.log.keys().await.unwrap().remove(0);
    let first = memory.log.first(&key).await.unwrap().unwrap();
    let error = log.append(&key, &first).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.sent()),
        (PortErrorKind::Unavailable, Sent::No),
        "{}",
        error.chain()
    );
    assert!(
        error
            .to_string()
            .contains("was being written by others each time"),
        "{error}"
    );
}

#[tokio::test]
async fn an_object_whose_bytes_break_off_is_read_again_and_at_last_told() {
    let (sim, memory) = (sim().await, one_campaign().await);
    let bucket = store(&sim.endpoint(), PLACE);
    crate::costs::copy(&memory, &bucket).await;
    let key = memory.log.keys().await.unwrap().remove(0);
    let whole = memory.log.read(&key, 0).await.unwrap();
    fault(&sim, "s3:GetObject", FaultEffect::Truncate, vec![1, 2, 3]);
    assert_eq!(
        store(&sim.endpoint(), PLACE).log.read(&key, 0).await.unwrap(),
        whole
    );
    fault(&sim, "s3:GetObject", FaultEffect::Truncate, vec![]);
    let error = store(&sim.endpoint(), PLACE).log.read(&key, 0).await.unwrap_err();
    assert_eq!(error.kind(), PortErrorKind::Unavailable);
    assert!(error.to_string().ends_with("broke off"), "{error}");
}

#[tokio::test]
async fn a_record_whose_answer_was_lost_is_there_once_and_its_writer_is_told_of_a_conflict_with_itself() {
    let (sim, memory) = (sim().await, one_campaign().await);
    fault(&sim, "s3:PutObject", FaultEffect::DropAfter, vec![1]);
    let log = store(&sim.endpoint(), PLACE).log;
    let key = memory.log.keys().await.unwrap().remove(0);
    let first = memory.log.first(&key).await.unwrap().unwrap();
    // The SDK makes the write again, and finds its own object.
    assert_eq!(log.append(&key, &first).await.unwrap(), Appended::Conflict);
    assert_eq!(writes(&sim).last(), Some(&412));
    assert_eq!(log.read(&key, 0).await.unwrap(), [first]);
}

#[tokio::test]
async fn what_is_not_the_logs_is_left_out_and_hides_no_damage() {
    let (sim, memory) = (sim().await, one_campaign().await);
    let bucket = store(&sim.endpoint(), PLACE);
    let lengths = crate::costs::copy(&memory, &bucket).await;
    let campaign = memory.campaigns(jiff::Timestamp::now()).await.unwrap().campaigns[0].campaign;
    let folder = format!("ops/campaigns/{campaign}/");
    let first = format!("{folder}{:020}.json", 0);
    sim.with_world(|world| {
        // The console makes objects for folders. People keep notes. Others keep logs beside these.
        for key in [
            "ops/".to_owned(),
            "ops/campaigns/".to_owned(),
            folder.clone(),
            format!("{folder}00000000000000000000.json.bak"),
            format!("{folder}0.json"),
            format!("{folder}notes.txt"),
            "ops/campaigns/old/0.json".to_owned(),
            "ops/campaigns/readme.txt".to_owned(),
            "ops/names/Not A Name/00000000000000000000.json".to_owned(),
            "opsother/campaigns/x".to_owned(),
            "campaigns/x/y".to_owned(),
        ] {
            world.put_object(BUCKET, &key, b"not a record".to_vec());
        }
        for number in 0..1_500 {
            world.put_object(BUCKET, &format!("{folder}!{number}"), vec![]);
        }
    });
    let other = store(&sim.endpoint(), PLACE);
    let mut keys = other.log.keys().await.unwrap();
    keys.sort();
    assert_eq!(keys, lengths.keys().cloned().collect::<Vec<_>>());
    for key in &keys {
        let whole = memory.log.read(key, 0).await.unwrap();
        assert_eq!(other.log.read(key, 0).await.unwrap(), whole);
        assert_eq!(other.log.last(key).await.unwrap(), whole.last().cloned());
    }
    // Behind a page of others' objects the records are still seen, and that the first is missing.
    assert!(sim.with_world(|world| world.delete_object(BUCKET, &first)));
    let damaged = store(&sim.endpoint(), PLACE);
    let key = LogKey::Campaign(campaign);
    for error in [
        damaged.log.first(&key).await.unwrap_err(),
        damaged.log.read(&key, 0).await.unwrap_err(),
    ] {
        assert_eq!(error.kind(), PortErrorKind::Incompatible);
        assert!(
            error.to_string().contains(&format!("s3://{BUCKET}/{first}")),
            "{error}"
        );
    }
}

#[tokio::test]
async fn each_object_is_sent_with_its_sum_by_which_s3_sees_what_was_changed_on_its_way() {
    let (sim, memory) = (sim().await, one_campaign().await);
    let bucket = store(&sim.endpoint(), PLACE);
    crate::costs::copy(&memory, &bucket).await;
    let location = Location {
        account: "111111111111".parse().unwrap(),
        region: "us-east-1".parse().unwrap(),
    };
    let campaign = memory.campaigns(jiff::Timestamp::now()).await.unwrap().campaigns[0].campaign;
    let rows = memory.rows.rows(campaign, &location).await.unwrap();
    bucket.rows.put(campaign, &location, 1, rows).await.unwrap();
    let sums = sim.with_world(|world| {
        let writes = world
            .requests()
            .iter()
            .filter(|request| request.operation == "PutObject");
        writes
            .map(|request| request.input.get("ChecksumSHA256").is_some())
            .collect::<Vec<_>>()
    });
    assert!(
        !sums.is_empty() && sums.iter().all(|&has_one| has_one),
        "{sums:?}"
    );
}
