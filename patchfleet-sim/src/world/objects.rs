//! The objects in S3 buckets.

use super::World;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use patchfleet_core::id::Region;
use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

/// An object.
#[derive(Debug, Clone)]
pub(crate) struct Object {
    pub(crate) bytes: Arc<[u8]>,
    /// Its entity tag, with its quotes.
    pub(crate) tag: String,
    /// The SHA-256 that was sent with it, as it was sent.
    pub(crate) sum: Option<String>,
    written_at: Timestamp,
    /// Since when there has been an object of this key. Listings show it a while later.
    listed_from: Timestamp,
}

impl Object {
    /// When it was last written.
    pub(crate) fn written_at(&self) -> Timestamp {
        self.written_at
    }
}

/// The SHA-256 of an object, as S3 has it in headers.
pub(crate) fn sum_of(bytes: &[u8]) -> String {
    STANDARD.encode(hmac_sha256::Hash::hash(bytes))
}

/// The objects of all buckets.
#[derive(Debug, Clone, Default)]
pub(in crate::world) struct Objects {
    buckets: BTreeMap<String, BTreeMap<String, Object>>,
}

impl World {
    /// Whether there is a bucket of this name.
    pub(crate) fn has_bucket(&self, name: &str) -> bool {
        self.rules
            .buckets
            .as_ref()
            .is_none_or(|names| names.contains(name))
    }

    /// The Region of a bucket; `None`: it is in every Region.
    pub(crate) fn bucket_region(&self, name: &str) -> Option<&Region> {
        self.rules.bucket_regions.get(name)
    }

    /// An object.
    pub(crate) fn object(&self, bucket: &str, key: &str) -> Option<&Object> {
        self.objects.buckets.get(bucket)?.get(key)
    }

    /// The bytes of an object of S3, for whoever looks at the world or damages it.
    #[must_use]
    pub fn object_bytes(&self, bucket: &str, key: &str) -> Option<Vec<u8>> {
        self.object(bucket, key).map(|object| object.bytes.to_vec())
    }

    /// The keys of a bucket's objects, in order.
    pub fn object_keys(&self, bucket: &str) -> impl Iterator<Item = &str> {
        let objects = self.objects.buckets.get(bucket);
        objects
            .into_iter()
            .flat_map(|objects| objects.keys().map(String::as_str))
    }

    /// Writes an object, whatever was there.
    pub fn put_object(&mut self, bucket: &str, key: &str, bytes: Vec<u8>) {
        self.put_object_with(bucket, key, bytes, None);
    }

    /// Writes an object that was sent with its SHA-256.
    pub(crate) fn put_object_with(&mut self, bucket: &str, key: &str, bytes: Vec<u8>, sum: Option<String>) {
        let now = self.now();
        let digest = hmac_sha256::Hash::hash(&bytes);
        let tag: String = digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
        let objects = self.objects.buckets.entry(bucket.to_owned()).or_default();
        let listed_from = objects.get(key).map_or(now, |there| there.listed_from);
        let object = Object {
            bytes: bytes.into(),
            tag: format!("\"{tag}\""),
            sum,
            written_at: now,
            listed_from,
        };
        objects.insert(key.to_owned(), object);
    }

    /// Deletes an object. Gives whether there was one.
    pub fn delete_object(&mut self, bucket: &str, key: &str) -> bool {
        let objects = self.objects.buckets.get_mut(bucket);
        objects.is_some_and(|objects| objects.remove(key).is_some())
    }

    /// The objects that a listing shows: those whose keys begin so and come after `after`, in order.
    pub(crate) fn listed_objects<'a>(
        &'a self,
        bucket: &str,
        begin: &'a str,
        after: &'a str,
    ) -> impl Iterator<Item = (&'a str, &'a Object)> {
        let late = jiff::SignedDuration::from_secs(i64::from(self.rules.consistency.objects_listed_seconds));
        let now = self.now();
        let from = match after < begin {
            true => Bound::Included(begin),
            false => Bound::Excluded(after),
        };
        let objects = self.objects.buckets.get(bucket);
        objects
            .into_iter()
            .flat_map(move |objects| objects.range::<str, _>((from, Bound::Unbounded)))
            .take_while(move |(key, _)| key.starts_with(begin))
            .filter(move |(_, object)| super::after(object.listed_from, late) <= now)
            .map(|(key, object)| (key.as_str(), object))
    }
}
