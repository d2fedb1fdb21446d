//! The start of a unit, in the API's own shape: serialised, it is the JSON that StartAutomationExecution takes, or that
//! of SendCommand beside its location.

use crate::id::{AccountId, AlarmName, DocumentName, Location, Region, RoleName};
use crate::port::{CommandSettings, DocumentVersion, SendRequest};
use crate::presigned;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;

mod written;

/// StartAutomationExecution's input without the `ClientToken`. It has exactly one target location, because AWS does not
/// document what several do to each other's rate controls.
///
/// With a [`command`](Self::command) it is SendCommand's input instead, and of the target location only the one account
/// and the one Region count ([`of_command`](Self::of_command)).
///
/// Its JSON and its `Debug` have the digest of a presigned URL in place of the URL. What is sent is made of the fields,
/// which have the URL.
#[derive(Clone, PartialEq, Eq)]
pub struct StartRequest {
    /// The runbook, or the Command document.
    pub document_name: DocumentName,
    /// The version of it that runs. `None` lets AWS take the default version.
    pub document_version: Option<DocumentVersion>,
    /// Its parameters. A start takes 1 to 200 keys of 1 to 50 characters, each with 0 to 50 values of 1 to 512 characters.
    /// So an empty text cannot be sent, and a parameter that is not set is left out.
    pub parameters: BTreeMap<String, Vec<String>>,
    /// Where it runs: one rectangle of accounts and Regions.
    pub target_locations: [TargetLocation; 1],
    /// At most 5.
    pub tags: Vec<Tag>,
    /// The CloudWatch alarm for which AWS stops the execution (`AlarmConfiguration`): once it is in the state ALARM, or its state
    /// cannot be read (`IgnorePollAlarmFailure` is false). It is one of the account and Region of the start. `None`: none.
    pub alarm: Option<AlarmName>,
    /// What SendCommand takes beside, where patchfleet sends the command itself. `None`: Automation does.
    pub command: Option<CommandSettings>,
}

impl fmt::Debug for StartRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            document_name,
            document_version,
            parameters,
            target_locations,
            tags,
            alarm,
            command,
        } = self;
        f.debug_struct("StartRequest")
            .field("document_name", document_name)
            .field("document_version", document_version)
            .field("parameters", &presigned::Parameters(parameters))
            .field("target_locations", target_locations)
            .field("tags", tags)
            .field("alarm", alarm)
            .field("command", command)
            .finish()
    }
}

impl StartRequest {
    /// The start of a unit whose command patchfleet sends itself, in this location.
    #[must_use]
    pub fn of_command(location: Location, request: SendRequest) -> Self {
        let SendRequest {
            document_name,
            parameters,
            settings,
        } = request;
        Self {
            document_name,
            document_version: None,
            parameters,
            target_locations: [TargetLocation {
                accounts: vec![location.account],
                regions: vec![location.region],
                target_location_max_concurrency: 1,
                target_location_max_errors: 0,
                execution_role_name: crate::request::default_execution_role(),
            }],
            tags: vec![],
            alarm: None,
            command: Some(settings),
        }
    }

    /// The command that patchfleet sends itself, and where. `None` if Automation sends it.
    #[must_use]
    pub fn to_send(&self) -> Option<(Location, SendRequest)> {
        let settings = self.command.clone()?;
        let request = SendRequest {
            document_name: self.document_name.clone(),
            parameters: self.parameters.clone(),
            settings,
        };
        self.target_location()
            .locations()
            .next()
            .map(|location| (location, request))
    }

    /// The rectangle of accounts and Regions.
    #[must_use]
    pub fn target_location(&self) -> &TargetLocation {
        let [location] = &self.target_locations;
        location
    }
}

/// The API's `TargetLocation`: every account with every Region.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct TargetLocation {
    /// 1 to 50 accounts.
    pub accounts: Vec<AccountId>,
    /// 1 to 50 Regions.
    pub regions: Vec<Region>,
    /// How many of the locations AWS works on at once, 1 or more. AWS takes it as text, and a percentage
    /// as well, which patchfleet never sends.
    #[serde(with = "count_as_text")]
    pub target_location_max_concurrency: u32,
    /// How many locations may fail before AWS begins no more of them, 0 or more. A text to AWS, too.
    #[serde(with = "count_as_text")]
    pub target_location_max_errors: u32,
    /// The role that Automation assumes in each account.
    pub execution_role_name: RoleName,
}

impl TargetLocation {
    /// Every account with every Region.
    pub fn locations(&self) -> impl Iterator<Item = Location> {
        self.accounts.iter().flat_map(|account| {
            let regions = self.regions.iter();
            regions.map(|region| Location::new(account.clone(), region.clone()))
        })
    }
}

/// A count that is a text to AWS.
mod count_as_text {
    use serde::{Deserialize as _, Deserializer, Serializer, de};
    use std::borrow::Cow;

    #[expect(
        clippy::trivially_copy_pass_by_ref,
        reason = "serde passes what it writes by reference"
    )]
    pub(super) fn serialize<S: Serializer>(count: &u32, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(count)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
        let text = Cow::<str>::deserialize(deserializer)?;
        text.parse()
            .map_err(|_| de::Error::custom(format!("{text:?} is not a count")))
    }
}

/// A tag of an execution.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Tag {
    /// 1 to 128 characters.
    pub key: String,
    /// 1 to 256 characters.
    pub value: String,
}
