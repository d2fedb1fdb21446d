//! Presigned URLs. Whoever reads one can fetch what it names, so none is written down or shown.
//!
//! A request may name its list of patches by one. A start that is sent at once carries the URL as it is. Everything
//! else (JSON, text, `Debug`, errors) has the URL's digest in its place.

use crate::hash::Sha256;
use crate::id::RequestDigest;
use serde::{Serialize, Serializer};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

/// How the stand-in of a presigned URL begins. The hex digits of the URL's SHA-256 follow. No URL has this shape, so a
/// stand-in is never sent.
pub(crate) const CONCEALED: &str = "presigned:sha256:";

/// What is right where a URL was concealed.
pub(crate) const NOT_KEPT: &str =
    "the presigned URL itself, which is kept nowhere: give it again, or use s3://bucket/key";

/// Whether the query of `text` has a signature, or what goes with one: Signature Version 4 as AWS
/// has it in a query ("Authenticating Requests: Using Query Parameters", Amazon S3 API Reference)
/// and as Google Cloud Storage has it, the signatures of version 2 and of CloudFront (`Signature`),
/// and Azure's (`sig`). Names are compared without regard to case and percent-encoding.
///
/// Says yes in doubt. It looks at whatever follows the first question mark, also in a text that is no URL.
#[must_use]
pub(crate) fn is_presigned(text: &str) -> bool {
    const PARTS: [&str; 5] = [
        "x-amz-signature",
        "x-amz-credential",
        "x-amz-security-token",
        "x-goog-signature",
        "x-goog-credential",
    ];
    let Some((_, query)) = text.split_once('?') else {
        return false;
    };
    query.split(['?', '&', ';', '#']).any(|pair| {
        // Nothing else has the long names, so a URL within another URL's value counts as well.
        let pair = decoded(pair);
        let name = pair.split('=').next().unwrap_or_default();
        PARTS.iter().any(|part| pair.contains(part))
            || matches!(name.trim(), "signature" | "awsaccesskeyid" | "sig")
    })
}

/// `text` without its percent-encoding, in small letters.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        rest = after;
        let code = after
            .get(..2)
            .filter(|_| first == b'%')
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        bytes.push(code.unwrap_or(first));
        if code.is_some() {
            rest = after.get(2..).unwrap_or_default();
        }
    }
    String::from_utf8_lossy(&bytes).to_lowercase()
}

/// `text`, or the digest of it if it is a presigned URL.
pub(crate) fn concealed(text: &str) -> Cow<'_, str> {
    if is_presigned(text) {
        let digest = RequestDigest::from_bytes(Sha256::digest(text));
        Cow::Owned(format!("{CONCEALED}{digest}"))
    } else {
        Cow::Borrowed(text)
    }
}

/// `text` with the digest in place of each presigned URL in it. Used for words of others, who may repeat what they were
/// sent.
pub(crate) fn concealed_within(text: &str) -> Cow<'_, str> {
    if !is_presigned(text) {
        return Cow::Borrowed(text);
    }
    let is_end = |c: char| c.is_whitespace() || matches!(c, '\'' | '"' | '`' | '<' | '>');
    let words = text.split_inclusive(is_end).map(|piece| {
        let word = piece.trim_end_matches(is_end);
        let end = piece.get(word.len()..).unwrap_or_default();
        format!("{}{end}", concealed(word))
    });
    Cow::Owned(words.collect())
}

/// Writes a list's URL out.
pub(crate) fn serialize_url<S: Serializer>(url: &Option<String>, serializer: S) -> Result<S::Ok, S::Error> {
    url.as_deref().map(concealed).serialize(serializer)
}

/// Writes the parameters of a start or of a runbook out.
pub(crate) fn serialize_parameters<S: Serializer>(
    parameters: &BTreeMap<String, Vec<String>>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_map(parameters.iter().map(|(name, values)| {
        let values: Vec<_> = values.iter().map(|value| concealed(value)).collect();
        (name, values)
    }))
}

/// `Debug` of a list's URL.
pub(crate) struct Url<'a>(pub(crate) &'a Option<String>);

impl fmt::Debug for Url<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.as_deref().map(concealed).fmt(f)
    }
}

/// `Debug` of parameters.
pub(crate) struct Parameters<'a>(pub(crate) &'a BTreeMap<String, Vec<String>>);

impl fmt::Debug for Parameters<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |values: &Vec<String>| {
            values
                .iter()
                .map(|value| concealed(value).into_owned())
                .collect::<Vec<_>>()
        };
        f.debug_map()
            .entries(self.0.iter().map(|(name, values)| (name, shown(values))))
            .finish()
    }
}

#[cfg(test)]
mod tests;
