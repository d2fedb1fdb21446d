//! Arguments, variables, files and AWS settings that are wrong are said before anything is waited for.

use crate::support::{command, cron, simulator};
use patchfleet_sim::builtin::CALM;

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_is_said_before_anything_is_waited_for() {
    let (sim, dir) = (simulator(CALM.world, 2_000.0).await, tempfile::tempdir().unwrap());
    std::fs::write(dir.path().join("right.toml"), CALM.request).unwrap();
    std::fs::write(dir.path().join("wrong.toml"), "name = 1").unwrap();
    for (args, code, part) in [
        (&["--request", "wrong.toml", "--once"][..], 2, "wrong_type"),
        (&["--request", "nowhere.toml", "--once"][..], 2, "nowhere.toml"),
        (
            &["--request", "wrong.toml", "--schedule", "cron(15 22 ? * TUE *)"][..],
            2,
            "wrong_type",
        ),
        (
            &["--request", "right.toml", "--schedule", "cron(15 22 * * * *)"][..],
            2,
            "exactly one",
        ),
        (&["--request", "right.toml"][..], 2, "<--schedule <CRON>|--once>"),
        (
            &[
                "--request",
                "right.toml",
                "--once",
                "--schedule",
                "cron(15 22 ? * TUE *)",
            ][..],
            2,
            "cannot be used with",
        ),
        (
            &["--request", "right.toml", "--once", "--jitter", "5m"][..],
            2,
            "the argument '--once' cannot be used with",
        ),
        (
            &[
                "--request",
                "right.toml",
                "--schedule",
                "cron(15 22 ? * 3#2 *)",
                "--days-after",
                "31",
            ][..],
            2,
            "31 is not in 0..=30",
        ),
        (
            &[
                "--request",
                "right.toml",
                "--schedule",
                "cron(15 22 ? * 3#2 *)",
                "--jitter",
                "13h",
            ][..],
            2,
            "right would be a time from 1s to 12h",
        ),
        (
            &[
                "--request",
                "right.toml",
                "--schedule",
                "cron(15 22 ? * 3#2 *)",
                "--missed",
                "all",
            ][..],
            2,
            "possible values: skip, run",
        ),
        (
            &[
                "--request",
                "right.toml",
                "--schedule",
                "cron(15 22 ? * 3#2 *)",
                "--cutoff",
                "1h",
            ][..],
            2,
            "--cutoff = 1h: no campaign could begin under it: 3h 6m 30s pass at least until every command has expired. \
             Right is more than 6h 6m 30s",
        ),
        (
            &["--request", "right.toml", "--once", "--id", "$(JOB_NAME)"][..],
            2,
            "nobody filled it in",
        ),
        (
            &["--request", "right.toml", "--once", "--id", ""][..],
            2,
            "right would be the id of one event",
        ),
        (
            &[
                "--request",
                "right.toml",
                "--schedule",
                "cron(15 22 ? * 3#2 *)",
                "--id",
                "job-1",
            ][..],
            2,
            "cannot be used with",
        ),
        (
            &["--request", "right.toml", "--once", "--log", "gs://bucket/logs"][..],
            2,
            "logs are kept in a folder, or in a bucket",
        ),
        (
            &["--request", "right.toml", "--once", "--log", "right.toml"][..],
            2,
            "cannot read right.toml/names/",
        ),
        (
            &[
                "--request",
                "right.toml",
                "--schedule",
                "cron(15 22 ? * TUE *)",
                "--log",
                "right.toml",
            ][..],
            2,
            "--log (or PATCHFLEET_LOG): cannot list right.toml",
        ),
    ] {
        let output = cron(&sim, dir.path(), args).await;
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{args:?}: {stderr}");
        assert!(stderr.contains(part), "{args:?}: no {part} in {stderr}");
    }
    assert_eq!(sim.with_world(|world| world.executions().count()), 0);
}

