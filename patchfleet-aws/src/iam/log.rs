//! What a log in a bucket takes.

use super::{Party, Policy, Statement};
use crate::S3Uri;

impl Policy {
    /// The same, and what a log in a bucket takes (`AwsBuilder::store`). Only [`Party::Management`] reads and writes
    /// logs, so any other policy stays as it is.
    ///
    /// `kms:…` is for a bucket that is encrypted with a key of one's own, whose key policy has to allow it too.
    #[must_use]
    pub fn with_log(mut self, uri: &S3Uri) -> Self {
        if self.party != Party::Management {
            return self;
        }
        let bucket = format!("arn:{}:s3:::{}", self.partition, uri.bucket());
        let below = match uri.prefix() {
            "" => format!("{bucket}/*"),
            prefix => format!("{bucket}/{}/*", literally(prefix)),
        };
        self.statements.extend([
            Statement::new("KeepTheLog", &["s3:GetObject", "s3:PutObject"], vec![below]),
            // Of the whole bucket: a condition on `s3:prefix` would not hold for GetObject, and that says "denied" of an object
            // which is not there to whoever may not list the bucket (S3 API reference, GetObject).
            Statement::new("ListTheLog", &["s3:ListBucket"], vec![bucket]),
            Statement::new(
                "EncryptTheLog",
                &["kms:Decrypt", "kms:GenerateDataKey"],
                vec![format!("arn:{}:kms:*:*:key/*", self.partition)],
            )
            .only_if("StringLike", "kms:ViaService", "s3.*.amazonaws.com*"),
        ]);
        self
    }
}

/// A text in which IAM sees neither a wildcard nor a variable (IAM User Guide, "Policy variables").
fn literally(text: &str) -> String {
    let mut literal = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '*' | '?' | '$' => {
                literal.push_str("${");
                literal.push(letter);
                literal.push('}');
            }
            plain => literal.push(plain),
        }
    }
    literal
}

#[cfg(test)]
mod tests {
    use super::*;
    use patchfleet_core::request::PatchRequest;
    use serde_json::{Value, json};

    fn with(uri: &str, party: Party) -> Policy {
        let request = PatchRequest::from_value(json!({
            "name": "weekly",
            "targets": { "resource_group": "Web", "regions": ["cn-north-1"] },
        }));
        Policy::of(party, &request.unwrap(), None).with_log(&uri.parse().unwrap())
    }

    fn resources(policy: &Policy, sid: &str) -> Value {
        let document: Value = serde_json::from_str(&policy.to_json()).unwrap();
        let statements = document["Statement"].as_array().unwrap();
        let statement = statements.iter().find(|one| one["Sid"] == sid).unwrap();
        statement["Resource"].clone()
    }

    #[test]
    fn a_log_takes_its_prefix_and_the_listing_of_its_bucket() {
        let policy = with("s3://ops-logs/a/b", Party::Management);
        assert_eq!(
            resources(&policy, "KeepTheLog"),
            json!(["arn:aws-cn:s3:::ops-logs/a/b/*"])
        );
        assert_eq!(
            resources(&policy, "ListTheLog"),
            json!(["arn:aws-cn:s3:::ops-logs"])
        );
        let whole = with("s3://ops-logs", Party::Management);
        assert_eq!(
            resources(&whole, "KeepTheLog"),
            json!(["arn:aws-cn:s3:::ops-logs/*"])
        );
    }

    #[test]
    fn no_other_role_reads_or_writes_logs() {
        for party in [Party::Administration, Party::Execution, Party::Discovery] {
            let actions = with("s3://ops-logs", party);
            assert!(
                !actions.actions().iter().any(|action| action.starts_with("s3:")),
                "{party:?}"
            );
        }
    }

    #[test]
    fn a_prefix_is_meant_literally_in_every_language() {
        let policy = with("s3://ops-logs/a*${x}%{y", Party::Management);
        let below = "arn:aws-cn:s3:::ops-logs/a${*}${$}{x}%{y/*";
        assert_eq!(resources(&policy, "KeepTheLog"), json!([below]));
        let terraform = policy.to_terraform();
        assert!(terraform.contains("ops-logs/a$${*}$${$}{x}%%{y/*"), "{terraform}");
    }
}
