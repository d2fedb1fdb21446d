//! Checks of inputs against the service's model: what is wrong is a ValidationException that names
//! every member, before anything happens.

use super::ApiError;
use std::{fmt::Display, ops::RangeInclusive};

/// What is wrong with an input so far.
#[derive(Debug, Default)]
pub(crate) struct Checks {
    problems: Vec<String>,
}

impl Checks {
    fn fail(&mut self, member: &str, value: impl Display, constraint: impl Display) {
        self.problems.push(format!(
            "Value '{value}' at '{member}' failed to satisfy constraint: {constraint}"
        ));
    }

    /// A member that has to be there.
    pub(crate) fn required<T>(&mut self, member: &str, value: &Option<T>) {
        if value.is_none() {
            self.problems.push(format!(
                "Value null at '{member}' failed to satisfy constraint: Member must not be null"
            ));
        }
    }

    /// A text or list of so many characters or entries.
    pub(crate) fn length(&mut self, member: &str, length: Option<usize>, range: RangeInclusive<usize>) {
        let Some(length) = length else { return };
        if length < *range.start() {
            self.fail(
                member,
                format_args!("[{length}]"),
                format_args!(
                    "Member must have length greater than or equal to {}",
                    range.start()
                ),
            );
        } else if length > *range.end() {
            self.fail(
                member,
                format_args!("[{length}]"),
                format_args!("Member must have length less than or equal to {}", range.end()),
            );
        }
    }

    /// A text of so many characters.
    pub(crate) fn text(&mut self, member: &str, value: Option<&str>, range: RangeInclusive<usize>) {
        self.length(member, value.map(|text| text.chars().count()), range);
    }

    /// A number within a range.
    pub(crate) fn range(&mut self, member: &str, value: Option<i64>, range: RangeInclusive<i64>) {
        let Some(value) = value else { return };
        if value < *range.start() {
            self.fail(
                member,
                value,
                format_args!(
                    "Member must have value greater than or equal to {}",
                    range.start()
                ),
            );
        } else if value > *range.end() {
            self.fail(
                member,
                value,
                format_args!("Member must have value less than or equal to {}", range.end()),
            );
        }
    }

    /// One of an enum's values.
    pub(crate) fn one_of(&mut self, member: &str, value: Option<&str>, allowed: &[&str]) {
        if let Some(value) = value.filter(|value| !allowed.contains(value)) {
            self.fail(
                member,
                value,
                format_args!("Member must satisfy enum value set: [{}]", allowed.join(", ")),
            );
        }
    }

    /// Anything else: `ok` says whether the value has the model's `pattern`.
    pub(crate) fn that(&mut self, member: &str, value: Option<&str>, ok: fn(&str) -> bool, pattern: &str) {
        if let Some(value) = value.filter(|value| !ok(value)) {
            self.fail(
                member,
                value,
                format_args!("Member must satisfy regular expression pattern: {pattern}"),
            );
        }
    }

    /// The verdict.
    pub(crate) fn done(self) -> Result<(), ApiError> {
        let count = self.problems.len();
        match count {
            0 => Ok(()),
            _ => Err(ApiError::client(
                "ValidationException",
                format!(
                    "{count} validation error{} detected: {}",
                    if count == 1 { "" } else { "s" },
                    self.problems.join("; ")
                ),
            )),
        }
    }
}

/// A member that [`Checks::required`] has passed.
pub(crate) fn given<T: Default>(value: Option<T>) -> T {
    value.unwrap_or_default()
}

/// How many entries a page has.
pub(crate) fn page_size(value: Option<i64>, usual: usize) -> usize {
    value
        .and_then(|value| usize::try_from(value).ok())
        .unwrap_or(usual)
}

/// `^[a-zA-Z0-9_\-.:/]{3,128}$`
pub(crate) fn is_document_arn(text: &str) -> bool {
    (3..=128).contains(&text.len())
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"_-.:/".contains(&b))
}

/// `^[a-zA-Z0-9_\-.]{3,128}$`
pub(crate) fn is_document_name(text: &str) -> bool {
    is_document_arn(text) && !text.contains([':', '/'])
}

/// `([$]LATEST|[$]DEFAULT|^[1-9][0-9]*$)`
pub(crate) fn is_version(text: &str) -> bool {
    matches!(text, "$LATEST" | "$DEFAULT") || is_number(text)
}

/// `(^[1-9][0-9]*$)`
pub(crate) fn is_number(text: &str) -> bool {
    !text.is_empty() && !text.starts_with('0') && text.bytes().all(|b| b.is_ascii_digit())
}

/// `(^i-(\w{8}|\w{17})$)|(^mi-\w{17}$)`
pub(crate) fn is_instance_id(text: &str) -> bool {
    text.parse::<patchfleet_core::id::NodeId>().is_ok()
}
