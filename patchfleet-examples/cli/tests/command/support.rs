//! Running the real binary.

use patchfleet_sim::world::World;
use patchfleet_sim::{ClockMode, Sim, SimOptions};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;
use tempfile::TempDir;

/// Simulated seconds in a second: an hour of patching takes two.
pub(crate) const SPEED: &str = "2000";

/// A folder of its own to run in, so that nothing of this machine matters.
pub(crate) struct Bench {
    pub(crate) dir: TempDir,
}

/// What a command printed, and its exit code.
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ran {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|error| panic!("{error}\nstdout: {}\nstderr: {}", self.stdout, self.stderr))
    }

    #[track_caller]
    pub(crate) fn exits(self, code: i32) -> Self {
        assert_eq!(
            self.code, code,
            "stdout: {}\nstderr: {}",
            self.stdout, self.stderr
        );
        self
    }
}

impl Bench {
    pub(crate) fn new() -> Self {
        Self {
            dir: tempfile::tempdir().unwrap(),
        }
    }

    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    /// Writes a file here.
    pub(crate) fn file(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path().join(name);
        std::fs::write(&path, content).unwrap();
        path
    }

    /// The command with nothing of the environment but what it needs.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_patchfleet"));
        command
            .args(args)
            .current_dir(self.path())
            .env_clear()
            .env("NO_PROXY", "127.0.0.1")
            .stdin(Stdio::null());
        command
    }

    pub(crate) fn run(&self, args: &[&str]) -> Ran {
        ran(&mut self.command(args))
    }

    /// The newest campaign of the folder `log` here: its id, and its outcome as `status` says it.
    pub(crate) fn newest(&self) -> (String, String) {
        let status = self.run(&["status", "--log", "log", "--output", "json"]).exits(0);
        let status = status.json();
        let of = |field| status.pointer(field).and_then(Value::as_str).unwrap().to_owned();
        (of("/0/campaign_id"), of("/0/outcome"))
    }
}

pub(crate) fn ran(command: &mut Command) -> Ran {
    let output = command.output().unwrap();
    Ran {
        code: output.status.code().unwrap(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// A simulator of that world in this process.
pub(crate) async fn simulator_of(world: &str, speed: f64) -> Sim {
    let options = SimOptions {
        clock: ClockMode::Scaled(speed),
        ..SimOptions::default()
    };
    Sim::start(World::parse(world).unwrap(), options).await.unwrap()
}

/// A command against a simulator in this process, with the simulator as AWS.
pub(crate) fn against(bench: &Bench, sim: &Sim, region: &str, args: &[&str]) -> Command {
    let mut command = bench.command(args);
    command
        .env("AWS_ENDPOINT_URL", sim.endpoint())
        .env("AWS_REGION", region)
        .env("AWS_ACCESS_KEY_ID", "AKIDCOMMANDLINE")
        .env("AWS_SECRET_ACCESS_KEY", "secret");
    command
}

/// Runs a command without holding up the simulator.
pub(crate) async fn finish(mut command: Command) -> Ran {
    tokio::task::spawn_blocking(move || ran(&mut command))
        .await
        .unwrap()
}

/// The executions that were started centrally.
pub(crate) fn parents(sim: &Sim) -> usize {
    sim.with_world(|world| {
        world
            .executions()
            .filter(|execution| execution.parent().is_none())
            .count()
    })
}

/// How often a start was asked for.
pub(crate) fn starts(sim: &Sim) -> usize {
    sim.with_world(|world| {
        world
            .requests()
            .iter()
            .filter(|request| request.operation == "StartAutomationExecution")
            .count()
    })
}

/// Starts a command and kills it (SIGKILL) as soon as `now` holds.
pub(crate) async fn kill_once(mut command: Command, now: impl Fn() -> bool) {
    let mut process = command
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    // Bounded: a minute, if nothing ever happens.
    for _ in 0..30_000 {
        if now() {
            break;
        }
        if process.try_wait().unwrap().is_some() {
            return; // through already: on a slow machine the simulated time is the faster
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    process.kill().unwrap();
    process.wait().unwrap();
}

/// Waits until `now` holds. Bounded: a minute, if nothing ever happens.
pub(crate) async fn until(now: impl Fn() -> bool) {
    for _ in 0..30_000 {
        if now() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    panic!("nothing happened for a minute");
}

/// Starts a command, and sends it what Ctrl-C does as soon as `now` holds. Its output is not kept.
#[cfg(unix)]
pub(crate) async fn interrupt_once(mut command: Command, now: impl Fn() -> bool) -> Ran {
    let process = command.stdout(Stdio::null()).stderr(Stdio::piped());
    let mut process = process.spawn().unwrap();
    until(now).await;
    let id = process.id().to_string();
    Command::new("kill").args(["-INT", &id]).status().unwrap();
    let mut code = None;
    // Bounded: a minute, if the process never leaves.
    for _ in 0..30_000 {
        code = process.try_wait().unwrap();
        if code.is_some() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    drop(process.kill());
    Ran {
        code: code.and_then(|code| code.code()).unwrap(),
        stdout: String::new(),
        stderr: std::io::read_to_string(process.stderr.take().unwrap()).unwrap(),
    }
}
