//! The digest of a request: what tells one piece of work from another.

use super::PatchRequest;
use crate::hash::Sha256;
use crate::id::{RequestDigest, RequestName};
use serde_json::Value;
use std::collections::BTreeMap;

/// How many characters of a digest stand in a name that follows from a request's content.
const DIGEST_CHARS: usize = 12;

/// The longest name of a request, in characters.
const MAX_NAME_CHARS: usize = 64;

impl PatchRequest {
    /// The SHA-256 of the request's canonical JSON: every default written out, keys in order. Two
    /// requests that differ in any field have different digests. The one exception is a literal external id, which is
    /// never written out and so is no part of the digest.
    ///
    /// ```
    /// use patchfleet_core::request::PatchRequest;
    /// use serde_json::json;
    ///
    /// let request = |regions| PatchRequest::from_value(json!({
    ///     "name": "weekly", "targets": { "resource_group": "WebServers", "regions": regions } }));
    /// let one = request(json!(["us-east-1"]))?;
    /// let other = request(json!(["eu-west-1"]))?;
    /// assert_ne!(one.digest(), other.digest());
    /// # Ok::<(), patchfleet_core::problem::Problems>(())
    /// ```
    #[must_use]
    pub fn digest(&self) -> RequestDigest {
        match serde_json::to_value(self) {
            Ok(value) => digest_of(&value),
            // Its keys are all texts, so it has JSON. If it had none, this would still tell requests apart.
            Err(_) => RequestDigest::from_bytes(Sha256::digest(format!("{self:?}"))),
        }
    }

    /// The same request under a name that follows from its whole content. The name is `prefix`, as much of `label` as
    /// there is room for, and the beginning of the digest. So of the requests that bring no name of their own, only
    /// equal ones share a name.
    pub(super) fn named_by_content(mut self, prefix: &str, label: &str) -> Self {
        let digest = self.digest().to_string();
        let digest: String = digest.chars().take(DIGEST_CHARS).collect();
        let room = MAX_NAME_CHARS.saturating_sub(prefix.len() + 1 + DIGEST_CHARS);
        let label: String = label.chars().take(room).collect();
        if let Ok(name) = format!("{prefix}{label}-{digest}").parse::<RequestName>() {
            self.name = name;
        }
        self
    }
}

/// The SHA-256 of a JSON value, whatever the order of its keys and the space between them.
pub(crate) fn digest_of(value: &Value) -> RequestDigest {
    let mut text = String::new();
    canonical(value, &mut text);
    RequestDigest::from_bytes(Sha256::digest(text))
}

/// Writes `value` with the keys of its objects in order.
fn canonical(value: &Value, out: &mut String) {
    match value {
        Value::Object(entries) => {
            let entries: BTreeMap<_, _> = entries.iter().collect();
            out.push('{');
            for (index, (key, value)) in entries.into_iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                out.push_str(&Value::from(key.as_str()).to_string());
                out.push(':');
                canonical(value, out);
            }
            out.push('}');
        }
        Value::Array(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                canonical(item, out);
            }
            out.push(']');
        }
        plain => out.push_str(&plain.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn request(change: impl Fn(&mut Value)) -> PatchRequest {
        let mut value = json!({
            "name": "weekly",
            "targets": { "resource_group": "WebServers", "regions": ["us-east-1", "eu-west-1"] },
        });
        change(&mut value);
        PatchRequest::from_value(value).unwrap()
    }

    fn wave(account_tags: Value) -> Value {
        json!([{ "name": "canary", "locations": 1, "account_tags": account_tags }])
    }

    #[test]
    fn every_field_of_a_request_is_part_of_its_digest() {
        let plain = request(|_| {}).digest();
        let changes: [fn(&mut Value); 19] = [
            |v| v["name"] = json!("nightly"),
            |v| v["patch"] = json!({ "operation": "Install" }),
            |v| v["patch"] = json!({ "reboot_option": "NoReboot" }),
            |v| v["patch"] = json!({ "delivery_timeout": "2h" }),
            |v| v["targets"]["resource_group"] = json!("WebServers2"),
            |v| v["targets"]["regions"] = json!(["us-east-1"]),
            |v| v["targets"]["accounts"] = json!(["111122223333"]),
            |v| v["targets"]["exclude_regions"] = json!(["eu-west-1"]),
            |v| v["policy"] = json!({ "empty": "keep" }),
            |v| v["access"] = json!({ "discovery_role": "Reader" }),
            |v| v["budget"] = json!({ "nodes": { "max_errors": 3 } }),
            |v| v["output"] = json!({ "s3_bucket": "ops-output" }),
            |v| v["output"] = json!({ "s3_bucket": "ops-output", "s3_prefix": "patching" }),
            |v| v["output"] = json!({ "cloudwatch_log_group": "/patching" }),
            |v| v["waves"] = json!([{ "name": "canary", "locations": 1 }]),
            |v| v["waves"] = wave(json!({ "Stage": ["canary"] })),
            |v| v["waves"] = wave(json!({ "Stage": ["pilot"] })),
            |v| v["waves"] = wave(json!({ "stage": ["pilot"] })),
            |v| v["automation"] = json!({ "document": "Our-Runbook", "parameters": { "A": ["b"] } }),
        ];
        let mut digests: Vec<_> = changes.map(|change| request(change).digest()).into();
        digests.push(plain);
        digests.sort();
        digests.dedup();
        assert_eq!(digests.len(), 20);
    }

    #[test]
    fn what_says_the_same_has_the_same_digest() {
        let plain = request(|_| {});
        let spelt_out = PatchRequest::from_value(serde_json::to_value(&plain).unwrap()).unwrap();
        assert_eq!(plain.digest(), spelt_out.digest());
        assert_eq!(
            plain.digest(),
            request(|v| v["patch"] = json!({ "operation": "Scan" })).digest()
        );
        assert_eq!(plain.digest(), request(|v| v["output"] = json!({})).digest());
    }

    #[test]
    fn canonical_json_has_its_keys_in_order_and_loses_nothing() {
        let mut text = String::new();
        let value = json!({ "b": [1, "x\"y", { "d": null, "c": true }], "a": {}, "é": [] });
        canonical(&value, &mut text);
        assert_eq!(text, r#"{"a":{},"b":[1,"x\"y",{"c":true,"d":null}],"é":[]}"#);
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), value);
    }

    #[test]
    fn a_name_of_the_content_has_at_most_64_characters_and_ends_in_the_digest() {
        let named = |label: &str| request(|_| {}).named_by_content("window-", label).name;
        assert_eq!(named(&"g".repeat(300)).as_str().len(), 64);
        assert!(named("WebServers").as_str().starts_with("window-WebServers-"));
        let digest = request(|_| {}).digest().to_string();
        assert!(digest.starts_with(named("x").as_str().rsplit('-').next().unwrap()));
    }
}
