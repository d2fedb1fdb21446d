//! Who sees the runbook.

use super::helpers::attended;
use crate::id::{DocumentName, Location, Region};
use crate::plan::{Options, make};
use crate::port::{
    BoxFuture, DocumentVersion, DocumentView, Documents, Page, PageToken, PingStatus, PortError,
    PortErrorKind, PortResult, Share, ShareWith, SharedVersion,
};
use crate::runbook::{COMMAND_DOCUMENT, Runbook};
use crate::tests::world::{World, at, ec2, request, wait};
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;

const ACCOUNT: &str = "222222222222";
const REGIONS: [&str; 3] = ["eu-west-1", "us-east-1", "us-west-2"];

/// The documents of each Region, which answer once all Regions have been asked. They are shared with [`ACCOUNT`].
#[derive(Clone)]
struct TogetherOnly {
    asked: Arc<AtomicUsize>,
}

impl Documents for TogetherOnly {
    fn read(
        &self,
        at: Option<&Location>,
        name: &DocumentName,
        _: DocumentVersion,
    ) -> BoxFuture<'_, PortResult<DocumentView>> {
        let found = match at {
            None if name.as_str() == COMMAND_DOCUMENT => Err(PortErrorKind::Denied),
            None => Ok(DocumentView {
                version: "1".to_owned(),
                content: Runbook::default().to_json(),
            }),
            Some(_) => Err(PortErrorKind::NotFound),
        };
        Box::pin(std::future::ready(
            found.map_err(|kind| PortError::new(kind, "GetDocument failed")),
        ))
    }

    fn create(&self, _: &DocumentName, _: String) -> BoxFuture<'_, PortResult<String>> {
        unreachable!("no document is made")
    }

    fn update(&self, _: &DocumentName, _: String) -> BoxFuture<'_, PortResult<Option<String>>> {
        unreachable!("no document is changed")
    }

    fn latest_version(&self, _: &DocumentName) -> BoxFuture<'_, PortResult<String>> {
        unreachable!("nobody asks for the newest version")
    }

    fn set_default(&self, _: &DocumentName, _: &str) -> BoxFuture<'_, PortResult<()>> {
        unreachable!("no document is changed")
    }

    fn in_region(&self, _: &Region) -> Option<Arc<dyn Documents>> {
        Some(Arc::new(self.clone()))
    }

    fn shares(&self, _: &DocumentName, _: Option<PageToken>) -> BoxFuture<'_, PortResult<Page<Share>>> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let share = Share {
            with: ShareWith::Account(ACCOUNT.parse().unwrap()),
            version: SharedVersion::Default,
        };
        let page = Page {
            items: vec![share],
            next: None,
        };
        let mut page = Some(Ok(page));
        Box::pin(std::future::poll_fn(move |context| {
            if self.asked.load(Ordering::SeqCst) == REGIONS.len() {
                return page.take().map_or(Poll::Pending, Poll::Ready);
            }
            context.waker().wake_by_ref();
            Poll::Pending
        }))
    }
}

#[test]
fn all_regions_are_asked_at_once_with_whom_the_runbook_is_shared() {
    let mut world = World::default();
    world.add(ACCOUNT, &REGIONS);
    for (n, region) in (0..).zip(REGIONS) {
        let place = world.place(ACCOUNT, region);
        place.managed.insert(ec2(n), PingStatus::Online);
        place.members.push(ec2(n));
    }
    let request = request(json!({"resource_group": "Web", "regions": REGIONS, "accounts": [ACCOUNT]}));
    let documents = TogetherOnly {
        asked: Arc::default(),
    };
    let options = Options {
        who_sees: true,
        ..attended()
    };
    let plan = wait(make(&world, &world, &documents, &request, &options)).unwrap();
    let sight = plan.runbook.unwrap().sight.unwrap();
    assert_eq!(sight.shared, REGIONS.map(|region| at(ACCOUNT, region)));
    assert_eq!((sight.unseen, sight.unknown), (vec![], vec![]));
    assert_eq!(documents.asked.load(Ordering::SeqCst), REGIONS.len());
}
