//! A campaign log in a folder: one file for each log, one JSON record a line.
//!
//! ```text
//! DIR/campaigns/<campaign id>/log.jsonl                     what happened
//! DIR/campaigns/<campaign id>/nodes/<account>_<region>.json what became of the nodes there
//! DIR/names/<request name>.jsonl                            whose the name is
//! ```
//!
//! A record counts once its line has its newline. A last line without one, or one with zero bytes in
//! it, is what a killed writer or a power cut left: readers pass over it, and the next append cuts it
//! off. Any other line that is no record is damage. Nothing is appended to such a log, because what it
//! said may be that a campaign is open. Other files and folders may lie beside these; they are left alone.

use crate::campaign::{Appended, CampaignLog, LogKey};
use crate::campaign::{Record, State};
use crate::id::{CampaignId, RequestName};
use crate::outcome::FinishedOutcome;
use crate::port::{BoxFuture, PortError, PortErrorKind, PortResult};
use futures_util::FutureExt as _;
use jiff::Timestamp;
use std::cmp::Reverse;
use std::fs::{self, File};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

mod first;
mod private;
mod rows;

pub use rows::FileRows;

/// How much of a file's end is read at once when its last line is looked for.
const BLOCK: u64 = 64 * 1024;

/// Logs in a folder, which any number of processes of one machine may use at once: appends hold
/// the file's lock. On a network file system that is only as good as its locks are.
///
/// The calls block their thread for as long as the disk takes.
#[derive(Debug, Clone)]
pub struct FileLog {
    dir: PathBuf,
}

/// One campaign of a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CampaignSummary {
    /// The campaign.
    pub campaign: CampaignId,
    /// Its request's name.
    pub request: RequestName,
    /// When its plan was written down.
    pub planned_at: Timestamp,
    /// When its last record was appended.
    pub last_at: Timestamp,
    /// How it ended; `None` while it is open.
    pub finished: Option<FinishedOutcome>,
    /// Why locations were left out that had not been begun, if any was.
    pub left_out_because: Option<String>,
    /// What a person may want to act on now ([`State::warnings`](crate::campaign::State::warnings)).
    pub warnings: Vec<String>,
}

/// The campaigns of a folder.
#[derive(Debug, Default)]
pub struct CampaignList {
    /// Those that can be read, the newest first.
    pub campaigns: Vec<CampaignSummary>,
    /// Why the others cannot be.
    pub unreadable: Vec<PortError>,
}

impl FileLog {
    /// Logs in `dir`, which is made when something is first appended.
    #[must_use]
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self { dir: dir.into() }
    }

    /// Makes the folder, if it is not there: whoever plans for long finds out first whether a log can be kept.
    ///
    /// # Errors
    ///
    /// [`PortError`] if it cannot be made.
    pub fn make(&self) -> PortResult<()> {
        entries(&self.dir)?;
        private::create_folders(&self.dir).map_err(|error| failed("make", &self.dir, error))
    }

    /// Every campaign of the folder, the newest first. A folder that does not exist has none.
    ///
    /// # Errors
    ///
    /// [`PortError`] if the folder cannot be listed.
    pub fn list(&self) -> PortResult<CampaignList> {
        let mut list = CampaignList::default();
        for campaign in campaigns(&self.dir)? {
            match self.summary(campaign) {
                Ok(summary) => list.campaigns.extend(summary),
                Err(error) => list.unreadable.push(error),
            }
        }
        list.campaigns
            .sort_by_key(|campaign| Reverse((campaign.planned_at, campaign.campaign)));
        list.unreadable.sort_by_key(ToString::to_string);
        Ok(list)
    }

    /// A campaign's summary; `None` if nothing was ever appended to its log.
    fn summary(&self, campaign: CampaignId) -> PortResult<Option<CampaignSummary>> {
        let path = self.path(&LogKey::Campaign(campaign));
        let records = read(&path, 0)?;
        if records.is_empty() {
            return Ok(None);
        }
        let state = State::from_records(&records).map_err(|error| {
            PortError::new(
                PortErrorKind::Incompatible,
                format!("{} is no campaign's log", path.display()),
            )
            .with_source(error)
        })?;
        Ok(Some(CampaignSummary {
            campaign,
            request: state.plan().request.name.clone(),
            planned_at: state.planned_at(),
            last_at: state.last_at(),
            finished: state.finished().map(|(outcome, _)| outcome),
            left_out_because: state.left_out_because().map(|reason| reason.to_string()),
            warnings: state.warnings(),
        }))
    }

    fn path(&self, key: &LogKey) -> PathBuf {
        match key {
            LogKey::Campaign(campaign) => campaign_dir(&self.dir, *campaign).join("log.jsonl"),
            LogKey::Name(name) => self.dir.join("names").join(format!("{name}.jsonl")),
        }
    }
}

