//! A draft that is planned, driven for a while, damaged, and gone on with.

use crate::draft::{Damage, Deed, Draft, Of};
use jiff::SignedDuration;
use patchfleet_core::{
    campaign::{DriveError, Store},
    id::{CampaignId, WriterId},
    internals::{Driver, Turn},
    outcome::FinishedOutcome,
    plan::Plan,
    port::{PortErrorKind, Ports},
    problem::chain,
    request::PatchRequest,
};
use patchfleet_sim::{ClockMode, SimClock, world::World};
use patchfleet_tests::{in_memory, plan, request};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use uuid::Uuid;

/// What came of a run or a resume.
#[derive(Debug)]
pub(crate) enum Became {
    Ended(FinishedOutcome),
    /// With the kind of refusal, and the whole error.
    Refused(Why, String),
}

/// Why nothing came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Why {
    /// A log is damaged, or may be that of an open campaign.
    Damaged,
    /// Another campaign of the request is open.
    Open,
    /// There is no such campaign.
    Gone,
    /// Nobody knows whether a start took effect: a person has to say.
    Unresolved,
    /// Anything else, which no damage may come to.
    Other,
}

impl Why {
    fn of(error: &DriveError) -> Self {
        match error {
            DriveError::Damaged { .. } => Self::Damaged,
            DriveError::NotBegun { source, .. } if source.kind() == PortErrorKind::Incompatible => {
                Self::Damaged
            }
            DriveError::NameTaken { .. } => Self::Open,
            DriveError::NoSuchCampaign { .. } => Self::Gone,
            DriveError::Unresolved { .. } => Self::Unresolved,
            _ => Self::Other,
        }
    }
}

pub(crate) struct Run {
    pub(crate) draft: Draft,
    pub(crate) campaign: CampaignId,
    /// As it was made, whatever the log says of it.
    pub(crate) plan: Plan,
    /// The simulator's state at the end.
    pub(crate) after: Value,
    /// How many executions there were before the campaign.
    before: usize,
    pub(crate) became: Vec<Became>,
    /// Neither the log nor the claim is there any more, or no more of the log than a campaign has that was
    /// refused its name: two things were damaged, and together they look like a campaign that never was.
    pub(crate) nobody_can_tell: bool,
    /// Whether a second campaign was begun.
    second: bool,
}

impl Run {
    pub(crate) fn of(draft: &Draft) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(Self::go(draft))
    }

    async fn go(draft: &Draft) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let asked = request(&draft.request(if draft.installs { "Install" } else { "Scan" })).unwrap();
        let clock = SimClock::new(World::parse(&draft.world()).unwrap(), ClockMode::Jump);
        let ports = in_memory(&clock, &asked.access).unwrap();
        let mut scene = Scene {
            dir: dir.path(),
            ports: &ports,
            writer: 0,
        };
        if draft.earlier {
            let scan = request(&draft.request("Scan")).unwrap();
            scene.whole(id(1), &scan).await.unwrap();
        }
        let state = || clock.with_world(|world| world.state());
        let before = parents(&state()).len();
        let campaign = id(2);
        let plan = plan(&ports, &asked).await.unwrap();
        scene.driver().begin(campaign, &plan).await.unwrap();
        let over = scene.drive_for(campaign, draft.turns).await;
        let (mut became, mut second, mut nobody_can_tell) = (vec![], false, false);
        if over {
            became.push(Became::Ended(FinishedOutcome::Succeeded));
        } else {
            for (of, damage) in &draft.damages {
                scene.harm(&scene.file(*of, campaign), damage);
            }
            nobody_can_tell = scene.nobody_can_tell(campaign);
            let idle = SignedDuration::from_secs(draft.idle.into());
            ports.clock.sleep_until(ports.clock.now() + idle).await;
            for (deed, other) in draft.deeds.iter().zip(3..) {
                let done = match deed {
                    Deed::Resume => scene.resume(campaign).await,
                    // Once the campaign is over its name is free, and to run again is right.
                    Deed::Run if became.iter().any(|became| matches!(became, Became::Ended(_))) => continue,
                    Deed::Run => {
                        let done = scene.whole(id(other), &asked).await;
                        second |= done.is_ok();
                        done
                    }
                };
                became.push(match done {
                    Ok(outcome) => Became::Ended(outcome),
                    Err(error) => Became::Refused(Why::of(&error), chain(&error)),
                });
            }
        }
        Self {
            draft: draft.clone(),
            campaign,
            plan,
            after: state(),
            before,
            became,
            nobody_can_tell,
            second,
        }
    }

    pub(crate) fn nodes(&self) -> &[Value] {
        self.after["nodes"].as_array().unwrap()
    }

    /// The executions that were started in the central account, but for those of an earlier campaign.
    pub(crate) fn parents(&self) -> Vec<&Value> {
        parents(&self.after).split_off(self.before)
    }

    /// What this run shows, for the count.
    pub(crate) fn words(&self) -> Vec<String> {
        let mut words: Vec<&str> = vec![];
        if self.nobody_can_tell {
            words.push("nobody can tell");
        }
        if self.second {
            words.push("a second campaign");
        }
        words.extend(self.became.iter().map(|became| match became {
            Became::Ended(_) => "ended",
            Became::Refused(Why::Open, _) => "refused: open",
            Became::Refused(Why::Gone, _) => "refused: gone",
            Became::Refused(Why::Damaged, _) => "refused: damaged",
            Became::Refused(Why::Unresolved, _) => "refused: unresolved",
            Became::Refused(Why::Other, _) => "refused: other",
        }));
        words.into_iter().map(str::to_owned).collect()
    }
}

