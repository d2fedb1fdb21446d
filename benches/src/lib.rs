//! The work that is measured, in pairs: some, and ten times as much. All of it is made up by rule,
//! without chance, so that every run measures the same.

use std::any::Any;
use std::error::Error;
use std::time::Instant;

pub mod fleet;
pub mod log;
pub mod memory;
pub mod meter;
pub mod pairs;
mod works;

pub use works::works;

/// What the benches give: whatever goes wrong ends them.
pub type Fallible<T> = Result<T, Box<dyn Error>>;

/// What `work` gives, and how many seconds it took.
///
/// # Errors
///
/// Whatever goes wrong in it.
pub fn timed<T>(work: impl FnOnce() -> Fallible<T>) -> Fallible<(T, f64)> {
    let begun = Instant::now();
    let made = work()?;
    Ok((made, begun.elapsed().as_secs_f64()))
}

/// One run of some work, ready to begin. What it gives is what it worked on or made: whoever
/// measures drops it when the time is taken.
pub type Run = Box<dyn FnOnce() -> Fallible<Box<dyn Any>>>;

/// Some work, at one size.
pub struct Work {
    /// How much: `50 accounts`.
    pub size: String,
    prepare: Box<dyn Fn() -> Fallible<Run>>,
}

impl Work {
    /// Work that is done on what `prepare` gives. Preparing is not measured.
    pub fn new<I: 'static, O: 'static>(
        size: impl Into<String>,
        prepare: impl Fn() -> Fallible<I> + 'static,
        work: impl Fn(I) -> Fallible<O> + Clone + 'static,
    ) -> Self {
        Self {
            size: size.into(),
            prepare: Box::new(move || {
                let (input, work) = (prepare()?, work.clone());
                Ok(Box::new(move || Ok(Box::new(work(input)?) as Box<dyn Any>)))
            }),
        }
    }

    /// Makes a run ready.
    ///
    /// # Errors
    ///
    /// Whatever the preparation meets.
    pub fn prepare(&self) -> Fallible<Run> {
        (self.prepare)()
    }
}

/// The same work at two sizes.
pub struct Pair {
    /// What is done.
    pub name: String,
    /// Some of it.
    pub some: Work,
    /// Ten times as much.
    pub tenfold: Work,
}
