//! What others wrote, wherever the process logs it.

use crate::support::{cron, request_for, simulator};
use patchfleet_sim::builtin::TROUBLED;

/// What may not reach a log line.
fn is_forbidden(c: char) -> bool {
    let n = u32::from(c);
    (n < 0x20 && c != '\n') || (0x7f..=0x9f).contains(&n) || [0x200b, 0x202e, 0x2028, 0x2066].contains(&n)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_others_wrote_has_no_effect_in_the_log() {
    let words = " \\u001b]0;owned\\u0007\\u009b31m\\u202e\\u2028\\u200b\\nFORGED next campaign";
    let world = format!(
        "{}\n[[faults]]\neffect = {{ words = \"{words}\" }}\n",
        TROUBLED.world
    );
    let (sim, dir) = (simulator(&world, 2_000.0).await, tempfile::tempdir().unwrap());
    let hostile = "x\u{1b}[2J\nFORGED\u{202e}\u{9b}31m";
    let file = format!("{hostile}.toml");
    // One of the two has no role that can be assumed.
    let request = request_for("[\"222233334444\", \"888899990000\"]");
    let skips = request.replace("[budget.nodes]", "[policy]\nunknown = \"skip\"\n[budget.nodes]");
    let cron = async |request: &str, args: &[&str], code: i32| {
        std::fs::write(dir.path().join(&file), request).unwrap();
        let output = cron(&sim, dir.path(), &[&["-f", &file], args].concat()).await;
        let log = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(code), "{args:?}: {log}");
        assert!(!log.contains(is_forbidden), "{args:?}: {log:?}");
        assert!(
            !log.lines().any(|line| line.starts_with("FORGED")),
            "{args:?}: {log}"
        );
        assert!(log.contains("FORGED"), "{args:?}: the words are shown\n{log}");
    };
    let once = ["--once", "--log", "log"];
    cron(&skips, &once, 4).await;
    cron(&request, &once, 3).await;
    cron("name = [\nFORGED\u{1b}[2J", &once, 2).await;
    cron(&format!("\"x\\u001b\\nFORGED\" = 1\n{request}"), &once, 2).await;
    cron(&request, &["--schedule", hostile], 2).await;
    cron(
        &request,
        &["--schedule", "cron(0 9 ? * MON *)", "--timezone", hostile],
        2,
    )
    .await;
    cron(&request, &["--once", "--late", hostile], 2).await;
}
