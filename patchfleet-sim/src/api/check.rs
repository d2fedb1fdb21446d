//! Helpers for members of an input that the model has already checked.

/// A member that the model requires.
pub(crate) fn given<T: Default>(value: Option<T>) -> T {
    value.unwrap_or_default()
}

/// How many entries a page has.
pub(crate) fn page_size(value: Option<i64>, usual: usize) -> usize {
    value
        .and_then(|value| usize::try_from(value).ok())
        .unwrap_or(usual)
}

/// `(^i-(\w{8}|\w{17})$)|(^mi-\w{17}$)`
pub(crate) fn is_instance_id(text: &str) -> bool {
    text.parse::<patchfleet_core::id::NodeId>().is_ok()
}
