//! A folder keeps every promise.

#![expect(clippy::disallowed_methods, reason = "the tests tear the files apart by hand")]

use super::*;
use std::fs;
use std::path::PathBuf;

struct Folder(tempfile::TempDir);

impl Folder {
    fn file(&self, log: &LogKey) -> PathBuf {
        let dir = self.0.path().join("logs");
        match log {
            LogKey::Campaign(campaign) => dir.join(format!("campaigns/{campaign}/log.jsonl")),
            LogKey::Name(name) => dir.join(format!("names/{name}.jsonl")),
        }
    }

    /// Changes the lines of a log, which have their line breaks.
    fn change(&self, log: &LogKey, change: impl FnOnce(&mut Vec<Vec<u8>>)) {
        let whole = fs::read(self.file(log)).unwrap();
        let mut lines: Vec<Vec<u8>> = whole
            .split_inclusive(|&byte| byte == b'\n')
            .map(<[u8]>::to_vec)
            .collect();
        change(&mut lines);
        fs::write(self.file(log), lines.concat()).unwrap();
    }
}

fn index(seq: u64) -> usize {
    usize::try_from(seq).unwrap()
}

impl Place for Folder {
    fn open(&self) -> BoxFuture<'_, PortResult<Store>> {
        std::future::ready(Ok(Store::in_folder(self.0.path().join("logs")))).boxed()
    }

    fn damage(&self, damage: &Damage) -> bool {
        match damage {
            Damage::Flipped { log, seq } => self.change(log, |lines| {
                let line = &mut lines[index(*seq)];
                let middle = line.len() / 2;
                line[middle] ^= 1;
            }),
            Damage::Emptied { log, seq } => self.change(log, |lines| lines[index(*seq)] = b"\n".to_vec()),
            Damage::Removed { log, seq } => self.change(log, |lines| drop(lines.remove(index(*seq)))),
            Damage::Swapped { log, seq } => {
                self.change(log, |lines| lines.swap(index(*seq), index(*seq) + 1));
            }
            Damage::CutShort { log, left } => self.change(log, |lines| lines.truncate(index(*left))),
            Damage::Rows { campaign, location } => {
                let name = format!("{}_{}.json", location.account, location.region);
                let file = self.file(&LogKey::Campaign(*campaign));
                let file = file.with_file_name("nodes").join(name);
                let whole = fs::read(&file).unwrap();
                fs::write(file, &whole[..whole.len() / 2]).unwrap();
            }
        }
        true
    }

    /// Each in a thread of its own: files are read and written without giving way.
    fn together(&self, work: Vec<BoxFuture<'static, ()>>) -> BoxFuture<'_, ()> {
        std::thread::scope(|scope| {
            for piece in work {
                scope.spawn(|| finish(piece));
            }
        });
        std::future::ready(()).boxed()
    }

    /// A listing of a folder has no pages, and each file that is made is synced to the disk.
    fn more_than_a_page(&self) -> usize {
        40
    }
}

#[test]
fn a_store_in_a_folder_keeps_every_promise() {
    let unchecked = holds(&|| Box::new(Folder(tempfile::tempdir().unwrap())));
    // No answer of a disk is lost on its way.
    assert_eq!(unchecked, [Law::LostAnswers]);
}
