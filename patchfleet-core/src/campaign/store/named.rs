//! Whose a campaign is, by the beginning of its first record.

use crate::campaign::Record;
use crate::id::RequestName;
use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::fmt;
use std::io::Read;

/// Where the name stands in record 0: in the plan that one of its events holds. Until format 2 a record stood
/// alone.
pub(super) const NAME: [&str; 5] = ["record", "events", "plan", "request", "name"];
pub(super) const OLD_NAME: [&str; 4] = ["events", "plan", "request", "name"];

impl Record {
    /// The name of the campaign's request, by record 0 as bytes or the beginning of it; `None` if it cannot be read
    /// that far. The plan in record 0 may be megabytes, and the name stands within its first kilobyte.
    ///
    /// It is no check of the record: [`decode`](Self::decode) is.
    #[must_use]
    pub fn request_name_in(beginning: &[u8]) -> Option<RequestName> {
        [&NAME[..], &OLD_NAME[..]]
            .into_iter()
            .find_map(|path| name_in(beginning, path))
    }
}

/// The name that a record says, read no further than to it. `None` if nothing can be read that far.
pub(super) fn name_in(record: impl Read, name: &[&'static str]) -> Option<RequestName> {
    let mut found = None;
    let dig = Dig {
        path: name,
        found: &mut found,
    };
    // It ends with an error as soon as the name is found, and otherwise where the record does.
    let _ = dig.deserialize(&mut serde_json::Deserializer::from_reader(record));
    found
}

/// Follows a path of keys, through any list on the way, to a name. Stops with an error once it has it.
struct Dig<'a> {
    path: &'a [&'static str],
    found: &'a mut Option<RequestName>,
}

impl<'de> DeserializeSeed<'de> for Dig<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, value: D) -> Result<(), D::Error> {
        if self.path.is_empty() {
            *self.found = Some(RequestName::deserialize(value)?);
            return Err(D::Error::custom(
                "the name is found, and nothing else is looked for",
            ));
        }
        value.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Dig<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "an object, or a list of objects")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key::<String>()? {
            match self.path.split_first() {
                Some((next, path)) if *next == key => map.next_value_seed(Dig {
                    path,
                    found: &mut *self.found,
                })?,
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        while list
            .next_element_seed(Dig {
                path: self.path,
                found: &mut *self.found,
            })?
            .is_some()
        {}
        Ok(())
    }
}
