//! Whose a campaign is, by the first line of its log alone.

use super::{failed, own};
use crate::campaign::Record;
use crate::campaign::store::encoding::is_beginning;
use crate::campaign::store::named::{NAME, OLD_NAME, name_in};
use crate::id::RequestName;
use crate::port::{PortError, PortErrorKind, PortResult};
use std::error::Error;
use std::io::{BufRead, BufReader, Seek as _};
use std::path::Path;

/// The name of the request of a campaign's log. The name stands near the beginning of the first line, and
/// no more of the file is read than that.
pub(super) fn request_name(root: &Path, path: &Path) -> PortResult<Option<RequestName>> {
    let Some(file) = own::open(root, path)? else {
        return Ok(None);
    };
    let mut file = BufReader::new(file);
    for name in [&NAME[..], &OLD_NAME[..]] {
        if let Some(name) = name_in(&mut file, name) {
            return Ok(Some(name));
        }
        file.rewind().map_err(|error| failed("read", path, error))?;
    }
    name_of_line(file, path)
}

/// The name that the whole first line says, or what is wrong with the line. `None` if a killed writer left
/// it, or a writer is at work on it.
fn name_of_line(mut file: impl BufRead, path: &Path) -> PortResult<Option<RequestName>> {
    let damaged = |why: Box<dyn Error + Send + Sync>| {
        let message = format!("{}: record 0 cannot be read", path.display());
        PortError::new(PortErrorKind::Incompatible, message).with_source(why)
    };
    let mut line = vec![];
    let read = file.read_until(b'\n', &mut line);
    read.map_err(|error| failed("read", path, error))?;
    // No newline was there when the line was read, whatever a writer has added by now.
    let Some(line) = line.strip_suffix(b"\n") else {
        return match is_beginning(&line) {
            true => Ok(None),
            false => Err(damaged("it is no record, nor the beginning of one".into())),
        };
    };
    let record = Record::decode(line).map_err(|error| damaged(error.into()))?;
    let name = record.request_name().cloned();
    name.map(Some).ok_or_else(|| damaged("it holds no plan".into()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::campaign::Record;
    use crate::campaign::tests::world::{Node, Script, World, finish};
    use std::cell::Cell;
    use std::io::{self, Read};

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
        let mut line = record.encode().unwrap();
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
        let name = name_in(BufReader::with_capacity(1024, bytes), &NAME).unwrap();
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
            let found = name_in(text.as_bytes(), &OLD_NAME);
            assert_eq!(found.as_ref().map(RequestName::as_str), name, "{text}");
        }
    }
}
