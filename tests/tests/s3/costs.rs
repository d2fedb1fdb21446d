//! What a store in a bucket costs: the requests that S3 is sent, by the simulator's count.

use crate::{BUCKET, WORLD, store};
use jiff::Timestamp;
use patchfleet_core::Campaigns;
use patchfleet_core::campaign::{Appended, LogKey, Store};
use patchfleet_core::id::{CampaignId, Location, WriterId};
use patchfleet_core::plan::Planning;
use patchfleet_sim::{ClockMode, Sim, SimClock, SimOptions, world::World};
use patchfleet_tests::{in_memory, request};
use std::collections::BTreeMap;
use uuid::Uuid;

const FLEET: &str = r#"
    management_account = "111111111111"
    documents = [{ name = "Patchfleet-RunPatchBaseline", builtin = "patchfleet" }]
    accounts = [{ id = "111111111111", name = "Main" }]
    [[groups]]
    name = "WebServers"
    accounts = ["111111111111"]
    regions = ["us-east-1"]
    nodes = [{ count = 2, patch = { minutes = 5.0 } }]
"#;

const REQUEST: &str = r#"
    name = "weekly"
    patch = { operation = "Install" }
    targets = { resource_group = "WebServers", regions = ["us-east-1"] }
"#;

fn campaign(number: u128) -> CampaignId {
    CampaignId::from_uuid(Uuid::from_u128(number))
}

/// So many campaigns of one request, one after another, that are over.
pub(crate) async fn campaigns(count: u128) -> Store {
    let (clock, request) = (
        SimClock::new(World::parse(FLEET).unwrap(), ClockMode::Jump),
        request(REQUEST).unwrap(),
    );
    let memory = Store::in_memory();
    for number in 1..=count {
        let ports = in_memory(&clock, &request.access).unwrap();
        let process = Campaigns::new(
            ports,
            memory.clone(),
            WriterId::from_uuid(Uuid::from_u128(number)),
        );
        process
            .run(campaign(number), &request, &Planning::default())
            .await
            .unwrap();
    }
    memory
}

/// Copies all logs, and gives how many records there are in each.
pub(crate) async fn copy(from: &Store, to: &Store) -> BTreeMap<LogKey, usize> {
    let mut lengths = BTreeMap::new();
    for key in from.log.keys().await.unwrap() {
        let records = from.log.read(&key, 0).await.unwrap();
        for record in &records {
            assert_eq!(to.log.append(&key, record).await.unwrap(), Appended::Yes);
        }
        lengths.insert(key, records.len());
    }
    lengths
}

/// How often S3 was sent each of its operations since it was asked last.
fn asked(sim: &Sim, before: &mut usize) -> BTreeMap<String, usize> {
    sim.with_world(|world| {
        let requests = world.requests();
        let mut counts = BTreeMap::new();
        for request in requests.iter().skip(*before) {
            *counts.entry(request.operation.clone()).or_default() += 1;
        }
        *before = requests.len();
        counts
    })
}

fn counts<const N: usize>(counts: [(&str, usize); N]) -> BTreeMap<String, usize> {
    counts
        .into_iter()
        .map(|(name, count)| (name.to_owned(), count))
        .collect()
}

/// The figures of patchfleet-aws/README.md.
#[tokio::test]
async fn each_thing_that_a_store_does_costs_the_requests_that_the_readme_says() {
    let sim = Sim::start(World::parse(WORLD).unwrap(), SimOptions::default())
        .await
        .unwrap();
    let memory = campaigns(100).await;
    let bucket = store(&sim.endpoint(), &format!("s3://{BUCKET}/ops"));
    let mut before = 0;

    // A record.
    let lengths = copy(&memory, &bucket).await;
    let all: usize = lengths.values().sum();
    assert_eq!(lengths.len(), 101);
    assert_eq!(
        asked(&sim, &mut before),
        counts([("HeadObject", all - 101), ("PutObject", all)])
    );

    // The rows of a location, and the rows of it once more.
    let location = Location {
        account: "111111111111".parse().unwrap(),
        region: "us-east-1".parse().unwrap(),
    };
    let rows = memory.rows.rows(campaign(1), &location).await.unwrap();
    assert_eq!(rows.len(), 2);
    for _ in 0..2 {
        bucket
            .rows
            .put(campaign(1), &location, 1, rows.clone())
            .await
            .unwrap();
    }
    assert_eq!(
        asked(&sim, &mut before),
        counts([("GetObject", 1), ("PutObject", 3)])
    );

    // Another process, which knows nothing: a look for what is new, one campaign, all campaigns.
    let other = store(&sim.endpoint(), &format!("s3://{BUCKET}/ops"));
    let (key, now) = (LogKey::Campaign(campaign(1)), Timestamp::now());
    let records = lengths[&key];
    assert_eq!(other.log.read(&key, records as u64).await.unwrap(), []);
    assert_eq!(
        asked(&sim, &mut before),
        counts([("GetObject", 1), ("ListObjectsV2", 1)])
    );
    assert_eq!(other.campaign(campaign(1), now).await.campaigns.len(), 1);
    assert_eq!(
        asked(&sim, &mut before),
        counts([("GetObject", records + 1), ("ListObjectsV2", 1)])
    );
    let listed = other.campaigns(now).await.unwrap();
    assert_eq!((listed.campaigns.len(), listed.damaged.len()), (100, 0));
    // One listing and one try beyond its end for each log, two listings of logs, and the last record of the campaign
    // that has the name.
    assert_eq!(
        asked(&sim, &mut before),
        counts([("GetObject", all + 101 + 2), ("ListObjectsV2", 101 + 2 + 1)])
    );

    // Whether another campaign of the name may begin, which `run` asks three times.
    other.admit(&request(REQUEST).unwrap(), None).await.unwrap();
    let admitted = asked(&sim, &mut before);
    let most = counts([("GetObject", 550), ("ListObjectsV2", 220), ("PutObject", 2)]);
    for (operation, count) in &admitted {
        assert!(count <= &most[operation], "{admitted:?}");
    }
}
