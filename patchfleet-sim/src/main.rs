//! `patchfleet-sim`: a simulated AWS organization on a port of this machine.

use clap::Parser;
use jiff::{Timestamp, Unit};
use patchfleet_sim::{
    ClockMode, Sim, SimOptions, builtin,
    spec::{self, WorldSpec},
    world::World,
};
use std::{
    error::Error,
    io::{ErrorKind, IsTerminal},
    net::SocketAddr,
    process::ExitCode,
    str::FromStr,
};
use tracing_subscriber::filter::{EnvFilter, LevelFilter};

/// A simulated AWS organization: Systems Manager, Resource Groups, STS, Organizations and Account
/// on one port.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    /// A world file, or the name of a built-in world: calm, troubled, staged, staged-failing.
    #[arg(long, default_value = "calm")]
    world: String,
    /// Where to listen, such as 127.0.0.1:4600. Port 0: any that is free.
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// When the world begins, in place of what its file says: now, or an instant such as 2026-11-27T10:00:00Z.
    #[arg(long, value_name = "WHEN")]
    start: Option<Start>,
    /// Virtual seconds per real second. 0: time moves only by POST /_sim/advance.
    #[arg(long, default_value_t = 60.0)]
    speed: f64,
    /// Another seed than the world file's.
    #[arg(long)]
    seed: Option<u64>,
    /// How many of the latest requests `GET /_sim/requests` shows. Each takes about a kilobyte of memory.
    #[arg(long, value_name = "N", default_value_t = 100_000)]
    keep_requests: usize,
    /// Print the JSON Schema of world files, and end.
    #[arg(long)]
    schema: bool,
}

/// When the world begins.
#[derive(Debug, Clone, Copy)]
struct Start(Timestamp);

impl FromStr for Start {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let at = match text {
            "now" => Timestamp::now().round(Unit::Second),
            text => text.parse(),
        };
        at.map(Self)
            .map_err(|_| "expected now, or an instant such as 2026-11-27T10:00:00Z".to_owned())
    }
}

/// The built-in world of that name, or the text of the world file there.
fn world(name: &str) -> Result<String, String> {
    if let Some(builtin) = builtin::find(name) {
        return Ok(builtin.world.to_owned());
    }
    std::fs::read_to_string(name).map_err(|error| match error.kind() {
        ErrorKind::NotFound => {
            let names = builtin::ALL.map(|world| world.name).join(", ");
            format!("--world {name}: no such world file; built-in are {names}")
        }
        _ => format!("--world {name}: {error}"),
    })
}

#[tokio::main]
async fn main() -> ExitCode {
    tracing_subscriber::fmt()
        .with_env_filter(
            EnvFilter::builder()
                .with_default_directive(LevelFilter::WARN.into())
                .from_env_lossy(),
        )
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none())
        .init();
    match run(Arguments::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("patchfleet-sim: {error}");
            ExitCode::from(2)
        }
    }
}

async fn run(arguments: Arguments) -> Result<(), Box<dyn Error>> {
    if arguments.schema {
        print!("{}", spec::schema());
        return Ok(());
    }
    if !arguments.speed.is_finite() || arguments.speed < 0.0 {
        return Err("--speed is 0 or more".into());
    }
    let text = world(&arguments.world)?;
    let mut wanted = WorldSpec::parse(&text).map_err(|error| format!("{}: {error}", arguments.world))?;
    wanted.seed = arguments.seed.unwrap_or(wanted.seed);
    wanted.start = arguments.start.map_or(wanted.start, |Start(at)| at);
    let mut world = World::new(&wanted).map_err(|error| format!("{}: {error}", arguments.world))?;
    world.keep_requests(arguments.keep_requests);
    let options = SimOptions {
        clock: ClockMode::Scaled(arguments.speed),
        listen: arguments.listen,
        ..SimOptions::default()
    };
    let sim = Sim::start(world, options)
        .await
        .map_err(|error| format!("{}: {error}", arguments.listen))?;
    // Before anybody is told that it is ready, so that no signal is lost.
    let stopped = stop_signal()?;
    println!("listening on {}", sim.endpoint());
    stopped.await;
    Ok(())
}

/// Begins to listen for SIGINT and SIGTERM; the future is done when one has come.
fn stop_signal() -> std::io::Result<impl Future<Output = ()>> {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        Ok(async move {
            tokio::select! {
                _ = interrupt.recv() => (),
                _ = terminate.recv() => (),
            }
        })
    }
    #[cfg(not(unix))]
    Ok(async {
        // Without a handler there is nothing to wait for, so the process ends.
        let _ = tokio::signal::ctrl_c().await;
    })
}
