//! A bucket for the kit: handles on it, what befalls appends, and damage behind their backs. All of it goes through
//! S3's protocol, so any S3 will do.

use crate::{BUCKET, WORLD};
use aws_sdk_s3::Client;
use aws_sdk_s3::primitives::ByteStream;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
    SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::retry::RetryConfig;
use jiff::SignedDuration;
use patchfleet_aws::{Aws, S3Uri, simulated_config};
use patchfleet_core::campaign::conformance::{Damage, Fault, Place};
use patchfleet_core::campaign::{LogKey, Store};
use patchfleet_core::id::{CampaignId, Location};
use patchfleet_core::port::{BoxFuture, PortResult};
use patchfleet_sim::{ClockMode, Sim, SimOptions, world::World};
use patchfleet_tests::central_region;
use std::future::Future;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;
use tokio::runtime::Handle;

/// What the next write meets with.
type Trouble = Arc<Mutex<Option<Fault>>>;

/// A configuration for an S3 there, which tries calls as often as ever and waits next to nothing between them.
pub(crate) fn config(endpoint: &str) -> aws_types::SdkConfig {
    let retries = RetryConfig::standard().with_initial_backoff(Duration::from_millis(1));
    let config = simulated_config(endpoint, &central_region().unwrap());
    config.to_builder().retry_config(retries).build()
}

/// A place in a bucket that nobody else uses.
#[derive(Debug)]
pub(crate) struct Bucket {
    /// Where another S3 is. A simulator is started for each place.
    endpoint: Option<String>,
    sim: OnceLock<Sim>,
    /// Seconds until a listing of the simulator shows a new object.
    listed_late: u32,
    prefix: String,
    retries: bool,
    trouble: Trouble,
}

impl Bucket {
    /// In a simulator of its own, whose listings are so many seconds late.
    pub(crate) fn simulated(listed_late: u32) -> Self {
        Self {
            endpoint: None,
            sim: OnceLock::new(),
            listed_late,
            // Every letter that a URL, a header or an answer in XML may take for its own.
            prefix: "ops & co/pätch+fleet 100%/<a>".to_owned(),
            retries: true,
            trouble: Trouble::default(),
        }
    }

    /// In a bucket of another S3.
    pub(crate) fn at(endpoint: &str) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        Self {
            endpoint: Some(endpoint.to_owned()),
            prefix: format!("place-{}-{number}", std::process::id()),
            ..Self::simulated(0)
        }
    }

    /// The same, where the SDK tries no call again.
    pub(crate) fn without_retries(self) -> Self {
        Self {
            retries: false,
            ..self
        }
    }

    fn endpoint(&self) -> String {
        let sim = || self.sim.get().expect("a handle was opened before").endpoint();
        self.endpoint.clone().unwrap_or_else(sim)
    }

    async fn start(&self) {
        if self.endpoint.is_some() {
            // It is there already for all places but the first.
            drop(self.objects().create_bucket().bucket(BUCKET).send().await);
        } else if self.sim.get().is_none() {
            let world = format!(
                "{WORLD}\n[consistency]\nobjects_listed_seconds = {}",
                self.listed_late
            );
            let options = SimOptions {
                clock: ClockMode::Scaled(0.0),
                ..SimOptions::default()
            };
            let sim = Sim::start(World::parse(&world).unwrap(), options).await.unwrap();
            drop(self.sim.set(sim));
        }
    }

    /// The objects, for whoever damages them.
    fn objects(&self) -> Client {
        Client::new(&config(&self.endpoint()))
    }

    fn record(&self, log: &LogKey, seq: u64) -> String {
        format!("{}/{log}/{seq:020}.json", self.prefix)
    }

    fn rows(&self, campaign: CampaignId, location: &Location) -> String {
        format!(
            "{}/nodes/{campaign}/{}_{}.json",
            self.prefix, location.account, location.region
        )
    }

    fn get(&self, key: &str) -> Vec<u8> {
        wait_for(async {
            let object = self
                .objects()
                .get_object()
                .bucket(BUCKET)
                .key(key)
                .send()
                .await
                .unwrap();
            object.body.collect().await.unwrap().to_vec()
        })
    }

    fn put(&self, key: &str, bytes: Vec<u8>) {
        let put = self
            .objects()
            .put_object()
            .bucket(BUCKET)
            .key(key)
            .body(ByteStream::from(bytes));
        wait_for(put.send()).unwrap();
    }

    fn delete(&self, key: &str) {
        wait_for(self.objects().delete_object().bucket(BUCKET).key(key).send()).unwrap();
    }

    fn change(&self, key: &str, change: impl FnOnce(&mut Vec<u8>)) {
        let mut bytes = self.get(key);
        change(&mut bytes);
        self.put(key, bytes);
    }
}

