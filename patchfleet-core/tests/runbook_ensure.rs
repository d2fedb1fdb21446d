//! Bringing the runbook to the central Region: what is called, and what is left as it is.

#![expect(clippy::unwrap_used, reason = "helpers of tests, outside of #[test]")]

use futures_util::FutureExt;
use patchfleet_core::id::{DocumentName, Location};
use patchfleet_core::port::{
    BoxFuture, DocumentVersion, DocumentView, Documents, PortError, PortErrorKind, PortResult,
};
use patchfleet_core::runbook::{Checked, Ensured, NAME, Runbook, StepTimeout, check, ensure};
use std::sync::Mutex;

/// One document's versions, from 1, of which one is the default; and what was called.
#[derive(Default)]
struct Shelf {
    versions: Mutex<Vec<String>>,
    default: Mutex<usize>,
    calls: Mutex<Vec<&'static str>>,
    denied: bool,
    /// Whether creating gives no answer: it has taken effect, or it has not.
    lost: Option<bool>,
}

impl Shelf {
    fn with(versions: &[&str], default: usize) -> Self {
        Self {
            versions: Mutex::new(versions.iter().map(|&v| v.to_owned()).collect()),
            default: Mutex::new(default),
            ..Self::default()
        }
    }

    fn called(&self, what: &'static str) {
        self.calls.lock().unwrap().push(what);
    }

    fn calls(&self) -> Vec<&'static str> {
        self.calls.lock().unwrap().clone()
    }

    fn default_content(&self) -> String {
        let default = *self.default.lock().unwrap();
        self.versions.lock().unwrap().get(default - 1).unwrap().clone()
    }
}

fn ready<'a, T: Send + 'a>(value: PortResult<T>) -> BoxFuture<'a, PortResult<T>> {
    std::future::ready(value).boxed()
}

impl Documents for Shelf {
    fn read(
        &self,
        _: Option<&Location>,
        _: &DocumentName,
        _: DocumentVersion,
    ) -> BoxFuture<'_, PortResult<DocumentView>> {
        if self.denied {
            return ready(Err(PortError::new(PortErrorKind::Denied, "GetDocument")));
        }
        if self.versions.lock().unwrap().is_empty() {
            return ready(Err(PortError::new(PortErrorKind::NotFound, "GetDocument")));
        }
        let content = self.default_content();
        let version = self.default.lock().unwrap().to_string();
        ready(Ok(DocumentView { version, content }))
    }

    fn create(&self, _: &DocumentName, content: String) -> BoxFuture<'_, PortResult<String>> {
        self.called("create");
        if self.lost != Some(false) {
            self.versions.lock().unwrap().push(content);
            *self.default.lock().unwrap() = 1;
        }
        ready(match self.lost {
            None => Ok("1".to_owned()),
            Some(_) => Err(PortError::new(PortErrorKind::Unavailable, "CreateDocument").maybe_sent()),
        })
    }

    fn update(&self, _: &DocumentName, content: String) -> BoxFuture<'_, PortResult<Option<String>>> {
        self.called("update");
        let mut versions = self.versions.lock().unwrap();
        if versions.last() == Some(&content) {
            return ready(Ok(None));
        }
        versions.push(content);
        ready(Ok(Some(versions.len().to_string())))
    }

    fn latest_version(&self, _: &DocumentName) -> BoxFuture<'_, PortResult<String>> {
        ready(Ok(self.versions.lock().unwrap().len().to_string()))
    }

    fn set_default(&self, _: &DocumentName, version: &str) -> BoxFuture<'_, PortResult<()>> {
        self.called("set_default");
        *self.default.lock().unwrap() = version.parse().unwrap();
        ready(Ok(()))
    }
}

fn ensured(shelf: &Shelf, runbook: &Runbook) -> PortResult<Ensured> {
    let name = NAME.parse().unwrap();
    ensure(shelf, &name, runbook).now_or_never().unwrap()
}

