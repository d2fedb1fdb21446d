//! The first page of the organization's accounts, asked beside who calls.

use super::*;
use crate::port::{PortError, PortErrorKind};
use crate::tests::world::wait;
use std::future::pending;

#[test]
fn a_page_that_does_not_come_keeps_no_answer_waiting_and_one_that_comes_first_is_kept() {
    let mut late = FirstPage(Some(pending().boxed()));
    assert_eq!(wait(late.beside(ready(1).boxed())), 1);
    assert!(late.0.is_some());
    let denied = PortError::new(PortErrorKind::Denied, "ListAccounts");
    let mut early = FirstPage(Some(ready(Err(denied)).boxed()));
    let work = async {
        let mut turns = 3;
        std::future::poll_fn(|context| {
            turns -= 1;
            context.waker().wake_by_ref();
            match turns {
                0 => std::task::Poll::Ready(()),
                _ => std::task::Poll::Pending,
            }
        })
        .await;
    };
    wait(early.beside(work.boxed()));
    let kept = wait(early.0.unwrap()).unwrap_err();
    assert_eq!(kept.kind(), PortErrorKind::Denied);
}
