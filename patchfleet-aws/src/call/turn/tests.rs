use super::*;
use crate::testing::{FakeHttp, TestClock, json_error, other, response, xml_error};
use jiff::Timestamp;
use patchfleet_core::campaign::Notices;
use patchfleet_core::port::{BoxFuture, Commands, Directory, PortErrorKind, Ports};
use std::sync::atomic::{AtomicUsize, Ordering};

fn place(account: &str, region: &str) -> Place {
    Place::new(Some(account.parse().unwrap()), region.parse().unwrap())
}

#[tokio::test]
async fn each_account_region_and_operation_has_its_own_rate_on_the_ports_clock() {
    let clock = Arc::new(TestClock::default());
    let pace = Pace::new(clock.clone(), Limits::default());
    let seconds = || clock.now().duration_since(Timestamp::UNIX_EPOCH);
    let here = place("111122223333", "us-east-1");
    let start = Operation::StartAutomationExecution;

    pace.turn(start, &here).await;
    pace.turn(Operation::ListRegions, &here).await;
    pace.turn(start, &place("111122223333", "eu-west-1")).await;
    pace.turn(start, &place("444455556666", "us-east-1")).await;
    assert_eq!(seconds(), SignedDuration::ZERO);

    pace.turn(start, &here).await;
    pace.turn(start, &here).await;
    assert_eq!(seconds(), SignedDuration::from_secs(2));
}

#[tokio::test]
async fn no_more_calls_are_under_way_than_there_are_slots() {
    let clock = Arc::new(TestClock::default());
    let two = std::num::NonZeroUsize::new(2).unwrap();
    let pace = Pace::new(clock, Limits::default().with_concurrency(two));
    let here = place("111122223333", "us-east-1");
    let first = pace.turn(Operation::ListRegions, &here).await;
    let second = pace.turn(Operation::ListRegions, &here).await;
    assert_eq!(pace.slots.free(), 0);
    drop(first);
    let third = pace.turn(Operation::ListRegions, &here).await;
    assert_eq!(pace.slots.free(), 0);
    drop((second, third));
    assert_eq!(pace.slots.free(), 2);
}

/// An AWS that throttles the first `times` calls of `operation`, and how long all took on the port's
/// clock.
fn throttling(operation: &'static str, times: usize) -> FakeHttp {
    FakeHttp::new(move |call, before| {
        Ok(match call.operation.as_str() {
            name if name == operation && before < times => match operation {
                "AssumeRole" => xml_error(400, "Throttling", "Rate exceeded"),
                _ => json_error(400, "TooManyRequestsException", "Rate exceeded"),
            },
            "AssumeRole" => {
                let expiration = Timestamp::now() + SignedDuration::from_hours(1);
                response(
                    200,
                    format!(
                        "<AssumeRoleResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><AssumeRoleResult>\
                         <Credentials><AccessKeyId>ASIA</AccessKeyId><SecretAccessKey>s</SecretAccessKey>\
                         <SessionToken>t</SessionToken><Expiration>{expiration}</Expiration></Credentials>\
                         </AssumeRoleResult></AssumeRoleResponse>"
                    ),
                )
            }
            "ListAccountsForParent" => response(200, r#"{"Accounts":[]}"#),
            _ => response(200, r#"{"Commands":[]}"#),
        })
    })
}

#[tokio::test]
async fn a_throttled_read_becomes_slower_and_is_answered_in_the_end() {
    let http = throttling("ListAccountsForParent", 6);
    let clock = Arc::<TestClock>::default();
    let aws = http.builder(&clock).build().unwrap();
    aws.clients.set_caller(crate::testing::CALLER);
    let parent = patchfleet_core::id::OrgParent::Root("r-pf01".parse().unwrap());
    aws.accounts(&parent, None).await.unwrap();
    assert_eq!(http.calls().len(), 7, "the SDK itself retries none of them");
    // Pauses of half a second, and intervals of 0.4, 0.8, 1.6, 3.2, 6.4 and 10 seconds.
    assert_eq!(clock.now().duration_since(Timestamp::UNIX_EPOCH).as_secs(), 25);
}

/// A clock of which somebody looks at what is told, each time that it has moved.
struct Looks(Arc<TestClock>, Notices);

impl Clock for Looks {
    fn now(&self) -> Timestamp {
        self.0.now()
    }

    fn sleep_until(&self, at: Timestamp) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            self.0.sleep_until(at).await;
            self.1.look(self.0.now());
        })
    }
}

