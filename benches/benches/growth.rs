//! What ten times the work costs, and how many calls, records and bytes a fleet takes:
//! `cargo bench -p patchfleet-benches --bench growth`.
//!
//! Ratios and counts only: they hold on any machine.

use patchfleet_benches::fleet::{Fleet, Size};
use patchfleet_benches::{Fallible, Work, log, works};
use patchfleet_core::census::Depth;
use std::collections::{BTreeMap, BTreeSet};
use std::hint::black_box;
use std::time::{Duration, Instant};

/// A measurement repeats its work for at least so long, since short times are mostly noise.
const LONG_ENOUGH: Duration = Duration::from_millis(20);

/// Most nodes that a page of the census has.
const PAGE: u64 = 50;

/// Most calls of a campaign for each location with 10 nodes, if there are many.
const CALLS_A_LOCATION: u64 = 12;

fn main() -> Fallible<()> {
    // Cargo passes `--bench` when it measures. Anything else only asks whether it runs at all.
    let rounds = if std::env::args().any(|argument| argument == "--bench") {
        9
    } else {
        1
    };
    ratios(rounds)?;
    planning_calls()?;
    campaign_calls()?;
    log_size()
}

/// Both sizes in turn, so that whatever else the machine does falls on both.
fn ratios(rounds: usize) -> Fallible<()> {
    println!("Time for ten times the work: median of {rounds} (least to most)\n");
    println!("{:<32}{:>18}{:>18}{:>10}", "work", "some", "tenfold", "ratio");
    for pair in works()? {
        let mut ratios = Vec::new();
        for _ in 0..rounds {
            let (some, tenfold) = (time(&pair.some)?, time(&pair.tenfold)?);
            ratios.push(tenfold.as_secs_f64() / some.as_secs_f64());
        }
        ratios.sort_by(f64::total_cmp);
        if let (Some(least), Some(median), Some(most)) =
            (ratios.first(), ratios.get(rounds / 2), ratios.last())
        {
            let (some, tenfold) = (pair.some.size, pair.tenfold.size);
            println!(
                "{:<32}{some:>18}{tenfold:>18}{median:>10.1}  ({least:.1} to {most:.1})",
                pair.name
            );
        }
    }
    Ok(())
}

/// The mean time of one run.
fn time(work: &Work) -> Fallible<Duration> {
    let (mut spent, mut runs) = (Duration::ZERO, 0);
    while spent < LONG_ENOUGH {
        let run = work.prepare()?;
        let began = Instant::now();
        let made = run()?;
        spent += began.elapsed();
        runs += 1;
        drop(black_box(made));
    }
    Ok(spent / runs)
}

type Calls = BTreeMap<String, u64>;

fn planning_calls() -> Fallible<()> {
    println!("\nCalls to plan 100 locations (20 accounts × 5 Regions), by depth and nodes in each\n");
    let mut columns = Vec::new();
    for nodes in [10, 100] {
        for (name, depth) in [("presence", Depth::Presence), ("count", Depth::Count)] {
            let fleet = Fleet::new(Size { accounts: 20, nodes })?;
            fleet.plan(depth)?;
            let calls = fleet.calls();
            let pages = match depth {
                Depth::Presence => 1,
                Depth::Count => nodes.div_ceil(PAGE),
            };
            at_most(&calls, "AssumeRole", 20)?;
            at_most(&calls, "ListGroupResources", 100 * pages)?;
            at_most(&calls, "DescribeInstanceInformation", 100 * pages)?;
            columns.push((format!("{name}, {nodes}"), calls));
        }
    }
    print_calls(&columns);
    Ok(())
}

fn at_most(calls: &Calls, operation: &str, bound: u64) -> Fallible<()> {
    match calls.get(operation) {
        Some(&count) if count > bound => {
            Err(format!("{operation} was called {count} times, and {bound} are enough").into())
        }
        _ => Ok(()),
    }
}

fn campaign_calls() -> Fallible<()> {
    println!("\nCalls of a campaign after its plan, by locations × nodes in each\n");
    let mut columns = Vec::new();
    let (mut per_node, mut minutes) = (String::new(), String::new());
    for (accounts, nodes) in [(2, 10), (20, 10), (2, 100)] {
        let size = Size { accounts, nodes };
        let fleet = Fleet::new(size)?;
        let plan = fleet.plan(Depth::Count)?;
        let (before, began) = (fleet.calls(), fleet.ports.clock.now());
        fleet.campaign(&plan)?;
        let mut calls = fleet.calls();
        for (operation, count) in &mut calls {
            *count -= before.get(operation).copied().unwrap_or_default();
        }
        calls.retain(|_, count| *count > 0);
        let all = calls.values().sum::<u64>();
        let enough = size.locations() * CALLS_A_LOCATION;
        if size.locations() >= 100 && all > enough {
            return Err(format!("a campaign made {all} calls, and {enough} are enough").into());
        }
        let all = all as f64;
        per_node += &format!("{:>16.2}", all / size.all_nodes() as f64);
        let took = fleet.ports.clock.now().duration_since(began);
        minutes += &format!("{:>16}", took.as_mins());
        columns.push((format!("{} × {}", size.locations(), size.nodes), calls));
    }
    print_calls(&columns);
    println!("{:<36}{per_node}", "all, for each node");
    println!("{:<36}{minutes}", "virtual minutes");
    Ok(())
}

fn print_calls(columns: &[(String, Calls)]) {
    let operations: BTreeSet<&String> = columns.iter().flat_map(|(_, calls)| calls.keys()).collect();
    print!("{:<36}", "operation");
    for (name, _) in columns {
        print!("{name:>16}");
    }
    println!();
    for operation in operations {
        print!("{operation:<36}");
        for (_, calls) in columns {
            print!("{:>16}", calls.get(operation).copied().unwrap_or_default());
        }
        println!();
    }
    print!("{:<36}", "all");
    for (_, calls) in columns {
        print!("{:>16}", calls.values().sum::<u64>());
    }
    println!();
}

fn log_size() -> Fallible<()> {
    println!("\nThe log of a campaign with 10 nodes in each location\n");
    println!(
        "{:<12}{:>10}{:>10}{:>18}{:>22}{:>22}",
        "locations", "records", "events", "events/location", "plan bytes/location", "other bytes/location"
    );
    for accounts in [2, 20, 200] {
        let size = Size { accounts, nodes: 10 };
        let fleet = Fleet::new(size)?;
        let records = fleet.campaign(&fleet.plan(Depth::Count)?)?;
        let lines = log::lines(&records)?;
        let events: usize = records.iter().map(|record| record.events.len()).sum();
        let plan = lines.first().map_or(0, String::len);
        let others = lines.iter().map(String::len).sum::<usize>() - plan;
        let each = |n: usize| n as f64 / size.locations() as f64;
        println!(
            "{:<12}{:>10}{events:>10}{:>18.1}{:>22.0}{:>22.0}",
            size.locations(),
            records.len(),
            each(events),
            each(plan),
            each(others)
        );
    }
    Ok(())
}
