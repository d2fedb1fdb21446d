//! The place of campaign logs that a command names, a folder or a bucket, and the campaigns there.

use crate::args::{CampaignArg, LogArgs};
use crate::exit::{Failure, say};
use crate::progress;
use crate::session;
use jiff::Timestamp;
use patchfleet_aws::S3Uri;
use patchfleet_core::CampaignError;
use patchfleet_core::campaign::{CampaignList, DriveError, LogKey, State, Store};
use patchfleet_core::id::{CampaignId, RequestName};
use patchfleet_core::plan::LearnedPace;
use patchfleet_core::port::PortErrorKind;
use patchfleet_core::refusal::{Refusal, RefusalCode, RefusalReason};
use patchfleet_core::request::PatchRequest;
use patchfleet_core::text::{by_number, in_log, names, one_line};
use std::fmt;
use std::path::{Path, PathBuf};

/// Where campaigns are remembered, unless `--log` says so.
const DEFAULT_LOG: &str = ".patchfleet";

/// Campaigns' logs, and where they are.
pub(crate) struct Logs {
    /// For [`Campaigns`](patchfleet_core::Campaigns), which says itself what has no answer for long.
    pub(crate) store: Store,
    /// The same, for whoever reads it without them.
    pub(crate) watched: Store,
    /// Their place, as somebody named it. `None` if nobody did.
    pub(crate) named: Option<PathBuf>,
    /// Their place. `None` if they are in memory.
    place: Option<Place>,
}

/// Where logs are kept.
enum Place {
    Folder(PathBuf),
    Bucket(S3Uri),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder(dir) => write!(f, "the folder {}", dir.display()),
            Self::Bucket(uri) => uri.fmt(f),
        }
    }
}

impl Logs {
    /// The logs that are named.
    pub(crate) async fn given(args: &LogArgs) -> Result<Self, Failure> {
        let place = place(args)?;
        let store = match &place {
            Place::Folder(dir) => Store::in_folder(dir.clone()),
            Place::Bucket(uri) => session::store_in(uri).await?,
        };
        Ok(Self {
            watched: progress::watched(&store),
            store,
            named: args.log.clone(),
            place: Some(place),
        })
    }

    /// How long a node took in the last campaigns of a request, as far as they tell, and the warning that they cannot be read.
    /// Nothing is written, and where there are no logs yet there is nothing to warn of.
    pub(crate) async fn pace(
        args: &LogArgs,
        request: &PatchRequest,
    ) -> Result<(Option<LearnedPace>, Option<String>), Failure> {
        let logs = Self::given(args).await?;
        if let Some(Place::Folder(dir)) = &logs.place
            && !dir.exists()
        {
            return Ok((None, None));
        }
        Ok(match logs.watched.pace(request).await {
            Ok(pace) => (pace, None),
            Err(error) => {
                let warning = format!(
                    "how long a node took in earlier campaigns is not known, because the log{} cannot be read: {}",
                    logs.in_place(),
                    error.chain()
                );
                (None, Some(warning))
            }
        })
    }

    /// Logs for a new campaign. A simulated organisation ends with the process, so nothing of it is worth
    /// keeping unless that is asked for.
    pub(crate) async fn of(args: &LogArgs, simulated: bool) -> Result<Self, Failure> {
        if simulated && args.log.is_none() {
            let store = Store::in_memory();
            return Ok(Self {
                watched: store.clone(),
                store,
                named: None,
                place: None,
            });
        }
        if simulated && let Place::Bucket(uri) = place(args)? {
            return Err(Failure::Usage(format!(
                "--log = {uri}: a simulated organisation ends with the process, so nothing of it is kept in a bucket: name a folder"
            )));
        }
        Self::given(args).await
    }

    /// The campaign that is named, or the newest.
    pub(crate) async fn named_or_newest(&self, campaign: Option<CampaignArg>) -> Result<State, Failure> {
        self.refuse_file()?;
        let campaign = match campaign {
            Some(campaign) => self.named(&campaign).await?,
            None => self.newest().await?,
        };
        self.find(campaign).await
    }

    /// The campaign that is named, or the newest that is open.
    pub(crate) async fn named_or_open(&self, campaign: Option<CampaignArg>) -> Result<State, Failure> {
        self.refuse_file()?;
        let campaign = match campaign {
            Some(campaign) => self.named(&campaign).await?,
            None => self.newest_open().await?,
        };
        self.find(campaign).await
    }