#[tokio::test]
async fn who_waits_for_a_throttled_call_hears_that_it_is_throttled_in_awss_words() {
    let told = Arc::<Mutex<Vec<String>>>::default();
    let lines = Arc::clone(&told);
    let notices = Notices::new(Arc::new(move |notice| {
        lines.lock().unwrap().push(notice.to_string());
    }));
    let http = throttling("ListAccountsForParent", 6);
    let time = Arc::<TestClock>::default();
    let clock = Arc::new(Looks(time.clone(), notices.clone()));
    let aws = http.builder(&time).clock(clock.clone()).build().unwrap();
    aws.clients.set_caller(crate::testing::CALLER);
    let ports = patchfleet_core::watched(&Ports::of(aws, clock), &notices);
    let parent = patchfleet_core::id::OrgParent::Root("r-pf01".parse().unwrap());
    ports.directory.accounts(&parent, None).await.unwrap();
    let told = told.lock().unwrap();
    let line = told.first().unwrap();
    assert!(
        line.starts_with("reading the organization has been throttled since 1970-01-01T00:00:00Z"),
        "{told:?}"
    );
    assert!(line.contains("Rate exceeded"), "{told:?}");
}

#[tokio::test]
async fn calls_that_fail_twice_each_are_answered_in_the_end_however_many_there_are() {
    let parent = patchfleet_core::id::OrgParent::Root("r-pf01".parse().unwrap());
    let http = FakeHttp::new(|_, before| {
        Ok(match before % 3 {
            2 => response(200, r#"{"Accounts":[]}"#),
            _ => json_error(500, "InternalServerError", "no answer"),
        })
    });
    let aws = http.aws();
    for call in 0..300 {
        let result = aws.accounts(&parent, None).await;
        assert!(result.is_ok(), "call {call}: {result:?}");
    }
    assert_eq!(http.calls().len(), 900);
}

#[tokio::test]
async fn a_throttled_assume_role_is_slower_too_and_the_call_behind_it_is_made() {
    let http = throttling("AssumeRole", 6);
    let id = "5b6c7d8e-0000-4000-8000-123456789012".parse().unwrap();
    let error = http.aws().command(&other("eu-west-1"), &id).await.unwrap_err();
    assert_eq!(error.kind(), PortErrorKind::NotFound, "{}", error.chain());
    assert_eq!(http.calls_of("AssumeRole").len(), 7);
}

#[tokio::test]
async fn a_read_that_aws_throttles_for_minutes_without_any_answer_is_given_up_and_those_after_it_at_once() {
    let http = throttling("ListAccountsForParent", usize::MAX);
    let clock = Arc::<TestClock>::default();
    let aws = http.builder(&clock).build().unwrap();
    aws.clients.set_caller(crate::testing::CALLER);
    let parent = patchfleet_core::id::OrgParent::Root("r-pf01".parse().unwrap());
    let error = aws.accounts(&parent, None).await.unwrap_err();
    assert_eq!((error.kind(), error.sent()), (PortErrorKind::Throttled, Sent::No));
    let message = error.to_string();
    assert!(
        message.starts_with("AWS throttled every ListAccountsForParent in 111122223333/us-east-1 for 30"),
        "{message}"
    );
    assert_eq!(error.reason(), "TooManyRequestsException: Rate exceeded");
    assert!((300..320).contains(&clock.now().as_second()), "{}", clock.now());
    let made = http.calls().len();
    assert!(made > 20, "{made} calls");
    assert!(aws.accounts(&parent, None).await.is_err());
    assert_eq!(http.calls().len(), made + 1);
}

#[tokio::test]
async fn a_call_that_makes_headway_is_never_given_up_however_long_it_takes() {
    // Every other call is answered: patience begins anew each time.
    let answered = Arc::new(AtomicUsize::new(0));
    let counted = answered.clone();
    let http = FakeHttp::new(move |_, before| {
        Ok(if before % 4 == 3 {
            counted.fetch_add(1, Ordering::Relaxed);
            response(200, r#"{"Accounts":[]}"#)
        } else {
            json_error(400, "TooManyRequestsException", "Rate exceeded")
        })
    });
    let clock = Arc::<TestClock>::default();
    let aws = http.builder(&clock).build().unwrap();
    aws.clients.set_caller(crate::testing::CALLER);
    let parent = patchfleet_core::id::OrgParent::Root("r-pf01".parse().unwrap());
    for _ in 0..100 {
        aws.accounts(&parent, None).await.unwrap();
    }
    assert_eq!(answered.load(Ordering::Relaxed), 100);
    assert!(
        clock.now().as_second() > 600,
        "longer than patience: {}",
        clock.now()
    );
}
