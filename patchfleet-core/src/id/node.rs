//! Managed nodes.

use super::{ParseIdError, text_id};

/// Where a node runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NodeKind {
    /// An EC2 instance (`i-…`).
    Ec2,
    /// A server or machine outside EC2, registered by a hybrid activation (`mi-…`).
    Hybrid,
}

text_id! {
    /// A node's id: `i-` and 8 or 17 characters (EC2), or `mi-` and 17 (hybrid). The pattern is the
    /// SSM model's `InstanceId`.
    NodeId, "a node id", "i- and 8 or 17 letters or digits, or mi- and 17",
    |t| match t.strip_prefix("mi-") {
        Some(rest) => rest.len() == 17 && rest.bytes().all(word),
        None => t.strip_prefix("i-").is_some_and(|rest| matches!(rest.len(), 8 | 17) && rest.bytes().all(word)),
    }
}

fn word(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b == b'_'
}

impl NodeId {
    /// Whether the node is an EC2 instance or a hybrid node.
    #[must_use]
    pub fn kind(&self) -> NodeKind {
        if self.as_str().starts_with("mi-") {
            NodeKind::Hybrid
        } else {
            NodeKind::Ec2
        }
    }

    /// The node that an ARN names: `arn:P:ec2:R:A:instance/i-…` or
    /// `arn:P:ssm:R:A:managed-instance/mi-…`.
    ///
    /// Returns `None` for the ARN of anything else, such as a bucket that is in the same group.
    ///
    /// # Errors
    ///
    /// [`ParseIdError`] if the ARN is one of a node and the id in it is not.
    pub fn from_arn(arn: &str) -> Option<Result<Self, ParseIdError>> {
        let mut parts = arn.splitn(6, ':');
        if parts.next() != Some("arn") {
            return None;
        }
        let service = parts.nth(1)?;
        let resource = parts.nth(2)?;
        let id = match service {
            "ec2" => resource.strip_prefix("instance/")?,
            "ssm" => resource.strip_prefix("managed-instance/")?,
            _ => return None,
        };
        Some(id.parse())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn node_ids_are_ec2_or_hybrid_by_their_prefix() {
        for ec2 in ["i-0123456789abcdef0", "i-01234567"] {
            assert_eq!(ec2.parse::<NodeId>().unwrap().kind(), NodeKind::Ec2);
        }
        assert_eq!(
            "mi-0123456789abcdef0".parse::<NodeId>().unwrap().kind(),
            NodeKind::Hybrid
        );
        for wrong in [
            "",
            "i-",
            "mi-01234567",
            "i-0123456789abcdef",
            "x-01234567",
            "mi-0123456789abcdef-",
        ] {
            assert!(wrong.parse::<NodeId>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn only_the_arns_of_nodes_name_nodes() {
        let node = |arn| NodeId::from_arn(arn).map(|id| id.unwrap().to_string());
        assert_eq!(
            node("arn:aws:ec2:us-east-1:111122223333:instance/i-0123456789abcdef0").as_deref(),
            Some("i-0123456789abcdef0")
        );
        assert_eq!(
            node("arn:aws-cn:ssm:cn-north-1:111122223333:managed-instance/mi-0123456789abcdef0").as_deref(),
            Some("mi-0123456789abcdef0")
        );
        assert_eq!(node("arn:aws:s3:::bucket"), None);
        assert_eq!(node("arn:aws:ec2:us-east-1:111122223333:volume/vol-1"), None);
        assert_eq!(node("nonsense"), None);
        assert!(
            NodeId::from_arn("arn:aws:ec2:us-east-1:111122223333:instance/i-zz")
                .unwrap()
                .is_err()
        );
    }
}
