//! Claims and logs of a folder that somebody deletes, moves or damages.

#![expect(clippy::disallowed_methods, reason = "the tests damage the files by hand")]

use super::*;
use crate::campaign::{FileLog, FileRows};
use std::fs;
use std::path::{Path, PathBuf};

fn driver(world: &World, dir: &Path) -> Driver {
    Driver {
        log: Arc::new(FileLog::new(dir)),
        rows: Arc::new(FileRows::new(dir)),
        ..world.driver(1)
    }
}

fn log_of(dir: &Path, campaign: CampaignId) -> PathBuf {
    dir.join("campaigns").join(campaign.to_string()).join("log.jsonl")
}

fn begin(world: &World, dir: &Path, event: &str, plan: &Plan) -> Result<State, DriveError> {
    finish(driver(world, dir).begin(world.campaign_of(event), plan))
}

/// An open campaign in a folder.
fn open(world: &World) -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    finish(driver(world, dir.path()).begin(world.campaign(), &world.plan)).unwrap();
    let log = log_of(dir.path(), world.campaign());
    (dir, log)
}

#[track_caller]
fn assert_unclear(error: &DriveError, file: &Path, advice: &str) {
    assert!(matches!(error, DriveError::NotBegun { .. }), "{error:?}");
    let refusal = error.refusal().unwrap();
    assert_eq!(refusal.reasons[0].code, RefusalCode::LogDamaged);
    let text = refusal.to_string();
    assert!(text.contains(file.to_str().unwrap()), "{text}");
    assert!(text.contains(advice), "{text}");
}

const MOVE: &str = "move its folder out of the log";

#[cfg(unix)]
#[test]
fn a_folder_that_cannot_be_is_said_at_once_and_by_its_path() {
    let world = world();
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name);
    fs::write(path("file"), "").unwrap();
    fs::create_dir(path("half")).unwrap();
    fs::write(path("half/campaigns"), "").unwrap();
    std::os::unix::fs::symlink(path("nowhere"), path("link")).unwrap();
    std::os::unix::fs::symlink(path("loop"), path("loop")).unwrap();
    let began = world.clock.now();
    for name in ["file", "file/below", "half", "link", "loop"] {
        let error = begin(&world, &path(name), "a", &world.plan).unwrap_err();
        let DriveError::NotBegun { source, .. } = &error else {
            unreachable!("{name}: {error:?}")
        };
        assert_eq!(source.kind(), PortErrorKind::Invalid, "{name}");
        let text = crate::problem::chain(&error);
        assert!(text.contains(path(name).to_str().unwrap()), "{text}");
        assert_eq!(world.clock.now(), began, "{name}: nothing was waited for");
    }
}

#[test]
fn the_file_of_a_name_may_be_deleted_and_no_second_campaign_begins() {
    let world = world();
    let (dir, _) = open(&world);
    fs::remove_dir_all(dir.path().join("names")).unwrap();
    let refused = begin(&world, dir.path(), "b", &world.plan).unwrap_err();
    assert_taken(&refused, world.campaign());
    finish(driver(&world, dir.path()).run(world.campaign())).unwrap();
    fs::remove_dir_all(dir.path().join("names")).unwrap();
    begin(&world, dir.path(), "b", &world.plan).unwrap();
}

#[test]
fn a_damaged_log_whose_request_can_be_read_keeps_its_own_name_taken_and_no_other() {
    let world = world();
    let (dir, log) = open(&world);
    let text = fs::read_to_string(&log).unwrap();
    let first = text.lines().next().unwrap();
    fs::write(&log, format!("{first}\nnonsense\nnonsense\n")).unwrap();
    // With its claim, and without.
    for _ in 0..2 {
        let refused = begin(&world, dir.path(), "b", &world.plan).unwrap_err();
        assert_unclear(&refused, &log, MOVE);
        begin(&world, dir.path(), "c", &named(&world, "weekly-windows")).unwrap();
        fs::remove_dir_all(dir.path().join("names")).unwrap();
    }
    fs::rename(log.parent().unwrap(), dir.path().join("taken away")).unwrap();
    begin(&world, dir.path(), "b", &world.plan).unwrap();
}

