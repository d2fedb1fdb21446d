//! The fields of a form or of a URL's query: `Action=AssumeRole&RoleArn=…`.

/// The fields of a form, decoded.
pub(super) fn fields(body: &[u8]) -> Vec<(String, String)> {
    let text = String::from_utf8_lossy(body);
    text.split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decode(name), decode(value))
        })
        .collect()
}

/// Percent-decodes, and takes `+` for a space.
fn decode(text: &str) -> String {
    decode_path(&text.replace('+', " "))
}

/// Percent-decodes.
pub(super) fn decode_path(text: &str) -> String {
    let mut bytes = vec![];
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => {
                let mut ahead = rest.clone();
                let digits = (ahead.next().and_then(hex), ahead.next().and_then(hex));
                if let (Some(high), Some(low)) = digits {
                    rest = ahead;
                    high << 4 | low
                } else {
                    byte
                }
            }
            _ => byte,
        });
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn hex(byte: u8) -> Option<u8> {
    char::from(byte)
        .to_digit(16)
        .and_then(|digit| u8::try_from(digit).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_are_decoded_and_broken_escapes_left_as_they_are() {
        let fields = fields(b"Action=AssumeRole&RoleArn=arn%3Aaws&Name=a+b&Odd=%zz%4&Empty=&Bare");
        let pairs: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (&**name, &**value)).collect();
        assert_eq!(
            pairs,
            [
                ("Action", "AssumeRole"),
                ("RoleArn", "arn:aws"),
                ("Name", "a b"),
                ("Odd", "%zz%4"),
                ("Empty", ""),
                ("Bare", ""),
            ]
        );
    }
}
