//! A store whose calls are watched.

use super::told;
use crate::campaign::{Appended, CampaignLog, LogKey, NodeRows, Notices, Record, Store, Tried};
use crate::id::{CampaignId, Location, RequestName};
use crate::outcome::NodeRow;
use crate::port::{BoxFuture, Clock, PortResult};
use std::sync::Arc;

impl Store {
    /// The same store, of whose calls `notices` hears: one that has no answer for 10 seconds is told, once somebody
    /// looks ([`Notices::look`]). The time is that of `clock`.
    ///
    /// [`Campaigns`](crate::Campaigns) asks its store in this way by itself. It is for whoever reads a store without
    /// it, as for a list of campaigns.
    #[must_use]
    pub fn watched(&self, clock: &Arc<dyn Clock>, notices: &Notices) -> Self {
        let watched = |store: &Self| Watched {
            store: store.clone(),
            clock: Arc::clone(clock),
            notices: notices.clone(),
        };
        Self::new(Arc::new(watched(self)), Arc::new(watched(self)))
    }
}

struct Watched {
    store: Store,
    clock: Arc<dyn Clock>,
    notices: Notices,
}

impl Watched {
    fn log<'a, T: Send + 'a>(&'a self, call: BoxFuture<'a, PortResult<T>>) -> BoxFuture<'a, PortResult<T>> {
        told(&self.notices, &*self.clock, (Tried::Log, String::new()), call)
    }
}

impl CampaignLog for Watched {
    fn make(&self) -> BoxFuture<'_, PortResult<()>> {
        self.log(self.store.log.make())
    }

    fn append(&self, key: &LogKey, record: &Record) -> BoxFuture<'_, PortResult<Appended>> {
        self.log(self.store.log.append(key, record))
    }

    fn read(&self, key: &LogKey, from: u64) -> BoxFuture<'_, PortResult<Vec<Record>>> {
        self.log(self.store.log.read(key, from))
    }

    fn keys(&self) -> BoxFuture<'_, PortResult<Vec<LogKey>>> {
        self.log(self.store.log.keys())
    }

    fn request_name(&self, campaign: CampaignId) -> BoxFuture<'_, PortResult<Option<RequestName>>> {
        self.log(self.store.log.request_name(campaign))
    }

    fn first(&self, key: &LogKey) -> BoxFuture<'_, PortResult<Option<Record>>> {
        self.log(self.store.log.first(key))
    }

    fn last(&self, key: &LogKey) -> BoxFuture<'_, PortResult<Option<Record>>> {
        self.log(self.store.log.last(key))
    }
}

impl NodeRows for Watched {
    fn put(
        &self,
        campaign: CampaignId,
        location: &Location,
        attempt: u32,
        rows: Vec<NodeRow>,
    ) -> BoxFuture<'_, PortResult<()>> {
        let put = self.store.rows.put(campaign, location, attempt, rows);
        let asked = (Tried::Rows, location.to_string());
        told(&self.notices, &*self.clock, asked, put)
    }

    fn rows(&self, campaign: CampaignId, location: &Location) -> BoxFuture<'_, PortResult<Vec<NodeRow>>> {
        let rows = self.store.rows.rows(campaign, location);
        let asked = (Tried::KeptRows, location.to_string());
        told(&self.notices, &*self.clock, asked, rows)
    }
}
