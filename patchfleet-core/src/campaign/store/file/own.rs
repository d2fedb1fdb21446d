//! Only plain files of one's own: whoever can put a link, a pipe or a file of their own in the place of a log
//! could have another file written to, or say what has been started.

use super::{failed, private};
use crate::port::{PortError, PortErrorKind, PortResult};
use std::fs::{self, File, Metadata};
use std::io;
use std::path::Path;

/// How often a file is opened that somebody puts another one in the place of.
const TRIES: u32 = 16;

/// Opens a file below `root` for reading; `None` if it is not there.
#[expect(clippy::disallowed_methods, reason = "FileLog is core's one piece of I/O")]
pub(super) fn open(root: &Path, path: &Path) -> PortResult<Option<File>> {
    for _ in 0..TRIES {
        if !is_there(root, path)? {
            return Ok(None);
        }
        match File::open(path) {
            Ok(file) if is_same(path, &file)? => return Ok(Some(file)),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed("read", path, error)),
        }
    }
    Err(refused(path, "is replaced again and again", "files"))
}

/// Opens a file below `root` for appending; `None` if it is not there and is not to be made.
pub(super) fn open_to_append(root: &Path, path: &Path, create: bool) -> PortResult<Option<File>> {
    let opened = |error| failed("open", path, error);
    for _ in 0..TRIES {
        if is_there(root, path)? {
            let file = private::options()
                .read(true)
                .write(true)
                .open(path)
                .map_err(opened)?;
            if is_same(path, &file)? {
                private::tighten(&file);
                return Ok(Some(file));
            }
            continue;
        }
        if !create {
            return Ok(None);
        }
        if let Some(folder) = path.parent() {
            private::create_folders(folder).map_err(opened)?;
        }
        // Never through a link: the file is made here, or somebody else has made one meanwhile.
        match private::options()
            .read(true)
            .write(true)
            .create_new(true)
            .open(path)
        {
            Ok(file) => return Ok(Some(file)),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(opened(error)),
        }
    }
    Err(refused(path, "is replaced again and again", "files"))
}

/// Sees that the folders below `root` that lead to `path` are folders, and no links to some.
pub(super) fn folders(root: &Path, path: &Path) -> PortResult<()> {
    let below = path.ancestors().take_while(|above| *above != root);
    for folder in below {
        match fs::symlink_metadata(folder) {
            Ok(there) if there.is_symlink() => return Err(refused(folder, "is a symbolic link", "folders")),
            // What is no folder is said by whoever opens it.
            Ok(_) | Err(_) => {}
        }
    }
    Ok(())
}

/// Whether a file is there. An error if something else is, or the file is not one's own.
fn is_there(root: &Path, path: &Path) -> PortResult<bool> {
    if let Some(folder) = path.parent() {
        folders(root, folder)?;
    }
    match fs::symlink_metadata(path) {
        Ok(there) => plain(path, &there).map(|()| true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        // As of a folder that is none: whoever opens the file says so.
        Err(_) => Ok(true),
    }
}

/// Whether what was opened is what stands there.
#[cfg(unix)]
fn is_same(path: &Path, file: &File) -> PortResult<bool> {
    use std::os::unix::fs::MetadataExt as _;
    let opened = file.metadata().map_err(|error| failed("read", path, error))?;
    plain(path, &opened)?;
    let there = fs::symlink_metadata(path);
    Ok(there.is_ok_and(|there| (there.dev(), there.ino()) == (opened.dev(), opened.ino())))
}

/// Nothing tells two files apart here.
#[cfg(not(unix))]
fn is_same(_: &Path, _: &File) -> PortResult<bool> {
    Ok(true)
}

/// Sees that this is a plain file of one's own.
fn plain(path: &Path, there: &Metadata) -> PortResult<()> {
    let kind = there.file_type();
    // Whoever opens a folder is told so.
    if kind.is_file() || kind.is_dir() {
        return foreign(path, there);
    }
    let what = if kind.is_symlink() {
        "is a symbolic link"
    } else {
        "is a pipe, a socket or a device"
    };
    Err(refused(path, what, "files"))
}

#[cfg(unix)]
fn foreign(path: &Path, there: &Metadata) -> PortResult<()> {
    use std::os::unix::fs::MetadataExt as _;
    match own_user() {
        Some(own) if own != there.uid() => {
            let message = format!(
                "{} belongs to user {}, and this process runs as user {own}: run it as that user, or give the log to \
                 this one",
                path.display(),
                there.uid()
            );
            Err(PortError::new(PortErrorKind::Incompatible, message))
        }
        _ => Ok(()),
    }
}

#[cfg(not(unix))]
fn foreign(_: &Path, _: &Metadata) -> PortResult<()> {
    Ok(())
}

/// As which user this process reads and writes files; `None` where the system does not say so without a call
/// that is not safe.
#[cfg(unix)]
pub(super) fn own_user() -> Option<u32> {
    use std::os::unix::fs::MetadataExt as _;
    use std::sync::OnceLock;
    static OWN: OnceLock<Option<u32>> = OnceLock::new();
    *OWN.get_or_init(|| fs::metadata("/proc/self").ok().map(|own| own.uid()))
}

fn refused(path: &Path, what: &str, instead: &str) -> PortError {
    let message = format!(
        "{} {what}: a log is kept in {instead} of its own, and nothing was read from it or written to it",
        path.display()
    );
    PortError::new(PortErrorKind::Incompatible, message)
}
