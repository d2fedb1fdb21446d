//! CBOR (RFC 8949), as far as Smithy's protocol `rpcv2Cbor` uses it: to and from a JSON value.
//!
//! A time is a number with tag 1 in CBOR, and a number in JSON. Which members are times their names say.

use serde_json::{Map, Number, Value};

/// How deep lists and maps may nest.
const MAX_DEPTH: usize = 64;

const UNSIGNED: u8 = 0;
const NEGATIVE: u8 = 1;
const TEXT: u8 = 3;
const LIST: u8 = 4;
const MAP: u8 = 5;
const TAG: u8 = 6;
const OTHER: u8 = 7;

/// A length that is told by an end mark.
const INDEFINITE: u8 = 31;

/// Bytes that are no CBOR, or none that an input has.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("the body is no CBOR that can be read at byte {0}")]
pub(super) struct Unreadable(usize);

/// The value that these bytes are.
pub(super) fn read(bytes: &[u8]) -> Result<Value, Unreadable> {
    let mut reader = Reader { bytes, at: 0 };
    let value = reader.value(0)?;
    match reader.at == bytes.len() {
        true => Ok(value),
        false => Err(Unreadable(reader.at)),
    }
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    fn wrong<T>(&self) -> Result<T, Unreadable> {
        Err(Unreadable(self.at))
    }

    fn byte(&mut self) -> Result<u8, Unreadable> {
        let Some(byte) = self.bytes.get(self.at) else {
            return self.wrong();
        };
        self.at += 1;
        Ok(*byte)
    }

    /// The next bytes, so many.
    fn take(&mut self, count: u64) -> Result<&[u8], Unreadable> {
        let end = usize::try_from(count)
            .ok()
            .and_then(|count| self.at.checked_add(count));
        let Some(taken) = end.and_then(|end| self.bytes.get(self.at..end)) else {
            return self.wrong();
        };
        self.at += taken.len();
        Ok(taken)
    }

    /// The number that belongs to a head: its value, a length, a tag.
    fn argument(&mut self, info: u8) -> Result<u64, Unreadable> {
        let count = match info {
            0..=23 => return Ok(info.into()),
            24 => 1,
            25 => 2,
            26 => 4,
            27 => 8,
            _ => return self.wrong(),
        };
        let bytes = self.take(count)?;
        Ok(bytes
            .iter()
            .fold(0, |number, byte| (number << 8) | u64::from(*byte)))
    }

    /// Whether the end mark of an indefinite length comes next. It is taken then.
    fn ends(&mut self) -> bool {
        let ends = self.bytes.get(self.at) == Some(&0xff);
        self.at += usize::from(ends);
        ends
    }

    fn value(&mut self, depth: usize) -> Result<Value, Unreadable> {
        if depth > MAX_DEPTH {
            return self.wrong();
        }
        let head = self.byte()?;
        let (major, info) = (head >> 5, head & 31);
        match major {
            UNSIGNED => Ok(self.argument(info)?.into()),
            NEGATIVE => match i64::try_from(self.argument(info)?) {
                Ok(number) => Ok((-1 - number).into()),
                Err(_) => self.wrong(),
            },
            TEXT => Ok(self.text(info)?.into()),
            LIST => {
                let mut items = vec![];
                let mut left = self.length(info)?;
                while self.has_next(&mut left) {
                    items.push(self.value(depth + 1)?);
                }
                Ok(items.into())
            }
            MAP => {
                let mut members = Map::new();
                let mut left = self.length(info)?;
                while self.has_next(&mut left) {
                    let head = self.byte()?;
                    if head >> 5 != TEXT {
                        return self.wrong();
                    }
                    let name = self.text(head & 31)?;
                    members.insert(name, self.value(depth + 1)?);
                }
                Ok(members.into())
            }
            TAG => {
                self.argument(info)?;
                self.value(depth + 1)
            }
            OTHER => self.other(info),
            // Byte strings: no input has one.
            _ => self.wrong(),
        }
    }

    /// A length; `None`: it is told by an end mark.
    fn length(&mut self, info: u8) -> Result<Option<u64>, Unreadable> {
        match info {
            INDEFINITE => Ok(None),
            info => self.argument(info).map(Some),
        }
    }

    fn has_next(&mut self, left: &mut Option<u64>) -> bool {
        match left {
            None => !self.ends(),
            Some(0) => false,
            Some(left) => {
                *left -= 1;
                true
            }
        }
    }

    fn text(&mut self, info: u8) -> Result<String, Unreadable> {
        if info == INDEFINITE {
            let mut text = String::new();
            while !self.ends() {
                let head = self.byte()?;
                if head >> 5 != TEXT || head & 31 == INDEFINITE {
                    return self.wrong();
                }
                text.push_str(&self.text(head & 31)?);
            }
            return Ok(text);
        }
        let length = self.argument(info)?;
        let text = self.take(length)?.to_vec();
        String::from_utf8(text).or_else(|_| self.wrong())
    }

    fn other(&mut self, info: u8) -> Result<Value, Unreadable> {
        let number = match info {
            20 | 21 => return Ok((info == 21).into()),
            22 | 23 => return Ok(Value::Null),
            26 => f32::from_bits(u32::try_from(self.argument(info)?).unwrap_or(0)).into(),
            27 => f64::from_bits(self.argument(info)?),
            _ => return self.wrong(),
        };
        Ok(Number::from_f64(number).map_or(Value::Null, Value::Number))
    }
}

