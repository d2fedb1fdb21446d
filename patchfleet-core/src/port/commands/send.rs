//! What SendCommand takes, where patchfleet sends a command itself.

use crate::budget::{RateControl, Seconds};
use crate::id::{BucketName, CampaignId, CommandId, DocumentName, LogGroupName, NodeId, S3KeyPrefix, UnitId};
use crate::presigned;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;

/// Most node ids in one command (SSM model, `InstanceIds`).
pub(crate) const MAX_NODES: usize = 50;

/// SendCommand's input, in the API's own shape.
///
/// Its JSON and its `Debug` have the digest of a presigned URL in place of the URL. What is sent is made of the fields,
/// which have the URL.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct SendRequest {
    /// The Command document. AWS takes its default version.
    pub document_name: DocumentName,
    /// Its parameters.
    #[serde(serialize_with = "presigned::serialize_parameters")]
    pub parameters: BTreeMap<String, Vec<String>>,
    /// Everything else.
    #[serde(flatten)]
    pub settings: CommandSettings,
}

impl fmt::Debug for SendRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            document_name,
            parameters,
            settings,
        } = self;
        f.debug_struct("SendRequest")
            .field("document_name", document_name)
            .field("parameters", &presigned::Parameters(parameters))
            .field("settings", settings)
            .finish()
    }
}

/// What SendCommand takes beside its document and the document's parameters.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct CommandSettings {
    /// The nodes, 1 to 50.
    pub instance_ids: Vec<NodeId>,
    /// For how long the command is delivered, 30 to 2,592,000 seconds.
    pub timeout_seconds: Seconds,
    /// `MaxConcurrency` and `MaxErrors`: how many of its nodes at once, and how many of them may fail.
    #[serde(flatten, with = "rates")]
    pub rates: RateControl,
    /// By what it is found again ([`comment`](Self::comment_of)), at most 100 characters. Empty in a plan, since it names
    /// the campaign.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub comment: String,
    /// The bucket in which nodes put what they print.
    #[serde(
        rename = "OutputS3BucketName",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub output_s3_bucket: Option<BucketName>,
    /// What the keys in that bucket begin with.
    #[serde(
        rename = "OutputS3KeyPrefix",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub output_s3_prefix: Option<S3KeyPrefix>,
    /// The log group in which nodes put what they print (`CloudWatchOutputConfig`).
    #[serde(
        rename = "CloudWatchOutputConfig",
        default,
        skip_serializing_if = "Option::is_none",
        with = "log_group"
    )]
    pub cloudwatch_log_group: Option<LogGroupName>,
}

impl CommandSettings {
    /// The comment of a command that a campaign sends for a unit: at most 91 characters of the 100 that AWS takes. Each
    /// attempt of each unit has its own, so a command is found by it.
    #[must_use]
    pub fn comment_of(campaign: CampaignId, unit: UnitId, attempt: u32) -> String {
        format!("{}{attempt}", of_unit(campaign, unit))
    }
}

fn of_campaign(campaign: CampaignId) -> String {
    format!("patchfleet campaign {campaign} unit ")
}

fn of_unit(campaign: CampaignId, unit: UnitId) -> String {
    format!("{}{unit} attempt ", of_campaign(campaign))
}

impl ListedCommand {
    /// Whether a campaign sent it for this unit, in whichever attempt.
    #[must_use]
    pub(crate) fn is_of(&self, campaign: CampaignId, unit: UnitId) -> bool {
        self.comment.starts_with(&of_unit(campaign, unit))
    }

    /// For which unit of a campaign it was sent, as its comment says; `None`: it is not the campaign's.
    #[must_use]
    pub(crate) fn unit_of(&self, campaign: CampaignId) -> Option<&str> {
        self.comment
            .strip_prefix(&of_campaign(campaign))?
            .split(' ')
            .next()
    }
}

/// A command as a listing has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedCommand {
    /// The command.
    pub id: CommandId,
    /// Its comment; empty if it has none.
    pub comment: String,
    /// The nodes that it names (`InstanceIds`); empty if it names none, or AWS does not say.
    pub nodes: Vec<NodeId>,
    /// When it was sent, by AWS's clock.
    pub requested_at: Timestamp,
}

/// Both limits, under AWS's names.
mod rates {
    use crate::budget::{MaxConcurrency, MaxErrors, RateControl};
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[derive(Serialize, Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Rates {
        max_concurrency: MaxConcurrency,
        max_errors: MaxErrors,
    }

    pub(super) fn serialize<S: Serializer>(rates: &RateControl, serializer: S) -> Result<S::Ok, S::Error> {
        Rates {
            max_concurrency: rates.max_concurrency,
            max_errors: rates.max_errors,
        }
        .serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<RateControl, D::Error> {
        let Rates {
            max_concurrency,
            max_errors,
        } = Rates::deserialize(deserializer)?;
        Ok(RateControl {
            max_concurrency,
            max_errors,
        })
    }
}

/// A log group, as `CloudWatchOutputConfig` has it.
mod log_group {
    use crate::id::LogGroupName;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[derive(Serialize, Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Config {
        cloud_watch_log_group_name: LogGroupName,
        cloud_watch_output_enabled: bool,
    }

    pub(super) fn serialize<S: Serializer>(
        group: &Option<LogGroupName>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        let config = group.as_ref().map(|group| Config {
            cloud_watch_log_group_name: group.clone(),
            cloud_watch_output_enabled: true,
        });
        config.serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<LogGroupName>, D::Error> {
        let config = Option::<Config>::deserialize(deserializer)?;
        Ok(config.map(|config| config.cloud_watch_log_group_name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::port::StartRequest;
    use serde_json::json;

    #[test]
    fn a_command_is_written_as_send_command_takes_it_and_reads_the_same() {
        let written = json!({
            "Location": {"account": "111122223333", "region": "eu-west-1"},
            "SendCommand": {
                "DocumentName": "AWS-RunPatchBaseline",
                "Parameters": {"Operation": ["Install"]},
                "InstanceIds": ["i-00000001", "mi-00000000000000002"],
                "TimeoutSeconds": 3600,
                "MaxConcurrency": "10%",
                "MaxErrors": "1",
                "Comment": "c",
                "OutputS3BucketName": "ops-output",
                "OutputS3KeyPrefix": "patching",
                "CloudWatchOutputConfig": {
                    "CloudWatchLogGroupName": "/patching",
                    "CloudWatchOutputEnabled": true,
                },
            },
        });
        let start: StartRequest = serde_json::from_value(written.clone()).unwrap();
        assert_eq!(start.command.as_ref().unwrap().instance_ids.len(), 2);
        assert_eq!(serde_json::to_value(&start).unwrap(), written);
        let (location, _) = start.to_send().unwrap();
        assert_eq!(location.to_string(), "111122223333/eu-west-1");
    }

    #[test]
    fn the_longest_comment_fits_into_what_aws_takes() {
        let unit = UnitId::from_index(u32::MAX - 1);
        let campaign = "b68a00a2-c50e-5dcd-9ed4-7a687f743a1c".parse().unwrap();
        let comment = CommandSettings::comment_of(campaign, unit, u32::MAX);
        assert_eq!(comment.chars().count(), 91);
    }
}
