//! The names of the patches for which nodes are failed or miss patches.
//!
//! They are read once it is known what a location came to, and before the log says so. Nothing follows from a name, and
//! a failure that the log does not have counts against nothing. So names are waited for only for [`NAMED_WITHIN`] in
//! all, and each call is made once. After one that fails, no other node of the location is asked. A node without names
//! has the reason in its row.
//!
//! A node reports its patches anew with each run, whoever begins it. Therefore the patch states are read a second time,
//! after the names. Only if a node's state is still what it was before are the names kept: they are of that state.

use super::{Collected, Job, Settlement};
use crate::campaign::READS_AT_ONCE;
use crate::campaign::polls::later;
use crate::fleet;
use crate::id::{Location, NodeId};
use crate::outcome::{NODES_NAMED, NamesUnreadReason, NodeRow, PATCHES_NAMED, PatchNames};
use crate::port::{
    Clock, Hearer, PatchShortfall, PatchStateView, PatchStates, PortError, PortErrorKind, PortResult, hearing,
};
use futures_util::StreamExt as _;
use futures_util::future::{Either, select};
use futures_util::stream::FuturesUnordered;
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeMap;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;

/// How long names are waited for in all, each time that the results of a location are read. What was not read by then has
/// no names.
pub(in crate::campaign) const NAMED_WITHIN: SignedDuration = SignedDuration::from_secs(10);

/// For how many turns of the runtime an answer is waited for before anybody sleeps. They take next to no time. On a clock
/// that does not wait, whoever sleeps would overtake every answer.
const TURNS: u32 = 64;

/// Nodes whose patches fall short, each with its patch state.
pub(in crate::campaign) type Short = BTreeMap<NodeId, (PatchShortfall, PatchStateView)>;

impl Job<'_> {
    /// What was collected, as of this instant: what may only be late is told as it is, once nothing is waited for any
    /// longer.
    pub(in crate::campaign) fn as_of(&self, collected: Collected, now: Timestamp) -> Collected {
        let unit = self.state.units().get(&self.unit);
        let at = unit.and_then(|unit| unit.locations.get(self.location));
        let ended = at.and_then(|at| at.command_ended_at);
        match collected {
            Collected::Lagging(settlement, lag) if ended.is_some_and(|ended| now >= later(ended, lag)) => {
                Collected::Settled(settlement)
            }
            other => other,
        }
    }

    /// Reads the names of the patches for which nodes of the location are failed or missing, until this instant.
    pub(in crate::campaign) async fn name_patches_of(
        &self,
        settlement: &mut Settlement,
        clock: &dyn Clock,
        until: Timestamp,
    ) {
        let short = settlement.rows.iter().filter_map(|row| {
            let (shortfall, _) = row.shortfall()?;
            let state = settlement.short.get(&row.node)?;
            Some((row.node.clone(), (shortfall, state.clone())))
        });
        let (short, port) = (short.collect(), self.ports.patch_states);
        let names = read_names(port, self.location, &short, NODES_NAMED, (clock, until)).await;
        take_names(&mut settlement.rows, names);
    }
}

/// Puts names into the rows of their nodes.
fn take_names(rows: &mut [NodeRow], mut names: BTreeMap<NodeId, PatchNames>) {
    for row in rows {
        if let Some(names) = names.remove(&row.node) {
            row.patches = Some(names);
        }
    }
}

/// The names of the patches of these nodes, or why they have none. At most the first `most` of them are asked for, and
/// none after that instant of the clock.
pub(in crate::campaign) async fn read_names(
    port: &dyn PatchStates,
    location: &Location,
    short: &Short,
    most: usize,
    (clock, until): (&dyn Clock, Timestamp),
) -> BTreeMap<NodeId, PatchNames> {
    let mut reading = Reading {
        port,
        location,
        short,
        names: BTreeMap::new(),
    };
    let is_whole = match short.is_empty() {
        true => true,
        false => by(clock, until, reading.read(most)).await.is_some(),
    };
    let mut names = reading.names;
    for (node, (shortfall, _)) in short {
        let is_sure = |names: &PatchNames| is_whole || names.named.is_empty();
        if !names.get(node).is_some_and(is_sure) {
            let why = format!(
                "they were not read in the time that is waited for them, which is {} seconds at most",
                NAMED_WITHIN.as_secs()
            );
            let late = PatchNames::unread(*shortfall, NamesUnreadReason::NotRead, why);
            names.insert(node.clone(), late);
        }
    }
    names
}

