//! What a campaign costs at a given size: `scale 1000x10 10000x10` prints a line of JSON for each
//! number of locations times nodes in each. `scale --bounded 1000x2` is the same in three waves, under a bound on the damage of
//! the fleet: each start names nodes, waits for the one before it, and is divided.
//!
//! Each size runs in two processes of its own: the most memory that a process ever had is all that the system
//! keeps, and counting whose the bytes are takes time.
//!
//! `plan_s`, `campaign_s` and `replay_s` are seconds that the process computed, whatever else the machine did.
//! `simulator_s` is what the simulator took of the first two together: its share of the time by the clock on the wall.
//! `peak_kib` is the most memory of the whole process. `bytes_a_location` is the most that the campaign had of its own
//! at once, beside its plan, for each location.

use patchfleet_benches::fleet::{Fleet, Size};
use patchfleet_benches::memory::{computed_s, peak_kib};
use patchfleet_benches::{Fallible, log};
use patchfleet_core::census::Depth;
use patchfleet_core::internals::fold;
use peak_alloc::PeakAlloc;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::process::{Command, ExitCode, Stdio};
use std::time::Instant;

/// Counts the bytes that are alive. That takes about a tenth of the time, in ten times the work as well.
#[global_allocator]
static ALIVE: PeakAlloc = PeakAlloc;

const USAGE: &str =
    "usage: scale [--bounded] LOCATIONSxNODES ..., as in `scale 1000x10 10000x10`; locations in steps of 5";

/// In three waves, under a bound on damage, with every start divided.
const BOUNDED: &str = "--bounded";

/// Set for a process that measures one size, to what it measures.
const CHILD: &str = "PATCHFLEET_SCALE_CHILD";

/// What such a process measures: how long the work takes, or how much memory the campaign has of its own.
const PARTS: [&str; 2] = ["time", "memory"];

fn main() -> ExitCode {
    let mut sizes: Vec<String> = std::env::args().skip(1).collect();
    let all = sizes.len();
    sizes.retain(|size| size != BOUNDED);
    match run(&sizes, sizes.len() < all) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("scale: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(texts: &[String], bounded: bool) -> Fallible<()> {
    if texts.is_empty() {
        return Err(USAGE.into());
    }
    let sizes: Vec<Size> = texts
        .iter()
        .map(|text| Size::parse(text).ok_or_else(|| format!("{text:?} is no size; {USAGE}")))
        .collect::<Result<_, _>>()?;
    if let Ok(part) = std::env::var(CHILD) {
        let measure = if part == "memory" { memory } else { time };
        for size in sizes {
            let fleet = if bounded {
                Fleet::bounded(size)?
            } else {
                Fleet::new(size)?
            };
            println!("{}", measure(&fleet, size)?);
        }
        return Ok(());
    }
    for text in texts {
        let mut line = serde_json::Map::new();
        for part in PARTS {
            let this = std::env::current_exe()?;
            let child = Command::new(this)
                .arg(text)
                .args(bounded.then_some(BOUNDED))
                .env(CHILD, part)
                .stderr(Stdio::inherit())
                .output()?;
            if !child.status.success() {
                return Err(format!("{text} failed: {}", child.status).into());
            }
            line.extend(serde_json::from_slice::<serde_json::Map<_, _>>(&child.stdout)?);
        }
        println!("{}", serde_json::Value::Object(line));
    }
    Ok(())
}

/// Measures the campaign's memory.
fn memory(fleet: &Fleet, _: Size) -> Fallible<Value> {
    let plan = fleet.plan(Depth::Count)?;
    Ok(json!({"bytes_a_location": fleet.bytes_a_location(&plan, || ALIVE.current_usage())?}))
}

/// What `work` gives, and how many seconds it took to compute.
fn computed<T>(work: impl FnOnce() -> Fallible<T>) -> Fallible<(T, f64)> {
    let now = || computed_s().ok_or("the system does not say how long a thread has computed");
    let began = now()?;
    let made = work()?;
    Ok((made, now()? - began))
}

fn time(fleet: &Fleet, size: Size) -> Fallible<Value> {
    let (began, before) = (Instant::now(), fleet.simulator_s());
    let (plan, plan_s) = computed(|| fleet.plan(Depth::Count))?;
    let planning = fleet.calls();
    let (records, campaign_s) = computed(|| fleet.campaign(&plan))?;
    // Before anything that only this measurement needs.
    let peak_kib = peak_kib();
    let share = (fleet.simulator_s() - before) / began.elapsed().as_secs_f64();
    let simulator_s = share * (plan_s + campaign_s);
    let (_, replay_s) = computed(|| Ok(fold(&records)?))?;
    let mut calls = fleet.calls();
    for (operation, planned) in planning {
        calls.entry(operation).and_modify(|all| *all -= planned);
    }
    calls.retain(|_, made| *made > 0);
    let log_bytes: usize = log::lines(&records)?.iter().map(String::len).sum();
    let all = calls.values().sum::<u64>();
    Ok(json!({
        "locations": size.locations(),
        "nodes": size.all_nodes(),
        "plan_s": plan_s,
        "campaign_s": campaign_s,
        "simulator_s": simulator_s,
        "replay_s": replay_s,
        "peak_kib": peak_kib,
        "calls": all,
        "calls_by_operation": calls.into_iter().collect::<BTreeMap<_, _>>(),
        "records": records.len(),
        "log_bytes": log_bytes,
    }))
}
