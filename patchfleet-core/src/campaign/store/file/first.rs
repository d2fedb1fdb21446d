//! Whose a campaign is, by the first line of its log alone.

use super::{damaged, failed, is_torn};
use crate::id::RequestName;
use crate::port::PortResult;
use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::fmt;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek as _};
use std::path::Path;

/// Where the name stands in record 0: in the plan that one of its events holds.
const NAME: [&str; 4] = ["events", "plan", "request", "name"];

/// Record 0, as far as it says whose the campaign is. The rest of it, whatever version wrote it, is not
/// looked at.
#[derive(Deserialize)]
struct First {
    seq: u64,
    events: Vec<FirstEvent>,
}

#[derive(Deserialize)]
struct FirstEvent {
    plan: Option<FirstPlan>,
}

#[derive(Deserialize)]
struct FirstPlan {
    request: FirstRequest,
}

#[derive(Deserialize)]
struct FirstRequest {
    name: RequestName,
}

/// The name of the request of a campaign's log. The name stands near the beginning of the first line, and
/// no more of the file is read than that.
#[expect(clippy::disallowed_methods, reason = "FileLog is core's one piece of I/O")]
pub(super) fn request_name(path: &Path) -> PortResult<Option<RequestName>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed("read", path, error)),
    };
    let mut file = BufReader::new(file);
    if let Some(name) = name_in(&mut file) {
        return Ok(Some(name));
    }
    file.rewind().map_err(|error| failed("read", path, error))?;
    name_of_line(file, path)
}

/// The name that a record says, read no further than to it. `None` if nothing can be read that far.
fn name_in(record: impl Read) -> Option<RequestName> {
    let mut found = None;
    let dig = Dig {
        path: &NAME,
        found: &mut found,
    };
    // It ends with an error as soon as the name is found, and otherwise where the record does.
    let _ = dig.deserialize(&mut serde_json::Deserializer::from_reader(record));
    found
}

/// The name that the whole first line says, or what is wrong with the line. `None` if a killed writer left
/// it, or a writer is at work on it.
fn name_of_line(mut file: impl BufRead, path: &Path) -> PortResult<Option<RequestName>> {
    let mut line = vec![];
    let read = file.read_until(b'\n', &mut line);
    read.map_err(|error| failed("read", path, error))?;
    // No newline was there when the line was read, whatever a writer has added by now.
    if !line.ends_with(b"\n") && is_torn(&line) {
        return Ok(None);
    }
    match serde_json::from_slice::<First>(&line) {
        Ok(first) if first.seq == 0 => {
            let plan = first.events.into_iter().find_map(|event| event.plan);
            let name = plan.map(|plan| plan.request.name);
            name.map(Some)
                .ok_or_else(|| damaged(path, "line 1", "it holds no plan"))
        }
        Ok(first) => {
            let wrong = format!("it is record {}, and should be record 0", first.seq);
            Err(damaged(path, "line 1", wrong))
        }
        Err(error) => {
            let rest = file.fill_buf().map_err(|error| failed("read", path, error))?;
            if rest.is_empty() && is_torn(&line) {
                return Ok(None);
            }
            Err(damaged(path, "line 1", error))
        }
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::campaign::Record;
    use crate::campaign::tests::world::{Node, Script, World, finish};
    use std::cell::Cell;

    /// Gives bytes, and counts those that were taken.
    struct Counted<'a> {
        bytes: &'a [u8],
        taken: &'a Cell<usize>,
    }

    impl Read for Counted<'_> {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            let read = self.bytes.read(into)?;
            self.taken.set(self.taken.get() + read);
            Ok(read)
        }
    }

    /// A file of which more is there at each read, as while a writer is at work on it.
    struct Growing<'a> {
        parts: Vec<&'a [u8]>,
    }

    impl Read for Growing<'_> {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            match self.parts.is_empty() {
                true => Ok(0),
                false => self.parts.remove(0).read(into),
            }
        }
    }

    /// Record 0 as a driver writes it, of a plan for so many locations.
    fn first_line(locations: usize) -> Vec<u8> {
        let mut world = World::new(&[&[("us-east-1", Script::Nodes(vec![Node::well(1)]))]], 1, 0);
        let one = world.plan.locations[0].clone();
        world.plan.locations = vec![one; locations];
        let driver = world.driver(1);
        finish(driver.begin(world.campaign(), &world.plan)).unwrap();
        let record: Record = world.records().remove(0);
        let mut line = serde_json::to_vec(&record).unwrap();
        line.push(b'\n');
        line
    }

    #[test]
    fn of_a_plan_of_megabytes_no_more_is_read_than_to_its_name() {
        let line = first_line(20_000);
        assert!(line.len() > 2_000_000, "{}", line.len());
        let taken = Cell::new(0);
        let bytes = Counted {
            bytes: &line,
            taken: &taken,
        };
        let name = name_in(BufReader::with_capacity(1024, bytes)).unwrap();
        assert_eq!(name.as_str(), "weekly-linux");
        assert_eq!(taken.get(), 1024, "one read");
    }

    #[test]
    fn a_first_line_that_grows_while_it_is_read_is_no_damage() {
        let line = first_line(1);
        let path = Path::new("log.jsonl");
        for cut in 1..line.len() {
            let (head, rest) = line.split_at(cut);
            // The end of the file is met in the middle of the line, and then there is more.
            let growing = Growing {
                parts: vec![head, b"", rest],
            };
            let name = name_of_line(BufReader::with_capacity(line.len(), growing), path).unwrap();
            assert_eq!(name, None, "cut at {cut}");
        }
    }

    #[test]
    fn a_name_is_found_by_its_path_alone() {
        for (text, name) in [
            (r#"{"name":"a","plan":{"request":{"name":"b"}}}"#, None),
            (r#"{"events":[{"name":"a"},{"plan":{"name":"b"}}]}"#, None),
            (
                r#"{"events":[{"event":"claimed"},{"plan":{"request":{"name":"c"}}}]}"#,
                Some("c"),
            ),
            (r#"{"events":[{"plan":{"request":{"name":"d","#, Some("d")),
            (r#"{"events":[{"plan":{"request":{"name":"no name"}}}]}"#, None),
            ("", None),
        ] {
            let found = name_in(text.as_bytes());
            assert_eq!(found.as_ref().map(RequestName::as_str), name, "{text}");
        }
    }
}
