//! The `patchfleet` command. Everything that decides is in `patchfleet-core`; here it is wired to
//! AWS (or to a simulated organisation), to files and to a terminal.

mod args;
mod commands;
mod exit;
mod input;
mod interrupt;
mod log;
mod progress;
#[cfg(feature = "sim")]
mod quiet;
mod session;
mod style;
#[cfg(feature = "sim")]
mod world;

use args::{Cli, Command, Output};
use clap::Parser as _;
use patchfleet_core::text::{ShownLines, one_line};
use std::process::ExitCode;
use tracing_subscriber::EnvFilter;

#[tokio::main]
async fn main() -> ExitCode {
    let mut cli = arguments();
    tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("error")))
        .with_ansi(false)
        .with_writer(|| ShownLines::new(std::io::stderr()))
        .init();
    let (output, log) = (cli.command.output(), cli.command.log());
    let done = match cli.command {
        Command::Plan(args) => commands::plan::plan(args).await,
        Command::Run(args) => commands::run::run(args).await,
        Command::Resume(args) => commands::run::resume(args).await,
        Command::Stop(args) => commands::stop::stop(args).await,
        Command::Approve(args) => commands::approve::approve(args).await,
        Command::Abandon(args) => commands::run::abandon(args).await,
        Command::Collect(args) => commands::run::collect(args).await,
        Command::Status(args) => commands::campaigns::status(args).await,
        Command::Report(args) => commands::campaigns::report(args).await,
        Command::Explain(args) => commands::explain::explain(args).await,
        Command::OverrideList(args) => commands::override_list::override_list(args).await,
        Command::Runbook(command) => commands::runbook::runbook(command).await,
        Command::Iam(args) => commands::iam::iam(&args),
    };
    done.unwrap_or_else(|failure| {
        let failure = failure.in_log(log.as_deref());
        if output == Some(Output::Json) {
            // Nobody is left to tell if standard output is closed.
            let _ = commands::print_failure(&failure);
        }
        exit::say(&failure.message());
        failure.code()
    })
}

/// The arguments. If they are wrong, the process says so and ends. clap repeats arguments in its words, so it reads
/// them once more with their control characters made visible.
fn arguments() -> Cli {
    Cli::try_parse().unwrap_or_else(|error| {
        let shown = std::env::args_os().map(|argument| one_line(&argument.to_string_lossy()));
        Cli::try_parse_from(shown).err().unwrap_or(error).exit()
    })
}