fn id(number: u128) -> CampaignId {
    CampaignId::from_uuid(Uuid::from_u128(number))
}

fn parents(state: &Value) -> Vec<&Value> {
    let executions = state["executions"].as_array().unwrap().iter();
    executions.filter(|one| one["parent"].is_null()).collect()
}

/// A folder of logs, and the world.
struct Scene<'a> {
    dir: &'a Path,
    ports: &'a Ports,
    writer: u128,
}

impl Scene<'_> {
    /// A driver of another process.
    fn driver(&mut self) -> Driver {
        self.writer += 1;
        let Store { log, rows } = Store::in_folder(self.dir);
        Driver::new(
            self.ports,
            log,
            rows,
            WriterId::from_uuid(Uuid::from_u128(self.writer)),
        )
    }

    /// Does what `patchfleet run` does.
    async fn whole(
        &mut self,
        campaign: CampaignId,
        request: &PatchRequest,
    ) -> Result<FinishedOutcome, DriveError> {
        let driver = self.driver();
        let store = Store::new(driver.log.clone(), driver.rows.clone());
        if let Some(open) = store.open_campaign(&request.name).await? {
            let name = request.name.clone();
            return Err(DriveError::NameTaken {
                name,
                open,
                unresolved: vec![],
            });
        }
        let plan = plan(self.ports, request).await.unwrap();
        driver.begin(campaign, &plan).await?;
        self.resume(campaign).await
    }

    /// Does what `patchfleet resume` does.
    async fn resume(&mut self, campaign: CampaignId) -> Result<FinishedOutcome, DriveError> {
        let state = self.driver().run(campaign).await?;
        Ok(state.finished().unwrap().0)
    }

    /// Drives it for so many turns. Gives whether it was over then.
    async fn drive_for(&mut self, campaign: CampaignId, turns: usize) -> bool {
        let driver = self.driver();
        let mut drive = driver.open(campaign).await.unwrap();
        for _ in 0..turns {
            match drive.step().await.unwrap() {
                Turn::Done(_) => return true,
                Turn::Acted => {}
                Turn::Wait(at) => driver.clock.sleep_until(at).await,
            }
        }
        false
    }

    fn file(&self, of: Of, campaign: CampaignId) -> PathBuf {
        match of {
            Of::Log => self.dir.join(format!("campaigns/{campaign}/log.jsonl")),
            Of::Claim => self.dir.join("names/weekly.jsonl"),
        }
    }

    fn harm(&self, file: &Path, damage: &Damage) {
        // A second hand may come after a first one that took everything away.
        let Ok(mut bytes) = fs::read(file) else {
            return;
        };
        if *damage == Damage::Delete {
            return fs::remove_file(file).unwrap();
        }
        let lines: Vec<Vec<u8>> = bytes
            .split_inclusive(|&byte| byte == b'\n')
            .map(<[u8]>::to_vec)
            .collect();
        let of = |share: u32, all: usize| share as usize * all / 1_000;
        let line = |share: u32| of(share, lines.len());
        let mut changed = lines.clone();
        match damage {
            Damage::Flip { .. } | Damage::Swap { .. } | Damage::TakeOut { .. } if bytes.is_empty() => return,
            Damage::Double { .. } if bytes.is_empty() => return,
            Damage::Flip { at, bit } => {
                let at = of(*at, bytes.len());
                bytes[at] ^= 1 << bit;
                changed = vec![bytes];
            }
            Damage::Cut { at } => {
                bytes.truncate(of(*at, bytes.len()));
                changed = vec![bytes];
            }
            Damage::Older { at } => changed.truncate(line(*at)),
            Damage::Empty | Damage::Delete => changed.clear(),
            Damage::Swap { one, other } => changed.swap(line(*one), line(*other)),
            Damage::Double { line: doubled, after } => {
                changed.insert(line(*after) + 1, lines[line(*doubled)].clone());
            }
            Damage::TakeOut { line: taken } => drop(changed.remove(line(*taken))),
            Damage::Edit { from, to } => {
                // Bytes that a flip has made may be no text.
                let text = String::from_utf8_lossy(&bytes).replacen(from, to, 3);
                changed = vec![text.into_bytes()];
            }
            Damage::Zeros {
                count,
                with_line_break,
            } => {
                changed.push(vec![0; *count as usize]);
                changed.extend(with_line_break.then(|| b"\n".to_vec()));
            }
        }
        fs::write(file, changed.concat()).unwrap();
    }

    /// Whether what is left looks like a campaign that never had its name.
    fn nobody_can_tell(&self, campaign: CampaignId) -> bool {
        let whole_lines = |of: Of| {
            let bytes = fs::read(self.file(of, campaign)).unwrap_or_default();
            bytes.iter().filter(|&&byte| byte == b'\n').count()
        };
        let claims = fs::read_to_string(self.file(Of::Claim, campaign)).unwrap_or_default();
        let whole = claims.split_inclusive('\n').filter(|line| line.ends_with('\n'));
        let names_it = whole.filter(|line| line.contains(&campaign.to_string())).count() > 0;
        whole_lines(Of::Log) <= 1 && !names_it
    }
}
