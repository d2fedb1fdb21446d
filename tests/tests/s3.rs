//! A store in a bucket keeps what core's kit for stores wants: over the AWS SDK and a simulated S3, also one that
//! lists late, and over any other one that an environment variable names.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::expect_used,
    reason = "clippy lets #[test] functions do so, and these are their helpers"
)]

#[path = "s3/costs.rs"]
mod costs;
#[path = "s3/place.rs"]
mod place;
#[path = "s3/refused.rs"]
mod refused;
#[path = "s3/trouble.rs"]
mod trouble;

use patchfleet_aws::{Aws, S3Uri};
use patchfleet_core::campaign::Store;
use patchfleet_core::campaign::conformance::{Place, check_all};
use patchfleet_sim::{Sim, SimOptions, world::World};
use place::{Bucket, config};

const BUCKET: &str = "campaign-logs";

const WORLD: &str = r#"
    management_account = "111111111111"
    accounts = [{ id = "111111111111", name = "Main" }]
    buckets = ["campaign-logs"]
"#;

fn store(endpoint: &str, uri: &str) -> Store {
    let uri: S3Uri = uri.parse().unwrap();
    Aws::builder(&config(endpoint)).store(&uri).unwrap()
}

async fn keeps_every_law(fresh: impl Fn() -> Bucket + Sync) {
    let fresh = || -> Box<dyn Place> { Box::new(fresh()) };
    let unchecked = check_all(&fresh).await;
    assert_eq!(unchecked.unwrap_or_else(|findings| panic!("{findings}")), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_is_a_store() {
    keeps_every_law(|| Bucket::simulated(0).without_retries()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_that_lists_late_is_a_store() {
    keeps_every_law(|| Bucket::simulated(300)).await;
}

/// `tests/conformance/run` starts moto's S3, and names it.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs another S3, whose endpoint PATCHFLEET_TEST_S3 names"]
async fn a_bucket_of_another_s3_is_a_store() {
    let endpoint = std::env::var("PATCHFLEET_TEST_S3").expect("PATCHFLEET_TEST_S3 names an endpoint");
    keeps_every_law(|| Bucket::at(&endpoint)).await;
}

#[tokio::test]
async fn a_place_is_made_once_and_found_afterwards() {
    let sim = Sim::start(World::parse(WORLD).unwrap(), SimOptions::default())
        .await
        .unwrap();
    for _ in 0..2 {
        store(&sim.endpoint(), "s3://campaign-logs/ops")
            .log
            .make()
            .await
            .unwrap();
    }
    let keys = sim.with_world(|world| world.object_keys(BUCKET).map(str::to_owned).collect::<Vec<_>>());
    assert_eq!(keys, ["ops/patchfleet.txt"]);
}
