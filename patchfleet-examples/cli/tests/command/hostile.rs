//! What others wrote, wherever patchfleet prints it. Characters that a terminal would obey are made visible, and so are
//! line breaks, with which somebody could write a line of a plan.

use crate::support::{Bench, Ran, SPEED, against, finish, ran, simulator_of};
use patchfleet_sim::builtin::TROUBLED;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::json;

/// What the text of others would write if its line breaks worked.
const FORGED: &str = "FORGED 65 nodes done";

/// A window's title, a cleared screen, C1 controls, bidi overrides and isolates, characters without
/// width, and every kind of line break.
fn worst() -> String {
    let breaks = [
        "\n", "\r", "\r\n", "\u{b}", "\u{c}", "\u{85}", "\u{2028}", "\u{2029}",
    ];
    let forged: String = breaks.map(|end| format!("{end}{FORGED}")).concat();
    let long = "long ".repeat(2_000);
    format!(
        " \u{1b}]0;owned\u{7}\u{1b}[2J\u{9b}31m\u{202e}dne\u{2066}\u{200b}\u{feff}\u{e0041}{forged}\n{long}"
    )
}

/// What may never reach a terminal or a log line. This list is written apart from patchfleet's own.
fn is_forbidden(c: char) -> bool {
    let n = u32::from(c);
    (n < 0x20 && c != '\n')
        || (0x7f..=0x9f).contains(&n)
        || [0x61c, 0xfeff].contains(&n)
        || (0x200b..=0x200f).contains(&n)
        || (0x2028..=0x202e).contains(&n)
        || (0x2060..=0x206f).contains(&n)
        || (0xe0000..=0xe007f).contains(&n)
}

/// Asserts that no hidden character is in `text`, and that no line of it begins with what others wrote, as `start` has
/// it.
#[track_caller]
fn checked(what: &str, text: &str, start: impl Fn(&str) -> &str) {
    if let Some(found) = text.chars().find(|c| is_forbidden(*c)) {
        let line = text.lines().find(|line| line.contains(found)).unwrap_or_default();
        panic!(
            "{what}: {found:?} in {:?}",
            line.chars().take(600).collect::<String>()
        );
    }
    let forged = text.lines().find(|line| start(line).starts_with("FORGED"));
    assert_eq!(forged, None, "{what}: a line that others wrote in\n{text}");
}

/// Nothing that others wrote has an effect on a terminal.
#[track_caller]
fn all_shown(what: &str, ran: &Ran) {
    checked(&format!("{what}, standard output"), &ran.stdout, str::trim_start);
    checked(&format!("{what}, standard error"), &ran.stderr, str::trim_start);
}

/// `text` in TOML.
fn toml(text: &str) -> String {
    let escaped: String = text.chars().map(|c| format!("\\U{:08x}", u32::from(c))).collect();
    format!("\"{escaped}\"")
}

/// The bad night, with `words` behind everything that AWS says, and in every name.
fn world(words: &str, more: &str) -> String {
    let named = TROUBLED.world.replace(
        "\nname = \"Security Tooling\"",
        &format!("\nname = {}", toml(words)),
    );
    assert_ne!(named, TROUBLED.world);
    format!(
        "{named}\n[[faults]]\neffect = {{ words = {} }}\n{more}",
        toml(words)
    )
}

/// A fault of its own behind those of [`world`].
fn fault(effect: &str, operation: &str) -> String {
    format!("[[faults]]\neffect = {effect}\noperations = [\"{operation}\"]\naccounts = [\"555566667777\"]\n")
}

