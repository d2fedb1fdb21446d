//! The services that are simulated.

/// The services that are simulated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Service {
    /// Systems Manager.
    Ssm,
    /// Resource Groups.
    ResourceGroups,
    /// The Resource Groups Tagging API.
    Tagging,
    /// Security Token Service.
    Sts,
    /// Organizations.
    Organizations,
    /// Account Management.
    Account,
    /// CloudWatch.
    CloudWatch,
    /// S3, as far as a log in a bucket needs it.
    S3,
}

impl Service {
    /// Those that have a model: all but S3.
    pub(crate) const ALL: [Self; 7] = [
        Self::Ssm,
        Self::ResourceGroups,
        Self::Tagging,
        Self::Sts,
        Self::Organizations,
        Self::Account,
        Self::CloudWatch,
    ];

    /// What its actions begin with in IAM. Its requests are signed with the same name, but for those of the tagging API
    /// (`tagging`) and of CloudWatch (`monitoring`).
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Ssm => "ssm",
            Self::ResourceGroups => "resource-groups",
            Self::Tagging => "tag",
            Self::Sts => "sts",
            Self::Organizations => "organizations",
            Self::Account => "account",
            Self::CloudWatch => "cloudwatch",
            Self::S3 => "s3",
        }
    }

    /// Whether it answers in one Region for all.
    pub(crate) fn is_global(self) -> bool {
        matches!(self, Self::Organizations | Self::Account)
    }
}
