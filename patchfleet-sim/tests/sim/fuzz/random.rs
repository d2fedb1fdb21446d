//! Random choices that are the same in every run, and ways to break a request.

/// splitmix64.
pub(super) struct Random(u64);

impl Random {
    /// The choices of a test.
    pub(super) fn of(name: &str) -> Self {
        Self(name.bytes().fold(7, |hash: u64, byte| {
            hash.wrapping_mul(31).wrapping_add(byte.into())
        }))
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Less than `n`.
    pub(super) fn below(&mut self, n: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(n).unwrap()).unwrap()
    }

    /// So often of a hundred times.
    pub(super) fn percent(&mut self, share: usize) -> bool {
        self.below(100) < share
    }

    /// One of them.
    pub(super) fn of_all<'a, T: ?Sized>(&mut self, items: &[&'a T]) -> &'a T {
        items[self.below(items.len())]
    }

    /// A request of which something is broken: its body, with a right length, or a header.
    pub(super) fn broken(&mut self, request: &[u8]) -> Vec<u8> {
        let end = request.windows(4).position(|four| four == b"\r\n\r\n").unwrap();
        let head = String::from_utf8(request[..end].to_vec()).unwrap();
        let mut body = request[end + 4..].to_vec();
        let mut lines: Vec<String> = head.lines().map(str::to_owned).collect();
        match self.below(8) {
            0 => body.truncate(self.below(body.len() + 1)),
            1 => body = (0..self.below(200)).map(|_| self.byte()).collect(),
            2 => {
                let at = self.below(body.len() + 1);
                let byte = self.byte();
                body.insert(at, byte);
            }
            3 => {
                let kinds = [
                    "text/plain",
                    "multipart/form-data",
                    "application/xml",
                    "application/x-www-form-urlencoded",
                    "application/json",
                    "",
                ];
                let kind = self.of_all(&kinds);
                replace(&mut lines, "Content-Type", kind);
            }
            4 => {
                let targets = [
                    "AmazonSSM",
                    "AmazonSSM.",
                    ".",
                    "AmazonSSM.Dance",
                    "DynamoDB_20120810.ListTables",
                    "",
                ];
                let target = self.of_all(&targets);
                lines.retain(|line| !line.starts_with("X-Amz-Target"));
                lines.push(format!("X-Amz-Target: {target}"));
            }
            5 => {
                let texts = [
                    "",
                    "Basic dXNlcg==",
                    "AWS4-HMAC-SHA256 Credential=",
                    "AWS4-HMAC-SHA256 Credential=a/b/c/d/e",
                    "AWS4-HMAC-SHA256 Credential=AKID/20260301/us-east-1",
                ];
                let text = self.of_all(&texts);
                replace(&mut lines, "Authorization", text);
            }
            6 => {
                let methods = ["GET", "PUT", "DELETE", "PATCH", "OPTIONS"];
                let method = self.of_all(&methods);
                lines[0] = lines[0].replacen("POST", method, 1);
            }
            _ => {
                let paths = [
                    "/nowhere",
                    "/groups-list?maxResults=x",
                    "//",
                    "/%00",
                    "/resources/search/?a=%zz",
                ];
                let path = self.of_all(&paths);
                lines[0] = format!("POST {path} HTTP/1.1");
            }
        }
        replace(&mut lines, "Content-Length", &body.len().to_string());
        [lines.join("\r\n").as_bytes(), b"\r\n\r\n", &body].concat()
    }

    fn byte(&mut self) -> u8 {
        u8::try_from(self.below(256)).unwrap()
    }
}

fn replace(lines: &mut Vec<String>, name: &str, value: &str) {
    lines.retain(|line| !line.starts_with(name));
    lines.push(format!("{name}: {value}"));
}