#[test]
fn what_others_wrote_is_shown_and_has_no_effect_in_plans_whatever_it_is() {
    let bench = Bench::new();
    let mut runner = TestRunner::new(Config {
        cases: 8,
        failure_persistence: None,
        ..Config::default()
    });
    let words = "[\u{0}-\u{1f}\u{7f}-\u{9f}\u{202a}-\u{202e}\u{2066}-\u{2069}\u{200b}-\u{200f}\u{2028}\u{2029}a-c \n]{0,80}";
    runner
        .run(&(words, any::<String>()), |(hidden, any)| {
            bench.file(
                "world.toml",
                world(
                    &format!("{hidden}{any}\n{FORGED}"),
                    &fault("\"deny\"", "ssm:DescribeInstanceInformation"),
                ),
            );
            bench.file("request.toml", TROUBLED.request);
            for output in ["text", "json"] {
                let ran = bench.run(&[
                    "plan",
                    "-f",
                    "request.toml",
                    "--sim",
                    "world.toml",
                    "--output",
                    output,
                ]);
                prop_assert!(ran.code == 0, "{}", ran.stderr);
                prop_assert!(ran.stdout.contains("FORGED"), "the words are there, and shown");
                all_shown(output, &ran);
            }
            Ok(())
        })
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_others_wrote_has_no_effect_in_run_report_status_collect_and_explain() {
    let bench = Bench::new();
    bench.file("request.toml", TROUBLED.request);
    // Planning tries to read results in an account's first location only, which is another one.
    let denied = "[[faults]]\neffect = \"deny\"\noperations = [\"ssm:DescribeInstancePatchStates\"]\n\
                  accounts = [\"555566667777\"]\nregions = [\"us-west-2\"]\n";
    bench.file("world.toml", world(&worst(), denied));
    let run = [
        "run",
        "-f",
        "request.toml",
        "--sim",
        "world.toml",
        "--sim-speed",
        SPEED,
        "--log",
        "log",
    ];
    let ran = bench.run(&run).exits(4);
    all_shown("run", &ran);
    // The same organisation, as it was before. The command takes it for gone, as it ended with the run.
    let sim = simulator_of(&world(&worst(), denied), 1.0).await;
    for campaign in std::fs::read_dir(bench.path().join("log/campaigns")).unwrap() {
        std::fs::remove_file(campaign.unwrap().path().join("simulated")).unwrap();
    }
    let mut said = ran.stdout + &ran.stderr;
    for (args, code) in [
        (&["report", "--log", "log"][..], 4),
        (&["report", "--log", "log", "--output", "json"], 4),
        (&["status", "--log", "log"], 0),
        (&["status", "--log", "log", "--output", "json"], 0),
        (&["collect", "--log", "log"], 4),
        (&["collect", "--log", "log", "--output", "json"], 4),
        (&["explain", "555566667777/us-west-2", "--log", "log"], 0),
        (
            &[
                "explain",
                "555566667777/us-west-2",
                "--log",
                "log",
                "--output",
                "json",
            ],
            0,
        ),
    ] {
        let ran = finish(against(&bench, &sim, "us-east-1", args)).await.exits(code);
        all_shown(&args.join(" "), &ran);
        said.push_str(&ran.stdout);
        said.push_str(&ran.stderr);
    }
    for part in [
        "results_unreadable",
        "role_not_assumable",
        "the results still cannot be read",
        FORGED,
    ] {
        assert!(said.contains(part), "no {part} in\n{said}");
    }
}

#[test]
fn what_others_wrote_has_no_effect_in_refusals_failed_starts_and_traces() {
    let bench = Bench::new();
    bench.file("request.toml", TROUBLED.request);
    let start = "[[faults]]\neffect = { error = \"InvalidAutomationExecutionParametersException\" }\noperations = [\"ssm:StartAutomationExecution\"]\n";
    bench.file("start.toml", world(&worst(), start));
    bench.file(
        "group.toml",
        world(&worst(), &fault("\"deny\"", "resource-groups:ListGroupResources")),
    );
    bench.file(
        "org.toml",
        world(
            &worst(),
            "[[faults]]\neffect = \"deny\"\noperations = [\"organizations:*\"]\n",
        ),
    );
    bench.file(
        "caller.toml",
        world(
            &worst(),
            "[[faults]]\neffect = \"deny\"\noperations = [\"sts:GetCallerIdentity\"]\n",
        ),
    );
    bench.file(
        "strict.toml",
        TROUBLED
            .request
            .replace("unknown = \"skip\"", "unknown = \"refuse\""),
    );
    for (world, request, code) in [
        ("start.toml", "request.toml", 4),
        ("group.toml", "strict.toml", 3),
        ("org.toml", "request.toml", 3),
        ("caller.toml", "request.toml", 1),
    ] {
        for output in ["text", "json"] {
            let args = [
                "run",
                "-f",
                request,
                "--sim",
                world,
                "--sim-speed",
                SPEED,
                "--yes",
                "--output",
                output,
            ];
            let ran = bench.run(&args).exits(code);
            let what = format!("{world} as {output}");
            all_shown(&what, &ran);
            assert!(
                (ran.stdout + &ran.stderr).contains(FORGED),
                "{what}: the words are shown"
            );
        }
    }
    // What libraries log may have several lines. None of them begins as a record does.
    let mut traced = bench.command(&["plan", "-f", "strict.toml", "--sim", "group.toml"]);
    let traced = ran(traced.env("RUST_LOG", "trace")).exits(3);
    checked("a trace", &traced.stderr, |line| line);
}

#[cfg(unix)]
#[test]
fn names_and_contents_of_files_and_settings_are_shown_and_have_no_effect() {
    let name = format!("x\u{1b}[2J\n{FORGED}\u{202e}\u{9b}31m\u{2028}");
    let (toml_file, folder) = (format!("{name}.toml"), format!("{name}-folder"));
    let bench = Bench::new();
    bench.file(&toml_file, TROUBLED.request);
    bench.file("request.toml", TROUBLED.request);
    let saved = format!("{name}.json");
    let run = |args: &[&str], code: i32| {
        let ran = bench.run(args).exits(code);
        all_shown(&format!("{args:?}"), &ran);
        assert!(
            (ran.stdout + &ran.stderr).contains(FORGED),
            "{args:?}: the name is shown"
        );
    };
    bench
        .run(&["plan", "-f", &toml_file, "--sim", "troubled", "--out", &saved])
        .exits(0);
    // Over another world.
    run(&["run", "--plan", &saved, "--sim", "calm"], 3);
    bench.file(&saved, format!("{{\"format\": {}}}", toml(&name)));
    run(&["run", "--plan", &saved, "--sim", "calm"], 2);
    bench.file(
        &toml_file,
        format!("{} = 1\nname = {}\n", toml(&name), toml(&name)).replace("\\n", "\\u000a"),
    );
    run(&["plan", "-f", &toml_file, "--sim"], 2);
    bench.file(&toml_file, format!("name = [\n{FORGED}\u{1b}[2J"));
    run(&["plan", "-f", &toml_file, "--sim"], 2);
    run(&["plan", "-f", &name, "--sim"], 2);
    run(&["plan", "-f", "request.toml", "--sim", &name], 2);
    bench.file(&toml_file, format!("{} = 1\n", toml(&name)));
    run(&["plan", "-f", "request.toml", "--sim", &toml_file], 2);
    run(
        &[
            "plan",
            "-f",
            "request.toml",
            "--sim",
            "--out",
            &format!("{name}/{name}"),
        ],
        2,
    );
    run(&["report", "--log", &folder], 2);
    run(&["resume", "--log", &folder], 2);
    run(&["collect", "--log", &folder], 2);
    // Arguments, which a script may have taken from somewhere.
    run(&["plan", "--output", &name], 2);
    run(&["report", &name], 2);
    run(&[&name], 2);
    run(&["plan", "--sim", "--cutoff", &name], 2);
    let nowhere = format!("s3://{name}");
    for args in [
        &["report"][..],
        &["--help"],
        &["report", "--help"],
        &["run", "--sim", "--log", &nowhere],
    ] {
        let ran = ran(bench.command(args).env("PATCHFLEET_LOG", &nowhere));
        assert_eq!(
            ran.code,
            if args.contains(&"--help") { 0 } else { 2 },
            "{args:?}: {}",
            ran.stderr
        );
        all_shown(&format!("{args:?} with PATCHFLEET_LOG"), &ran);
    }
    for (variable, args) in [
        ("AWS_PROFILE", &["plan", "-f", "request.toml"][..]),
        ("AWS_REGION", &["plan", "-f", "request.toml"]),
        ("AWS_CONFIG_FILE", &["plan", "-f", "request.toml"]),
        ("AWS_CA_BUNDLE", &["plan", "-f", "request.toml"]),
        ("PATCHFLEET_RATES", &["plan", "-f", "request.toml", "--sim"]),
        (
            "PATCHFLEET_CALLS_AT_ONCE",
            &["plan", "-f", "request.toml", "--sim"],
        ),
        ("PATCHFLEET_LOG", &["report"]),
    ] {
        let mut command = bench.command(args);
        let set = command
            .env(variable, &name)
            .env("AWS_EC2_METADATA_DISABLED", "true");
        let ran = ran(set).exits(2);
        all_shown(variable, &ran);
    }
}

#[test]
fn a_log_that_somebody_has_written_into_is_shown_and_has_no_effect() {
    let bench = Bench::new();
    bench
        .run(&[
            "run",
            "--sim",
            "--sim-speed",
            SPEED,
            "--log",
            "log",
            "--output",
            "json",
        ])
        .exits(0);
    let campaigns = bench.path().join("log/campaigns");
    let campaign = std::fs::read_dir(&campaigns)
        .unwrap()
        .next()
        .unwrap()
        .unwrap()
        .path();
    let record = json!({ "seq": 1, worst(): { worst(): 1 } });
    std::fs::write(campaign.join("log.jsonl"), format!("{record}\n{record}\n")).unwrap();
    for command in ["status", "report"] {
        let ran = bench.run(&[command, "--log", "log"]);
        all_shown(command, &ran);
        assert!(
            !ran.stderr.is_empty(),
            "{command}: the log that cannot be read is named"
        );
    }
}
