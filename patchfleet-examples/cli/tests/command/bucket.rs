//! A log in a bucket: whoever reaches the bucket follows the campaign, from whatever machine.

use crate::support::{Bench, Ran, against, finish, kill_once, parents, simulator_of, starts};
use patchfleet_sim::Sim;
use patchfleet_sim::builtin::CALM;
use patchfleet_sim::spec::{FaultEffect, FaultSpec};

const LOG: &str = "s3://ops-logs/patchfleet/prod";

async fn on_another_machine(sim: &Sim, args: &[&str]) -> Ran {
    // Nothing is shared but the bucket.
    let machine = Bench::new();
    let args = [args, &["--log", LOG, "--output", "json"]].concat();
    finish(against(&machine, sim, "us-east-1", &args)).await
}

/// How many records the campaigns of the bucket have.
fn records(sim: &Sim) -> usize {
    let is_record = |key: &&str| key.starts_with("patchfleet/prod/campaigns/");
    sim.with_world(|world| world.object_keys("ops-logs").filter(is_record).count())
}

#[tokio::test]
async fn a_campaign_that_was_killed_is_followed_and_reported_from_another_machine() {
    let (bench, sim) = (Bench::new(), simulator_of(CALM.world, 400.0).await);
    bench.file("request.toml", CALM.request);
    let run = ["run", "-f", "request.toml", "--yes", "--log", LOG];
    // Its plan, its claim, that it starts its unit, and that AWS has begun it.
    kill_once(against(&bench, &sim, "us-east-1", &run), || records(&sim) >= 4).await;
    let open = on_another_machine(&sim, &["status"]).await.exits(0).json();
    assert_eq!(open[0]["outcome"], "open");

    // The name is taken there too, and nothing begins beside the campaign.
    let machine = Bench::new();
    machine.file("request.toml", CALM.request);
    let (begun, second) = (
        starts(&sim),
        finish(against(&machine, &sim, "us-east-1", &run)).await,
    );
    let second = second.exits(3).stderr;
    assert!(second.contains("is open") && second.contains(LOG), "{second}");
    assert_eq!(starts(&sim), begun);

    let resumed = on_another_machine(&sim, &["resume"]).await.exits(0).json();
    assert_eq!(resumed["outcome"], "succeeded");
    let reported = on_another_machine(&sim, &["report"]).await.exits(0).json();
    assert_eq!(reported["totals"], resumed["totals"]);
    assert!(!bench.path().join(".patchfleet").exists());
    assert!(!bench.path().join("s3:").exists());
}

#[tokio::test]
async fn a_log_that_does_not_answer_is_not_said_to_be_damaged() {
    let (bench, sim) = (Bench::new(), simulator_of(CALM.world, 2000.0).await);
    bench.file("request.toml", CALM.request);
    let run = ["run", "-f", "request.toml", "--yes", "--log", LOG];
    finish(against(&bench, &sim, "us-east-1", &run)).await.exits(0);
    sim.with_world(|world| {
        let denied = FaultSpec {
            operations: vec!["s3:GetObject".to_owned()],
            ..FaultSpec::new(FaultEffect::Deny)
        };
        world.add_fault(denied).unwrap();
    });
    let status = on_another_machine(&sim, &["status"]).await.exits(1).json();
    assert_eq!(status[0]["outcome"], "unread");
    let advice = status[0]["advice"].as_str().unwrap();
    assert!(advice.contains("move nothing out of the log"), "{advice}");
    let report = on_another_machine(&sim, &["report"]).await.exits(1).stderr;
    assert!(
        report.contains("cannot be read, so which campaign is meant"),
        "{report}"
    );
}

/// S3 loses answers and asks for less, and two processes drive the campaign at once.
#[tokio::test]
async fn two_machines_drive_one_campaign_through_a_bucket_that_answers_badly_and_start_nothing_twice() {
    let (bench, sim) = (Bench::new(), simulator_of(CALM.world, 400.0).await);
    bench.file("request.toml", CALM.request);
    sim.with_world(|world| {
        for (operation, effect) in [
            ("s3:PutObject", FaultEffect::DropAfter),
            ("s3:PutObject", FaultEffect::Throttle),
            ("s3:GetObject", FaultEffect::Truncate),
            ("s3:ListBucket", FaultEffect::DropBefore),
        ] {
            let fault = FaultSpec {
                operations: vec![operation.to_owned()],
                share: 0.04,
                ..FaultSpec::new(effect)
            };
            world.add_fault(fault).unwrap();
        }
    });
    let run = ["run", "-f", "request.toml", "--yes", "--log", LOG];
    kill_once(against(&bench, &sim, "us-east-1", &run), || records(&sim) >= 4).await;
    let (one, other) = tokio::join!(
        on_another_machine(&sim, &["resume"]),
        on_another_machine(&sim, &["resume"])
    );
    let (one, other) = (one.exits(0).json(), other.exits(0).json());
    assert_eq!(one["outcome"], "succeeded");
    assert_eq!(one["totals"], other["totals"]);
    let reported = on_another_machine(&sim, &["report"]).await.exits(0).json();
    assert_eq!(reported["totals"], one["totals"]);
    let units = reported["executions"].as_array().unwrap().len();
    assert_eq!(parents(&sim), units);
}