impl CampaignLog for FileLog {
    fn append(&self, key: &LogKey, record: &Record) -> BoxFuture<'_, PortResult<Appended>> {
        let (path, record) = (self.path(key), record.clone());
        async move { append(&self.dir, &path, &record) }.boxed()
    }

    fn read(&self, key: &LogKey, from: u64) -> BoxFuture<'_, PortResult<Vec<Record>>> {
        let path = self.path(key);
        async move { read(&path, from) }.boxed()
    }

    fn keys(&self) -> BoxFuture<'_, PortResult<Vec<LogKey>>> {
        async move {
            let campaigns = campaigns(&self.dir)?.into_iter().map(LogKey::Campaign);
            let names = names(&self.dir)?.into_iter().map(LogKey::Name);
            Ok(campaigns.chain(names).collect())
        }
        .boxed()
    }

    fn request_name(&self, campaign: CampaignId) -> BoxFuture<'_, PortResult<Option<RequestName>>> {
        let path = self.path(&LogKey::Campaign(campaign));
        async move { first::request_name(&path) }.boxed()
    }

    fn last(&self, key: &LogKey) -> BoxFuture<'_, PortResult<Option<Record>>> {
        let path = self.path(key);
        async move { last(&path) }.boxed()
    }
}

/// The campaigns of a folder of logs.
fn campaigns(root: &Path) -> PortResult<Vec<CampaignId>> {
    let names = entries(&root.join("campaigns"))?;
    // Whatever else lies in the folder is not the log's.
    Ok(names.iter().filter_map(|name| name.parse().ok()).collect())
}

/// The names in a folder of logs that have been claimed.
fn names(root: &Path) -> PortResult<Vec<RequestName>> {
    let files = entries(&root.join("names"))?;
    let names = files.iter().filter_map(|file| file.strip_suffix(".jsonl"));
    Ok(names.filter_map(|name| name.parse().ok()).collect())
}

/// What is in a folder; nothing, if it was not made yet.
fn entries(folder: &Path) -> PortResult<Vec<String>> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound && broken_link(folder).is_none() => {
            return Ok(vec![]);
        }
        Err(error) => return Err(failed("list", folder, error)),
    };
    let mut names = vec![];
    for entry in entries {
        let name = entry.map_err(|error| failed("list", folder, error))?.file_name();
        names.extend(name.into_string());
    }
    Ok(names)
}

/// The last whole record.
#[expect(clippy::disallowed_methods, reason = "FileLog is core's one piece of I/O")]
fn last(path: &Path) -> PortResult<Option<Record>> {
    match File::open(path) {
        Ok(mut file) => Ok(end_of(&mut file, path)?.last),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(failed("read", path, error)),
    }
}

fn append(root: &Path, path: &Path, record: &Record) -> PortResult<Appended> {
    let mut line = serde_json::to_vec(record).map_err(|error| {
        PortError::new(
            PortErrorKind::Invalid,
            format!("record {} has no JSON", record.seq),
        )
        .with_source(error)
    })?;
    line.push(b'\n');

    let mut file = match open(path, record.seq == 0) {
        // The writer has read records from it.
        Err(error) if error.kind() == io::ErrorKind::NotFound && record.seq > 0 => {
            return Err(cut_short(path, 0, record.seq));
        }
        opened => opened.map_err(|error| failed("open", path, error))?,
    };
    file.lock().map_err(|error| failed("lock", path, error))?;
    // From here on the lock is held until the file is closed.
    let end = end_of(&mut file, path)?;
    if end.next_seq() < record.seq {
        return Err(cut_short(path, end.next_seq(), record.seq));
    }
    if end.next_seq() > record.seq {
        return Ok(Appended::Conflict);
    }
    if let Err(error) = write_at(&mut file, end.offset, &line) {
        // A half line would be passed over anyway; this spares the next reader the work.
        let _ = file.set_len(end.offset);
        return Err(failed("append to", path, error).maybe_sent());
    }
    if record.seq == 0 {
        sync_folders(root, path).map_err(|error| failed("keep", path, error).maybe_sent())?;
    }
    Ok(Appended::Yes)
}

fn open(path: &Path, create: bool) -> io::Result<File> {
    if create && let Some(folder) = path.parent() {
        private::create_folders(folder)?;
    }
    let file = private::options()
        .read(true)
        .write(true)
        .create(create)
        .truncate(false)
        .open(path)?;
    private::tighten(&file);
    Ok(file)
}

fn write_at(file: &mut File, offset: u64, line: &[u8]) -> io::Result<()> {
    file.set_len(offset)?;
    file.seek(SeekFrom::Start(offset))?;
    file.write_all(line)?;
    file.sync_data()
}

/// Makes the names of a new file, and of the folders above it up to `root`'s own, durable.
#[cfg(unix)]
#[expect(clippy::disallowed_methods, reason = "FileLog is core's one piece of I/O")]
fn sync_folders(root: &Path, path: &Path) -> io::Result<()> {
    let above = path.ancestors().skip(1);
    for folder in above
        .take_while(|folder| folder.starts_with(root))
        .chain(root.parent())
    {
        if !folder.as_os_str().is_empty() {
            File::open(folder)?.sync_all()?;
        }
    }
    Ok(())
}

/// Folders cannot be opened as files here; the file system keeps its names by itself.
#[cfg(not(unix))]
fn sync_folders(_: &Path, _: &Path) -> io::Result<()> {
    Ok(())
}