    /// The campaign that is named, or the only one that is open. Several are listed, and nothing is done to any.
    pub(crate) async fn named_or_only_open(&self, campaign: Option<CampaignArg>) -> Result<State, Failure> {
        self.refuse_file()?;
        if let Some(campaign) = campaign {
            let campaign = self.named(&campaign).await?;
            return self.find(campaign).await;
        }
        let list = self.listed().await?;
        if !list.damaged.is_empty() {
            return Err(unreadable(&list));
        }
        let open: Vec<_> = list.open().collect();
        match open.as_slice() {
            [only] => self.find(only.campaign).await,
            [] => Err(self.none_open(&list)),
            several => {
                let several: Vec<String> = several
                    .iter()
                    .map(|one| format!("{} ({})", one.campaign, one.request))
                    .collect();
                Err(Failure::Usage(format!(
                    "several campaigns are open, so name one of them: {}",
                    several.join(", ")
                )))
            }
        }
    }

    /// The campaign that is named, or all that began, the newest first, and after them those that were refused their name.
    /// Where a log is damaged this fails, because its campaign may be the one that is meant.
    pub(crate) async fn named_or_all(
        &self,
        campaign: Option<CampaignArg>,
    ) -> Result<Vec<CampaignId>, Failure> {
        self.refuse_file()?;
        if let Some(campaign) = campaign {
            let campaign = self.named(&campaign).await?;
            return Ok(vec![self.find(campaign).await?.campaign()]);
        }
        let list = self.listed().await?;
        if !list.damaged.is_empty() {
            return Err(unreadable(&list));
        }
        let (began, refused): (Vec<_>, Vec<_>) =
            list.campaigns.iter().partition(|one| one.name_taken_by.is_none());
        let all: Vec<CampaignId> = began.into_iter().chain(refused).map(|one| one.campaign).collect();
        match all.is_empty() {
            true => Err(Failure::Usage(self.without("campaign"))),
            false => Ok(all),
        }
    }

    pub(crate) async fn find(&self, campaign: CampaignId) -> Result<State, Failure> {
        let found = self.watched.load(campaign).await?;
        found.ok_or_else(|| Failure::Usage(self.without(&format!("campaign {campaign}"))))
    }

    /// The campaign that a person names.
    pub(crate) async fn named(&self, campaign: &CampaignArg) -> Result<CampaignId, Failure> {
        let beginning = match campaign {
            CampaignArg::Id(campaign) => return Ok(*campaign),
            CampaignArg::Beginning(beginning) => beginning,
        };
        let keys = self.watched.log.keys().await?;
        let begins = keys.iter().filter_map(|key| match key {
            LogKey::Campaign(campaign) if campaign.to_string().starts_with(beginning) => Some(*campaign),
            _ => None,
        });
        match begins.collect::<Vec<_>>().as_slice() {
            [campaign] => Ok(*campaign),
            [] => {
                let what = format!("campaign whose id begins with {beginning}");
                Err(Failure::Usage(self.without(&what)))
            }
            several => {
                let several: Vec<String> = several.iter().map(ToString::to_string).collect();
                let several = several.join(", ");
                Err(Failure::Usage(format!(
                    "{beginning} is the beginning of several campaigns: {several}"
                )))
            }
        }
    }

    /// Refuses a folder that is not there, or that is a file. Whoever reads a log has mistyped it, or is in another
    /// directory than the run was.
    pub(crate) fn require_folder(&self) -> Result<(), Failure> {
        match &self.place {
            Some(Place::Folder(dir)) if !dir.exists() => Err(Failure::Usage(self.without("campaign"))),
            _ => self.refuse_file(),
        }
    }

    fn refuse_file(&self) -> Result<(), Failure> {
        match &self.place {
            Some(Place::Folder(dir)) if dir.is_file() => Err(Failure::Usage(format!(
                "--log (or PATCHFLEET_LOG) = {}: this is a file, and logs are kept in a folder",
                dir.display()
            ))),
            _ => Ok(()),
        }
    }

    /// Refuses a bucket that holds nothing under the prefix. Whoever reads a log there has mistyped it: as with a folder,
    /// the place is made before the first campaign.
    pub(crate) fn require_campaigns_in_bucket(&self, list: &CampaignList) -> Result<(), Failure> {
        match &self.place {
            Some(Place::Bucket(_)) if list.campaigns.is_empty() && list.damaged.is_empty() => {
                Err(Failure::Usage(self.without("campaign")))
            }
            _ => Ok(()),
        }
    }

    /// Where the logs are, in words, as in "in the folder DIR"; empty if they are in memory.
    pub(crate) fn in_place(&self) -> String {
        let place = self.place.as_ref();
        place.map_or_else(String::new, |place| format!(" in {place}"))
    }

