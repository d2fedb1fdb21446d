//! Names that people give: groups, roles, documents, requests, sessions.

use super::{AccountId, Partition, Region, all_of, text_id};

fn role_char(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b"_+=,.@/-".contains(&b)
}

text_id! {
    /// The name of a resource group: the same in every location, and case-sensitive.
    ResourceGroupName, "a resource group name", "1 to 300 of letters, digits, _ . -",
    |t| all_of(t, 1..=300, |b| b.is_ascii_alphanumeric() || b"_.-".contains(&b))
}

text_id! {
    /// The name of an IAM role, with its path if it has one, as `ExecutionRoleName` takes it.
    RoleName, "a role name", "1 to 64 of letters, digits, _ + = , . @ / -", |t| all_of(t, 1..=64, role_char)
}

text_id! {
    /// The ARN of an IAM role.
    RoleArn, "a role ARN", "arn:PARTITION:iam::ACCOUNT:role/NAME",
    |t| {
        let mut parts = t.splitn(6, ':');
        parts.next() == Some("arn")
            && parts.next().is_some_and(|p| p.starts_with("aws"))
            && parts.next() == Some("iam")
            && parts.next() == Some("")
            && parts.next().is_some_and(|account| account.parse::<AccountId>().is_ok())
            && parts.next().and_then(|r| r.strip_prefix("role/"))
                .is_some_and(|name| all_of(name, 1..=512, role_char) && !name.ends_with('/'))
    }
}

impl RoleArn {
    /// The ARN of the role `name` of `account` in `partition`.
    #[must_use]
    pub fn build(partition: Partition, account: &AccountId, name: &RoleName) -> Self {
        let name = name.as_str().trim_start_matches('/');
        Self(format!("arn:{partition}:iam::{account}:role/{name}").into())
    }

    /// The partition's id, as it stands in the ARN: `aws`, `aws-cn`, ….
    #[must_use]
    pub(crate) fn partition_id(&self) -> &str {
        self.0.split(':').nth(1).unwrap_or_default()
    }

    /// Whether the role is of the partition of `region`.
    #[must_use]
    pub(crate) fn is_in_partition_of(&self, region: &Region) -> bool {
        self.partition_id() == region.partition().id()
    }
}

text_id! {
    /// The name (or ARN) of a Systems Manager document, as StartAutomationExecution takes it.
    DocumentName, "a document name", "3 to 128 of letters, digits, _ - . : /",
    |t| all_of(t, 3..=128, |b| b.is_ascii_alphanumeric() || b"_-.:/".contains(&b))
}

impl DocumentName {
    /// Whether it is an ARN. A document that somebody shares is named so.
    #[must_use]
    pub fn is_arn(&self) -> bool {
        self.0.starts_with("arn:")
    }

    /// Whether it is the name of a document of AWS's own, which is the same in every account. Nobody else's name begins
    /// with `AWS-` (CreateDocument).
    #[must_use]
    pub fn is_amazons(&self) -> bool {
        self.0.starts_with("AWS-")
    }
}

text_id! {
    /// The name of a CloudWatch alarm, as `AlarmConfiguration` of Systems Manager takes it. An ARN is none: whoever names an
    /// alarm means that of the central account and Region.
    AlarmName, "the name of a CloudWatch alarm", "1 to 255 characters that can be seen, the first and the last no space, and no ARN",
    |t| (1..=255).contains(&t.chars().count())
        && t.trim() == t
        && !t.starts_with("arn:")
        && !t.chars().any(crate::text::is_hidden)
}

text_id! {
    /// A request's name. At most one campaign of a name is open at a time; it also names the
    /// claim's file or object, so its letters are those that are safe there.
    RequestName, "a request name", "1 to 64 of letters, digits, _ . -, the first a letter or digit",
    |t| all_of(t, 1..=64, |b| b.is_ascii_alphanumeric() || b"_.-".contains(&b))
        && t.bytes().next().is_some_and(|b| b.is_ascii_alphanumeric())
}

text_id! {
    /// The name of a wave of a request.
    WaveName, "a wave's name", "1 to 64 of letters, digits, _ . -, the first a letter or digit",
    |t| all_of(t, 1..=64, |b| b.is_ascii_alphanumeric() || b"_.-".contains(&b))
        && t.bytes().next().is_some_and(|b| b.is_ascii_alphanumeric())
}

text_id! {
    /// The name of a freeze of a request.
    FreezeName, "a freeze's name", "1 to 64 of letters, digits, spaces, _ . -, the first and the last no space",
    |t| all_of(t, 1..=64, |b| b.is_ascii_alphanumeric() || b"_.- ".contains(&b)) && t.trim() == t
}

text_id! {
    /// The session name under which patchfleet assumes roles (STS `RoleSessionName`).
    SessionName, "a session name", "2 to 64 of letters, digits, _ + = , . @ -",
    |t| all_of(t, 2..=64, |b| b.is_ascii_alphanumeric() || b"_+=,.@-".contains(&b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn role_arns_follow_the_partition() {
        let role: RoleName = "AWS-SystemsManager-AutomationExecutionRole".parse().unwrap();
        let account = "111122223333".parse().unwrap();
        let china: Region = "cn-north-1".parse().unwrap();
        let arn = RoleArn::build(china.partition(), &account, &role);
        assert_eq!(
            arn.as_str(),
            "arn:aws-cn:iam::111122223333:role/AWS-SystemsManager-AutomationExecutionRole"
        );
        assert_eq!(arn.as_str().parse::<RoleArn>().unwrap(), arn);
        assert!(arn.is_in_partition_of(&china));
        assert!(!arn.is_in_partition_of(&"us-east-1".parse().unwrap()));
    }

    #[test]
    fn names_have_awss_own_patterns() {
        assert!("WebServers".parse::<ResourceGroupName>().is_ok());
        assert!("Web Servers".parse::<ResourceGroupName>().is_err());
        assert!("".parse::<ResourceGroupName>().is_err());
        assert!("ab".parse::<DocumentName>().is_err());
        assert!(
            "arn:aws:ssm:us-east-1:111122223333:document/Mine"
                .parse::<DocumentName>()
                .is_ok()
        );
        let is = |name: &str| {
            let name: DocumentName = name.parse().unwrap();
            (name.is_arn(), name.is_amazons())
        };
        assert_eq!(
            is("arn:aws:ssm:us-east-1:111122223333:document/AWS-Mine"),
            (true, false)
        );
        assert_eq!(is("AWS-PatchInstanceWithRollback"), (false, true));
        assert_eq!(is("Patchfleet-RunPatchBaseline"), (false, false));
        assert!("arn:aws:iam::1:role/x".parse::<RoleArn>().is_err());
        assert!("arn:aws:iam::111122223333:user/x".parse::<RoleArn>().is_err());
        assert!("x".repeat(65).parse::<RoleName>().is_err());
        assert!("../evil".parse::<RequestName>().is_err());
        assert!("..".parse::<RequestName>().is_err());
    }
}