/// Where the next record goes.
struct End {
    offset: u64,
    last: Option<Record>,
}

impl End {
    fn next_seq(&self) -> u64 {
        self.last
            .as_ref()
            .map_or(0, |record| record.seq.saturating_add(1))
    }
}

/// Finds the last whole record from the file's end.
fn end_of(file: &mut File, path: &Path) -> PortResult<End> {
    let length = file
        .seek(SeekFrom::End(0))
        .map_err(|error| failed("read", path, error))?;
    let (tail, mut end) = line_before(file, length, false).map_err(|error| failed("read", path, error))?;
    if !is_torn(&tail) {
        return Err(damaged(
            path,
            "the last line",
            "it is no record, nor the beginning of one",
        ));
    }
    // What stands after the last newline is torn; the last line may be as well, but no more.
    for what in ["the last line", "the last line but one"] {
        if end == 0 {
            break;
        }
        let (line, _) = line_before(file, end, true).map_err(|error| failed("read", path, error))?;
        match serde_json::from_slice::<Record>(&line) {
            Ok(record) => {
                return Ok(End {
                    offset: end,
                    last: Some(record),
                });
            }
            Err(_) if what == "the last line" && is_torn(&line) => {
                end -= u64::try_from(line.len()).unwrap_or(end);
            }
            Err(error) => return Err(damaged(path, what, error)),
        }
    }
    Ok(End {
        offset: 0,
        last: None,
    })
}

/// Whether a last line that is no record can be what a killed writer or a power cut left: the beginning
/// of a record, or bytes that never reached the disk and read as zero. JSON holds neither zero bytes nor
/// line breaks, so a whole line without zero bytes was whole once.
fn is_torn(line: &[u8]) -> bool {
    line.contains(&0) || (!line.ends_with(b"\n") && (line.is_empty() || line.starts_with(b"{")))
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

#[expect(clippy::disallowed_methods, reason = "FileLog is core's one piece of I/O")]
fn read(path: &Path, from: u64) -> PortResult<Vec<Record>> {
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(vec![]),
        Err(error) => return Err(failed("read", path, error)),
    };
    let mut records = vec![];
    let mut lines = (0_u64..)
        .zip(bytes.split_inclusive(|&byte| byte == b'\n'))
        .peekable();
    while let Some((number, line)) = lines.next() {
        let last = lines.peek().is_none();
        let named = || format!("line {}", number + 1);
        if !line.ends_with(b"\n") {
            if !is_torn(line) {
                let wrong = "it is no record, nor the beginning of one";
                return Err(damaged(path, &named(), wrong));
            }
            break;
        }
        // The last line is always looked at: it may be torn, and then it does not count.
        if number < from && !last {
            continue;
        }
        match serde_json::from_slice::<Record>(line) {
            Ok(record) if record.seq != number => {
                let wrong = format!("it is record {}, and should be record {number}", record.seq);
                return Err(damaged(path, &named(), wrong));
            }
            Ok(record) if number >= from => records.push(record),
            Ok(_) => {}
            Err(_) if last && is_torn(line) => break,
            Err(error) => return Err(damaged(path, &named(), error)),
        }
    }
    Ok(records)
}

/// The folder of a campaign.
fn campaign_dir(root: &Path, campaign: CampaignId) -> PathBuf {
    root.join("campaigns").join(campaign.to_string())
}

fn failed(what: &str, path: &Path, error: io::Error) -> PortError {
    if let Some(link) = broken_link(path) {
        let message = format!("{} is a link that leads nowhere", link.display());
        return PortError::new(PortErrorKind::Invalid, message).with_source(error);
    }
    let kind = match error.kind() {
        // A path that cannot be used today cannot be used in half a minute either.
        io::ErrorKind::PermissionDenied
        | io::ErrorKind::ReadOnlyFilesystem
        | io::ErrorKind::NotFound
        | io::ErrorKind::AlreadyExists
        | io::ErrorKind::NotADirectory
        | io::ErrorKind::IsADirectory
        | io::ErrorKind::InvalidFilename
        | io::ErrorKind::InvalidInput => PortErrorKind::Invalid,
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => PortErrorKind::LimitExceeded,
        _ => PortErrorKind::Other,
    };
    PortError::new(kind, format!("cannot {what} {}", path.display())).with_source(error)
}

/// The path, or a folder above it, that is a link to nothing, or to itself: nothing can be made there.
fn broken_link(path: &Path) -> Option<&Path> {
    path.ancestors()
        .find(|above| above.is_symlink() && !above.exists())
}

/// A log that has fewer records than its writer has read from it.
fn cut_short(path: &Path, there: u64, read: u64) -> PortError {
    let message = format!(
        "{} was cut short or deleted: it has {there} records, and {read} were read from it before",
        path.display()
    );
    PortError::new(PortErrorKind::Incompatible, message)
}

fn damaged(path: &Path, what: &str, why: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> PortError {
    let message = format!("{}: {what} is damaged, or of a newer version", path.display());
    PortError::new(PortErrorKind::Incompatible, message).with_source(why)
}

#[cfg(test)]
mod tests;
