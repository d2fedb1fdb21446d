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
