//! The query protocol's answers. Members of an output become elements; a list's entries become
//! `<member>`.

use crate::error::ApiError;
use quick_xml::escape::escape;
use serde_json::Value;
use std::fmt::Write;

const NAMESPACE: &str = "https://sts.amazonaws.com/doc/2011-06-15/";

/// `<XResponse><XResult>…</XResult><ResponseMetadata>…`.
pub(super) fn answer(operation: &str, output: &Value, id: &str) -> String {
    let mut text = String::new();
    element(&mut text, &format!("{operation}Result"), output);
    format!(
        "<{operation}Response xmlns=\"{NAMESPACE}\">{text}<ResponseMetadata><RequestId>{id}</RequestId></ResponseMetadata></{operation}Response>"
    )
}

/// `<ErrorResponse><Error>…`.
pub(super) fn error(error: &ApiError, id: &str) -> String {
    let kind = if error.status() < 500 {
        "Sender"
    } else {
        "Receiver"
    };
    format!(
        "<ErrorResponse xmlns=\"{NAMESPACE}\"><Error><Type>{kind}</Type><Code>{}</Code><Message>{}</Message></Error><RequestId>{id}</RequestId></ErrorResponse>",
        error.code(),
        escape(allowed(error.message())),
    )
}

/// Text with what XML forbids replaced (XML 1.0 §2.2).
fn allowed(text: &str) -> String {
    let forbidden = |letter: char| matches!(letter, '\0'..='\x08' | '\x0b' | '\x0c' | '\x0e'..='\x1f' | '\u{fffe}' | '\u{ffff}');
    text.replace(forbidden, "\u{fffd}")
}

fn element(text: &mut String, name: &str, value: &Value) {
    // Writing to a String cannot fail.
    let _ = write!(text, "<{name}>");
    match value {
        Value::Object(entries) => entries.iter().for_each(|(key, value)| element(text, key, value)),
        Value::Array(items) => items.iter().for_each(|item| element(text, "member", item)),
        Value::String(content) => text.push_str(&escape(allowed(content))),
        Value::Null => {}
        other => text.push_str(&other.to_string()),
    }
    let _ = write!(text, "</{name}>");
}

/// The namespace of S3's answers.
const OBJECTS: &str = "http://s3.amazonaws.com/doc/2006-03-01/";

/// A page of ListObjectsV2: key, entity tag, size and time of each object, and the folders.
pub(super) fn object_page(
    keys: &[(String, String, usize, jiff::Timestamp)],
    folders: &[String],
    next: Option<&str>,
) -> String {
    let mut text =
        format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<ListBucketResult xmlns=\"{OBJECTS}\">");
    element(
        &mut text,
        "KeyCount",
        &Value::from(keys.len().saturating_add(folders.len())),
    );
    element(&mut text, "IsTruncated", &Value::from(next.is_some()));
    if let Some(next) = next {
        element(&mut text, "NextContinuationToken", &Value::from(next));
    }
    for (key, tag, size, at) in keys {
        let object =
            serde_json::json!({"Key": key, "LastModified": at.to_string(), "ETag": tag, "Size": size});
        element(&mut text, "Contents", &object);
    }
    for folder in folders {
        element(
            &mut text,
            "CommonPrefixes",
            &serde_json::json!({"Prefix": folder}),
        );
    }
    text.push_str("</ListBucketResult>");
    text
}

/// An error of S3.
pub(super) fn object_error(error: &ApiError, id: &str) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{}</Code><Message>{}</Message><RequestId>{id}</RequestId></Error>",
        error.code(),
        escape(allowed(error.message())),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_xml_cannot_hold_is_replaced() {
        let error = super::error(&ApiError::client("Code", "a\u{7}b\tc<"), "id");
        assert!(error.contains("<Message>a\u{fffd}b\tc&lt;</Message>"), "{error}");
    }

    #[test]
    fn answers_are_nested_and_escaped() {
        let xml = answer("Get", &serde_json::json!({"A": {"B": "x<y"}, "L": [1, 2]}), "id");
        assert!(
            xml.contains(
                "<GetResult><A><B>x&lt;y</B></A><L><member>1</member><member>2</member></L></GetResult>"
            ),
            "{xml}"
        );
        assert!(xml.ends_with("<RequestId>id</RequestId></ResponseMetadata></GetResponse>"));
    }
}
