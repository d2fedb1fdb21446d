//! Drivers that are polled by hand: each can be killed at any instant, and two take turns.

use super::world::World;
use crate::campaign::{DriveError, Event, State};
use regex_lite::Regex;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

/// A future that is polled by hand.
pub(crate) struct ByHand<'a, T>(
    Option<Pin<Box<dyn Future<Output = T> + 'a>>>,
    pub(crate) Option<T>,
);

impl<'a, T> ByHand<'a, T> {
    pub(crate) fn new(future: impl Future<Output = T> + 'a) -> Self {
        Self(Some(Box::pin(future)), None)
    }

    /// Polls it once; whether it is over.
    pub(crate) fn poll(&mut self) -> bool {
        if let Some(future) = &mut self.0
            && let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(Waker::noop()))
        {
            self.1 = Some(output);
            self.0 = None;
        }
        self.0.is_none()
    }

    /// Polls it until this is so, which is before its end.
    pub(crate) fn until(&mut self, mut is_so: impl FnMut() -> bool) {
        for _ in 0..1_000_000 {
            if is_so() {
                return;
            }
            assert!(!self.poll(), "it is over before that");
        }
        panic!("that never comes");
    }

    /// Polls it to its end. What never ends fails the test.
    pub(crate) fn end(mut self) -> T {
        for _ in 0..1_000_000 {
            if self.poll() {
                return self.1.unwrap();
            }
        }
        panic!("it never ends");
    }
}

/// Everything that one driver does: it begins the campaign and runs it to its end.
pub(crate) async fn whole_life(world: &World, writer: u128) -> Result<State, DriveError> {
    let driver = world.driver(writer);
    driver.begin(world.campaign(), &world.plan).await?;
    driver.run(world.campaign()).await
}

/// A driver begins the campaign, runs it, and is killed as soon as this is so.
pub(crate) fn killed_once(world: &World, is_so: impl Fn(&World) -> bool) {
    ByHand::new(whole_life(world, 1)).until(|| is_so(world));
}

/// What a state says, but for the instants at which its records were appended. Who stands still before a record is in
/// the log looks like one whose clock is behind, and another driver counts that record from when it saw it.
pub(crate) fn but_for_instants(state: &State) -> String {
    let instant = Regex::new(r"\d{4}-\d\d-\d\dT[\d:.]+Z").unwrap();
    instant
        .replace_all(&format!("{state:#?}"), "an instant")
        .into_owned()
}

/// Whether a start is in the log.
pub(crate) fn is_intended(world: &World) -> bool {
    let mut events = world.events().into_iter();
    events.any(|event| matches!(event, Event::StartIntended { .. }))
}

/// The ends of two futures that are polled alternately. One without an end fails the test.
pub(crate) fn both_ends<T, U>(mut one: ByHand<'_, T>, mut two: ByHand<'_, U>) -> (T, U) {
    for _ in 0..1_000_000 {
        if one.poll() & two.poll() {
            return (one.1.unwrap(), two.1.unwrap());
        }
    }
    panic!("one of them never ends");
}

/// [`both_ends`], after these turns. Each says whether it is the first one's, and how often that is polled.
pub(crate) fn in_turns<T, U>(
    mut one: ByHand<'_, T>,
    mut two: ByHand<'_, U>,
    turns: impl IntoIterator<Item = (bool, usize)>,
) -> (T, U) {
    for (first, polls) in turns {
        let _ = match first {
            true => (0..polls).any(|_| one.poll()),
            false => (0..polls).any(|_| two.poll()),
        };
    }
    both_ends(one, two)
}

/// The ends of two drivers that run at once, in these turns.
pub(crate) fn two_whole_lives(
    world: &World,
    turns: impl IntoIterator<Item = (bool, usize)>,
) -> (State, State) {
    let [one, two] = [1, 2].map(|writer| ByHand::new(whole_life(world, writer)));
    let (one, two) = in_turns(one, two, turns);
    (one.unwrap(), two.unwrap())
}
