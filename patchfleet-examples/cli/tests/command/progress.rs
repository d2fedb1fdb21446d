//! What a run tells of its waves and budgets where nobody watches a terminal, and what `status` says of them meanwhile.

use crate::support::{Bench, SPEED, kill_once};
use patchfleet_sim::builtin::{CALM, STAGED};

#[test]
fn plain_lines_say_when_each_wave_begins_and_how_much_of_each_bound_is_used_and_left() {
    let bench = Bench::new();
    let ran = bench
        .run(&["run", "--sim", "staged", "--sim-speed", SPEED])
        .exits(0);
    let lines: Vec<&str> = ran.stderr.lines().collect();
    let begins: Vec<&str> = lines
        .iter()
        .filter_map(|line| line.split_once("Z wave ").map(|(_, wave)| wave))
        .collect();
    assert_eq!(
        begins,
        [
            "1 of 3 (canary) begins: 1 location, 2 nodes",
            "2 of 3 (development) begins: 4 locations, 12 nodes",
            "3 of 3 (rest) begins: 14 locations, 51 nodes",
        ],
        "{}",
        ran.stderr
    );
    let first = lines.iter().find(|line| line.contains(": starting")).unwrap();
    assert!(
        first.ends_with(
            "; in flight 1 of 16 (15 left), damaged 0 of 6 (6 left), not reached 0 of 6 (6 left); \
             locations failed 0 of 19 (19 left)"
        ),
        "{first}"
    );
    // What has not changed is not told again.
    let told: Vec<&str> = lines
        .iter()
        .filter_map(|line| line.find("; in flight").map(|at| &line[at..]))
        .collect();
    assert!(told.windows(2).all(|two| two[0] != two[1]), "{}", ran.stderr);
    let settled = lines.iter().rfind(|line| line.contains(": succeeded: ")).unwrap();
    assert!(
        settled.contains("; in flight 0 of 16 (16 left), damaged 0 of 6"),
        "{settled}"
    );
}

#[test]
fn plain_lines_say_of_a_bound_that_aws_keeps_how_it_is_kept_and_how_many_locations_may_fail_still() {
    let bench = Bench::new();
    let bound = "\n[budget.fleet]\nmax_in_flight = 4\n";
    bench.file("request.toml", format!("{}{bound}", CALM.request));
    let run = ["run", "--sim", "calm", "-f", "request.toml", "--sim-speed", SPEED];
    let ran = bench.run(&run).exits(0);
    let first = ran
        .stderr
        .lines()
        .find(|line| line.contains(": starting"))
        .unwrap();
    assert!(
        first.ends_with(
            "; in flight at most 4 (AWS keeps 1 at once in a location), locations at once 1 of 4 (3 left); \
             locations failed 0 of 1 (1 left)"
        ),
        "{first}"
    );
}

#[tokio::test]
async fn status_says_which_wave_is_under_way_and_how_much_of_each_bound_is_used_and_left() {
    let bench = Bench::new();
    let own = "soak = \"15m\"\n[waves.budget.fleet]\nmax_in_flight = 1\n";
    bench.file(
        "request.toml",
        STAGED.request.replacen("soak = \"15m\"\n", own, 1),
    );
    bench.file("world.toml", STAGED.world);
    let log = bench.path().join("log");
    let args = [
        "run",
        "--sim",
        "world.toml",
        "-f",
        "request.toml",
        "--sim-speed",
        "60",
        "--log",
        "log",
    ];
    let is_under_way = || {
        let campaigns = std::fs::read_dir(log.join("campaigns"))
            .into_iter()
            .flatten()
            .flatten();
        let mut logs = campaigns.map(|campaign| campaign.path().join("log.jsonl"));
        logs.any(|log| std::fs::read_to_string(log).is_ok_and(|log| log.contains("\"started\"")))
    };
    kill_once(bench.command(&args), is_under_way).await;
    let status = bench.run(&["status", "--log", "log"]).exits(0).stdout;
    for line in [
        "      wave 1 of 3 (canary): in flight 1 of 1 (0 left)\n",
        "      locations failed 0 of 19 (19 left)\n",
        "      of the fleet's nodes in flight 1 of 16 (15 left), damaged 0 of 6 (6 left), not reached 0 of 6 (6 left)\n",
    ] {
        assert!(status.contains(line), "{line}{status}");
    }
    let status = bench
        .run(&["status", "--log", "log", "--output", "json"])
        .exits(0)
        .json();
    let wave = &status[0]["wave"];
    assert_eq!(wave["name"], "canary", "{status:#}");
    assert_eq!((&wave["number"], &wave["of"]), (&1.into(), &3.into()));
    assert_eq!(wave["soak"], serde_json::Value::Null);
    assert_eq!(
        wave["in_flight"],
        serde_json::json!({"used": 1, "of": 1, "left": 0})
    );
    assert_eq!(status[0]["fleet"]["left"]["damaged"], 6);
    assert_eq!(status[0]["failed_locations"]["left"], 19);
}
