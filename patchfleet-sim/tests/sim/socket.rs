//! A client that speaks HTTP by hand, so that no library mends what it sends or reads.

use patchfleet_sim::{ClockMode, Sim, SimOptions, world::World};
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Reply {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

pub(crate) async fn sim(mode: ClockMode) -> Sim {
    let world = World::parse(&crate::fleet::world("{ count = 3 }")).unwrap();
    Sim::start(
        world,
        SimOptions {
            clock: mode,
            ..SimOptions::default()
        },
    )
    .await
    .unwrap()
}

pub(crate) async fn send(sim: &Sim, line: &str, headers: &[(&str, &str)], body: &str) -> Reply {
    let mut stream = TcpStream::connect(sim.address()).await.unwrap();
    let headers: String = headers
        .iter()
        .map(|(name, value)| format!("{name}: {value}\r\n"))
        .collect();
    let request = format!(
        "{line} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {}\r\n{headers}\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).await.unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Reply {
        status,
        head: format!("{}\r\n", head.to_ascii_lowercase()),
        body: body.to_owned(),
    }
}

pub(crate) fn credential(key: &str, service: &str) -> String {
    format!(
        "AWS4-HMAC-SHA256 Credential={key}/20260301/us-east-1/{service}/aws4_request, SignedHeaders=host, Signature=00"
    )
}

pub(crate) async fn target(sim: &Sim, key: &str, target: &str, input: Value) -> Reply {
    let headers = [
        ("Content-Type", "application/x-amz-json-1.1"),
        ("X-Amz-Target", target),
        ("Authorization", &credential(key, "ssm")),
    ];
    send(sim, "POST /", &headers, &input.to_string()).await
}

pub(crate) async fn sts(sim: &Sim, form: &str) -> Reply {
    let headers = [
        ("Content-Type", "application/x-www-form-urlencoded; charset=utf-8"),
        ("Authorization", &credential("AKID", "sts")),
    ];
    send(sim, "POST /", &headers, form).await
}

pub(crate) fn between<'a>(text: &'a str, from: &str, to: &str) -> &'a str {
    text.split_once(from).unwrap().1.split_once(to).unwrap().0
}

/// A connection that stays open for many requests.
pub(crate) struct Connection {
    address: std::net::SocketAddr,
    stream: Option<TcpStream>,
    read: Vec<u8>,
}

impl Connection {
    pub(crate) fn to(sim: &Sim) -> Self {
        Self {
            address: sim.address(),
            stream: None,
            read: vec![],
        }
    }

    /// Sends a request as it stands, and reads one answer.
    pub(crate) async fn exchange(&mut self, request: &[u8]) -> Reply {
        let mut stream = match self.stream.take() {
            Some(stream) => stream,
            None => TcpStream::connect(self.address).await.unwrap(),
        };
        stream.write_all(request).await.unwrap();
        self.read.clear();
        let head_end = loop {
            if let Some(at) = self.read.windows(4).position(|four| four == b"\r\n\r\n") {
                break at;
            }
            assert!(
                stream.read_buf(&mut self.read).await.unwrap() > 0,
                "closed without an answer"
            );
        };
        let head = String::from_utf8(self.read[..head_end].to_vec()).unwrap();
        let head = format!("{}\r\n", head.to_ascii_lowercase());
        let length: usize = between(&head, "content-length: ", "\r\n").parse().unwrap();
        let from = head_end + 4;
        while self.read.len() < from + length {
            assert!(
                stream.read_buf(&mut self.read).await.unwrap() > 0,
                "closed in the middle"
            );
        }
        if !head.contains("connection: close") {
            self.stream = Some(stream);
        }
        Reply {
            status: head.split(' ').nth(1).unwrap().parse().unwrap(),
            body: String::from_utf8(self.read[from..from + length].to_vec()).unwrap(),
            head,
        }
    }
}
