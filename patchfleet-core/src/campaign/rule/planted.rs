//! Bugs that tests plant: a rule of admission that is not asked. A test that holds a law has to notice.

use super::Rule;
use std::cell::Cell;

thread_local! {
    static LEFT_OUT: Cell<Option<Rule>> = const { Cell::new(None) };
}

/// Does something while this rule is not asked, on this thread.
pub fn without<T>(rule: Rule, what: impl FnOnce() -> T) -> T {
    struct Restored;
    impl Drop for Restored {
        fn drop(&mut self) {
            LEFT_OUT.set(None);
        }
    }
    LEFT_OUT.set(Some(rule));
    let _restored = Restored;
    what()
}

/// Whether this rule is not asked.
pub(in crate::campaign) fn is_left_out(rule: Rule) -> bool {
    LEFT_OUT.get() == Some(rule)
}

/// Whether any rule is not asked.
#[cfg(test)]
pub(in crate::campaign) fn is_any_left_out() -> bool {
    LEFT_OUT.get().is_some()
}
