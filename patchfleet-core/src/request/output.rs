//! Where the whole output of the commands goes.

use crate::id::{BucketName, LogGroupName, S3KeyPrefix};
use serde::Serialize;

/// Where Run Command puts what nodes print, beside the part of it that it keeps itself. patchfleet's own runbook alone
/// takes this; a runbook of one's own says so in its steps.
///
/// The nodes write it, with their own roles. AWS does not fail a command whose output could not be written.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Output {
    /// A bucket (`OutputS3BucketName`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub s3_bucket: Option<BucketName>,
    /// What the keys in that bucket begin with (`OutputS3KeyPrefix`). Only with a bucket.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub s3_prefix: Option<S3KeyPrefix>,
    /// A log group of CloudWatch Logs, in the account and Region of the nodes (`CloudWatchOutputConfig`). AWS makes it
    /// where it is missing and the node may.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cloudwatch_log_group: Option<LogGroupName>,
}

/// The places among which patchfleet's runbook chooses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OutputTo {
    /// Nowhere: what Run Command keeps of it is all there is.
    None,
    S3,
    CloudWatch,
    Both,
}

impl OutputTo {
    /// All of them, the default first.
    pub(crate) const ALL: [Self; 4] = [Self::None, Self::S3, Self::CloudWatch, Self::Both];

    /// The word for it in the runbook's parameter.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::None => "None",
            Self::S3 => "S3",
            Self::CloudWatch => "CloudWatch",
            Self::Both => "S3AndCloudWatch",
        }
    }
}

impl Output {
    /// Whether nothing is asked for.
    #[must_use]
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }

    pub(crate) fn to(&self) -> OutputTo {
        match (&self.s3_bucket, &self.cloudwatch_log_group) {
            (None, None) => OutputTo::None,
            (Some(_), None) => OutputTo::S3,
            (None, Some(_)) => OutputTo::CloudWatch,
            (Some(_), Some(_)) => OutputTo::Both,
        }
    }

    /// The places in words, if there are any: `s3://bucket/prefix` and the log group.
    #[must_use]
    pub fn in_words(&self) -> Option<String> {
        let s3 = self.s3_bucket.as_ref().map(|bucket| match &self.s3_prefix {
            Some(prefix) => format!("s3://{bucket}/{prefix}"),
            None => format!("s3://{bucket}"),
        });
        let group = self.cloudwatch_log_group.as_ref();
        let group = group.map(|group| format!("the log group {group}"));
        let places: Vec<String> = s3.into_iter().chain(group).collect();
        (!places.is_empty()).then(|| places.join(" and to "))
    }
}
