//! The command is killed (SIGKILL) at random moments, and another process goes on with its campaign, again and again. What
//! holds then is read from the simulator: nothing was done twice, nothing was left out, and no bound was broken.
//!
//! `PATCHFLEET_KILLS=200` makes that many campaigns; without it there are 4. `PATCHFLEET_KILLS_SEED` draws others.

use crate::support::{Bench, Ran, against, finish, simulator_of};
use jiff::Timestamp;
use patchfleet_sim::Sim;
use serde_json::Value;
use std::collections::BTreeMap;
use std::process::Stdio;
use std::time::Duration;

/// Two accounts in two Regions, four nodes in each location. A campaign takes a few minutes, which are seconds here.
const WORLD: &str = r#"
    management_account = "111111111111"
    documents = [{ name = "Patchfleet-RunPatchBaseline", builtin = "patchfleet" }]
    patch = { minutes = 0.5, reboot_minutes = 0.1 }
    accounts = [{ id = "111111111111", name = "Main" }, { id = "222222222222", name = "Two" }]
    [[groups]]
    name = "Web"
    accounts = ["111111111111", "222222222222"]
    regions = ["us-east-1", "eu-west-1"]
    nodes = [{ count = 4 }]
"#;

const NODES: usize = 16;

/// Slow enough that no process is away for the five minutes after which a person has to say what becomes of a start.
const SPEED: f64 = 100.0;

/// So many campaigns run beside each other: each waits nearly all the time.
const AT_ONCE: usize = 10;

/// What bounds a campaign, and how many nodes may be at work at once.
const BOUNDS: [(&str, usize); 3] = [
    ("", NODES),
    ("[budget.fleet]\nmax_in_flight = 4\n", 4),
    ("[budget.fleet]\nmax_in_flight = 5\nmax_damaged = 6\n", 5),
];

fn request(fleet: &str) -> String {
    format!(
        r#"
        name = "killed"
        patch = {{ operation = "Install" }}
        [targets]
        resource_group = "Web"
        accounts = ["111111111111", "222222222222"]
        regions = ["us-east-1", "eu-west-1"]
        [budget.nodes]
        max_concurrency = "100%"
        max_errors = "100%"
        [budget.locations]
        max_concurrency = 4
        max_errors = "100%"
        {fleet}
        "#
    )
}

/// Numbers that follow from a seed (SplitMix64).
struct Dice(u64);

impl Dice {
    fn one_of<T: Copy, const N: usize>(&mut self, all: [T; N]) -> T {
        let n = self.below(u64::try_from(N).unwrap());
        *all.get(usize::try_from(n).unwrap()).unwrap()
    }

    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut x = self.0;
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (x ^ (x >> 31)) % n
    }
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// The command that begins the campaign, or goes on with it if it was written down.
fn next(bench: &Bench) -> Vec<String> {
    let status = bench.run(&["status", "--log", "log", "--output", "json"]);
    let campaigns: Value = serde_json::from_str(&status.stdout).unwrap_or_default();
    match campaigns.pointer("/0/campaign_id").and_then(Value::as_str) {
        Some(campaign) => ["resume", campaign, "--log", "log", "--output", "json"]
            .map(str::to_owned)
            .to_vec(),
        None => [
            "run",
            "-f",
            "request.toml",
            "--log",
            "log",
            "--output",
            "json",
            "--yes",
        ]
        .map(str::to_owned)
        .to_vec(),
    }
}

/// Starts what comes next and kills it after so long, if it is not through by then.
async fn killed_after(bench: &Bench, sim: &Sim, life: Duration) {
    let args = next(bench);
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let mut command = against(bench, sim, "us-east-1", &args);
    let mut process = command
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    tokio::time::sleep(life).await;
    // It may be through already.
    let _ = process.kill();
    process.wait().unwrap();
}

/// One campaign, and its report. It is killed up to five times.
async fn campaign(seed: u64) -> (Bench, Sim, Ran, usize) {
    let mut dice = Dice(seed);
    let (bench, sim) = (Bench::new(), simulator_of(WORLD, SPEED).await);
    let (fleet, most) = dice.one_of(BOUNDS);
    bench.file("request.toml", request(fleet));
    for _ in 0..=dice.below(5) {
        // The most interesting moments are the first ones of a process.
        let most = dice.one_of([200, 1_000, 4_000]);
        killed_after(&bench, &sim, Duration::from_millis(dice.below(most))).await;
    }
    let args = next(&bench);
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let ran = finish(against(&bench, &sim, "us-east-1", &args)).await;
    (bench, sim, ran, most)
}

fn time(of: &Value) -> Timestamp {
    of.as_str().unwrap().parse().unwrap()
}

/// What holds of a campaign that came to its end, by the simulator alone.
fn assert_once(seed: u64, sim: &Sim, ran: &Ran, most: usize) {
    let case = format!("PATCHFLEET_KILLS_SEED={seed}");
    assert_eq!(ran.code, 0, "{case}: {}\n{}", ran.stdout, ran.stderr);
    let truth = sim.with_world(|world| world.state());
    let all = |of: &str| truth.get(of).and_then(Value::as_array).unwrap().clone();
    let nodes = all("nodes");
    assert_eq!(nodes.len(), NODES);
    for node in &nodes {
        assert_eq!(node["installs"], 1, "{case}: {node}");
    }
    let mut named: BTreeMap<String, u32> = BTreeMap::new();
    let commands = all("commands");
    let invocations: Vec<&Value> = commands
        .iter()
        .flat_map(|command| command["invocations"].as_array().unwrap())
        .collect();
    for one in &invocations {
        *named.entry(one["node"].to_string()).or_default() += 1;
    }
    assert!(named.values().all(|n| *n == 1), "{case}: sent twice: {named:?}");
    let open = |at: Timestamp| {
        let at_work = invocations
            .iter()
            .filter(|one| time(&one["started"]) <= at && at < time(&one["ended"]));
        at_work.count()
    };
    let at_once = invocations.iter().map(|one| open(time(&one["started"]))).max();
    assert!(
        at_once <= Some(most),
        "{case}: {at_once:?} at work at once, of {most}"
    );
    let report = ran.json();
    let done = report.pointer("/totals/nodes/done").and_then(Value::as_u64);
    assert_eq!(done, Some(NODES as u64), "{case}: {report}");
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_random_moments_the_command_does_everything_once() {
    let campaigns = number("PATCHFLEET_KILLS").unwrap_or(4);
    let first = number("PATCHFLEET_KILLS_SEED").unwrap_or(1);
    let mut open = tokio::task::JoinSet::new();
    for seed in first..first + campaigns {
        if open.len() >= AT_ONCE {
            open.join_next().await.unwrap().unwrap();
        }
        open.spawn(async move {
            let (_bench, sim, ran, most) = campaign(seed).await;
            assert_once(seed, &sim, &ran, most);
        });
    }
    while let Some(ended) = open.join_next().await {
        ended.unwrap();
    }
}