#[test]
fn whatever_bit_of_its_name_flips_in_a_log_whose_claim_is_lost_the_name_is_not_given_away() {
    let world = world();
    let (dir, log) = open(&world);
    fs::remove_dir_all(dir.path().join("names")).unwrap();
    let whole = fs::read(&log).unwrap();
    let name = world.plan.request.name.as_str();
    let at = whole
        .windows(name.len())
        .position(|bytes| bytes == name.as_bytes())
        .unwrap();
    for bit in 0..name.len() * 8 {
        let mut bytes = whole.clone();
        bytes[at + bit / 8] ^= 1 << (bit % 8);
        fs::write(&log, bytes).unwrap();
        let refused = begin(&world, dir.path(), "b", &world.plan).unwrap_err();
        assert_unclear(&refused, &log, MOVE);
    }
    // A log that another name has claimed hinders that one alone.
    fs::write(&log, &whole).unwrap();
    let mut other = world.plan.clone();
    other.request.name = "weekly-windows".parse().unwrap();
    begin(&world, dir.path(), "d", &other).unwrap();
    let of_other = log_of(dir.path(), world.campaign_of("d"));
    let text = fs::read_to_string(&of_other).unwrap();
    fs::write(&of_other, text.replacen("weekly-windows", "weekly-minix", 1)).unwrap();
    let refused = begin(&world, dir.path(), "e", &world.plan).unwrap_err();
    assert_taken(&refused, world.campaign());
    finish(driver(&world, dir.path()).run(world.campaign())).unwrap();
    begin(&world, dir.path(), "e", &world.plan).unwrap();
}

#[test]
fn a_claim_whose_campaign_was_taken_away_is_damage_until_it_is_taken_away_too() {
    let world = world();
    let (dir, log) = open(&world);
    fs::rename(log.parent().unwrap(), dir.path().join("taken away")).unwrap();
    for _ in 0..2 {
        let refused = begin(&world, dir.path(), "b", &world.plan).unwrap_err();
        let text = refused.refusal().unwrap().to_string();
        assert!(
            text.contains("is gone or empty, although its campaign has claimed the name"),
            "{text}"
        );
        assert!(text.contains("names/weekly-linux"), "{text}");
    }
    begin(&world, dir.path(), "c", &named(&world, "weekly-windows")).unwrap();
    fs::remove_file(dir.path().join("names/weekly-linux.jsonl")).unwrap();
    begin(&world, dir.path(), "b", &world.plan).unwrap();
}

#[test]
fn a_log_whose_request_cannot_be_read_is_of_the_name_that_claimed_it() {
    let world = world();
    let (dir, log) = open(&world);
    fs::write(&log, "nonsense\nnonsense\n").unwrap();
    let refused = begin(&world, dir.path(), "b", &world.plan).unwrap_err();
    assert_unclear(&refused, &log, MOVE);
    begin(&world, dir.path(), "c", &named(&world, "weekly-windows")).unwrap();
}

#[test]
fn a_log_whose_request_cannot_be_read_and_that_nobody_claimed_may_be_of_any_name() {
    let world = world();
    let (dir, log) = open(&world);
    fs::write(&log, "nonsense\nnonsense\n").unwrap();
    fs::remove_dir_all(dir.path().join("names")).unwrap();
    for name in ["weekly-linux", "weekly-windows"] {
        let refused = begin(&world, dir.path(), "b", &named(&world, name)).unwrap_err();
        assert_unclear(&refused, &log, MOVE);
    }
    fs::rename(log.parent().unwrap(), dir.path().join("taken away")).unwrap();
    begin(&world, dir.path(), "b", &world.plan).unwrap();
}

#[test]
fn a_damaged_claim_keeps_its_name_taken_until_it_is_moved_away_and_then_the_campaign_does() {
    let world = world();
    let (dir, _) = open(&world);
    let claims = dir.path().join("names/weekly-linux.jsonl");
    fs::write(&claims, "nonsense\nnonsense\n").unwrap();
    let refused = begin(&world, dir.path(), "b", &world.plan).unwrap_err();
    assert_unclear(&refused, &claims, "Move that file out of the log");
    fs::remove_file(&claims).unwrap();
    let refused = begin(&world, dir.path(), "b", &world.plan).unwrap_err();
    assert_taken(&refused, world.campaign());
}

#[test]
fn a_log_that_was_never_written_to_its_end_or_is_of_another_version_hinders_nobody_else() {
    let world = world();
    let (dir, log) = open(&world);
    let first = fs::read_to_string(&log)
        .unwrap()
        .lines()
        .next()
        .unwrap()
        .to_owned();
    // Record 0 of a killed writer; nothing was claimed or sent.
    fs::remove_dir_all(dir.path().join("names")).unwrap();
    for torn in ["", &first[..first.len() / 2], "{\"format\":3\0\0\0"] {
        fs::write(&log, torn).unwrap();
        begin(&world, dir.path(), "b", &world.plan).unwrap();
        fs::remove_dir_all(dir.path().join("names")).unwrap();
        fs::remove_dir_all(log_of(dir.path(), world.campaign_of("b")).parent().unwrap()).unwrap();
    }
    // A plan of a version that says other things, of another request.
    let newer = r#"{"seq":0,"at":"of old","events":[{"event":"planned","plan":{"request":{"name":"weekly-windows"}}}]}"#;
    fs::write(&log, format!("{newer}\n{newer}\n")).unwrap();
    begin(&world, dir.path(), "b", &world.plan).unwrap();
    let refused = begin(&world, dir.path(), "c", &named(&world, "weekly-windows")).unwrap_err();
    assert_unclear(&refused, &log, MOVE);
}