#[tokio::test]
async fn a_schedule_does_not_wait_for_its_slot_to_say_that_aws_settings_are_wrong() {
    let (sim, dir) = (simulator(CALM.world, 2_000.0).await, tempfile::tempdir().unwrap());
    std::fs::write(dir.path().join("request.toml"), CALM.request).unwrap();
    // Right settings find that the schedule has no slot, and say nothing of themselves.
    let args = [
        "-f",
        "request.toml",
        "--schedule",
        "cron(0 9 1 1 ? 1999)",
        "--log",
        "log",
    ];
    for (name, value, part) in [
        ("AWS_REGION", "", "AWS_REGION"),
        ("AWS_ENDPOINT_URL", "", "AWS_ENDPOINT_URL"),
        ("AWS_REGION", "us-east-1", "it has no slot from now on"),
    ] {
        let output = command(&sim, dir.path(), &args)
            .env(name, value)
            .output()
            .await
            .unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{name}: {stderr}");
        assert!(stderr.contains(part), "{name}: no {part} in {stderr}");
        assert_eq!(stderr.contains("no slot"), part.contains("no slot"), "{stderr}");
    }
    // Others renew credentials, so the process goes on to its schedule.
    let mut without = command(&sim, dir.path(), &args);
    let without = without
        .env_remove("AWS_ACCESS_KEY_ID")
        .env_remove("AWS_SECRET_ACCESS_KEY")
        .env("HOME", dir.path())
        .env("AWS_EC2_METADATA_DISABLED", "true");
    let output = without.output().await.unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    for part in ["WARN", "no AWS credentials", "it has no slot from now on"] {
        assert!(stderr.contains(part), "no {part} in {stderr}");
    }
}

#[tokio::test]
async fn an_empty_variable_counts_as_not_set() {
    let (sim, dir) = (simulator(CALM.world, 2_000.0).await, tempfile::tempdir().unwrap());
    std::fs::write(dir.path().join("request.toml"), CALM.request).unwrap();
    // The folder of logs is made before the schedule is found to have no slot.
    let args = ["-f", "request.toml", "--schedule", "cron(0 9 1 1 ? 1999)"];
    let mut command = command(&sim, dir.path(), &args);
    let output = command.env("PATCHFLEET_LOG", "").output().await.unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{stderr}");
    assert!(stderr.contains("it has no slot from now on"), "{stderr}");
    assert!(dir.path().join(".patchfleet").is_dir());

    // An empty RUST_LOG hides nothing that is shown without one.
    let args = ["-f", "request.toml", "--once", "--log", "log"];
    let mut command = crate::support::command(&sim, dir.path(), &args);
    let output = command.env("RUST_LOG", "").output().await.unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{stderr}");
    assert!(stderr.contains(" INFO "), "{stderr}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_exit_codes_of_a_schedule_are_those_that_help_and_readme_list() {
    let (sim, dir) = (simulator(CALM.world, 2_000.0).await, tempfile::tempdir().unwrap());
    let help = cron(&sim, dir.path(), &["--help"]).await;
    let help = String::from_utf8(help.stdout).unwrap();
    let help = help.split_whitespace().collect::<Vec<_>>().join(" ");
    let readme = include_str!("../../README.md");
    for (code, why) in [
        ("0", "the schedule"),
        ("1", "the same, but a campaign is still open"),
        ("2", "bad usage, schedule or request"),
        ("3", "the request's list is a presigned URL"),
        ("130", "interrupted"),
    ] {
        assert!(
            help.contains(&format!(" {code} {why}")),
            "no {code} {why} in {help}"
        );
        assert!(
            readme.contains(&format!("| {code} | {why}")),
            "no {code} {why} in the README"
        );
    }
    // A wait ends a little after its time: with no tolerance no slot would ever begin.
    let never = cron(
        &sim,
        dir.path(),
        &[
            "-f",
            "request.toml",
            "--schedule",
            "cron(0 9 * * ? *)",
            "--late",
            "0s",
        ],
    )
    .await;
    let stderr = String::from_utf8_lossy(&never.stderr);
    assert_eq!(never.status.code(), Some(2), "{stderr}");
    assert!(stderr.contains("from 1m to 24h"), "{stderr}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_presigned_list_is_refused_because_it_would_be_kept_and_is_shown_nowhere() {
    let (sim, dir) = (simulator(CALM.world, 2_000.0).await, tempfile::tempdir().unwrap());
    let url = "https://b.s3.amazonaws.com/list?X-Amz-Credential=AKIA&X-Amz-Signature=5ec7e7";
    let listed = format!("[patch]\ninstall_override_list = \"{url}\"");
    std::fs::write(
        dir.path().join("request.toml"),
        CALM.request.replacen("[patch]", &listed, 1),
    )
    .unwrap();
    for more in [&["--once"][..], &["--schedule", "cron(0 9 ? * MON *)"]] {
        let mut command = command(
            &sim,
            dir.path(),
            &[&["-f", "request.toml", "--log", "log"], more].concat(),
        );
        let output = command.env("RUST_LOG", "trace").output().await.unwrap();
        let log = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(3), "{log}");
        assert!(
            log.contains("patch.install_override_list") && log.contains("s3://bucket/key"),
            "{log}"
        );
        assert!(!log.contains("5ec7e7"), "{log}");
    }
    assert!(!dir.path().join("log").exists(), "nothing was begun");
    assert_eq!(sim.with_world(|world| world.executions().count()), 0);
}