#[tokio::test]
async fn a_bucket_that_cannot_be_used_is_told_before_aws_is_asked_for_anything_else() {
    let buckets = "buckets = [\"ops-logs\", \"far-logs\"]\nbucket_regions = { far-logs = \"eu-west-1\" }";
    let world = format!("{buckets}\n{}", CALM.world);
    let (bench, sim) = (Bench::new(), simulator_of(&world, 400.0).await);
    bench.file("request.toml", CALM.request);
    let run = async |log: &str| {
        let args = ["run", "-f", "request.toml", "--yes", "--log", log];
        finish(against(&bench, &sim, "us-east-1", &args)).await
    };
    let missing = run("s3://ops-log/patchfleet").await.exits(2);
    assert!(
        missing.stderr.contains("there is no bucket ops-log"),
        "{}",
        missing.stderr
    );

    sim.with_world(|world| {
        let denied = FaultSpec {
            operations: vec!["s3:PutObject".to_owned()],
            ..FaultSpec::new(FaultEffect::Deny)
        };
        world.add_fault(denied).unwrap();
    });
    let denied = run(LOG).await.exits(2);
    let needs = "--log (or PATCHFLEET_LOG): the caller needs s3:GetObject and s3:PutObject on ops-logs/patchfleet/prod/*";
    assert!(
        denied.stderr.contains(needs) && denied.stderr.contains("AccessDenied"),
        "{}",
        denied.stderr
    );
    let elsewhere = run("s3://far-logs/patchfleet").await.exits(2);
    assert!(
        elsewhere.stderr.contains("the bucket far-logs is in eu-west-1"),
        "{}",
        elsewhere.stderr
    );
    let asked = sim.with_world(|world| {
        let others = world.requests().iter().filter(|request| request.service != "s3");
        others
            .map(|request| request.operation.clone())
            .collect::<Vec<_>>()
    });
    assert_eq!(asked, [""; 0]);
}

#[test]
fn a_place_that_is_no_folder_and_no_bucket_is_refused_by_its_name() {
    let bench = Bench::new();
    for (log, why) in [
        ("s3://", "the bucket's name is missing"),
        ("s3:/ops-logs", "it does not begin with s3://"),
        ("s3://Ops/logs", "lower-case"),
        (
            "https://ops-logs.s3.amazonaws.com/x",
            "a folder, or in a bucket (s3://BUCKET/PREFIX)",
        ),
    ] {
        let said = bench.run(&["status", "--log", log]).exits(2).stderr;
        assert!(
            said.contains(why) && said.contains("--log (or PATCHFLEET_LOG)"),
            "{said}"
        );
    }
    let said = bench.run(&["run", "--sim", "--log", LOG]).exits(2).stderr;
    assert!(said.contains("nothing of it is kept in a bucket"), "{said}");
}

#[tokio::test]
async fn a_bucket_or_prefix_that_is_mistyped_is_bad_usage_for_whoever_reads_there() {
    let world = format!("buckets = [\"ops-logs\"]\n{}", CALM.world);
    let sim = simulator_of(&world, 400.0).await;
    let machine = Bench::new();
    for (log, why) in [
        ("s3://opps-logs/prod", "opps-logs"),
        ("s3://ops-logs/prd", "campaign in s3://ops-logs/prd. --log"),
    ] {
        for command in [
            &["status"][..],
            &["report"],
            &["resume"],
            &["stop"],
            &["collect"],
            &["explain", "111122223333/us-east-1"],
        ] {
            let args = [command, &["--log", log, "--output", "json"]].concat();
            let said = finish(against(&machine, &sim, "us-east-1", &args)).await.exits(2);
            assert!(
                said.stderr.contains("--log") && said.stderr.contains(why),
                "{}",
                said.stderr
            );
            let json = said.json();
            assert_eq!(json["outcome"], "invalid", "{command:?}");
            let told = json["problems"][0]["detail"].as_str().unwrap();
            assert!(said.stderr.contains(told), "{told}");
        }
    }
}
