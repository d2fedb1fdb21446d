//! An event that is delivered again while the work of its first delivery runs. That work changes the world: nodes
//! reboot, and some are gone. The event is the same campaign all the same, and no error.

use super::*;
use patchfleet_sim::spec::{Change, GroupChange, NodesOf};

/// One delivery that started something, a change of the world, and the same event once more.
struct Delivered {
    sim: Sim,
    first: Value,
    /// The calls that the second delivery made.
    calls: Vec<String>,
    again: Value,
}

async fn deliver_around(request: &Value, changes: &[Change]) -> Delivered {
    let sim = simulator().await;
    let event = json!({ "event_id": "event-7", "request": request });
    let mut function = Function::start(&sim.endpoint()).await;
    let first = response(function.invoke("one", event.clone()).await);
    assert_eq!(first["outcome"], "started");
    sim.with_world(|world| {
        for change in changes {
            assert!(world.change(change).unwrap() > 0, "{change:?} changes something");
        }
    });
    // Longer than PingStatus lags behind.
    sim.clock().advance(SignedDuration::from_mins(7));
    let before = sim.with_world(|world| world.requests().len());
    // A cold start, so that nothing is remembered.
    let mut function = Function::start(&sim.endpoint()).await;
    let again = response(function.invoke("two", event).await);
    let calls = sim.with_world(|world| {
        let calls = world.requests().iter().skip(before);
        calls.map(|call| call.operation.to_string()).collect()
    });
    Delivered {
        sim,
        first,
        calls,
        again,
    }
}

impl Delivered {
    #[track_caller]
    fn is_one_campaign(&self, case: &str) {
        let Self { first, again, .. } = self;
        assert_eq!(again["outcome"], "already_started", "{case}");
        for same in ["campaign_id", "execution_id", "locations"] {
            assert_eq!(again[same], first[same], "{case}: {same}");
        }
        assert_eq!(starts(&self.sim).len(), 1, "{case}");
    }
}

fn of_group(count: Option<u32>) -> NodesOf {
    NodesOf {
        group: Some("WebServers".to_owned()),
        accounts: vec!["555566667777".parse().unwrap()],
        count,
        ..NodesOf::default()
    }
}

fn leaves_the_group(regions: &[&str]) -> Change {
    Change::LeaveGroup(GroupChange {
        group: "WebServers".to_owned(),
        nodes: NodesOf {
            regions: regions.iter().map(|region| region.parse().unwrap()).collect(),
            ..of_group(None)
        },
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_comes_again_while_nodes_reboot_is_the_same_campaign() {
    let one_is_down = || [Change::LoseAgent(of_group(Some(1)))];
    for rate in ["1", "50%"] {
        let mut request = request();
        request["budget"]["nodes"]["max_concurrency"] = json!(rate);
        let delivered = deliver_around(&request, &one_is_down()).await;
        delivered.is_one_campaign(&format!("{rate} at once"));
    }
    // A plan made now would name the nodes that answer and leave out the others, so it would need several executions.
    let mut skips = request();
    skips["policy"]["offline"] = json!("skip");
    let delivered = deliver_around(&skips, &one_is_down()).await;
    delivered.is_one_campaign("policy.offline = skip");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_comes_again_while_no_node_answers_is_the_same_campaign() {
    for offline in ["target", "skip", "refuse"] {
        let mut request = request();
        request["policy"]["offline"] = json!(offline);
        let delivered = deliver_around(&request, &[Change::LoseAgent(of_group(None))]).await;
        delivered.is_one_campaign(offline);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_comes_again_after_locations_were_emptied_is_the_same_campaign() {
    for regions in [&["eu-south-1"][..], &[]] {
        let delivered = deliver_around(&request(), &[leaves_the_group(regions)]).await;
        delivered.is_one_campaign(&format!("{regions:?} emptied"));
        let answer = &delivered.again;
        assert_eq!(
            (&answer["candidates"], &answer["skipped"]),
            (&Value::Null, &Value::Null),
            "nobody looked, so nothing is said"
        );
        let warnings = answer["warnings"].to_string();
        assert!(
            warnings.contains("an earlier delivery of this event started it at ")
                && warnings.contains("5 locations"),
            "{warnings}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retry_costs_the_look_for_its_execution_and_no_census() {
    let delivered = deliver_around(&request(), &[]).await;
    assert_eq!(
        delivered.calls,
        [
            "GetCallerIdentity",
            "DescribeAutomationExecutions",
            "GetAutomationExecution",
            "DescribeAutomationExecutions"
        ]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_started_while_it_cannot_be_found_out_what_was() {
    let sim = simulator_of(&format!(
        "{}\n[[faults]]\neffect = \"deny\"\noperations = [\"ssm:DescribeAutomationExecutions\"]\n",
        CALM.world
    ))
    .await;
    let mut function = Function::start(&sim.endpoint()).await;
    let event = json!({ "event_id": "event-7", "request": request() });
    let (kind, message) = error(function.invoke("one", event.clone()).await);
    assert_eq!(kind, "Failed");
    assert!(message.contains("DescribeAutomationExecutions"), "{message}");
    assert_eq!(starts(&sim), Vec::<Value>::new());

    sim.with_world(World::clear_faults);
    let answer = response(function.invoke("two", event).await);
    assert_eq!(answer["outcome"], "started");
    assert_eq!(starts(&sim).len(), 1);
}