    /// The message that this place has no such thing.
    pub(crate) fn without(&self, what: &str) -> String {
        let Some(place) = &self.place else {
            return format!("there is no {what}");
        };
        let gone = match place {
            Place::Folder(dir) if !dir.exists() => ", which is not there",
            _ => "",
        };
        format!(
            "there is no {what} in {place}{gone}. --log (or PATCHFLEET_LOG) names another one; without it, \
             it is {DEFAULT_LOG} in the current directory"
        )
    }

    /// Notes that a campaign is to run in this simulated organisation, which ends with the process.
    pub(crate) fn note_world(&self, campaign: CampaignId, world: &str) -> Result<(), Failure> {
        match &self.place {
            Some(Place::Folder(dir)) => {
                let note = world_note(dir, campaign);
                if let Some(folder) = note.parent() {
                    std::fs::create_dir_all(folder)?;
                }
                Ok(std::fs::write(note, world)?)
            }
            _ => Ok(()),
        }
    }

    /// Refuses a campaign of a simulated organisation that is gone: AWS would be asked about executions that it
    /// never had.
    pub(crate) fn refuse_simulated(&self, state: &State) -> Result<(), Failure> {
        match self.simulated(state.campaign(), &state.plan().request.name) {
            Some(why) => Err(simulated_refused(state.campaign(), why)),
            None => Ok(()),
        }
    }

    /// The refusal of a request whose name another campaign has. If that one was simulated, nobody can go on with it, and
    /// this says how the name is freed.
    pub(crate) async fn taken(&self, error: CampaignError) -> Failure {
        let name = match &error {
            CampaignError::Refused(refusal) => {
                let mut reasons = refusal.reasons.iter();
                let taken = reasons.find(|reason| reason.code == RefusalCode::CampaignOpen);
                taken.map(|reason| reason.subject.clone())
            }
            CampaignError::Driving(DriveError::NameTaken { name, .. }) => Some(name.to_string()),
            _ => None,
        };
        if let Some(name) = name
            && let Ok(list) = self.listed().await
        {
            let mut open = list.open().filter(|one| one.request.to_string() == name);
            let why = open.find_map(|one| Some((one.campaign, self.simulated(one.campaign, &one.request)?)));
            if let Some((campaign, why)) = why {
                return simulated_refused(campaign, why);
            }
        }
        error.into()
    }

    fn is_simulated(&self, campaign: CampaignId) -> bool {
        matches!(&self.place, Some(Place::Folder(dir)) if world_note(dir, campaign).exists())
    }

    /// What time it is for a campaign: by this machine's clock, or at its last record if its organisation was simulated,
    /// which has a clock of its own.
    pub(crate) async fn now_for(&self, campaign: CampaignId) -> Result<Timestamp, Failure> {
        match self.is_simulated(campaign) {
            true => Ok(self.find(campaign).await?.last_at()),
            false => Ok(Timestamp::now()),
        }
    }

    /// What is left of a campaign whose organisation was simulated, and what to do; `None` of any other.
    pub(crate) fn simulated(&self, campaign: CampaignId, name: &RequestName) -> Option<String> {
        let Some(Place::Folder(dir)) = &self.place else {
            return None;
        };
        let world = std::fs::read_to_string(world_note(dir, campaign)).ok()?;
        let dir = dir.display();
        Some(format!(
            "it ran in the simulated organisation {}, which ends with its process: Ctrl-C there ends both. Once that has ended \
             nothing of it is left. `patchfleet report {campaign}` says how far it came. To run its request again with this log, remove \
             {dir}/campaigns/{campaign} and {dir}/names/{name}.jsonl",
            one_line(&world)
        ))
    }

    /// The newest campaign. One that was refused its request's name never began, and counts only if there is no other.
    /// Where a log is damaged this fails, because its campaign may be the newest.
    async fn newest(&self) -> Result<CampaignId, Failure> {
        let list = self.listed().await?;
        if !list.damaged.is_empty() {
            return Err(unreadable(&list));
        }
        let began = list.campaigns.iter().find(|one| one.name_taken_by.is_none());
        let found = began.or(list.campaigns.first()).map(|summary| summary.campaign);
        found.ok_or_else(|| Failure::Usage(self.without("campaign")))
    }

