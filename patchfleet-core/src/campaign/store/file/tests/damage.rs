//! Whatever happens to the bytes of a stored log, it says what was written, less a tail at most, or is refused.

#![expect(clippy::disallowed_methods, reason = "the tests damage the files by hand")]

use super::*;
use crate::campaign::tests::world::{Node, Script, World, finish};
use crate::campaign::{DriveError, Driver, MemoryRows};
use crate::refusal::RefusalCode;
use std::sync::Arc;

/// A folder with a campaign of one location.
struct Stored {
    world: World,
    _dir: tempfile::TempDir,
    log: FileLog,
}

impl Stored {
    /// A campaign that has its name and has not begun.
    fn open() -> Self {
        let world = World::new(&[&[("us-east-1", Script::Nodes(vec![Node::well(1)]))]], 1, 0);
        let dir = tempfile::tempdir().unwrap();
        let log = FileLog::new(dir.path());
        let stored = Self {
            world,
            _dir: dir,
            log,
        };
        finish(stored.driver().begin(stored.world.campaign(), &stored.world.plan)).unwrap();
        stored
    }

    fn over() -> Self {
        let stored = Self::open();
        finish(stored.driver().run(stored.world.campaign())).unwrap();
        stored
    }

    fn driver(&self) -> Driver {
        Driver {
            log: Arc::new(self.log.clone()),
            rows: Arc::new(MemoryRows::new()),
            ..self.world.driver(1)
        }
    }

    fn key(&self) -> LogKey {
        LogKey::Campaign(self.world.campaign())
    }

    fn claims(&self) -> LogKey {
        LogKey::Name(self.world.plan.request.name.clone())
    }

    fn bytes(&self, key: &LogKey) -> Vec<u8> {
        fs::read(self.log.path(key)).unwrap()
    }

    fn write(&self, key: &LogKey, bytes: &[u8]) {
        fs::write(self.log.path(key), bytes).unwrap();
    }
}

/// The number of the line that this byte is in.
fn line_of(bytes: &[u8], at: usize) -> u64 {
    bytes[..at].iter().filter(|&&byte| byte == b'\n').count() as u64
}

fn lines(bytes: &[u8]) -> Vec<&[u8]> {
    bytes.split_inclusive(|&byte| byte == b'\n').collect()
}

#[test]
fn every_flipped_bit_of_a_stored_log_and_of_its_claim_is_damage() {
    let stored = Stored::over();
    for key in [stored.key(), stored.claims()] {
        let whole = stored.bytes(&key);
        assert!(whole.len() > 200 && whole.ends_with(b"\n"));
        for line in lines(&whole) {
            // As long as the line breaks are the same, a line is read for itself.
            let mut line = line.strip_suffix(b"\n").unwrap().to_vec();
            for at in 0..line.len() {
                for bit in 0..8 {
                    line[at] ^= 1 << bit;
                    assert!(Record::decode(&line).is_err(), "bit {bit} of byte {at}");
                    line[at] ^= 1 << bit;
                }
            }
        }
        for at in 0..whole.len() {
            for bit in 0..8 {
                let mut damaged = whole.clone();
                damaged[at] ^= 1 << bit;
                let breaks = damaged[at] == b'\n' || whole[at] == b'\n';
                if !breaks && at % 128 != bit * 16 {
                    continue;
                }
                stored.write(&key, &damaged);
                let error = now(stored.log.read(&key, 0)).unwrap_err();
                assert_eq!(error.kind(), PortErrorKind::Incompatible);
                let text = error.chain();
                assert!(text.contains(stored.log.path(&key).to_str().unwrap()), "{text}");
                assert!(text.contains("record"), "{text}");
            }
        }
    }
}

#[test]
fn a_log_that_is_cut_at_any_byte_says_no_more_than_its_whole_records() {
    let stored = Stored::over();
    for key in [stored.key(), stored.claims()] {
        let whole = stored.bytes(&key);
        let records = now(stored.log.read(&key, 0)).unwrap();
        for cut in 0..whole.len() {
            // Each line has its beginning, its end, and some bytes between them.
            if cut % 7 != 0 && !whole[cut.saturating_sub(2)..cut + 1].contains(&b'\n') {
                continue;
            }
            stored.write(&key, &whole[..cut]);
            let left = line_of(&whole, cut) as usize;
            assert_eq!(
                now(stored.log.read(&key, 0)).unwrap(),
                records[..left],
                "cut at {cut}"
            );
            if left + 1 < records.len() {
                let error = now(stored.log.read(&key, left as u64 + 1)).unwrap_err();
                assert!(error.to_string().contains("was cut short or deleted"), "{error}");
            }
            let last = now(stored.log.last(&key)).unwrap();
            assert_eq!(last.as_ref(), records[..left].last(), "cut at {cut}");
        }
    }
}

