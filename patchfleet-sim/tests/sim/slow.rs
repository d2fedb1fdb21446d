//! Who may look at and change a simulator, and how long it waits for a client.

use crate::socket::Connection;
use patchfleet_sim::{Patience, Sim, SimOptions, world::World};
use std::time::Duration;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

async fn with(patience: Patience) -> Sim {
    let world = World::parse(&crate::fleet::world("{ count = 1 }")).unwrap();
    let options = SimOptions {
        patience,
        ..SimOptions::default()
    };
    Sim::start(world, options).await.unwrap()
}

#[tokio::test]
async fn the_simulators_own_endpoints_answer_this_machine_and_no_page_of_another_site() {
    let sim = with(Patience::default()).await;
    let status = async |headers: &str, path: &str| {
        let request = format!("GET {path} HTTP/1.1\r\n{headers}Connection: close\r\n\r\n");
        Connection::to(&sim).exchange(request.as_bytes()).await.status
    };
    for headers in [
        "Host: localhost\r\n",
        "Host: 127.0.0.1:4566\r\nOrigin: http://localhost:3000\r\n",
        "Host: [::1]:4566\r\n",
    ] {
        assert_eq!(status(headers, "/_sim/state").await, 200, "{headers}");
    }
    for headers in [
        "",
        "Host: rebound.example\r\n",
        "Host: 10.1.2.3:4566\r\n",
        "Host: localhost\r\nOrigin: http://evil.example\r\n",
        "Host: localhost\r\nOrigin: null\r\n",
    ] {
        for path in ["/_sim/state", "/_sim/requests", "/_sim/advance", "/_sim/nothing"] {
            assert_eq!(status(headers, path).await, 403, "{headers} {path}");
        }
    }
}

/// What comes on a connection until it is closed, which has to be soon.
async fn until_closed(stream: &mut TcpStream) -> String {
    let mut text = String::new();
    let closed = timeout(Duration::from_secs(60), stream.read_to_string(&mut text)).await;
    // A connection that is reset is closed too.
    assert!(closed.is_ok(), "the connection was kept");
    text
}

#[tokio::test]
async fn a_connection_that_says_nothing_or_half_a_head_is_closed() {
    let sim = with(Patience {
        head: Duration::from_millis(50),
        ..Patience::default()
    })
    .await;
    for begun in ["", "POST / HTTP/1.1\r\nHost: localh"] {
        let mut stream = TcpStream::connect(sim.address()).await.unwrap();
        stream.write_all(begun.as_bytes()).await.unwrap();
        until_closed(&mut stream).await;
    }
}

#[tokio::test]
async fn a_connection_that_stays_idle_after_an_answer_is_closed() {
    let sim = with(Patience {
        head: Duration::from_millis(50),
        ..Patience::default()
    })
    .await;
    let mut stream = TcpStream::connect(sim.address()).await.unwrap();
    let request = "GET /_sim/fault HTTP/1.1\r\nHost: localhost\r\n\r\n";
    stream.write_all(request.as_bytes()).await.unwrap();
    assert!(until_closed(&mut stream).await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn a_body_that_does_not_come_is_answered_with_a_timeout() {
    let sim = with(Patience {
        body: Duration::from_millis(50),
        ..Patience::default()
    })
    .await;
    let mut stream = TcpStream::connect(sim.address()).await.unwrap();
    let request = "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\nhalf";
    stream.write_all(request.as_bytes()).await.unwrap();
    let answer = until_closed(&mut stream).await;
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
}