/// What a call gives, or `None` if it has no answer by then.
pub(in crate::campaign) async fn by<T>(
    clock: &dyn Clock,
    until: Timestamp,
    call: impl Future<Output = T>,
) -> Option<T> {
    let mut call = pin!(call);
    let (mut turns, mut is_late) = (0, clock.now() >= until);
    let answer = poll_fn(|context| {
        if is_late || turns == TURNS {
            return Poll::Ready(None);
        }
        let answer = call.as_mut().poll(context).map(Some);
        if answer.is_pending() {
            turns += 1;
            is_late = clock.now() >= until;
            context.waker().wake_by_ref();
        }
        answer
    });
    if let Some(answer) = answer.await {
        return Some(answer);
    }
    if is_late {
        return None;
    }
    match select(call, clock.sleep_until(until)).await {
        Either::Left((answer, _)) => Some(answer),
        Either::Right(_) => None,
    }
}

/// A call that is not made again: not by the port either, which may do so for minutes where AWS throttles.
async fn once<T>(call: impl Future<Output = PortResult<T>>) -> PortResult<T> {
    let throttled = Arc::<Mutex<Option<String>>>::default();
    let heard = Arc::clone(&throttled);
    let hearer: Hearer = Arc::new(move |words| {
        *heard.lock().unwrap_or_else(PoisonError::into_inner) = Some(words.to_owned());
    });
    let mut call = pin!(hearing(call, hearer));
    poll_fn(|context| match call.as_mut().poll(context) {
        Poll::Pending => match throttled.lock().unwrap_or_else(PoisonError::into_inner).take() {
            Some(words) => {
                let error = PortError::new(PortErrorKind::Throttled, "AWS throttles the call");
                Poll::Ready(Err(error.with_words(words)))
            }
            None => Poll::Pending,
        },
        answer => answer,
    })
    .await
}

/// Names that are being read. Those that are in it are sure only once the whole reading is done.
struct Reading<'a> {
    port: &'a dyn PatchStates,
    location: &'a Location,
    short: &'a Short,
    names: BTreeMap<NodeId, PatchNames>,
}

impl Reading<'_> {
    async fn read(&mut self, most: usize) {
        for (node, (shortfall, _)) in self.short.iter().skip(most) {
            let why = format!(
                "while the campaign is open only the first {NODES_NAMED} such nodes of a unit in a location are asked for them"
            );
            let names = PatchNames::unread(*shortfall, NamesUnreadReason::TooManyNodes, why);
            self.names.insert(node.clone(), names);
        }
        self.ask(most).await;
        self.forget_other_reports().await;
    }

    /// Asks the first nodes, a few at once, as long as no call fails.
    async fn ask(&mut self, most: usize) {
        let (port, location) = (self.port, self.location);
        let mut wanted = self.short.iter().take(most);
        let mut asked = FuturesUnordered::new();
        let mut failed: Option<(&NodeId, PortError)> = None;
        // The first by itself: where its call is denied, the others' are as well.
        let mut at_once = 1;
        loop {
            while failed.is_none()
                && asked.len() < at_once
                && let Some((node, (shortfall, state))) = wanted.next()
            {
                asked.push(async move {
                    let call = port.patches(location, node, (*shortfall).into(), Some(PATCHES_NAMED));
                    (node, *shortfall, state, once(call).await)
                });
            }
            let Some((node, shortfall, state, answer)) = asked.next().await else {
                break;
            };
            at_once = READS_AT_ONCE;
            let names = match answer {
                Ok(patches) => PatchNames::of(shortfall, state.ended_at, patches),
                Err(error) => {
                    let names = PatchNames::not_read(shortfall, &error);
                    failed.get_or_insert((node, error));
                    names
                }
            };
            self.names.insert(node.clone(), names);
        }
        drop(asked);
        if let Some((first, error)) = failed {
            for (node, (shortfall, _)) in wanted {
                let names = PatchNames::not_asked_after(*shortfall, first, &error);
                self.names.insert(node.clone(), names);
            }
        }
    }

    /// Takes away the names of nodes whose patch state is not what it was before they were read.
    async fn forget_other_reports(&mut self) {
        let named = self.names.iter().filter(|(_, names)| !names.named.is_empty());
        let named: Vec<NodeId> = named.map(|(node, _)| node.clone()).collect();
        if named.is_empty() {
            return;
        }
        let states = fleet::patch_states(self.port, self.location, &named, READS_AT_ONCE);
        let states = once(states).await;
        for node in named {
            let Some((shortfall, before)) = self.short.get(&node) else {
                continue;
            };
            let changed = match &states {
                Ok(states) if states.get(&node) == Some(before) => continue,
                Ok(_) => PatchNames::unread(
                    *shortfall,
                    NamesUnreadReason::ReportedAnew,
                    "the node reported anew while they were read",
                ),
                Err(error) => PatchNames::not_read(*shortfall, error),
            };
            self.names.insert(node, changed);
        }
    }
}
