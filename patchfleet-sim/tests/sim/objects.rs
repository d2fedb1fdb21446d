//! S3, as far as a log in a bucket needs it, spoken to as a socket.

use crate::socket::{Reply, between, credential, send};
use jiff::SignedDuration;
use patchfleet_sim::{ClockMode, Sim, SimOptions, world::World};

async fn sim(more: &str) -> Sim {
    let world = format!(
        "management_account = \"111111111111\"\naccounts = [{{ id = \"111111111111\", name = \"Main\" }}]\n\
         buckets = [\"logs\"]\n{more}"
    );
    let options = SimOptions {
        clock: ClockMode::Scaled(0.0),
        ..SimOptions::default()
    };
    Sim::start(World::parse(&world).unwrap(), options).await.unwrap()
}

async fn ask(sim: &Sim, line: &str, headers: &[(&str, &str)], body: &str) -> Reply {
    let signed = credential("AKID", "s3");
    let headers = [headers, &[("Authorization", signed.as_str())]].concat();
    send(sim, line, &headers, body).await
}

async fn put(sim: &Sim, key: &str, body: &str) -> String {
    let reply = ask(sim, &format!("PUT /logs/{key}"), &[], body).await;
    assert_eq!(reply.status, 200, "{}", reply.body);
    between(&reply.head, "etag: ", "\r\n").to_owned()
}

/// What a listing shows: keys and common prefixes, in the order of its text.
async fn listed(sim: &Sim, query: &str) -> Vec<String> {
    let reply = ask(sim, &format!("GET /logs?list-type=2{query}"), &[], "").await;
    assert_eq!(reply.status, 200, "{}", reply.body);
    let mut shown = vec![];
    for tag in ["Key", "Prefix", "NextContinuationToken"] {
        for part in reply.body.split(&format!("<{tag}>")).skip(1) {
            shown.push(part.split_once('<').unwrap().0.to_owned());
        }
    }
    shown
}

#[tokio::test]
async fn an_object_is_read_as_it_was_written_and_a_part_of_it_as_a_range() {
    let sim = sim("").await;
    let tag = put(&sim, "a%20b/c.json", "0123456789").await;
    let whole = ask(&sim, "GET /logs/a%20b/c.json?x-id=GetObject", &[], "").await;
    assert_eq!((whole.status, whole.body.as_str()), (200, "0123456789"));
    assert_eq!(between(&whole.head, "etag: ", "\r\n"), tag);
    let part = ask(&sim, "GET /logs/a%20b/c.json", &[("Range", "bytes=2-4")], "").await;
    assert_eq!((part.status, part.body.as_str()), (206, "234"));
    assert!(part.head.contains("content-range: bytes 2-4/10"), "{}", part.head);
    let beyond = ask(&sim, "GET /logs/a%20b/c.json", &[("Range", "bytes=10-20")], "").await;
    assert_eq!(beyond.status, 416);
    let head = ask(&sim, "HEAD /logs/a%20b/c.json", &[], "").await;
    assert_eq!((head.status, head.body.as_str()), (200, ""));
    assert!(head.head.contains("content-length: 10"), "{}", head.head);
    assert_eq!(ask(&sim, "DELETE /logs/a%20b/c.json", &[], "").await.status, 204);
    let gone = ask(&sim, "GET /logs/a%20b/c.json", &[], "").await;
    assert_eq!(gone.status, 404);
    assert!(gone.body.contains("<Code>NoSuchKey</Code>"), "{}", gone.body);
    let nowhere = ask(&sim, "PUT /others/key", &[], "x").await;
    assert!(
        nowhere.body.contains("<Code>NoSuchBucket</Code>"),
        "{}",
        nowhere.body
    );
}

#[tokio::test]
async fn a_write_on_a_condition_that_does_not_hold_writes_nothing() {
    let sim = sim("").await;
    let new = [("If-None-Match", "*")];
    assert_eq!(ask(&sim, "PUT /logs/key", &new, "first").await.status, 200);
    let again = ask(&sim, "PUT /logs/key", &new, "second").await;
    assert_eq!(again.status, 412);
    assert!(
        again.body.contains("<Code>PreconditionFailed</Code>"),
        "{}",
        again.body
    );
    let other = ask(&sim, "PUT /logs/key", &[("If-Match", "\"0\"")], "third").await;
    assert_eq!(other.status, 412);
    let read = ask(&sim, "GET /logs/key", &[], "").await;
    assert_eq!(read.body, "first");
    let tag = between(&read.head, "etag: ", "\r\n").to_owned();
    assert_eq!(
        ask(&sim, "PUT /logs/key", &[("If-Match", &tag)], "fourth")
            .await
            .status,
        200
    );
    assert_eq!(ask(&sim, "GET /logs/key", &[], "").await.body, "fourth");
    assert_eq!(
        ask(&sim, "PUT /logs/none", &[("If-Match", &tag)], "x")
            .await
            .status,
        404
    );
}