/// Waits for a call within a test that is under way.
fn wait_for<T>(call: impl Future<Output = T>) -> T {
    tokio::task::block_in_place(|| Handle::current().block_on(call))
}

impl Place for Bucket {
    fn open(&self) -> BoxFuture<'_, PortResult<Store>> {
        Box::pin(async {
            self.start().await;
            let config = config(&self.endpoint());
            let inner = config.http_client().unwrap();
            let troubled = Troubled {
                inner,
                trouble: self.trouble.clone(),
            };
            let mut config = config.to_builder().http_client(troubled);
            if !self.retries {
                config = config.retry_config(RetryConfig::disabled());
            }
            let uri: S3Uri = format!("s3://{BUCKET}/{}", self.prefix).parse().unwrap();
            Aws::builder(&config.build()).store(&uri)
        })
    }

    fn fault(&self, fault: Fault) -> bool {
        *self.trouble.lock().unwrap() = Some(fault);
        true
    }

    fn damage(&self, damage: &Damage) -> bool {
        // What is gone before a listing has shown it cannot be missed.
        if let Some(sim) = self.sim.get() {
            sim.clock()
                .advance(SignedDuration::from_secs(i64::from(self.listed_late)));
        }
        match damage {
            Damage::Flipped { log, seq } => self.change(&self.record(log, *seq), |bytes| {
                let middle = bytes.len() / 2;
                if let Some(byte) = bytes.get_mut(middle) {
                    *byte ^= 1;
                }
            }),
            Damage::Emptied { log, seq } => self.change(&self.record(log, *seq), Vec::clear),
            Damage::Removed { log, seq } => self.delete(&self.record(log, *seq)),
            Damage::Swapped { log, seq } => {
                let (one, other) = (self.record(log, *seq), self.record(log, seq + 1));
                let (first, second) = (self.get(&one), self.get(&other));
                self.put(&one, second);
                self.put(&other, first);
            }
            Damage::CutShort { log, left } => {
                let begin = format!("{}/{log}/", self.prefix);
                let list = self.objects().list_objects_v2().bucket(BUCKET).prefix(begin);
                let listed = wait_for(list.send()).unwrap().contents.unwrap_or_default();
                let cut = self.record(log, *left);
                let keys = listed.into_iter().filter_map(|object| object.key);
                keys.filter(|key| *key >= cut).for_each(|key| self.delete(&key));
            }
            Damage::Rows { campaign, location } => self.change(&self.rows(*campaign, location), |bytes| {
                bytes.truncate(bytes.len() / 2);
            }),
        }
        true
    }

    fn wait(&self) -> BoxFuture<'_, ()> {
        if let Some(sim) = self.sim.get() {
            sim.clock().advance(SignedDuration::from_secs(30));
        }
        Box::pin(std::future::ready(()))
    }
}

/// An HTTP client that loses one write, or the answer to it.
#[derive(Debug, Clone)]
struct Troubled<T> {
    inner: T,
    trouble: Trouble,
}

impl HttpClient for Troubled<SharedHttpClient> {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        SharedHttpConnector::new(Troubled {
            inner: self.inner.http_connector(settings, components),
            trouble: self.trouble.clone(),
        })
    }
}

impl HttpConnector for Troubled<SharedHttpConnector> {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let trouble = match request.method() {
            "PUT" => self.trouble.lock().unwrap().take(),
            _ => None,
        };
        let lost = || Err(ConnectorError::io("the connection broke".into()));
        if trouble == Some(Fault::NeverSent) {
            return HttpConnectorFuture::ready(lost());
        }
        let answer = self.inner.call(request);
        HttpConnectorFuture::new(async move {
            let answer = answer.await;
            match trouble {
                Some(Fault::AnswerLost) => lost(),
                _ => answer,
            }
        })
    }
}
