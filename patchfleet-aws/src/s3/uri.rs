//! Where a store is.

use std::fmt;
use std::str::FromStr;

/// `s3://BUCKET` or `s3://BUCKET/PREFIX`: a place in a bucket, where the names of all objects begin with the
/// prefix and a `/`.
///
/// ```
/// use patchfleet_aws::S3Uri;
/// let uri: S3Uri = "s3://ops-logs/patchfleet/prod/".parse()?;
/// assert_eq!((uri.bucket(), uri.prefix()), ("ops-logs", "patchfleet/prod"));
/// assert_eq!(uri.to_string(), "s3://ops-logs/patchfleet/prod");
/// assert!("ops-logs/patchfleet".parse::<S3Uri>().is_err());
/// # Ok::<(), patchfleet_aws::S3UriError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct S3Uri {
    bucket: String,
    prefix: String,
}

/// A text that is no [`S3Uri`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is no place in S3: {why}; it has to be s3://BUCKET/PREFIX or s3://BUCKET")]
pub struct S3UriError {
    text: String,
    why: &'static str,
}

/// The longest prefix. A key has at most 1,024 bytes (S3 User Guide, "Naming Amazon S3 objects"), and the longest
/// name below the prefix has less than 300.
const LONGEST_PREFIX: usize = 700;

impl S3Uri {
    /// The bucket's name.
    #[must_use]
    pub fn bucket(&self) -> &str {
        &self.bucket
    }

    /// The prefix, without slashes at its ends; empty for the whole bucket.
    #[must_use]
    pub fn prefix(&self) -> &str {
        &self.prefix
    }
}

impl FromStr for S3Uri {
    type Err = S3UriError;

    fn from_str(text: &str) -> Result<Self, S3UriError> {
        let wrong = |why| S3UriError {
            text: text.to_owned(),
            why,
        };
        let place = text
            .strip_prefix("s3://")
            .ok_or_else(|| wrong("it does not begin with s3://"))?;
        let (bucket, prefix) = place.split_once('/').unwrap_or((place, ""));
        let prefix = prefix.trim_end_matches('/');
        if let Some(why) = fault_of_bucket(bucket).or_else(|| fault_of_prefix(prefix)) {
            return Err(wrong(why));
        }
        Ok(Self {
            bucket: bucket.to_owned(),
            prefix: prefix.to_owned(),
        })
    }
}

/// What is wrong with a bucket's name (S3 User Guide, "General purpose bucket naming rules").
fn fault_of_bucket(name: &str) -> Option<&'static str> {
    let is_edge = |letter: u8| letter.is_ascii_lowercase() || letter.is_ascii_digit();
    let bytes = name.as_bytes();
    let is_inner = |letter: u8| is_edge(letter) || letter == b'-' || letter == b'.';
    if name.is_empty() {
        return Some("the bucket's name is missing");
    }
    if !(3..=63).contains(&bytes.len()) {
        return Some("the bucket's name has to have 3 to 63 characters");
    }
    let edges = [bytes.first(), bytes.last()];
    if !bytes.iter().all(|&letter| is_inner(letter))
        || !edges.into_iter().flatten().all(|&letter| is_edge(letter))
    {
        return Some(
            "the bucket's name has to be of lower-case letters, digits, dots and hyphens, with a letter or digit at its ends",
        );
    }
    if name.contains("..") {
        return Some("the bucket's name has two dots side by side");
    }
    if name.parse::<std::net::Ipv4Addr>().is_ok() {
        return Some("the bucket's name is an IP address");
    }
    // They list their objects in no order (S3 User Guide, "Differences for directory buckets").
    if name.ends_with("--x-s3") {
        return Some("the bucket is a directory bucket, in which no log can be kept");
    }
    None
}

fn fault_of_prefix(prefix: &str) -> Option<&'static str> {
    if prefix.len() > LONGEST_PREFIX {
        return Some("the prefix has more than 700 bytes");
    }
    if prefix
        .chars()
        .any(|letter| letter.is_control() || "?#".contains(letter))
    {
        return Some("the prefix has a control character, a `?` or a `#`");
    }
    let is_odd = |part: &str| part.is_empty() || part == "." || part == "..";
    if !prefix.is_empty() && prefix.split('/').any(is_odd) {
        return Some("the prefix has a part that is empty, `.` or `..`");
    }
    None
}

impl fmt::Display for S3Uri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "s3://{}", self.bucket)?;
        if !self.prefix.is_empty() {
            write!(f, "/{}", self.prefix)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_a_bucket_and_perhaps_a_prefix() {
        for (text, bucket, prefix) in [
            ("s3://ops", "ops", ""),
            ("s3://ops/", "ops", ""),
            ("s3://ops.logs-1/a/b//", "ops.logs-1", "a/b"),
            ("s3://1.2.3.logs/ä b+c", "1.2.3.logs", "ä b+c"),
        ] {
            let uri: S3Uri = text.parse().unwrap();
            assert_eq!((uri.bucket(), uri.prefix()), (bucket, prefix), "{text}");
        }
    }

    #[test]
    fn what_is_wrong_with_a_place_is_said() {
        for (text, why) in [
            ("/var/lib/patchfleet", "begin with s3://"),
            ("S3://ops", "begin with s3://"),
            ("s3://", "missing"),
            ("s3:///prefix", "missing"),
            ("s3://ab/prefix", "3 to 63"),
            ("s3://Ops/prefix", "lower-case"),
            ("s3://ops-/prefix", "at its ends"),
            ("s3://ops..logs", "two dots"),
            ("s3://192.168.5.4/prefix", "IP address"),
            ("s3://ops--usw2-az1--x-s3/prefix", "directory bucket"),
            ("s3://ops//prefix", "empty"),
            ("s3://ops/a/../b", "`..`"),
            ("s3://ops/prefix?region=eu-west-1", "`?`"),
        ] {
            let error = text.parse::<S3Uri>().unwrap_err().to_string();
            assert!(error.contains(why) && error.contains(text), "{error}");
        }
        assert!(format!("s3://ops/{}", "p".repeat(701)).parse::<S3Uri>().is_err());
    }
}
