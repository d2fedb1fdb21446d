//! What the environment and the profile files say, as patchfleet reads it. Each case is a process of
//! its own, since a process has one environment: this program runs itself.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that meets what it does not expect fails"
)]

#[path = "surroundings/credentials.rs"]
mod credentials;
#[path = "surroundings/endpoints.rs"]
mod endpoints;

use patchfleet_aws::Aws;
use patchfleet_core::port::{Directory as _, Inventory as _, Selection};
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

const CHILD: &str = "PATCHFLEET_TEST_CHILD";

/// Loads, asks who calls and what is in a group, and prints what came of it.
#[tokio::test]
async fn the_child() {
    if std::env::var_os(CHILD).is_none() {
        return;
    }
    let said = match Aws::load().await {
        Err(error) => format!("{}: {}", error.kind(), error.chain()),
        Ok(builder) => match builder.build() {
            Err(error) => format!("building {}: {}", error.kind(), error.chain()),
            Ok(aws) => asked(&aws).await,
        },
    };
    println!("<<{said}>>");
}

/// What comes of asking who calls, and what is in a group.
async fn asked(aws: &Aws) -> String {
    match aws.caller().await {
        Err(error) => format!("caller {}: {}", error.kind(), error.chain()),
        Ok(caller) => {
            let here = patchfleet_core::id::Location::new(caller.account, caller.region);
            let group = Selection::Group("WebServers".parse().unwrap());
            match aws.members(&here, &group, None).await {
                Ok(_) => format!("{} was answered", here.account),
                Err(error) => format!("{} members {}: {}", here.account, error.kind(), error.chain()),
            }
        }
    }
}

/// A home of its own, with these profile files.
struct Home(TempDir);

impl Home {
    fn new(config: &str, credentials: &str) -> Self {
        let home = tempfile::tempdir().unwrap();
        std::fs::create_dir(home.path().join(".aws")).unwrap();
        std::fs::write(home.path().join(".aws/config"), config).unwrap();
        std::fs::write(home.path().join(".aws/credentials"), credentials).unwrap();
        Self(home)
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    /// What loading says in this home and environment.
    fn says(&self, env: &[(&str, &str)]) -> String {
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "the_child", "--nocapture"])
            .env_clear()
            .env(CHILD, "1")
            .env("HOME", self.path())
            .env("PATH", std::env::var_os("PATH").unwrap())
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .env("NO_PROXY", "127.0.0.1,localhost")
            .envs(env.iter().copied())
            .output()
            .unwrap();
        let text = String::from_utf8(child.stdout).unwrap();
        let said = text.split_once("<<").and_then(|(_, rest)| rest.split_once(">>"));
        let said = said.unwrap_or_else(|| panic!("{text}{}", String::from_utf8_lossy(&child.stderr)));
        said.0.to_owned()
    }
}

const KEYS: &str = "aws_access_key_id = AKIDEXAMPLE\naws_secret_access_key = hush\n";

/// An AWS on loopback that answers every call so, and gives the first line and the host of each.
fn answering(status: &'static str, body: &'static str) -> (String, Arc<std::sync::Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let seen = Arc::<std::sync::Mutex<Vec<String>>>::default();
    let kept = seen.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut bytes = vec![];
            let mut part = [0; 4096];
            while !whole(&bytes) {
                let read = stream.read(&mut part).unwrap_or(0);
                if read == 0 {
                    break;
                }
                bytes.extend_from_slice(&part[..read]);
            }
            let text = String::from_utf8_lossy(&bytes).into_owned();
            kept.lock()
                .unwrap()
                .push(text.lines().next().unwrap_or_default().to_owned());
            let length = body.len();
            let answer =
                format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}");
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    (endpoint, seen)
}

fn whole(request: &[u8]) -> bool {
    let text = String::from_utf8_lossy(request);
    let Some((head, body)) = text.split_once("\r\n\r\n") else {
        return false;
    };
    let length = head.lines().find_map(|line| {
        line.to_lowercase()
            .strip_prefix("content-length:")
            .map(str::to_owned)
    });
    body.len() >= length.map_or(0, |length| length.trim().parse().unwrap())
}

const IDENTITY: &str = "<GetCallerIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">\
    <GetCallerIdentityResult><Arn>arn:aws:iam::111122223333:root</Arn><UserId>U</UserId>\
    <Account>111122223333</Account></GetCallerIdentityResult></GetCallerIdentityResponse>";
