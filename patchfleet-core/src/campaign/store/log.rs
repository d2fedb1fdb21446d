//! Where campaigns are remembered.

use crate::campaign::Record;
use crate::id::{CampaignId, RequestName};
use crate::port::{BoxFuture, PortResult};
use std::fmt;

/// Ordered lists of records, one for each campaign and one for each request name.
///
/// Promises: "append record n if there is no record n" is atomic, among every process that uses
/// the same place; an appended record is durable once the call has returned; records are read in
/// order, without gaps. A store keeps a record as the bytes of [`Record::encode`], and reads it back with
/// [`Record::decode`], which notices whatever was changed. That each record follows the one before it is seen
/// by whoever folds the records ([`Chain`](crate::campaign::Chain)).
///
/// With the feature `store-tests`, `campaign::conformance` holds a store to all of this, and its front page is a
/// whole store over objects.
///
/// **Who wins.** The first record of a number wins, for good. Every other append of that number is told
/// [`Appended::Conflict`] and leaves nothing behind. A store may answer either way to the record that is there
/// already, byte for byte: whoever is told of a conflict reads whose record it is.
///
/// **A gap** is a number without a record where a later number has one, or where the writer has read one. A store
/// never makes one: it takes record n only if record n - 1 is there and is the one that n follows. One that it
/// finds is damage: somebody has taken a record away, and what it said may be that something was started. Neither
/// reading nor [`last`](Self::last) may stop at a gap as if the log ended there. Beyond the last record there is
/// no gap: that a log has lost its end is seen by whoever has read more of it.
///
/// **A lost answer.** An append that fails says by [`PortError::sent`](crate::port::PortError::sent) whether the
/// record may be there. [`Sent::No`](crate::port::Sent::No) is only said where nothing was kept for certain: the
/// request never left, or the place has refused it. Everything else is
/// [`Sent::Maybe`](crate::port::Sent::Maybe): a time-out, a connection that broke, an answer that cannot be read,
/// an error of the place's own (such as a status of 500). Then the writer reads whether its record is there, and
/// appends it again if not. That costs one read, so say `Maybe` in doubt.
///
/// Two guards keep a request's name to one open campaign. The claim is the first: the name's own log, whose
/// append is atomic. Somebody may delete that log, or cut its end off, so the campaigns themselves are the
/// second: before a name is given to a campaign, [`keys`](Self::keys) is asked which campaigns there are,
/// and none may be an open one of that name. The second guard is no lock. It may see a campaign late that
/// was begun a moment ago, as long as nobody deletes the claim, which is as new, in the same moment. A claim of a
/// campaign that is not there is damage: its log was emptied or taken away, and what it said may be that the
/// campaign is open.
///
/// What the second guard costs: one look is one [`keys`](Self::keys), for each campaign that is there, over or not,
/// one [`request_name`](Self::request_name) and one [`last`](Self::last), and a whole [`read`](Self::read) for
/// those of the same name that are open. One of another name that is open and that its own name's claims do not
/// have is asked for its [`first`](Self::first) record: its name may be what a damage has made of this one. A new
/// campaign is three looks: before it is planned, before anything is written down, and for its claim. Whoever calls
/// [`Store::admit`](crate::campaign::Store::admit) first adds one.
/// [`Store::open_campaign`](crate::campaign::Store::open_campaign) is one more where the claim names no open
/// campaign. Up to 16 of these calls run at once.
pub trait CampaignLog: Send + Sync {
    /// Makes the place ready, if it has to be made: whoever plans for long finds out first whether a log can be
    /// kept. What is there stays as it is. By default there is nothing to make.
    ///
    /// # Errors
    ///
    /// [`PortErrorKind::Invalid`](crate::port::PortErrorKind::Invalid) if nothing can be kept there.
    fn make(&self) -> BoxFuture<'_, PortResult<()>> {
        Box::pin(std::future::ready(Ok(())))
    }

    /// Appends `record` to the log `key`, as number `record.seq`, if there is no such record and
    /// all before it are there.
    ///
    /// # Errors
    ///
    /// [`PortErrorKind::Incompatible`](crate::port::PortErrorKind::Incompatible) if records before it are
    /// missing, or the last one is not the one that it follows: the writer has read them, so the log was cut
    /// short or changed. Otherwise whatever keeps the record from being kept.
    fn append(&self, key: &LogKey, record: &Record) -> BoxFuture<'_, PortResult<Appended>>;

    /// The records of the log `key` from number `from` on; none if nothing was appended to it since. Whoever
    /// reads from a number has read what stands before it.
    ///
    /// # Errors
    ///
    /// [`PortErrorKind::Incompatible`](crate::port::PortErrorKind::Incompatible) if the log is damaged, or has fewer
    /// records than `from`; the error's text says which file or object that is, which record, and what is wrong.
    fn read(&self, key: &LogKey, from: u64) -> BoxFuture<'_, PortResult<Vec<Record>>>;

    /// Every log that is there, of campaigns and of names, in any order. Whatever else lies in the same
    /// place is left out.
    ///
    /// A listing that is eventually consistent will do, if it shows a log some minutes after its first
    /// record at the latest, and for as long as the log is there. There is no default: a listing that
    /// leaves out what is there lets a second campaign of a name begin once its claim is lost.
    ///
    /// # Errors
    ///
    /// Whatever keeps the listing from being whole. Unknown is not empty: a part of it is no answer.
    fn keys(&self) -> BoxFuture<'_, PortResult<Vec<LogKey>>>;

    /// The name of a campaign's request, from record 0 of its log alone; `None` if it has no record.
    ///
    /// It is asked for every campaign that is there, so read no more of record 0 than is needed: the plan in it
    /// may be megabytes, and its JSON has the name within the first kilobyte. Of a record 0 that is not whole
    /// either answer will do, as [`last`](Self::last) says that there is none.
    ///
    /// # Errors
    ///
    /// [`PortErrorKind::Incompatible`](crate::port::PortErrorKind::Incompatible) if record 0 is there and names no
    /// request. The error's text says which file or object that is.
    fn request_name(&self, campaign: CampaignId) -> BoxFuture<'_, PortResult<Option<RequestName>>>;

    /// Record 0 of the log `key`, whole; `None` if it has none. Damage behind it need not be seen.
    ///
    /// By default the whole log is read. It is asked for where a log may be another than it says, which is seldom.
    ///
    /// # Errors
    ///
    /// [`PortErrorKind::Incompatible`](crate::port::PortErrorKind::Incompatible) if record 0 is damaged. If another
    /// version wrote it, the [`RecordError`](crate::campaign::RecordError) that says so is the error's source.
    fn first(&self, key: &LogKey) -> BoxFuture<'_, PortResult<Option<Record>>> {
        let all = self.read(key, 0);
        Box::pin(async move { Ok(all.await?.into_iter().next()) })
    }

    /// The last record of the log `key`, without those before it; `None` if it has none.
    ///
    /// # Errors
    ///
    /// As of [`read`](Self::read), but damage before the last record need not be seen.
    fn last(&self, key: &LogKey) -> BoxFuture<'_, PortResult<Option<Record>>>;
}

/// Which list of records.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LogKey {
    /// A campaign's own.
    Campaign(CampaignId),
    /// Which campaigns a request's name had: its last record names the one that may be open.
    Name(RequestName),
}

impl fmt::Display for LogKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Campaign(id) => write!(f, "campaigns/{id}"),
            Self::Name(name) => write!(f, "names/{name}"),
        }
    }
}

/// What became of an append.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use = "a record that was not appended must be decided anew"]
pub enum Appended {
    /// It is there, durably.
    Yes,
    /// Somebody else's record has this number. Read, fold and decide again.
    Conflict,
}
