//! Ids of what patchfleet starts: campaigns and their units, and of what AWS makes of them.
//!
//! The ids that AWS gets with a start are derived (UUID v5) from the campaign's id, so a start that is sent again has the
//! same ones. The client token follows from campaign, unit and attempt, and the patch snapshot from the campaign.

use super::{EventId, NodeId, all_of, text_id};
use std::fmt;
use uuid::Uuid;

/// The namespace of every UUID that patchfleet derives.
const NAMESPACE: Uuid = Uuid::from_u128(0x8f1d_6c3a_52b7_4e0e_9a41_7c5d_2e90_b6f3);

/// Defines a newtype over a UUID.
macro_rules! uuid_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
        #[serde(transparent)]
        pub struct $name(Uuid);

        impl $name {
            /// Takes a UUID that was made elsewhere.
            #[must_use]
            pub const fn from_uuid(uuid: Uuid) -> Self {
                Self(uuid)
            }

            /// The UUID.
            #[must_use]
            pub const fn as_uuid(&self) -> Uuid {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.hyphenated().fmt(f)
            }
        }

        impl std::str::FromStr for $name {
            type Err = super::ParseIdError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Uuid::try_parse(text).map(Self).map_err(|_| {
                    super::ParseIdError::new(concat!("a ", stringify!($name)), text, "a UUID of 36 characters")
                })
            }
        }
    };
}

uuid_id! {
    /// One run of one plan. Make a new one for each campaign, such as a random UUID, or derive it from the event that asks
    /// for the campaign ([`of_event`](CampaignId::of_event)).
    CampaignId
}

uuid_id! {
    /// A process that appends to a campaign's log. Make a new one for each process, such as a random UUID. By it a writer
    /// tells "my append had succeeded after all" from "somebody else was first".
    WriterId
}

uuid_id! {
    /// StartAutomationExecution's `ClientToken`. A start that is sent twice with the same token takes effect once, for as
    /// long as AWS remembers the token. How long that is, AWS does not document.
    ClientToken
}

uuid_id! {
    /// AWS-RunPatchBaseline's `SnapshotId`. It gives every node of a campaign the same patches. A snapshot lives at most 3
    /// days.
    SnapshotId
}

/// The SHA-256 of a whole request
/// ([`PatchRequest::digest`](crate::request::PatchRequest::digest)). Prints as 64 hex digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestDigest([u8; 32]);

impl RequestDigest {
    /// Takes a SHA-256 that was made elsewhere.
    #[must_use]
    pub(crate) const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

impl fmt::Display for RequestDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for RequestDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RequestDigest({self})")
    }
}

impl CampaignId {
    /// The campaign that an event asks for. The same event of the same request is always the same campaign, so an event
    /// that is delivered twice runs once. Any difference in the request makes another campaign. Two tasks of one
    /// maintenance window share the window's execution id, and differ by their requests.
    ///
    /// ```
    /// use patchfleet_core::id::{CampaignId, EventId, EventSource};
    /// use patchfleet_core::request::PatchRequest;
    /// use serde_json::json;
    ///
    /// let request = |operation| PatchRequest::from_value(json!({
    ///     "name": "weekly", "patch": { "operation": operation },
    ///     "targets": { "resource_group": "WebServers", "regions": ["us-east-1"] } }));
    /// let (scan, install) = (request("Scan")?, request("Install")?);
    /// let event = EventId::new(EventSource::Event, "ev-1")?;
    /// let campaign = CampaignId::of_event(&scan.digest(), &event);
    /// assert_eq!(CampaignId::of_event(&scan.digest(), &event), campaign);
    /// assert_ne!(CampaignId::of_event(&install.digest(), &event), campaign);
    /// let next = EventId::new(EventSource::Event, "ev-2")?;
    /// assert_ne!(CampaignId::of_event(&scan.digest(), &next), campaign);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn of_event(request: &RequestDigest, event: &EventId) -> Self {
        Self(Uuid::new_v5(
            &NAMESPACE,
            format!("campaign/{request}/{event}").as_bytes(),
        ))
    }

    /// The campaign of the second attempt at what this one did not reach.
    #[must_use]
    pub fn of_second_attempt(self) -> Self {
        Self(Uuid::new_v5(&self.0, b"second attempt"))
    }

    /// The client token of a unit's start.
    #[must_use]
    pub fn client_token(&self, unit: UnitId, attempt: u32) -> ClientToken {
        ClientToken(Uuid::new_v5(
            &self.0,
            format!("start/{unit}/{attempt}").as_bytes(),
        ))
    }

    /// The client token of the start of a unit that names these nodes, and was divided after the plan was made. Its number
    /// says less than that of a planned unit: if the log loses its end, another unit may get the same one.
    #[must_use]
    pub(crate) fn part_token<'n>(
        &self,
        unit: UnitId,
        attempt: u32,
        nodes: impl Iterator<Item = &'n NodeId>,
    ) -> ClientToken {
        let mut name = format!("start/{unit}/{attempt}");
        for node in nodes {
            name.push('/');
            name.push_str(node.as_str());
        }
        ClientToken(Uuid::new_v5(&self.0, name.as_bytes()))
    }

    /// The patch snapshot of the campaign.
    #[must_use]
    pub fn snapshot_id(&self) -> SnapshotId {
        SnapshotId(Uuid::new_v5(&self.0, b"snapshot"))
    }
}

/// A unit's number within its plan, from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct UnitId(u32);

impl UnitId {
    /// The unit at `index` (from 0) of a plan.
    #[must_use]
    pub const fn from_index(index: u32) -> Self {
        Self(index + 1)
    }

    /// The number, from 1.
    #[must_use]
    pub const fn number(self) -> u32 {
        self.0
    }
}

impl fmt::Display for UnitId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

text_id! {
    /// An automation execution, as AWS named it.
    ExecutionId, "an automation execution id", "36 characters",
    |t| all_of(t, 36..=36, |b| b.is_ascii_alphanumeric() || b == b'-')
}

text_id! {
    /// A Run Command command, as AWS named it.
    CommandId, "a command id", "36 characters",
    |t| all_of(t, 36..=36, |b| b.is_ascii_alphanumeric() || b == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_differ_by_campaign_unit_and_attempt_and_by_nothing_else() {
        let of_event = |id| {
            let event = EventId::new(crate::id::EventSource::Event, id).unwrap();
            CampaignId::of_event(&RequestDigest::from_bytes([7; 32]), &event)
        };
        let (one, two) = (of_event("1"), of_event("2"));
        let (first, second) = (UnitId::from_index(0), UnitId::from_index(1));
        assert_eq!(one.client_token(first, 1), one.client_token(first, 1));
        assert_ne!(one.client_token(first, 1), one.client_token(first, 2));
        assert_ne!(one.client_token(first, 1), one.client_token(second, 1));
        assert_ne!(one.client_token(first, 1), two.client_token(first, 1));
        assert_ne!(one.snapshot_id(), two.snapshot_id());
        assert_eq!(one.client_token(first, 1).to_string().len(), 36);
    }
}
