//! Ctrl-C, also while a call to a file blocks the thread that works.

use crate::exit::say;
use std::io::{self, IsTerminal as _};
use std::sync::{Arc, Mutex};
use std::thread;
use tokio::runtime::Builder;

/// The exit code after Ctrl-C.
const INTERRUPTED: i32 = 130;

/// Listens for Ctrl-C on a thread of its own. Somebody else may hold the lock of a log, or a file system may hang, and the
/// thread that works waits in that call.
pub(crate) struct Interrupts {
    words: Arc<Mutex<String>>,
}

impl Interrupts {
    /// From now on Ctrl-C says these words and ends the process.
    pub(crate) fn listen(words: String) -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        #[cfg(unix)]
        let mut interrupt = {
            use tokio::signal::unix::{SignalKind, signal};
            let _context = runtime.enter();
            signal(SignalKind::interrupt())?
        };
        let words = Arc::new(Mutex::new(words));
        let said = words.clone();
        thread::Builder::new()
            .name("interrupts".to_owned())
            .spawn(move || {
                #[cfg(unix)]
                runtime.block_on(interrupt.recv());
                #[cfg(not(unix))]
                if runtime.block_on(tokio::signal::ctrl_c()).is_err() {
                    return; // Ctrl-C ends the process by itself.
                }
                if io::stderr().is_terminal() {
                    // It shows the key, and maybe a question, in a line that has not ended.
                    eprintln!();
                }
                if let Ok(words) = said.lock() {
                    say(&words);
                }
                std::process::exit(INTERRUPTED)
            })?;
        Ok(Self { words })
    }

    /// What Ctrl-C says from now on.
    pub(crate) fn say_instead(&self, words: String) {
        if let Ok(mut said) = self.words.lock() {
            *said = words;
        }
    }
}
