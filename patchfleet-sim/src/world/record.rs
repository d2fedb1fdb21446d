//! What was called: the record behind `GET /_sim/requests`.

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;

/// One call.
#[derive(Debug, Clone, Serialize)]
pub struct RequestRecord {
    /// The account whose people or programs are behind it: where an assumed role was assumed from.
    /// Empty, like the next three, if the request was not one that says who sends it.
    pub principal_account: String,
    /// The caller's ARN.
    pub principal: String,
    /// The account in which it acted.
    pub account: String,
    /// The Region in which it acted.
    pub region: String,
    /// The service, as its requests are signed: `ssm`, `sts`, …; empty for one that is not simulated.
    pub service: String,
    /// The operation.
    pub operation: String,
    /// The input.
    pub input: Value,
    /// The HTTP status of the answer; 0 if a fault broke the connection before the call took effect.
    pub status: u16,
    /// The error's code, if it was one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// The faults that struck it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub faults: Vec<String>,
    /// When, in virtual time.
    pub time: Timestamp,
}
