//! The program `patchfleet-sim`.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

fn program(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_patchfleet-sim"));
    command.args(args).env_clear();
    command
}

/// What it says of arguments that are wrong.
fn refused(args: &[&str]) -> String {
    let done = program(args).output().unwrap();
    assert_eq!(done.status.code(), Some(2), "{args:?}");
    String::from_utf8(done.stderr).unwrap()
}

#[test]
fn a_world_that_is_not_there_is_refused_with_the_names_of_those_that_are_built_in() {
    assert_eq!(
        refused(&["--world", "nosuch"]),
        "patchfleet-sim: --world nosuch: no such world file; built-in are calm, troubled, staged, staged-failing\n"
    );
}

#[test]
fn a_start_that_is_no_time_is_refused_with_what_would_be_right() {
    let said = refused(&["--start", "yesterday"]);
    assert!(
        said.contains("expected now, or an instant such as 2026-11-27T10:00:00Z"),
        "{said}"
    );
}

/// The time at which a world begins, as an answer of the program says it. Time stands still in it.
fn begins(start: &str) -> jiff::Timestamp {
    let args = ["--start", start, "--speed", "0"];
    let mut running = program(&args).stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    let mut stdout = BufReader::new(running.stdout.take().unwrap());
    stdout.read_line(&mut line).unwrap();
    let address = line.trim().strip_prefix("listening on http://").unwrap();
    let told = ask(address);
    running.kill().unwrap();
    running.wait().unwrap();
    serde_json::from_str::<serde_json::Value>(&told).unwrap()["now"]
        .as_str()
        .unwrap()
        .parse()
        .unwrap()
}

/// Moves time by nothing, and gives the answer, which has the time.
fn ask(address: &str) -> String {
    use std::io::{Read as _, Write as _};
    let mut stream = std::net::TcpStream::connect(address).unwrap();
    let body = r#"{"seconds":0}"#;
    let request = format!(
        "POST /_sim/advance HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer.split_once("\r\n\r\n").unwrap().1.to_owned()
}

#[test]
fn a_world_begins_when_its_file_says_or_when_the_command_line_does() {
    assert_eq!(begins("2026-11-27T10:00:00Z").to_string(), "2026-11-27T10:00:00Z");
    let before = jiff::Timestamp::now();
    let begun = begins("now");
    assert!(
        (begun.as_second() - before.as_second()).abs() <= 60,
        "{begun} {before}"
    );
}
