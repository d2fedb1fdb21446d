//! A campaign log in a folder: one file for each log, one JSON record a line.
//!
//! ```text
//! DIR/campaigns/<campaign id>/log.jsonl                     what happened
//! DIR/campaigns/<campaign id>/nodes/<account>_<region>.json what became of the nodes there
//! DIR/names/<request name>.jsonl                            whose the name is
//! ```
//!
//! A line is a record as [`Record::encode`] writes it, and a line break. A record counts once its line has its
//! line break. A beginning of a record without one is what a killed writer or a power cut left: readers pass
//! over it, and the next append cuts it off. Any other line is damage, and so is a record that does not follow
//! the one before it. Nothing is appended to such a log, because what it said may be that a campaign is open.
//!
//! Logs are plain files of the user who runs the process. A symbolic link, a pipe, a socket or a file of another
//! user is refused by its name. The folder itself may be reached through a link. Other files and folders may lie
//! beside these; they are left alone.

use crate::campaign::Record;
use crate::campaign::{Appended, CampaignLog, LogKey};
use crate::id::{CampaignId, RequestName};
use crate::port::{BoxFuture, PortError, PortErrorKind, PortResult};
use futures_util::FutureExt as _;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

mod first;
mod lines;
mod own;
mod private;
mod rows;

use lines::Lines;

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
    /// Whether a log was there once. A folder that is not there any more may come back.
    seen: Arc<AtomicBool>,
}

impl FileLog {
    /// Logs in `dir`, which is made when something is first appended.
    #[must_use]
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self {
            dir: dir.into(),
            seen: Arc::default(),
        }
    }

    fn path(&self, key: &LogKey) -> PathBuf {
        match key {
            LogKey::Campaign(campaign) => campaign_dir(&self.dir, *campaign).join("log.jsonl"),
            LogKey::Name(name) => self.dir.join("names").join(format!("{name}.jsonl")),
        }
    }
}

impl CampaignLog for FileLog {
    fn make(&self) -> BoxFuture<'_, PortResult<()>> {
        async move {
            entries(&self.dir)?;
            private::create_folders(&self.dir).map_err(|error| failed("make", &self.dir, error))
        }
        .boxed()
    }

    fn append(&self, key: &LogKey, record: &Record) -> BoxFuture<'_, PortResult<Appended>> {
        let (key, record) = (key.clone(), record.clone());
        async move { Lines::of(self, &key).append(&record) }.boxed()
    }

    fn read(&self, key: &LogKey, from: u64) -> BoxFuture<'_, PortResult<Vec<Record>>> {
        let key = key.clone();
        async move { Lines::of(self, &key).read(from) }.boxed()
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
        async move { first::request_name(&self.dir, &path) }.boxed()
    }

    fn first(&self, key: &LogKey) -> BoxFuture<'_, PortResult<Option<Record>>> {
        let key = key.clone();
        async move { Lines::of(self, &key).first() }.boxed()
    }

    fn last(&self, key: &LogKey) -> BoxFuture<'_, PortResult<Option<Record>>> {
        let key = key.clone();
        async move { Lines::of(self, &key).last() }.boxed()
    }
}

/// The campaigns of a folder of logs.
fn campaigns(root: &Path) -> PortResult<Vec<CampaignId>> {
    let names = entries_below(root, "campaigns")?;
    // Whatever else lies in the folder is not the log's.
    Ok(names.iter().filter_map(|name| name.parse().ok()).collect())
}

/// The names in a folder of logs that have been claimed.
fn names(root: &Path) -> PortResult<Vec<RequestName>> {
    let files = entries_below(root, "names")?;
    let names = files.iter().filter_map(|file| file.strip_suffix(".jsonl"));
    Ok(names.filter_map(|name| name.parse().ok()).collect())
}

fn entries_below(root: &Path, folder: &str) -> PortResult<Vec<String>> {
    let folder = root.join(folder);
    own::folders(root, &folder)?;
    entries(&folder)
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

#[cfg(test)]
mod tests;