    /// The newest campaign that is open. One that was refused its request's name was written down and never begun, so it
    /// is passed over.
    async fn newest_open(&self) -> Result<CampaignId, Failure> {
        let list = self.listed().await?;
        for summary in list.campaigns.iter().filter(|summary| summary.finished.is_none()) {
            if self.watched.open_campaign(&summary.request).await? == Some(summary.campaign) {
                return Ok(summary.campaign);
            }
        }
        if !list.damaged.is_empty() {
            return Err(unreadable(&list));
        }
        Err(self.none_open(&list))
    }

    /// That no campaign is open.
    fn none_open(&self, list: &CampaignList) -> Failure {
        Failure::Usage(match (&self.place, list.campaigns.is_empty()) {
            (Some(place), false) => {
                let over =
                    format!("no campaign in {place} is open: `patchfleet report` says how the newest ended");
                in_log(&over, self.named.as_deref())
            }
            _ => self.without("open campaign"),
        })
    }

    /// Every campaign and every log that cannot be read. A bucket that is not there, or may not be used, was mistyped.
    pub(crate) async fn all(&self, now: Timestamp) -> Result<CampaignList, Failure> {
        let all = self.watched.campaigns(now).await;
        let all = all.map_err(|error| match error.kind() {
            PortErrorKind::Invalid => Failure::Usage(format!("--log (or PATCHFLEET_LOG): {}", error.chain())),
            _ => error.into(),
        });
        Ok(self.by_their_clocks(all?).await)
    }

    /// The campaign with this id.
    pub(crate) async fn one(&self, campaign: CampaignId, now: Timestamp) -> CampaignList {
        let one = self.watched.campaign(campaign, now).await;
        self.by_their_clocks(one).await
    }

    /// The same campaigns, and those of simulated organisations as they stand at their last record.
    async fn by_their_clocks(&self, mut list: CampaignList) -> CampaignList {
        for one in &mut list.campaigns {
            if one.finished.is_none() && self.is_simulated(one.campaign) {
                let then = self.watched.campaign(one.campaign, one.last_at).await;
                if let Some(then) = then.campaigns.into_iter().next() {
                    *one = then;
                }
            }
        }
        list
    }

    /// The campaigns, the newest first. What is damaged is named.
    async fn listed(&self) -> Result<CampaignList, Failure> {
        let list = self.all(Timestamp::now()).await?;
        for damaged in &list.damaged {
            say(&one_line(&format!("{}: {}", damaged.log, damaged.error.chain())));
        }
        Ok(list)
    }
}

/// The failure of not knowing which campaign is meant, because it may be one whose log cannot be read.
fn unreadable(list: &CampaignList) -> Failure {
    let logs: Vec<String> = list
        .damaged
        .iter()
        .map(|damaged| damaged.log.to_string())
        .collect();
    let is_damage = |kind| matches!(kind, PortErrorKind::Incompatible | PortErrorKind::Invalid);
    let are = match list.damaged.iter().all(|one| is_damage(one.error.kind())) {
        true => by_number(logs.len(), "is damaged", "are damaged"),
        false => "cannot be read",
    };
    let words = format!(
        "{} {are}, so which campaign is meant is not known: name one that `patchfleet status` lists",
        names(&logs),
    );
    Failure::Unexpected(words.into())
}

fn simulated_refused(campaign: CampaignId, detail: String) -> Failure {
    Failure::Refused(Refusal {
        reasons: vec![RefusalReason {
            code: RefusalCode::Unsupported,
            subject: campaign.to_string(),
            detail,
        }],
    })
}

/// The file that says in which simulated organisation a campaign ran.
fn world_note(dir: &Path, campaign: CampaignId) -> PathBuf {
    dir.join("campaigns").join(campaign.to_string()).join("simulated")
}

/// The place of logs. Another URL than one of S3 is refused: a folder of that name would be made here.
fn place(args: &LogArgs) -> Result<Place, Failure> {
    let dir = args.log.clone().unwrap_or_else(|| DEFAULT_LOG.into());
    let text = dir.to_string_lossy();
    let wrong = |why: String| Failure::Usage(format!("--log (or PATCHFLEET_LOG) {why}"));
    if dir.as_os_str().is_empty() {
        return Err(wrong(format!(
            "is empty: name a folder, or leave it out for {DEFAULT_LOG}"
        )));
    }
    if text.starts_with("s3:") {
        let uri = text.parse::<S3Uri>();
        return uri
            .map(Place::Bucket)
            .map_err(|error| wrong(format!("= {error}")));
    }
    if text.contains("://") {
        return Err(wrong(format!(
            "= {text}: logs are kept in a folder, or in a bucket (s3://BUCKET/PREFIX)"
        )));
    }
    Ok(Place::Folder(dir))
}