fn checked(shelf: &Shelf, runbook: &Runbook) -> PortResult<Checked> {
    let name = NAME.parse().unwrap();
    check(shelf, &name, runbook).now_or_never().unwrap()
}

fn version(number: &str) -> String {
    number.to_owned()
}

#[test]
fn a_document_that_was_created_without_an_answer_is_found() {
    let lost = |there| Shelf {
        lost: Some(there),
        ..Shelf::default()
    };
    let runbook = Runbook::default();
    let created = ensured(&lost(true), &runbook).unwrap();
    assert_eq!(
        created,
        Ensured::Created {
            version: version("1")
        }
    );
    let shelf = lost(false);
    let error = ensured(&shelf, &runbook).unwrap_err();
    assert_eq!(error.kind(), PortErrorKind::Unavailable);
    assert_eq!(shelf.calls(), ["create"]);
}

#[test]
fn a_missing_document_is_created_and_then_left_alone() {
    let (shelf, runbook) = (Shelf::default(), Runbook::default());
    assert_eq!(checked(&shelf, &runbook).unwrap(), Checked::Missing);
    let created = ensured(&shelf, &runbook).unwrap();
    assert_eq!(
        created,
        Ensured::Created {
            version: version("1")
        }
    );
    let again = ensured(&shelf, &runbook).unwrap();
    assert_eq!(
        again,
        Ensured::Unchanged {
            version: version("1")
        }
    );
    assert_eq!(
        checked(&shelf, &runbook).unwrap(),
        Checked::Current {
            version: version("1")
        }
    );
    assert_eq!(shelf.calls(), ["create"]);
}

#[test]
fn another_content_gets_a_new_version_that_becomes_the_default() {
    let runbook = Runbook::default();
    let other = Runbook::new(StepTimeout::from_seconds(90_000).unwrap()).to_json();
    let shelf = Shelf::with(&[&other], 1);
    assert_eq!(
        checked(&shelf, &runbook).unwrap(),
        Checked::Different {
            version: version("1")
        }
    );
    let updated = ensured(&shelf, &runbook).unwrap();
    assert_eq!(
        updated,
        Ensured::Updated {
            version: version("2")
        }
    );
    assert_eq!(shelf.default_content(), runbook.to_json());
}

#[test]
fn a_newest_version_that_is_right_and_not_the_default_becomes_it() {
    // Also how an earlier run ends that was killed between its two calls.
    let runbook = Runbook::default();
    let shelf = Shelf::with(&["{}", &runbook.to_json()], 1);
    let moved = ensured(&shelf, &runbook).unwrap();
    assert_eq!(
        moved,
        Ensured::DefaultMoved {
            version: version("2")
        }
    );
    assert_eq!(shelf.default_content(), runbook.to_json());
    assert_eq!(
        ensured(&shelf, &runbook).unwrap(),
        Ensured::Unchanged {
            version: version("2")
        }
    );
}

#[test]
fn spaces_order_and_yaml_are_no_difference() {
    let runbook = Runbook::default();
    let value: serde_json::Value = serde_json::from_str(&runbook.to_json()).unwrap();
    let yaml = serde_saphyr::to_string(&value).unwrap();
    for same in [value.to_string(), yaml] {
        let shelf = Shelf::with(&[&same], 1);
        let unchanged = ensured(&shelf, &runbook).unwrap();
        assert_eq!(
            unchanged,
            Ensured::Unchanged {
                version: version("1")
            },
            "{same}"
        );
        assert!(shelf.calls().is_empty());
    }
}

#[test]
fn a_document_that_may_not_be_read_is_an_error_and_nothing_is_written() {
    let shelf = Shelf {
        denied: true,
        ..Shelf::default()
    };
    let error = ensured(&shelf, &Runbook::default()).unwrap_err();
    assert_eq!(error.kind(), PortErrorKind::Denied);
    assert!(shelf.calls().is_empty());
}
