//! A file whose end was never written is written over. One that says something else is left alone.

#![expect(clippy::disallowed_methods, reason = "the tests tear the files apart by hand")]

use super::*;

#[test]
fn a_log_that_was_cut_short_or_deleted_under_its_writer_is_an_error_and_not_a_conflict() {
    let (_dir, log, path) = three_records();
    let whole = fs::read_to_string(&path).unwrap();
    let first = whole.split_inclusive('\n').next().unwrap();
    fs::write(&path, first).unwrap();
    let error = now(log.append(&key(), &record(3, 1))).unwrap_err();
    assert_eq!(error.kind(), PortErrorKind::Incompatible);
    assert!(
        error
            .to_string()
            .ends_with("it has 1 records, and 3 were read from it before"),
        "{error}"
    );
    assert_eq!(fs::read_to_string(&path).unwrap(), first);
    let folder = path.parent().unwrap();
    fs::remove_dir_all(folder).unwrap();
    let error = now(log.append(&key(), &record(3, 1))).unwrap_err();
    assert_eq!(error.kind(), PortErrorKind::Incompatible);
    assert!(!folder.exists(), "nothing is made in its place");
}

#[test]
fn a_last_line_torn_at_any_byte_counts_for_nothing_and_is_written_over() {
    let (_dir, log, path) = three_records();
    let whole = fs::read(&path).unwrap();
    let last = whole[..whole.len() - 1]
        .iter()
        .rposition(|&b| b == b'\n')
        .unwrap()
        + 1;
    for cut in last..whole.len() {
        fs::write(&path, &whole[..cut]).unwrap();
        let read = now(log.read(&key(), 0)).unwrap();
        assert_eq!(read, [record(0, 1), record(1, 1)], "cut at {cut}");
        assert_eq!(
            now(log.append(&key(), &record(1, 2))).unwrap(),
            Appended::Conflict,
            "cut at {cut}"
        );
        assert_eq!(
            now(log.append(&key(), &record(2, 2))).unwrap(),
            Appended::Yes,
            "cut at {cut}"
        );
        let read = now(log.read(&key(), 0)).unwrap();
        assert_eq!(read, [record(0, 1), record(1, 1), record(2, 2)], "cut at {cut}");
    }
}

#[test]
fn a_first_line_torn_at_any_byte_leaves_an_empty_log() {
    let (_dir, log, path) = three_records();
    let whole = fs::read(&path).unwrap();
    let first = whole.iter().position(|&b| b == b'\n').unwrap();
    for cut in 0..=first {
        fs::write(&path, &whole[..cut]).unwrap();
        assert_eq!(now(log.read(&key(), 0)).unwrap(), []);
        assert_eq!(now(log.append(&key(), &record(0, 2))).unwrap(), Appended::Yes);
        assert_eq!(now(log.read(&key(), 0)).unwrap(), [record(0, 2)]);
    }
}

#[test]
fn a_last_line_that_is_whole_and_no_record_is_damage_and_is_not_written_over() {
    let (_dir, log, path) = three_records();
    let whole = fs::read(&path).unwrap();
    // The newline stays; whatever else is changed leaves either the same records or an error.
    for at in 0..whole.len() - 1 {
        let mut bytes = whole.clone();
        bytes[at] ^= 1;
        fs::write(&path, &bytes).unwrap();
        let (read, appended) = (now(log.read(&key(), 0)), now(log.append(&key(), &record(2, 2))));
        if let (Ok(read), appended) = (&read, &appended) {
            assert_eq!(read.len(), 3, "byte {at} of {}", bytes.len());
            assert!(!matches!(appended, Ok(Appended::Yes)), "byte {at}");
        }
        assert!(!matches!(appended, Ok(Appended::Yes)), "byte {at}");
        assert_eq!(fs::read(&path).unwrap(), bytes, "byte {at}");
    }
}

#[test]
fn a_foreign_file_is_not_written_over() {
    let (_dir, log, path) = three_records();
    for foreign in ["precious", "precious\n", "{\"a\": 1}\n"] {
        fs::write(&path, foreign).unwrap();
        for seq in [0, 1] {
            let error = now(log.append(&key(), &record(seq, 1))).unwrap_err();
            assert_eq!(error.kind(), PortErrorKind::Incompatible, "{foreign:?}");
        }
        assert!(now(log.read(&key(), 0)).is_err(), "{foreign:?}");
        assert_eq!(fs::read_to_string(&path).unwrap(), foreign);
    }
}

#[test]
fn a_tail_of_zero_bytes_is_torn_as_well_and_with_a_line_break_it_is_damage() {
    let (_dir, log, path) = three_records();
    let whole = fs::read(&path).unwrap();
    let zeros = [&whole[..], &[0; 40]].concat();
    fs::write(&path, &zeros).unwrap();
    for from in 0..4 {
        assert_eq!(now(log.read(&key(), from)).unwrap().len() as u64, 3 - from);
    }
    assert_eq!(now(log.append(&key(), &record(3, 1))).unwrap(), Appended::Yes);
    assert_eq!(now(log.read(&key(), 0)).unwrap().len(), 4);
    let broken = [&zeros[..], b"\n"].concat();
    fs::write(&path, &broken).unwrap();
    assert!(now(log.read(&key(), 0)).is_err());
    assert!(now(log.append(&key(), &record(3, 1))).is_err());
    assert_eq!(fs::read(&path).unwrap(), broken);
}

#[test]
fn a_damaged_line_in_the_middle_is_named_with_its_file() {
    let (_dir, log, path) = three_records();
    let text = fs::read_to_string(&path).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    for (wrong, why) in [
        ("{\"sequence\":1}", "it is no record"),
        ("{\"seq\":1}", "an older version wrote it"),
        (lines[0], "record 0 stands where record 1 should be"),
        (lines[2], "record 2 stands where record 1 should be"),
    ] {
        fs::write(&path, format!("{}\n{wrong}\n{}\n", lines[0], lines[2])).unwrap();
        let error = now(log.read(&key(), 0)).unwrap_err();
        assert_eq!(error.kind(), PortErrorKind::Incompatible);
        let message = error.chain();
        assert!(message.contains(path.to_str().unwrap()), "{message}");
        assert!(message.contains("record 1 cannot be read"), "{message}");
        assert!(message.contains(why), "{message}");
    }
}
