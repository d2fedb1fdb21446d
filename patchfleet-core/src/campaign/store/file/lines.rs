//! The lines of a log's file: one record each.

use super::{BLOCK, FileLog, failed, own, sync_folders};
use crate::campaign::store::encoding::{is_beginning, sum_of};
use crate::campaign::{Appended, Chain, LogKey, Record};
use crate::port::{PortError, PortErrorKind, PortResult};
use std::cmp;
use std::error::Error;
use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

/// Up to how many records are read one by one from the end of a file, and not as a whole.
const FEW: u64 = 16;

/// The file of a log.
pub(super) struct Lines<'a> {
    root: &'a Path,
    seen: &'a AtomicBool,
    path: PathBuf,
    key: &'a LogKey,
}

/// What stands at the end of a file.
struct End {
    /// Where the next record goes.
    offset: u64,
    chain: Chain,
    last: Option<Last>,
}

/// The last record, and where its line begins.
struct Last {
    record: Record,
    begin: u64,
}

impl<'a> Lines<'a> {
    pub(super) fn of(log: &'a FileLog, key: &'a LogKey) -> Self {
        Self {
            root: &log.dir,
            seen: &log.seen,
            path: log.path(key),
            key,
        }
    }

    /// The records from number `from` on.
    pub(super) fn read(&self, from: u64) -> PortResult<Vec<Record>> {
        let Some(mut file) = own::open(self.root, &self.path)? else {
            return match from {
                0 => Ok(vec![]),
                from => Err(self.gone(from)),
            };
        };
        self.seen.store(true, Ordering::Relaxed);
        if from > 0 {
            let end = self.end_of(&mut file)?;
            let Some(more) = end.chain.next_seq().checked_sub(from) else {
                return Err(self.cut_short(end.chain.next_seq(), from));
            };
            if more <= FEW {
                return self.read_back(&mut file, end, from);
            }
            file.rewind().map_err(|error| self.failed(error))?;
        }
        let mut bytes = vec![];
        file.read_to_end(&mut bytes).map_err(|error| self.failed(error))?;
        let mut chain = Chain::of(self.key);
        let mut records = vec![];
        for line in bytes.split_inclusive(|&byte| byte == b'\n') {
            let Some(line) = line.strip_suffix(b"\n") else {
                self.refuse_unless_torn(chain.next_seq(), line)?;
                break;
            };
            if chain.next_seq() < from {
                chain = self.passed(&chain, line)?;
                continue;
            }
            let record = self.record(chain.next_seq(), line)?;
            chain
                .check(&record)
                .map_err(|error| self.damaged(chain.next_seq(), error))?;
            chain = self.passed(&chain, line)?;
            records.push(record);
        }
        Ok(records)
    }

    /// The last few records, read from the end.
    fn read_back(&self, file: &mut File, end: End, from: u64) -> PortResult<Vec<Record>> {
        let mut records = vec![];
        let mut next = end.last;
        while let Some(Last { record, begin }) = next {
            if record.seq < from {
                break;
            }
            let seq = record.seq;
            let before = match seq.checked_sub(1) {
                None => None,
                Some(before) => {
                    let (line, begin) = line_before(file, begin, true).map_err(|error| self.failed(error))?;
                    let line = line.strip_suffix(b"\n").unwrap_or(&line);
                    let record = self.record(before, line)?;
                    Some(Last { record, begin })
                }
            };
            let chain = before
                .as_ref()
                .map_or_else(|| Chain::of(self.key), |last| Chain::after(&last.record));
            chain.check(&record).map_err(|error| self.damaged(seq, error))?;
            records.push(record);
            next = before;
        }
        records.reverse();
        Ok(records)
    }

    /// Record 0.
    pub(super) fn first(&self) -> PortResult<Option<Record>> {
        let Some(file) = own::open(self.root, &self.path)? else {
            return Ok(None);
        };
        let mut line = vec![];
        let read = BufReader::new(file).read_until(b'\n', &mut line);
        read.map_err(|error| self.failed(error))?;
        let Some(line) = line.strip_suffix(b"\n") else {
            return self.refuse_unless_torn(0, &line).map(|()| None);
        };
        let record = self.record(0, line)?;
        let followed = Chain::of(self.key).check(&record);
        followed.map_err(|error| self.damaged(0, error))?;
        Ok(Some(record))
    }

    /// The last record.
    pub(super) fn last(&self) -> PortResult<Option<Record>> {
        match own::open(self.root, &self.path)? {
            Some(mut file) => Ok(self.end_of(&mut file)?.last.map(|last| last.record)),
            None => Ok(None),
        }
    }

