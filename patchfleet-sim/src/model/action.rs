//! Operations as IAM names them: `ssm:SendCommand`.

use super::ServiceModel;
use crate::service::Service;

/// The action of an operation.
pub(crate) fn action(service: Service, operation: &str) -> String {
    format!("{}:{operation}", service.name())
}

/// Whether `pattern`, which may end with `*`, names the action.
pub(crate) fn action_matches(pattern: &str, action: &str) -> bool {
    pattern
        .strip_suffix('*')
        .map_or(pattern == action, |start| action.starts_with(start))
}

/// The actions of S3 that are simulated.
const OBJECT_ACTIONS: [&str; 4] = ["s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:ListBucket"];

/// Whether `pattern` names an action that is simulated.
pub(crate) fn is_action_pattern(pattern: &str) -> bool {
    let of_objects = OBJECT_ACTIONS
        .iter()
        .any(|action| action_matches(pattern, action));
    of_objects
        || Service::ALL.into_iter().any(|service| {
            let mut names = ServiceModel::of(service).operations.keys();
            names.any(|name| action_matches(pattern, &action(service, name)))
        })
}