#[tokio::test]
async fn a_listing_is_in_order_and_comes_in_pages() {
    let sim = sim("").await;
    for key in ["a/2", "a/1", "a/x/1", "a/x/2", "b/1", "c"] {
        put(&sim, key, "").await;
    }
    assert_eq!(
        listed(&sim, "").await,
        ["a/1", "a/2", "a/x/1", "a/x/2", "b/1", "c"]
    );
    assert_eq!(
        listed(&sim, "&prefix=a/&start-after=a/1").await,
        ["a/2", "a/x/1", "a/x/2"]
    );
    assert_eq!(listed(&sim, "&delimiter=/").await, ["c", "a/", "b/"]);
    assert_eq!(
        listed(&sim, "&prefix=a/&delimiter=/").await,
        ["a/1", "a/2", "a/x/"]
    );
    // The token of a page is where the next one goes on, also behind a folder.
    assert_eq!(listed(&sim, "&delimiter=/&max-keys=1").await, ["a/", "a/"]);
    assert_eq!(
        listed(&sim, "&delimiter=/&max-keys=1&continuation-token=a/").await,
        ["b/", "b/"]
    );
    assert_eq!(
        listed(&sim, "&delimiter=/&max-keys=1&continuation-token=b/").await,
        ["c"]
    );
}

#[tokio::test]
async fn where_a_world_lists_late_a_new_object_is_read_at_once_and_listed_afterwards() {
    let sim = sim("[consistency]\nobjects_listed_seconds = 60").await;
    put(&sim, "key", "1").await;
    assert_eq!(ask(&sim, "GET /logs/key", &[], "").await.body, "1");
    assert_eq!(listed(&sim, "").await, [""; 0]);
    sim.clock().advance(SignedDuration::from_secs(60));
    assert_eq!(listed(&sim, "").await, ["key"]);
    // What is written over was there before.
    put(&sim, "key", "2").await;
    assert_eq!(listed(&sim, "").await, ["key"]);
}

#[tokio::test]
async fn a_role_that_may_not_list_is_not_told_that_an_object_is_missing() {
    let sim = sim("[[roles]]\nname = \"Reader\"\ndenied_actions = [\"s3:ListBucket\"]").await;
    let role = sim
        .role_credentials("arn:aws:iam::111111111111:role/Reader")
        .unwrap();
    let signed = credential(&role.access_key_id, "s3");
    let token = role.session_token.unwrap();
    let headers = [
        ("Authorization", signed.as_str()),
        ("X-Amz-Security-Token", token.as_str()),
    ];
    let missing = send(&sim, "GET /logs/none", &headers, "").await;
    assert_eq!(missing.status, 403);
    assert!(
        missing.body.contains("<Code>AccessDenied</Code>"),
        "{}",
        missing.body
    );
    let called = sim.with_world(|world| world.calls().clone());
    assert_eq!(called.get("s3:GetObject"), Some(&1));
}

#[tokio::test]
async fn what_is_not_simulated_of_s3_says_so_and_nothing_panics() {
    let sim = sim("").await;
    let long = format!("GET /logs/{}", "k".repeat(5_000));
    for line in [
        "POST /logs/key?uploads",
        "GET /logs?list-type=1",
        "GET /logs/key?acl",
        "GET /",
        "PUT /logs",
        "GET //",
        "PATCH /logs/key",
        "GET /logs/%ff%zz%",
        "GET /logs?list-type=2&max-keys=-1",
        "GET /logs?list-type=2&max-keys=99999999999999999999&continuation-token=%00",
        long.as_str(),
    ] {
        for range in [
            "bytes=0-",
            "bytes=5-2",
            "bytes=-1",
            "lines=1-2",
            "bytes=99999999999999999999-1",
        ] {
            let headers = [
                ("Range", range),
                ("x-amz-content-sha256", "STREAMING-UNSIGNED-PAYLOAD-TRAILER"),
            ];
            let reply = ask(&sim, line, &headers, "no chunks").await;
            assert!((200..=501).contains(&reply.status), "{line}: {}", reply.status);
            assert!(
                reply.head.contains("x-amz-request-id: "),
                "{line}: {}",
                reply.head
            );
        }
    }
    let unknown = ask(&sim, "POST /logs/key?uploads", &[], "").await;
    assert_eq!(unknown.status, 501);
    assert!(unknown.body.contains("does not simulate"), "{}", unknown.body);
}
