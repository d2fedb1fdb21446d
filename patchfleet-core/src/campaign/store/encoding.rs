//! A record as bytes: the same for every store.
//!
//! ```text
//! {"format":3,"sha256":"<64 digits>","record":{"seq":0,"after":"<64 digits>","at":…,"writer":…,"events":[…]}}
//! ```
//!
//! It is one line of JSON without line breaks. `sha256` is the checksum of the text of `record`, byte for byte,
//! and the next record's `after` is the same digest. The first record's `after` is the digest of the log's name.
//! Nothing but exactly these bytes is a record, so whatever is changed in them is noticed.

use crate::campaign::{RECORD_FORMAT, Record, RecordDigest};
use crate::port::{PortError, PortErrorKind, PortResult};

const FORMAT: &[u8] = b"{\"format\":";
const SUM: &[u8] = b",\"sha256\":\"";
const RECORD: &[u8] = b"\",\"record\":";
const END: &[u8] = b"}";

/// How many digits a digest has.
const DIGITS: usize = 64;

/// Bytes that are no record of this version.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RecordError {
    /// A version before [`RECORD_FORMAT`] wrote it.
    #[error("an older version wrote it ({}; this version writes format {RECORD_FORMAT})", older(*format))]
    Older {
        /// Its format, if it says so.
        format: Option<u32>,
    },
    /// A version after [`RECORD_FORMAT`] wrote it, or its format was changed.
    #[error(
        "it says that a newer version wrote it (format {format}; this version writes format {RECORD_FORMAT})"
    )]
    Newer {
        /// Its format.
        format: u32,
    },
    /// It is nothing that a version of patchfleet writes.
    #[error("it is no record")]
    NoRecord,
    /// It is not what was written.
    #[error("its checksum is wrong: it was changed after it was written")]
    Checksum,
    /// It is what was written, and this version cannot read it.
    #[error("its checksum is right, and this version cannot read it")]
    Unreadable(#[source] serde_json::Error),
    /// It is what was written, and holds what this version does not know.
    #[error("its checksum is right, and it holds what only a newer version knows")]
    Unknown,
}

fn older(format: Option<u32>) -> String {
    format.map_or_else(
        || "its format is older".to_owned(),
        |format| format!("format {format}"),
    )
}

impl Record {
    /// The record as bytes: one line of JSON, with its checksum and without a line break.
    ///
    /// # Errors
    ///
    /// [`PortErrorKind::Invalid`] if it has no JSON.
    pub fn encode(&self) -> PortResult<Vec<u8>> {
        let record = serde_json::to_vec(self).map_err(|error| {
            let message = format!("record {} has no JSON", self.seq);
            PortError::new(PortErrorKind::Invalid, message).with_source(error)
        })?;
        let sum = RecordDigest::of(&record).to_string();
        let format = RECORD_FORMAT.to_string();
        Ok([
            FORMAT,
            format.as_bytes(),
            SUM,
            sum.as_bytes(),
            RECORD,
            &record,
            END,
        ]
        .concat())
    }

    /// The record that [`encode`](Self::encode) made these bytes of.
    ///
    /// # Errors
    ///
    /// [`RecordError`] for any other bytes.
    pub fn decode(bytes: &[u8]) -> Result<Self, RecordError> {
        let (sum, json) = parts(bytes)?;
        if RecordDigest::of(json).to_string().as_bytes() != sum {
            return Err(RecordError::Checksum);
        }
        let record: Self = serde_json::from_slice(json).map_err(RecordError::Unreadable)?;
        // What this version does not know is lost by reading it. Then the digest would be another one, too.
        if serde_json::to_vec(&record).is_ok_and(|again| again == json) {
            Ok(record)
        } else {
            Err(RecordError::Unknown)
        }
    }
}

/// The checksum that an encoded record gives for itself, unread. The next record says that it follows it.
#[cfg(feature = "file-log")]
pub(super) fn sum_of(bytes: &[u8]) -> Result<RecordDigest, RecordError> {
    let (sum, _) = parts(bytes)?;
    let text = std::str::from_utf8(sum).map_err(|_| RecordError::NoRecord)?;
    text.parse().map_err(|_| RecordError::NoRecord)
}

/// The checksum and the text of a record.
fn parts(bytes: &[u8]) -> Result<(&[u8], &[u8]), RecordError> {
    let Some(rest) = bytes.strip_prefix(FORMAT) else {
        return Err(of_old(bytes));
    };
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (format, rest) = rest.split_at(digits);
    let format = std::str::from_utf8(format)
        .ok()
        .filter(|text| !text.starts_with('0'));
    let format: u32 = format
        .and_then(|text| text.parse().ok())
        .ok_or(RecordError::NoRecord)?;
    match format {
        RECORD_FORMAT => {}
        format if format > RECORD_FORMAT => return Err(RecordError::Newer { format }),
        format => return Err(RecordError::Older { format: Some(format) }),
    }
    let rest = rest.strip_prefix(SUM).ok_or(RecordError::NoRecord)?;
    let (sum, rest) = rest.split_at_checked(DIGITS).ok_or(RecordError::NoRecord)?;
    let rest = rest.strip_prefix(RECORD).ok_or(RecordError::NoRecord)?;
    let json = rest.strip_suffix(END).ok_or(RecordError::NoRecord)?;
    Ok((sum, json))
}

/// What bytes are that do not begin as a record of this version. Until format 2 a record stood alone.
fn of_old(bytes: &[u8]) -> RecordError {
    if !bytes.starts_with(b"{\"seq\":") {
        return RecordError::NoRecord;
    }
    let planned = b"\"event\":\"planned\",\"format\":";
    let at = bytes
        .windows(planned.len())
        .take(1024)
        .position(|window| window == planned);
    let digits = at
        .and_then(|at| bytes.get(at.saturating_add(planned.len())..))
        .unwrap_or_default();
    let format = digits
        .iter()
        .take_while(|byte| byte.is_ascii_digit())
        .try_fold(0_u32, |format, digit| {
            format.checked_mul(10)?.checked_add(u32::from(*digit - b'0'))
        });
    RecordError::Older {
        format: format.filter(|format| (1..RECORD_FORMAT).contains(format)),
    }
}

/// Whether these bytes can be what a killed writer left of a record: its beginning, or the beginning of it with
/// bytes behind it that never reached the disk and read as zero. A whole record with something behind it is not.
#[cfg(feature = "file-log")]
pub(super) fn is_beginning(bytes: &[u8]) -> bool {
    let written = bytes
        .iter()
        .rposition(|&byte| byte != 0)
        .map_or(0, |last| last.saturating_add(1));
    let written = bytes.get(..written).unwrap_or_default();
    let begins = match written.split_at_checked(FORMAT.len()) {
        Some((begins, _)) => begins == FORMAT,
        None => FORMAT.starts_with(written),
    };
    begins && !has_more_than_one_value(written)
}

/// Whether more stands here than one value of JSON.
#[cfg(feature = "file-log")]
fn has_more_than_one_value(bytes: &[u8]) -> bool {
    let mut values = serde_json::Deserializer::from_slice(bytes).into_iter::<serde::de::IgnoredAny>();
    matches!(values.next(), Some(Ok(_))) && values.byte_offset() < bytes.len()
}

#[cfg(test)]
mod tests;
