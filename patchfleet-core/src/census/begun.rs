//! A census that is under way, and what is asked of a location once it has answered.

use super::CensusAnswer;
use super::take::{Answered, Answers, Question};
use crate::id::Location;
use crate::port::BoxFuture;
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt as _, StreamExt as _};
use std::collections::{BTreeSet, VecDeque};

/// Locations that were asked before it was known which of them are wanted.
#[derive(Default)]
pub(crate) struct Begun<'a> {
    /// What those said that have answered.
    pub(crate) answers: Answers,
    /// Those that have not answered.
    pub(crate) open: BTreeSet<Location>,
    /// The calls to these. `None` is no answer of a location.
    pub(crate) asked: FuturesUnordered<BoxFuture<'a, Option<(Location, Answered)>>>,
}

/// What is asked of a location once it is known what is there. It is asked while other locations have not answered.
pub(crate) trait FollowUp<'a>: Send {
    /// What a location says to it.
    type Found: Send + 'a;

    /// Takes note of what a location answered. Gives whether there is more to ask there.
    fn is_due(&mut self, location: &Location, answer: &CensusAnswer) -> bool;

    /// Asks it. `None` if it cannot be asked yet, or should not be asked any more. It is not tried again.
    fn ask(&mut self, location: &Location) -> Option<BoxFuture<'a, Self::Found>>;

    /// Takes what the location said.
    fn hear(&mut self, location: Location, found: Self::Found);
}

/// One answer.
enum Heard<T> {
    Census(Option<(Location, Answered)>),
    More(Location, T),
}

impl<'a> Begun<'a> {
    /// Asks the rest of the `wanted` locations, `at_once` (at least 1) at once together with those that are being asked.
    /// What follows an answer is asked once no location waits for its turn. Gives the answers of the wanted locations.
    pub(super) async fn finish<F: FollowUp<'a>>(
        self,
        question: Question<'a>,
        wanted: &BTreeSet<Location>,
        at_once: usize,
        follow: &mut F,
    ) -> Answers {
        let mut answers = self.answers;
        answers.retain(|location, _| wanted.contains(location));
        let is_unasked = |at: &&Location| !answers.contains_key(*at) && !self.open.contains(*at);
        let mut waiting: VecDeque<Location> = wanted.iter().filter(is_unasked).cloned().collect();
        let mut due: VecDeque<Location> = VecDeque::new();
        for (location, answered) in &answers {
            if follow.is_due(location, &answered.answer) {
                due.push_back(location.clone());
            }
        }
        let calls = self.asked.into_iter();
        let mut asked: FuturesUnordered<BoxFuture<'a, Heard<F::Found>>> =
            calls.map(|call| call.map(Heard::Census).boxed()).collect();
        loop {
            while asked.len() < at_once.max(1) {
                if let Some(location) = waiting.pop_front() {
                    let call = async move {
                        let answered = question.ask(&location).await;
                        Heard::Census(Some((location, answered)))
                    };
                    asked.push(call.boxed());
                } else if let Some(location) = due.pop_front() {
                    let call = follow.ask(&location);
                    asked.extend(call.map(|call| call.map(|found| Heard::More(location, found)).boxed()));
                } else {
                    break;
                }
            }
            match asked.next().await {
                Some(Heard::Census(Some((location, answered)))) if wanted.contains(&location) => {
                    if follow.is_due(&location, &answered.answer) {
                        due.push_back(location.clone());
                    }
                    answers.insert(location, answered);
                }
                Some(Heard::Census(_)) => {}
                Some(Heard::More(location, found)) => follow.hear(location, found),
                None => return answers,
            }
        }
    }
}
