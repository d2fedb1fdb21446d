//! Runs random campaigns by the thousand, each held against the laws.

use patchfleet_oracle::{Counts, Mix, Trials, Violation};
use std::fmt;
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

const USAGE: &str = "\
Runs random campaigns in memory, and holds each against the laws.

usage: patchfleet-oracle [--campaigns N] [--from N] [--seed N] [--threads N] [--only N] [--rough | --calm]

  --campaigns N  how many campaigns (default: 1000)
  --from N       the number of the first of them (default: 0), so that many can be run in parts
  --seed N       which campaigns: those of another seed are others (default: 7)
  --threads N    how many run at once (default: one for each core)
  --only N       the campaign with this number alone
  --rough        rough ones alone: with drivers beside each other, calls that fail, sleeps, logs that lose their end, and retries
  --calm         the others alone: one driver at a time, which may die, and whose calls all have their answers

Unless one kind is asked for, each third campaign is rough. A campaign follows from the seed and its number, from 0. The exit code is 1 if a law does not hold.";

/// How often it is said how far it is.
const SAID_EVERY: Duration = Duration::from_secs(30);

/// After so many violations no more campaigns are begun.
const VIOLATIONS: usize = 5;

struct Args {
    campaigns: u64,
    from: u64,
    seed: u64,
    threads: u64,
    only: Option<u64>,
    mix: Mix,
}

fn args() -> Result<Option<Args>, String> {
    let mut read = Args {
        campaigns: 1000,
        from: 0,
        seed: 7,
        threads: thread::available_parallelism().map_or(1, |n| n.get() as u64),
        only: None,
        mix: Mix::Both,
    };
    let mut args = std::env::args().skip(1);
    while let Some(name) = args.next() {
        if name == "--help" || name == "-h" {
            return Ok(None);
        }
        if name == "--rough" || name == "--calm" {
            read.mix = if name == "--rough" { Mix::Rough } else { Mix::Calm };
            continue;
        }
        let value = args.next().ok_or_else(|| format!("{name} needs a number"))?;
        let number: u64 = value
            .replace('_', "")
            .parse()
            .map_err(|_| format!("{name}: {value} is no number"))?;
        match name.as_str() {
            "--campaigns" => read.campaigns = number,
            "--from" => read.from = number,
            "--seed" => read.seed = number,
            "--threads" => read.threads = number.max(1),
            "--only" => read.only = Some(number),
            _ => return Err(format!("{name} is not known")),
        }
    }
    Ok(Some(read))
}

/// What came of all campaigns so far.
#[derive(Default)]
struct Sum {
    counts: Counts,
    violations: Vec<Violation>,
}

/// Runs all campaigns. The numbers are dealt one by one, so no thread waits for another.
fn run(args: &Args) -> Sum {
    let (first, end) = match args.only {
        Some(only) => (only, only.saturating_add(1)),
        None => (args.from, args.from.saturating_add(args.campaigns)),
    };
    let next = AtomicU64::new(first);
    let sum = Mutex::new(Sum::default());
    let said = Mutex::new((Instant::now(), Instant::now()));
    let work = || {
        let trials = Trials::new(args.seed, args.mix);
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= end {
                return;
            }
            let ran = trials.run(number);
            {
                let mut sum = sum.lock().unwrap_or_else(PoisonError::into_inner);
                match ran {
                    Ok(counts) => sum.counts.merge(&counts),
                    Err(violation) => {
                        println!("{violation}\n");
                        sum.violations.push(violation);
                        if sum.violations.len() >= VIOLATIONS {
                            next.store(end, Ordering::Relaxed);
                        }
                    }
                }
            }
            let mut said = said.lock().unwrap_or_else(PoisonError::into_inner);
            if said.1.elapsed() >= SAID_EVERY {
                said.1 = Instant::now();
                let spent = Seconds(said.0.elapsed());
                println!("{} of {} campaigns in {spent}", number + 1 - first, end - first);
            }
        }
    };
    thread::scope(|scope| {
        for _ in 0..args.threads {
            scope.spawn(work);
        }
    });
    sum.into_inner().unwrap_or_else(PoisonError::into_inner)
}

struct Seconds(Duration);

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.1} s", self.0.as_secs_f64())
    }
}

fn main() -> ExitCode {
    let args = match args() {
        Ok(Some(args)) => args,
        Ok(None) => {
            println!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        Err(problem) => {
            eprintln!("{problem}\n\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    // A broken law panics, and is told of once its smallest case is found.
    std::panic::set_hook(Box::new(|_| ()));
    let began = Instant::now();
    let Sum { counts, violations } = run(&args);
    print!("{counts}");
    println!(
        "seed {}, from {}, {}",
        args.seed,
        args.from,
        Seconds(began.elapsed())
    );
    if violations.is_empty() {
        println!("every law holds");
        return ExitCode::SUCCESS;
    }
    println!("{} campaigns break a law", violations.len());
    ExitCode::FAILURE
}
