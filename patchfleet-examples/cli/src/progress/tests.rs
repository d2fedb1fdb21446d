//! What the bars say while a campaign runs against a simulated organisation.

use super::*;
use crate::args::World;
use crate::session::Session;
use patchfleet_core::Campaigns;
use patchfleet_core::id::{CampaignId, WriterId};
use patchfleet_core::plan::Planning;
use patchfleet_core::request::{Format, PatchRequest};
use patchfleet_sim::builtin::CALM;
use std::sync::Mutex;
use uuid::Uuid;

/// What the two bars said of a campaign of the calm world, under these bounds as well, one after another.
#[expect(
    clippy::unwrap_used,
    reason = "clippy lets #[test] functions do so, and this is their helper"
)]
async fn shown(bounds: &str) -> (Vec<String>, Vec<String>) {
    let request = PatchRequest::parse(format!("{}{bounds}", CALM.request).as_bytes(), Format::Toml).unwrap();
    let world = World {
        sim: Some(CALM.name.to_owned()),
        sim_speed: Some(2000),
    };
    let session = Session::open(&world, Some(request.access.clone()))
        .await
        .ok()
        .unwrap();
    let bars = Bars::new(Told::new(None));
    let said = Arc::new(Mutex::new((vec![], vec![])));
    let heard = said.clone();
    let observer: Observer = Arc::new(move |record, state| {
        bars.show(record, state);
        let mut said = heard.lock().unwrap();
        said.0.push(bars.locations.message());
        said.1.push(bars.nodes.message());
    });
    let writer = WriterId::from_uuid(Uuid::new_v4());
    let campaigns = Campaigns::new(session.ports.clone(), Store::in_memory(), writer).observed_by(observer);
    let planned = campaigns.plan(&request, &Planning::default()).await.unwrap();
    let campaign = planned
        .begin(CampaignId::from_uuid(Uuid::new_v4()))
        .await
        .unwrap();
    campaign.run().await.unwrap();
    let said = said.lock().unwrap();
    said.clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_bars_say_how_much_of_each_bound_is_used_and_left_also_of_one_that_aws_keeps() {
    let (locations, nodes) = shown("\n[budget.fleet]\nmax_in_flight = 4\n").await;
    let failed = "; locations failed 0 of 1 (1 left)";
    assert!(
        locations.iter().all(|said| said.ends_with(failed)),
        "{locations:#?}"
    );
    let kept =
        "; of the fleet's nodes in flight at most 4 (AWS keeps 1 at once in a location), locations at once ";
    assert!(nodes.iter().all(|said| said.contains(kept)), "{nodes:#?}");
    let says = |used_and_left: &str| nodes.iter().any(|said| said.ends_with(used_and_left));
    assert!(says("locations at once 1 of 4 (3 left)"), "{nodes:#?}");
    assert!(
        nodes
            .last()
            .unwrap()
            .ends_with("locations at once 0 of 4 (4 left)"),
        "{nodes:#?}"
    );
}
