//! The simulator's time, and the lock around its world.
//!
//! Two modes. In *jump* mode nobody waits. Once no call has been made for some turns, time moves to the instant of the sleeper
//! that is due first, so a campaign of hours takes no time. A call's latency moves the time at once. Where the simulator and
//! whoever calls it share one thread, a call is answered before any sleeper moves the time, unless the caller's own client
//! waits in real time before it tries again. With more threads, how much time passes beside a call depends
//! on the machine.
//!
//! In *scaled* mode virtual time runs `speed` times as fast as real time, and the world catches up whenever somebody looks at
//! it. At speed 0 only [`SimClock::advance`] moves time.

use crate::world::{World, after};
use futures_util::future::BoxFuture;
use jiff::{SignedDuration, Timestamp};
use patchfleet_core::port::Clock;
use std::{
    collections::{BTreeMap, btree_map::Entry},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::sync::Notify;

/// For how many turns no call is made before a sleeper moves the time, where all calls are made in memory. Such a call is
/// answered in the turn after it was made, so this leaves some for what the caller does between two calls.
const TURNS: u32 = 8;

/// The same where calls are made over loopback. One takes about ten: each of its ends sends, receives and answers in turns of its
/// own.
const TURNS_OVER_LOOPBACK: u32 = 100;

/// How virtual time moves.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum ClockMode {
    /// Sleepers move it, to the instant of the one that is due first, once nothing has happened for some turns.
    Jump,
    /// Real time moves it, so many times as fast. At 0 it does not move by itself.
    Scaled(f64),
}

/// The world behind its lock, and its time. Clones share both.
#[derive(Debug, Clone)]
pub struct SimClock {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    world: Mutex<World>,
    mode: ClockMode,
    /// For how many turns no call is made before a sleeper moves the time.
    turns: u32,
    began: Instant,
    /// The virtual time at `began`, and what was added by hand since.
    base: Mutex<Timestamp>,
    moved: Notify,
    /// Until when each sleeper of the jump mode waits, and how many wait until then.
    sleepers: Mutex<BTreeMap<Timestamp, usize>>,
    /// Grows with each call, and whenever a sleeper moves the time.
    happened: AtomicU64,
    /// Real nanoseconds that were spent in the world.
    spent: AtomicU64,
}

impl SimClock {
    /// Puts `world` behind a clock.
    #[must_use]
    pub fn new(world: World, mode: ClockMode) -> Self {
        Self::with_turns(world, mode, TURNS)
    }

    /// The same, for calls over loopback.
    pub(crate) fn over_loopback(world: World, mode: ClockMode) -> Self {
        Self::with_turns(world, mode, TURNS_OVER_LOOPBACK)
    }

    fn with_turns(world: World, mode: ClockMode, turns: u32) -> Self {
        let base = Mutex::new(world.now());
        let inner = Inner {
            world: Mutex::new(world),
            mode,
            turns,
            began: Instant::now(),
            base,
            moved: Notify::new(),
            sleepers: Mutex::default(),
            happened: AtomicU64::new(0),
            spent: AtomicU64::new(0),
        };
        Self {
            inner: Arc::new(inner),
        }
    }

    /// Looks at the world, or changes it, at the virtual now.
    pub fn with_world<T>(&self, look: impl FnOnce(&mut World) -> T) -> T {
        let mut world = lock(&self.inner.world);
        let began = Instant::now();
        if let ClockMode::Scaled(speed) = self.inner.mode {
            world.advance_to(self.scaled_now(speed));
        }
        let seen = look(&mut world);
        let spent = u64::try_from(began.elapsed().as_nanos()).unwrap_or(u64::MAX);
        self.inner.spent.fetch_add(spent, Ordering::Relaxed);
        seen
    }

    /// How much real time was spent in the world so far: answering calls, and what happened meanwhile. Whoever
    /// measures a program against the simulator takes it off.
    #[must_use]
    pub fn time_spent(&self) -> Duration {
        Duration::from_nanos(self.inner.spent.load(Ordering::Relaxed))
    }

    /// Moves virtual time on.
    pub fn advance(&self, span: SignedDuration) {
        match self.inner.mode {
            ClockMode::Jump => {
                self.with_world(|world| world.advance_by(span));
                self.inner.happened.fetch_add(1, Ordering::Relaxed);
            }
            ClockMode::Scaled(_) => {
                let mut base = lock(&self.inner.base);
                *base = after(*base, span.max(SignedDuration::ZERO));
                drop(base);
                self.with_world(|_| ());
            }
        }
        self.inner.moved.notify_waiters();
    }

