//! Slips that tests plant, each a line of care that is left out. What holds the laws has to notice.

#[cfg(any(test, feature = "internals"))]
use std::cell::Cell;

/// A line of care that a test has left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Slip {
    /// A record that somebody else wrote first is taken for one's own.
    TakesEveryRecord,
    /// What a log may have lost is not looked for.
    TrustsTheLog,
    /// A second attempt takes nodes on which a command may be at work.
    TakesWhatMayRun,
    /// A retry takes nodes of which nobody knows what they came to.
    RetriesWhatMayRun,
    /// A retry counts nothing of what the campaigns before it have used of the bounds.
    CountsAnew,
    /// A retry passes over a wave of which nothing is left with all that it asks for before the next one begins.
    PassesWavesOver,
    /// A node of which nothing could be found out, or on which a script runs on, takes no room under a bound.
    UnknownTakesNoRoom,
    /// A lost node on which a script may run on takes no room under a bound.
    LostTakesNoRoom,
    /// Nobody asks right before a start is sent whether its time is over.
    SendsLate,
    /// Whatever is selected, the census takes each managed node.
    TakesEveryNode,
    /// A location whose census call fails is taken for one without nodes.
    TakesUnknownForEmpty,
    /// The last node of a location is left out of its results.
    LosesANode,
}

#[cfg(any(test, feature = "internals"))]
thread_local! {
    static PLANTED: Cell<Option<Slip>> = const { Cell::new(None) };
}

/// Does something with this slip, on this thread.
#[cfg(any(test, feature = "internals"))]
pub fn with_slip<T>(slip: Slip, what: impl FnOnce() -> T) -> T {
    struct Restored;
    impl Drop for Restored {
        fn drop(&mut self) {
            PLANTED.set(None);
        }
    }
    PLANTED.set(Some(slip));
    let _restored = Restored;
    what()
}

/// Whether this slip is planted: only `with_slip` does that, which is not there without the feature `internals`.
pub(crate) fn slips(slip: Slip) -> bool {
    #[cfg(any(test, feature = "internals"))]
    return PLANTED.get() == Some(slip);
    #[cfg(not(any(test, feature = "internals")))]
    {
        let _ = slip;
        false
    }
}
