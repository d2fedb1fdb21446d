//! Files are for their owner alone, and what another user put in their place is refused.

#![expect(clippy::disallowed_methods, reason = "the tests change the files by hand")]

use super::*;

#[test]
fn logs_and_rows_are_for_their_owner_alone_and_what_was_looser_is_tightened() {
    use std::os::unix::fs::PermissionsExt as _;

    fn modes(folder: &Path, of: &mut Vec<(bool, u32)>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            of.push((
                path.is_dir(),
                fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            ));
            if path.is_dir() {
                modes(&path, of);
            }
        }
    }
    let (dir, log, path) = three_records();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    assert_eq!(now(log.append(&key(), &record(3, 1))).unwrap(), Appended::Yes);
    let kept = FileRows::new(dir.path().join("deep/logs"));
    let campaign = CampaignId::from_uuid(uuid::Uuid::from_u128(1));
    let location = Location::new("111122223333".parse().unwrap(), "eu-west-1".parse().unwrap());
    let row = rows(&[("i-00000001", NodeOutcome::Done)]);
    now(kept.put(campaign, &location, 1, row)).unwrap();
    let mut seen = vec![];
    modes(dir.path(), &mut seen);
    assert!(seen.iter().any(|(is_dir, _)| !is_dir));
    for (is_dir, mode) in seen {
        assert_eq!(mode, if is_dir { 0o700 } else { 0o600 });
    }
}

#[test]
fn a_link_a_pipe_or_a_file_of_another_user_in_the_place_of_a_log_is_refused_and_left_alone() {
    use std::os::unix::fs::symlink;

    let (dir, log, path) = three_records();
    let foreign = dir.path().join("precious");
    let refused = |what: &str| {
        for seq in [0, 3] {
            let error = now(log.append(&key(), &record(seq, 1))).unwrap_err();
            assert_eq!(error.kind(), PortErrorKind::Incompatible, "{what}");
            assert!(
                error.to_string().contains(path.to_str().unwrap()),
                "{what}: {error}"
            );
            assert!(error.to_string().contains(what), "{what}: {error}");
        }
        assert!(now(log.read(&key(), 0)).is_err(), "{what}");
        assert!(now(log.last(&key())).is_err(), "{what}");
    };
    let whole = fs::read(&path).unwrap();
    for there in [&b"precious"[..], b"", &whole] {
        fs::write(&foreign, there).unwrap();
        fs::remove_file(&path).unwrap();
        symlink(&foreign, &path).unwrap();
        refused("is a symbolic link");
        assert_eq!(fs::read(&foreign).unwrap(), there);
    }
    // To nothing: nothing is made there.
    fs::remove_file(&foreign).unwrap();
    refused("is a symbolic link");
    assert!(!foreign.exists());

    fs::remove_file(&path).unwrap();
    let made = std::process::Command::new("mkfifo").arg(&path).status();
    if made.is_ok_and(|made| made.success()) {
        refused("is a pipe, a socket or a device");
        fs::remove_file(&path).unwrap();
    }
    let _socket = std::os::unix::net::UnixListener::bind(&path).unwrap();
    refused("is a pipe, a socket or a device");
    fs::remove_file(&path).unwrap();

    fs::write(&path, &whole).unwrap();
    assert_eq!(now(log.read(&key(), 0)).unwrap().len(), 3);
    // Only root may give files away.
    if std::os::unix::fs::chown(&path, Some(54_321), None).is_ok() {
        refused("belongs to user 54321");
        assert_eq!(fs::read(&path).unwrap(), whole);
        std::os::unix::fs::chown(&path, own::own_user(), None).unwrap();
    }

    // A folder below the log's own that is a link. The log's own may be one.
    let names = path.parent().unwrap().to_owned();
    let elsewhere = dir.path().join("elsewhere");
    fs::rename(&names, &elsewhere).unwrap();
    symlink(&elsewhere, &names).unwrap();
    assert!(
        now(log.read(&key(), 0))
            .unwrap_err()
            .to_string()
            .contains("is a symbolic link")
    );
    assert!(
        now(log.keys())
            .unwrap_err()
            .to_string()
            .contains("is a symbolic link")
    );
    fs::remove_file(&names).unwrap();
    fs::rename(&elsewhere, &names).unwrap();
    let link = dir.path().join("link");
    symlink(dir.path().join("deep/logs"), &link).unwrap();
    assert_eq!(now(FileLog::new(&link).read(&key(), 0)).unwrap().len(), 3);
}