    /// Waits for as long as a call to the world takes, and for `more`. At speed 0 a call takes no time,
    /// because it would never be answered.
    pub(crate) async fn call_latency(&self, more: SignedDuration) {
        self.inner.happened.fetch_add(1, Ordering::Relaxed);
        let latency = self.with_world(|world| world.latency()).saturating_add(more);
        if !latency.is_zero() && self.inner.mode != ClockMode::Scaled(0.0) {
            self.wait_until(after(self.now(), latency)).await;
        }
    }

    fn scaled_now(&self, speed: f64) -> Timestamp {
        let elapsed = self.inner.began.elapsed().as_secs_f64() * speed;
        let elapsed = SignedDuration::try_from_secs_f64(elapsed).unwrap_or(SignedDuration::MAX);
        after(*lock(&self.inner.base), elapsed)
    }

    /// Waits until it is due. Whenever nothing has happened for some turns, it moves the time to the sleeper that is due first.
    async fn sleep_and_jump(&self, at: Timestamp) {
        let _sleeper = Sleeper::new(&self.inner, at);
        let (mut seen, mut turns) = (self.happened(), 0);
        while self.now() < at {
            tokio::task::yield_now().await;
            let happened = self.happened();
            turns = if happened == seen { turns + 1 } else { 0 };
            seen = happened;
            if turns == self.inner.turns {
                self.jump(at, seen);
                turns = 0;
            }
        }
        // Others who are ready have their turn before the sleeper goes on.
        tokio::task::yield_now().await;
    }

    /// Moves the time to the sleeper that is due first, which is not after `at`, unless something has happened meanwhile. Whoever
    /// is due already holds nobody up.
    fn jump(&self, at: Timestamp, seen: u64) {
        let mut world = lock(&self.inner.world);
        if self.happened() != seen {
            return;
        }
        let now = world.now();
        let sleepers = lock(&self.inner.sleepers);
        let first = sleepers.keys().find(|until| **until > now).copied();
        world.advance_to(first.unwrap_or(at).min(at));
        self.inner.happened.fetch_add(1, Ordering::Relaxed);
    }

    fn happened(&self) -> u64 {
        self.inner.happened.load(Ordering::Relaxed)
    }

    async fn wait_until(&self, at: Timestamp) {
        let ClockMode::Scaled(speed) = self.inner.mode else {
            self.with_world(|world| world.advance_to(at));
            // Others who are ready have their turn before the sleeper goes on.
            return tokio::task::yield_now().await;
        };
        loop {
            let moved = self.inner.moved.notified();
            tokio::pin!(moved);
            // From here on no move is missed.
            moved.as_mut().enable();
            let left = at.duration_since(self.scaled_now(speed));
            if left <= SignedDuration::ZERO {
                return;
            }
            match Duration::try_from_secs_f64(left.as_secs_f64() / speed) {
                Ok(real) => drop(tokio::time::timeout(real, moved).await),
                // The speed is 0, or the wait is longer than a Duration can say.
                Err(_) => moved.await,
            }
        }
    }
}

impl Clock for SimClock {
    fn now(&self) -> Timestamp {
        match self.inner.mode {
            ClockMode::Jump => lock(&self.inner.world).now(),
            ClockMode::Scaled(speed) => self.scaled_now(speed),
        }
    }

    fn sleep_until(&self, at: Timestamp) -> BoxFuture<'_, ()> {
        match self.inner.mode {
            ClockMode::Jump => Box::pin(self.sleep_and_jump(at)),
            ClockMode::Scaled(_) => Box::pin(self.wait_until(at)),
        }
    }
}

/// A sleeper of the jump mode, until it is dropped.
struct Sleeper<'c> {
    inner: &'c Inner,
    until: Timestamp,
}

impl<'c> Sleeper<'c> {
    fn new(inner: &'c Inner, until: Timestamp) -> Self {
        *lock(&inner.sleepers).entry(until).or_default() += 1;
        Self { inner, until }
    }
}

impl Drop for Sleeper<'_> {
    fn drop(&mut self) {
        let mut sleepers = lock(&self.inner.sleepers);
        if let Entry::Occupied(mut others) = sleepers.entry(self.until) {
            *others.get_mut() -= 1;
            if *others.get() == 0 {
                others.remove();
            }
        }
    }
}

/// A panic elsewhere leaves a world that is still worth looking at.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
