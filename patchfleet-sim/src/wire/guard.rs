//! Who may use `/_sim/`: programs of this machine, and no web page.
//!
//! Any web page can make a browser send requests to loopback, and a site can let its own name mean
//! 127.0.0.1 (DNS rebinding). A request of the first kind carries the page's `Origin`. One of the
//! second kind carries the site's name as `Host`. Both headers are set by the browser, so a page cannot
//! leave them out.

use http::{HeaderMap, header};
use std::net::{Ipv4Addr, Ipv6Addr};

/// Why a request may not use `/_sim/`; `None`: it may.
pub(super) fn refusal(headers: &HeaderMap) -> Option<String> {
    let mut hosts = headers.get_all(header::HOST).iter().peekable();
    if hosts.peek().is_none() {
        return Some("/_sim/ wants a Host header".to_owned());
    }
    for host in hosts {
        if !host.to_str().is_ok_and(is_loopback) {
            return Some(format!(
                "/_sim/ answers hosts of this machine alone (127.0.0.0/8, [::1], localhost), not {host:?}"
            ));
        }
    }
    let is_own = |origin: &str| {
        let host = ["http://", "https://"]
            .into_iter()
            .find_map(|scheme| origin.strip_prefix(scheme));
        host.is_some_and(is_loopback)
    };
    let mut origins = headers.get_all(header::ORIGIN).iter();
    let foreign = origins.find(|origin| !origin.to_str().is_ok_and(is_own))?;
    Some(format!(
        "/_sim/ does not answer pages of another origin, such as {foreign:?}"
    ))
}

/// Whether `host`, with or without a port, is a name or address of this machine's loopback.
fn is_loopback(host: &str) -> bool {
    if let Some(rest) = host.strip_prefix('[') {
        let Some((address, port)) = rest.split_once(']') else {
            return false;
        };
        return is_port(port)
            && address
                .parse()
                .is_ok_and(|address: Ipv6Addr| address.is_loopback());
    }
    let (name, port) = host.find(':').map_or((host, ""), |at| host.split_at(at));
    let is_address = || name.parse().is_ok_and(|address: Ipv4Addr| address.is_loopback());
    is_port(port) && (name.eq_ignore_ascii_case("localhost") || is_address())
}

/// Nothing, or a colon and a number.
fn is_port(text: &str) -> bool {
    text.is_empty()
        || text
            .strip_prefix(':')
            .is_some_and(|port| port.parse::<u16>().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn may(headers: &[(&'static str, &str)]) -> bool {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, value.parse().unwrap());
        }
        refusal(&map).is_none()
    }

    #[test]
    fn hosts_of_this_machine_are_answered_with_any_port() {
        for host in [
            "localhost",
            "LocalHost:1",
            "127.0.0.1:4566",
            "127.8.9.10",
            "[::1]",
            "[::1]:80",
        ] {
            assert!(may(&[("host", host)]), "{host}");
            let origin = format!("http://{host}");
            assert!(may(&[("host", host), ("origin", &origin)]), "{origin}");
        }
    }

    #[test]
    fn other_hosts_and_origins_are_not_answered() {
        for host in [
            "",
            "evil.example",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "10.0.0.1:4566",
            "0.0.0.0",
            "[::]:80",
            "[::1",
            "[::1]evil",
            "localhost:",
            "localhost:x",
            "localhost:80:80",
            "2130706433",
        ] {
            assert!(!may(&[("host", host)]), "{host}");
        }
        assert!(!may(&[]));
        assert!(!may(&[("host", "localhost"), ("host", "evil.example")]));
        for origin in [
            "null",
            "http://evil.example",
            "https://localhost.evil.example",
            "file://",
            "localhost",
        ] {
            assert!(!may(&[("host", "localhost"), ("origin", origin)]), "{origin}");
        }
    }
}
