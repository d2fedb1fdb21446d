//! Which field of a request names its list by a presigned URL.

use super::PatchRequest;
use crate::presigned::is_presigned;

impl PatchRequest {
    /// The path of the first field that names its list by a presigned URL, if there is one. Such a
    /// request can be served as an event ([`serve_event`](crate::serve_event)). It cannot be kept in a log or a file.
    #[must_use]
    pub fn presigned(&self) -> Option<String> {
        let is = |url: &Option<String>| url.as_deref().is_some_and(is_presigned);
        if is(&self.patch.install_override_list) {
            return Some("patch.install_override_list".to_owned());
        }
        if is(&self.patch.baseline_override) {
            return Some("patch.baseline_override".to_owned());
        }
        let mut parameters = self.automation.parameters.iter();
        parameters
            .find(|(_, values)| values.iter().any(|value| is_presigned(value)))
            .map(|(name, _)| super::fields::joined("automation.parameters", name))
    }
}