/// A value as bytes.
pub(super) fn written(value: &Value) -> Vec<u8> {
    let mut bytes = vec![];
    write(value, false, &mut bytes);
    bytes
}

fn write(value: &Value, is_time: bool, to: &mut Vec<u8>) {
    match value {
        Value::Null => to.push(head(OTHER, 22)),
        Value::Bool(is_true) => to.push(head(OTHER, if *is_true { 21 } else { 20 })),
        Value::Number(number) => {
            if is_time {
                to.push(head(TAG, 1));
            }
            if let Some(number) = number.as_u64() {
                write_head(UNSIGNED, number, to);
            } else if let Some(number) = number.as_i64() {
                write_head(NEGATIVE, number.unsigned_abs() - 1, to);
            } else {
                to.push(head(OTHER, 27));
                to.extend(number.as_f64().unwrap_or_default().to_bits().to_be_bytes());
            }
        }
        Value::String(text) => write_text(text, to),
        Value::Array(items) => {
            write_head(LIST, length(items.len()), to);
            items.iter().for_each(|item| write(item, false, to));
        }
        Value::Object(members) => {
            write_head(MAP, length(members.len()), to);
            for (name, value) in members {
                write_text(name, to);
                write(value, name.ends_with("Timestamp"), to);
            }
        }
    }
}

fn write_text(text: &str, to: &mut Vec<u8>) {
    write_head(TEXT, length(text.len()), to);
    to.extend(text.as_bytes());
}

fn length(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}

fn head(major: u8, info: u8) -> u8 {
    (major << 5) | info
}

fn write_head(major: u8, argument: u64, to: &mut Vec<u8>) {
    match u8::try_from(argument) {
        Ok(small @ 0..=23) => to.push(head(major, small)),
        Ok(byte) => to.extend([head(major, 24), byte]),
        Err(_) => {
            to.push(head(major, 27));
            to.extend(argument.to_be_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_written_is_read_again() {
        let long = "é".repeat(300);
        let value = json!({
            "a": [1, 23, 24, 255, 256, 70_000_000_000_u64, -1, -500, 1.5, true, false, null], "long": long,
            "StateUpdatedTimestamp": 1_772_316_000.25, "nested": {"": []},
        });
        let bytes = written(&value);
        assert_eq!(read(&bytes), Ok(value));
        for end in 0..bytes.len() {
            assert!(read(&bytes[..end]).is_err(), "cut at {end}");
        }
    }

    #[test]
    fn a_time_has_tag_1() {
        assert_eq!(written(&json!({"Timestamp": 5})), b"\xa1\x69Timestamp\xc1\x05");
        assert_eq!(written(&json!({"Count": 5})), b"\xa1\x65Count\x05");
    }

    #[test]
    fn lengths_may_be_told_by_an_end_mark() {
        let bytes = b"\xbf\x61a\x9f\x01\x7f\x61b\x61c\xff\xff\xff";
        assert_eq!(read(bytes), Ok(json!({"a": [1, "bc"]})));
        assert!(read(b"\xbf\x61a").is_err());
    }

    #[test]
    fn what_is_no_input_is_not_read() {
        // A byte string, a map whose name is no text, two values, no value, a length past the end, and no UTF-8.
        let wrong: [&[u8]; 6] = [
            b"\x41a",
            b"\xa1\x01\x02",
            b"\x01\x02",
            b"",
            b"\x7b\xff\xff\xff\xff\xff\xff\xff\xff",
            b"\x61\xff",
        ];
        for bytes in wrong {
            assert!(read(bytes).is_err(), "{bytes:?}");
        }
        assert!(read(&[0x81; 1000]).is_err(), "too deep");
    }
}
