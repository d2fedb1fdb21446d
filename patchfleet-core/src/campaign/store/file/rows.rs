//! The results of nodes, one file for each location.

use super::private;
use super::{campaign_dir, failed, own, sync_folders};
use crate::campaign::NodeRows;
use crate::id::{CampaignId, Location};
use crate::outcome::NodeRow;
use crate::port::{BoxFuture, PortError, PortErrorKind, PortResult};
use futures_util::FutureExt as _;
use serde::{Deserialize, Serialize};
use std::error::Error;
use std::fs;
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// Node rows in a folder, the same as the [`FileLog`](super::FileLog)'s. A file is replaced as a
/// whole, so it is never seen half written.
///
/// The calls block their thread for as long as the disk takes.
#[derive(Debug, Clone)]
pub struct FileRows {
    dir: PathBuf,
}

#[derive(Serialize, Deserialize)]
struct Kept {
    campaign: CampaignId,
    location: Location,
    attempt: u32,
    rows: Vec<NodeRow>,
}

impl FileRows {
    /// Rows in `dir`, which is made when something is first put.
    #[must_use]
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self { dir: dir.into() }
    }

    fn path(&self, campaign: CampaignId, location: &Location) -> PathBuf {
        let name = format!("{}_{}.json", location.account, location.region);
        campaign_dir(&self.dir, campaign).join("nodes").join(name)
    }
}

impl NodeRows for FileRows {
    fn put(
        &self,
        campaign: CampaignId,
        location: &Location,
        attempt: u32,
        mut rows: Vec<NodeRow>,
    ) -> BoxFuture<'_, PortResult<()>> {
        let (path, location) = (self.path(campaign, location), location.clone());
        async move {
            // What is damaged is written over: the rows that come are read anew.
            let there = match kept(&self.dir, &path, campaign, &location) {
                Err(error) if error.kind() == PortErrorKind::Incompatible => None,
                there => there?,
            };
            if there.is_some_and(|kept| kept.attempt > attempt) {
                return Ok(());
            }
            rows.sort_by(|a, b| a.node.cmp(&b.node));
            let kept = Kept {
                campaign,
                location,
                attempt,
                rows,
            };
            own::folders(&self.dir, path.parent().unwrap_or(&path))?;
            replace(&self.dir, &path, &kept).map_err(|error| failed("write", &path, error).maybe_sent())
        }
        .boxed()
    }

    fn rows(&self, campaign: CampaignId, location: &Location) -> BoxFuture<'_, PortResult<Vec<NodeRow>>> {
        let (path, location) = (self.path(campaign, location), location.clone());
        async move { Ok(kept(&self.dir, &path, campaign, &location)?.map_or(vec![], |kept| kept.rows)) }
            .boxed()
    }
}

fn kept(root: &Path, path: &Path, campaign: CampaignId, location: &Location) -> PortResult<Option<Kept>> {
    let damaged = |why: Box<dyn Error + Send + Sync>| {
        let message = format!(
            "{} cannot be read: it is damaged, or of a newer version",
            path.display()
        );
        PortError::new(PortErrorKind::Incompatible, message).with_source(why)
    };
    let Some(mut file) = own::open(root, path)? else {
        return Ok(None);
    };
    let mut bytes = vec![];
    file.read_to_end(&mut bytes)
        .map_err(|error| failed("read", path, error))?;
    let kept: Kept = serde_json::from_slice(&bytes).map_err(|error| damaged(error.into()))?;
    if (kept.campaign, &kept.location) != (campaign, location) {
        let other = format!("it is of {} in campaign {}", kept.location, kept.campaign);
        return Err(damaged(other.into()));
    }
    Ok(Some(kept))
}

/// Writes the whole file beside the old one, then puts it in its place.
fn replace(root: &Path, path: &Path, kept: &Kept) -> io::Result<()> {
    /// Tells the files of one process apart.
    static NEXT: AtomicU64 = AtomicU64::new(0);
    if let Some(folder) = path.parent() {
        private::create_folders(folder)?;
    }
    let mine = format!(
        "{}-{}.tmp",
        std::process::id(),
        NEXT.fetch_add(1, Ordering::Relaxed)
    );
    let beside = path.with_extension(mine);
    // Of a process that was killed and had the same number. A link there is taken away, never followed.
    match fs::remove_file(&beside) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let write = || {
        let mut file = private::options().write(true).create_new(true).open(&beside)?;
        file.write_all(&serde_json::to_vec(kept)?)?;
        file.sync_all()?;
        fs::rename(&beside, path)
    };
    let written = write();
    if written.is_err() {
        let _ = fs::remove_file(&beside);
    }
    written?;
    sync_folders(root, path)
}