#[test]
fn records_that_are_swapped_doubled_taken_out_or_of_another_log_are_damage() {
    let stored = Stored::over();
    let key = stored.key();
    let whole = stored.bytes(&key);
    let records = now(stored.log.read(&key, 0)).unwrap();
    let all = lines(&whole);
    let damage = |lines: &[&[u8]], what: &str| {
        stored.write(&key, &lines.concat());
        for from in 0..=lines.len() as u64 {
            match now(stored.log.read(&key, from)) {
                Err(error) => assert_eq!(error.kind(), PortErrorKind::Incompatible, "{what}"),
                // The damage lies before what is read. Who reads on has read that before.
                Ok(read) => {
                    assert!(from > 0, "{what}");
                    let from = usize::try_from(from).unwrap().min(records.len());
                    assert!(records[from..].starts_with(&read), "{what} from {from}: {read:?}");
                }
            }
        }
    };
    for one in 0..all.len() {
        for other in one + 1..all.len() {
            let mut swapped = all.clone();
            swapped.swap(one, other);
            damage(&swapped, &format!("{one} and {other} swapped"));
        }
        let mut doubled = all.clone();
        doubled.insert(one, all[one]);
        damage(&doubled, &format!("{one} doubled"));
        if one + 1 < all.len() {
            let mut taken = all.clone();
            taken.remove(one);
            damage(&taken, &format!("{one} taken out"));
        }
    }
    // The log of another campaign in its place, and another name's claim.
    let other = LogKey::Campaign(stored.world.campaign_of("another event"));
    fs::create_dir_all(stored.log.path(&other).parent().unwrap()).unwrap();
    stored.write(&other, &whole);
    assert!(now(stored.log.read(&other, 0)).is_err());
    let other = LogKey::Name("weekly-windows".parse().unwrap());
    stored.write(&other, &stored.bytes(&stored.claims()));
    assert!(now(stored.log.read(&other, 0)).is_err());
}

/// What another campaign of the name is told, while this one is open.
#[track_caller]
fn assert_refused(stored: &Stored, what: &str) {
    let other = stored.world.campaign_of("another event");
    let error = finish(stored.driver().begin(other, &stored.world.plan)).unwrap_err();
    let refusal = error.refusal().unwrap_or_else(|| panic!("{what}: {error:?}"));
    let code = refusal.reasons[0].code;
    assert!(
        matches!(code, RefusalCode::LogDamaged | RefusalCode::CampaignOpen),
        "{what}: {refusal}"
    );
    let folder = stored.log.path(&LogKey::Campaign(other));
    assert!(!folder.exists(), "{what}: a refused one leaves no trace");
}

#[test]
fn whatever_becomes_of_the_claim_of_an_open_campaign_no_other_campaign_of_its_name_begins() {
    let stored = Stored::open();
    let claims = stored.claims();
    let whole = stored.bytes(&claims);
    for at in 0..whole.len() {
        let mut damaged = whole.clone();
        damaged[at] ^= 1 << (at % 8);
        stored.write(&claims, &damaged);
        assert_refused(&stored, &format!("byte {at} flipped"));
        assert_eq!(stored.bytes(&claims), damaged, "nothing is written over");
        stored.write(&claims, &whole[..at]);
        assert_refused(&stored, &format!("cut at {at}"));
    }
    fs::remove_file(stored.log.path(&claims)).unwrap();
    assert_refused(&stored, "taken away");
}

#[test]
fn whatever_becomes_of_the_log_of_an_open_campaign_no_other_campaign_of_its_name_begins() {
    let stored = Stored::open();
    let key = stored.key();
    let whole = stored.bytes(&key);
    for at in (0..whole.len()).step_by(11) {
        let mut damaged = whole.clone();
        damaged[at] ^= 1 << (at % 8);
        stored.write(&key, &damaged);
        assert_refused(&stored, &format!("byte {at} flipped"));
        // Whoever goes on with it is refused as well, and nothing is started or written.
        let error = finish(stored.driver().run(stored.world.campaign())).unwrap_err();
        assert!(
            matches!(error, DriveError::Damaged { .. }),
            "byte {at}: {error:?}"
        );
        assert_eq!(stored.bytes(&key), damaged, "nothing is written over");
    }
    assert!(stored.world.executions().is_empty());
    for cut in (0..whole.len()).step_by(11) {
        stored.write(&key, &whole[..cut]);
        assert_refused(&stored, &format!("cut at {cut}"));
    }
    fs::remove_file(stored.log.path(&key)).unwrap();
    assert_refused(&stored, "taken away");
}