    pub(super) fn append(&self, record: &Record) -> PortResult<Appended> {
        let mut line = record.encode()?;
        line.push(b'\n');
        let Some(mut file) = own::open_to_append(self.root, &self.path, record.seq == 0)? else {
            // The writer has read records from it.
            return Err(self.gone(record.seq));
        };
        self.seen.store(true, Ordering::Relaxed);
        file.lock().map_err(|error| failed("lock", &self.path, error))?;
        // From here on the lock is held until the file is closed.
        let end = self.end_of(&mut file)?;
        match end.chain.next_seq().cmp(&record.seq) {
            cmp::Ordering::Less => return Err(self.cut_short(end.chain.next_seq(), record.seq)),
            cmp::Ordering::Greater => return Ok(Appended::Conflict),
            cmp::Ordering::Equal => {}
        }
        end.chain.check(record).map_err(|error| {
            let message = format!("{} is not the log that was read", self.path.display());
            PortError::new(PortErrorKind::Incompatible, message).with_source(error)
        })?;
        if let Err(error) = write_at(&mut file, end.offset, &line) {
            // A half line would be passed over anyway; this spares the next reader the work.
            let _ = file.set_len(end.offset);
            return Err(failed("append to", &self.path, error).maybe_sent());
        }
        if record.seq == 0 {
            sync_folders(self.root, &self.path)
                .map_err(|error| failed("keep", &self.path, error).maybe_sent())?;
        }
        Ok(Appended::Yes)
    }

    /// Finds the last whole record from the file's end.
    fn end_of(&self, file: &mut File) -> PortResult<End> {
        let failed = |error| self.failed(error);
        let length = file.seek(SeekFrom::End(0)).map_err(failed)?;
        let (tail, offset) = line_before(file, length, false).map_err(failed)?;
        if offset == 0 {
            self.refuse_unless_torn(0, &tail)?;
            return Ok(End {
                offset,
                chain: Chain::of(self.key),
                last: None,
            });
        }
        let (line, begin) = line_before(file, offset, true).map_err(failed)?;
        let line = line.strip_suffix(b"\n").unwrap_or(&line);
        let record = Record::decode(line).map_err(|error| self.damage("its last record", error))?;
        self.refuse_unless_torn(record.seq.saturating_add(1), &tail)?;
        let chain = Chain::after(&record);
        Ok(End {
            offset,
            chain,
            last: Some(Last { record, begin }),
        })
    }

    fn record(&self, seq: u64, line: &[u8]) -> PortResult<Record> {
        Record::decode(line).map_err(|error| self.damaged(seq, error))
    }

    /// The chain after the record that this line is.
    fn passed(&self, chain: &Chain, line: &[u8]) -> PortResult<Chain> {
        let sum = sum_of(line).map_err(|error| self.damaged(chain.next_seq(), error))?;
        Ok(chain.passed(sum))
    }

    /// What stands after the last line break is what a killed writer or a power cut left, or damage.
    fn refuse_unless_torn(&self, seq: u64, tail: &[u8]) -> PortResult<()> {
        if is_beginning(tail) {
            return Ok(());
        }
        Err(self.damaged(seq, "it is no record, nor the beginning of one"))
    }

    fn damaged(&self, seq: u64, why: impl Into<Box<dyn Error + Send + Sync>>) -> PortError {
        self.damage(&format!("record {seq}"), why)
    }

    fn damage(&self, what: &str, why: impl Into<Box<dyn Error + Send + Sync>>) -> PortError {
        let message = format!("{}: {what} cannot be read", self.path.display());
        PortError::new(PortErrorKind::Incompatible, message).with_source(why)
    }

    /// A log that is not there any more, and was read from. A folder that was renamed, or is not mounted for a while,
    /// may come back: nothing was lost then.
    fn gone(&self, read: u64) -> PortError {
        if !self.seen.load(Ordering::Relaxed) || self.root.exists() {
            return self.cut_short(0, read);
        }
        let message = format!(
            "the folder {} is not there any more: it was renamed, moved, deleted or unmounted while it was in use; put it \
             back",
            self.root.display()
        );
        PortError::new(PortErrorKind::Other, message)
    }

    /// A log that has fewer records than its writer has read from it.
    fn cut_short(&self, there: u64, read: u64) -> PortError {
        let message = format!(
            "{} was cut short or deleted: it has {there} records, and {read} were read from it before",
            self.path.display()
        );
        PortError::new(PortErrorKind::Incompatible, message)
    }

    fn failed(&self, error: io::Error) -> PortError {
        failed("read", &self.path, error)
    }
}

fn write_at(file: &mut File, offset: u64, line: &[u8]) -> io::Result<()> {
    file.set_len(offset)?;
    file.seek(SeekFrom::Start(offset))?;
    file.write_all(line)?;
    file.sync_data()
}

/// The bytes of the file before `end` and after the newline before them, and where they begin. If
/// `whole`, a newline at `end` itself belongs to them.
fn line_before(file: &mut File, end: u64, whole: bool) -> io::Result<(Vec<u8>, u64)> {
    let mut tail: Vec<u8> = vec![];
    let mut begin = end;
    loop {
        let searched = tail.len().saturating_sub(usize::from(whole));
        if let Some(newline) = tail.iter().take(searched).rposition(|&byte| byte == b'\n') {
            let line = tail.split_off(newline + 1);
            let at = end - u64::try_from(line.len()).unwrap_or(end);
            return Ok((line, at));
        }
        if begin == 0 {
            return Ok((tail, 0));
        }
        let block = BLOCK.min(begin);
        begin -= block;
        file.seek(SeekFrom::Start(begin))?;
        let mut head = vec![];
        io::Read::take(&mut *file, block).read_to_end(&mut head)?;
        head.append(&mut tail);
        tail = head;
    }
}
