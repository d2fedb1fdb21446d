//! A long-lived process that runs a patch campaign on a schedule, or once.

mod cutoff;
mod follow;
mod job;
mod schedule;
mod signals;

use clap::{ArgGroup, Parser};
use follow::{Became, SystemWall, Told, Work, follow};
use jiff::{SignedDuration, Timestamp};
use job::{Failure, Job, Missed, Reach, Surroundings};
use patchfleet_aws::{Aws, S3Uri};
use patchfleet_core::campaign::Store;
use patchfleet_core::id::{EventId, EventIdError, EventSource};
use patchfleet_core::plan::refuse_presigned;
use patchfleet_core::port::PortErrorKind;
use patchfleet_core::text::{ShownLines, one_line};
use schedule::{Schedule, Slot};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use tracing_subscriber::EnvFilter;

/// Run a patch campaign at every slot of a schedule, or once.
#[derive(Debug, Parser)]
#[command(name = "patchfleet-cron", version, about, after_help = EXIT_CODES)]
#[command(group = ArgGroup::new("when").required(true).args(["schedule", "once"]))]
struct Args {
    /// The request: a TOML, JSON or YAML file. Read anew for every campaign.
    #[arg(short = 'f', long, value_name = "FILE")]
    request: PathBuf,
    /// When: an AWS cron expression, such as 'cron(15 22 ? * TUE *)'.
    #[arg(long, value_name = "CRON")]
    schedule: Option<String>,
    /// The schedule's time zone: an IANA name.
    #[arg(long, value_name = "ZONE", default_value = "UTC")]
    timezone: String,
    /// How many days after each date of the schedule a campaign runs, 0 to 30: 3 with 'cron(15 22 ? * 3#2 *)' is the Friday
    /// after Patch Tuesday.
    #[arg(long, value_name = "DAYS", default_value = "0", conflicts_with = "once", value_parser = clap::value_parser!(u8).range(0..=30))]
    days_after: u8,
    /// Begins each slot up to so much after its time, from 1s to 12h, so that many processes do not ask AWS at once. How
    /// much it is follows from the request's name and the log's place, and is the same for each slot. Default: none.
    #[arg(long, value_name = "TIME", conflicts_with = "once", value_parser = jitter)]
    jitter: Option<SignedDuration>,
    /// What becomes of a slot that was missed by more than --late: `skip`, or `run`, which begins the newest one as soon as
    /// it can, whatever the time of day. A process that starts begins the newest slot since the newest campaign in its log
    /// that has none of its own: also one that was left out, stopped or refused before.
    #[arg(long, value_name = "POLICY", default_value = "skip", conflicts_with = "once")]
    missed: Missed,
    /// How late a slot may begin, from 1m to 24h. One that comes later, because the machine slept or its clock was set,
    /// is missed. A process that starts looks back as far: a slot that came within this time and has not run begins at
    /// once. A campaign that nobody drove for longer than this, and for at least 15m, begins nothing more and is followed
    /// to its end.
    #[arg(long, value_name = "TIME", default_value = "15m", value_parser = lateness)]
    late: SignedDuration,
    /// How long after its slot (with --once, after now) every command of a campaign must have expired, such as 9h.
    /// A command that is alive patches and reboots a node whenever it comes back. Default: none.
    #[arg(long, value_name = "TIME", value_parser = cutoff)]
    cutoff: Option<SignedDuration>,
    /// Once a campaign is over, try the nodes once more that it did not reach, in a campaign of its own. The exit code is that of
    /// both.
    #[arg(long)]
    second_attempt: bool,
    /// Begin with the nodes that the last campaign of exactly this request could not begin before its --cutoff, and with no
    /// others. The campaign after that is one of the whole request, or carries over what this one has left.
    #[arg(long, requires = "cutoff")]
    carry_over: bool,
    /// Run one campaign now and exit with its code. What keeps it from its end, such as calls that are denied, is
    /// waited out for 30 minutes.
    #[arg(long)]
    once: bool,
    /// Which campaign --once means, such as the name of a Kubernetes Job. The same id of the same request is the same
    /// campaign for 22 hours: it is gone on with, and if it is over, its report is given again and nothing begins. Whatever
    /// starts this command again by itself has to give one. Default: each start that finds none open begins a new one.
    #[arg(long, value_name = "TEXT", conflicts_with = "schedule", value_parser = identity)]
    id: Option<EventId>,
    /// Where campaign logs are: a folder, or s3://BUCKET/PREFIX. Default: what PATCHFLEET_LOG names, or else the folder
    /// .patchfleet in the current directory.
    #[arg(long, value_name = "PLACE")]
    log: Option<PathBuf>,
}

/// Where campaigns are remembered, unless somebody says so.
const DEFAULT_LOG: &str = ".patchfleet";

/// The environment's setting, if it is set. One that is empty counts as not set.
fn variable(name: &str) -> Option<OsString> {
    std::env::var_os(name).filter(|text| !text.to_string_lossy().trim().is_empty())
}

const EXIT_CODES: &str = "\
Exit codes: 0 the schedule is over, or SIGTERM came, and no campaign is open (how each ended is in the log alone); 1 the \
same, but a campaign is still open, or the process cannot listen for signals; 2 bad usage, schedule or request, or AWS settings that are wrong; 3 the \
request's list is a presigned URL; 130 interrupted (an open campaign stays open, and goes on when this command is run \
again). With --once those of `patchfleet run`; 130 also if SIGTERM came before the campaign began.";

/// A time such as 15m, 90s, 1h30m.
fn lateness(text: &str) -> Result<SignedDuration, String> {
    const RIGHT: &str = "right would be a time from 1m to 24h, such as 15m";
    let late: SignedDuration = text.parse().map_err(|_| RIGHT.to_owned())?;
    // A wait ends a little after its time, so a slot is always late by a part of a second.
    let (minute, day) = (SignedDuration::from_mins(1), SignedDuration::from_hours(24));
    (minute..=day)
        .contains(&late)
        .then_some(late)
        .ok_or_else(|| RIGHT.to_owned())
}

/// A time such as 30m.
fn jitter(text: &str) -> Result<SignedDuration, String> {
    let (least, most) = (SignedDuration::from_secs(1), SignedDuration::from_hours(12));
    let time: Option<SignedDuration> = text.parse().ok();
    time.filter(|time| (least..=most).contains(time))
        .ok_or_else(|| "right would be a time from 1s to 12h, such as 30m".to_owned())
}

/// The part of `most` by which slots are delayed, in whole seconds. Whoever starts again delays them as before. FNV-1a
/// makes a number of `of` that looks random.
fn delay(most: SignedDuration, of: &str) -> SignedDuration {
    let hash = of.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    let seconds = u64::try_from(most.as_secs()).unwrap_or_default();
    // The upper half of the hash differs most.
    let part = (hash >> 32).wrapping_mul(seconds.saturating_add(1)) >> 32;
    SignedDuration::from_secs(i64::try_from(part).unwrap_or_default())
}

/// The id of one campaign. An id that nobody filled in would be that of every campaign.
fn identity(text: &str) -> Result<EventId, String> {
    if text.contains("$(") {
        return Err(
            "nobody filled it in: right would be the id of one campaign, such as a Job's name".to_owned(),
        );
    }
    EventId::new(EventSource::Event, text).map_err(|error| format!("right would be {error}"))
}

/// A time such as 9h, 8h30m.
fn cutoff(text: &str) -> Result<SignedDuration, String> {
    let time = text.parse().ok().filter(SignedDuration::is_positive);
    time.ok_or_else(|| "right would be a time after the slot, with units, such as 9h or 8h30m".to_owned())
}

/// The arguments. If they are wrong, the process says so and ends. clap repeats arguments in its words, so it reads
/// them once more with their control characters made visible.
fn arguments() -> Args {
    Args::try_parse().unwrap_or_else(|error| {
        let shown = std::env::args_os().map(|argument| one_line(&argument.to_string_lossy()));
        Args::try_parse_from(shown).err().unwrap_or(error).exit()
    })
}

#[tokio::main]
async fn main() -> ExitCode {
    let args = arguments();
    tracing_subscriber::fmt()
        .with_env_filter(match variable(EnvFilter::DEFAULT_ENV) {
            Some(_) => EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info")),
            None => EnvFilter::new("info"),
        })
        .with_ansi(false)
        .with_writer(|| ShownLines::new(std::io::stderr()))
        .init();
    match signals::listen() {
        Ok(stop) => serve(args, stop).await,
        Err(error) => {
            tracing::error!("cannot listen for signals: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Where campaigns are remembered: the one function to change for another place. Whatever has a
/// [`CampaignLog`](patchfleet_core::campaign::CampaignLog) and a
/// [`NodeRows`](patchfleet_core::campaign::NodeRows) will do.
async fn store(log: &Path) -> Result<Store, String> {
    let text = one_line(&log.display().to_string());
    if log.as_os_str().is_empty() {
        return Err("is empty: name a folder".to_owned());
    }
    if text.starts_with("s3:") {
        let uri: S3Uri = text.parse().map_err(|error| format!("= {error}"))?;
        let store = Aws::load().await.and_then(|aws| aws.store(&uri));
        return store.map_err(|error| format!("= {text}: {}", error.chain()));
    }
    if text.contains("://") {
        return Err(format!(
            "= {text}: logs are kept in a folder, or in a bucket (s3://BUCKET/PREFIX)"
        ));
    }
    Ok(Store::in_folder(log))
}

async fn serve(args: Args, stop: tokio::sync::watch::Receiver<bool>) -> ExitCode {
    let log = args
        .log
        .or_else(|| variable("PATCHFLEET_LOG").map(PathBuf::from))
        .unwrap_or_else(|| DEFAULT_LOG.into());
    let store = match store(&log).await {
        Ok(store) => store,
        Err(problem) => {
            tracing::error!("--log (or PATCHFLEET_LOG) {problem}");
            return ExitCode::from(2);
        }
    };
    let mut job = Job {
        reach: Surroundings,
        request: args.request,
        store,
        log,
        cutoff: args.cutoff,
        second_attempt: args.second_attempt,
        carry_over: args.carry_over,
        late: args.late,
        missed: args.missed,
        schedule: None,
        stop: stop.clone(),
    };
    let Some(expression) = args.schedule else {
        return ExitCode::from(job.once(args.id).await);
    };
    let mut delayed = SignedDuration::ZERO;
    // A request that is wrong now would be wrong at the slot: say so at once.
    match job.request() {
        Err(problem) => {
            tracing::error!("{problem}");
            return ExitCode::from(2);
        }
        Ok(request) => {
            if let Err(refusal) = refuse_presigned(&request) {
                tracing::error!("{refusal}");
                return ExitCode::from(3);
            }
            if let Some(most) = args.jitter {
                delayed = delay(most, &format!("{}\n{}", request.name, job.log.display()));
            }
            if let Some(after) = job.cutoff {
                match cutoff::room(after, &request, delayed) {
                    cutoff::Room::Enough => {}
                    cutoff::Room::Little(words) => tracing::warn!("--cutoff = {after:#}: {words}"),
                    cutoff::Room::No(problem) => {
                        tracing::error!("--cutoff = {after:#}: {problem}");
                        return ExitCode::from(2);
                    }
                }
            }
            match job.reach.ports(&request.access).await {
                Err(Failure::Settings(error)) if error.kind() == PortErrorKind::Credentials => {
                    tracing::warn!(
                        "no campaign can begin with these settings; they are read again for each: {}",
                        error.chain()
                    );
                }
                Err(Failure::Settings(error)) => {
                    tracing::error!("{}", error.chain());
                    return ExitCode::from(2);
                }
                // What may pass is waited out at the slot.
                Ok(_) | Err(_) => {}
            }
            // A bucket that does not answer now may do so at the slot.
            if let Err(error) = job.store.log.make().await
                && !error.kind().is_transient()
            {
                tracing::error!("--log (or PATCHFLEET_LOG): {}", error.chain());
                return ExitCode::from(2);
            }
        }
    }
    let schedule = Schedule::parse(&expression, &args.timezone);
    match schedule.map(|schedule| schedule.days_after(args.days_after).delayed(delayed)) {
        Ok(schedule) if schedule.next(Timestamp::now()).is_none() => {
            tracing::error!("--schedule = {expression:?}: it has no slot from now on");
            ExitCode::from(2)
        }
        Ok(schedule) => {
            let late = args.late;
            job.schedule = Some(schedule.clone());
            follow(&SystemWall, &schedule, late, stop, |told| tell(&told, late), &job).await;
            ExitCode::from(job.end().await)
        }
        Err(error) => {
            tracing::error!("{}", one_line(&error.to_string()));
            ExitCode::from(2)
        }
    }
}

impl<R: Reach> Work for Job<R> {
    async fn finish_open(&self) -> bool {
        Job::finish_open(self).await
    }

    async fn made_good_since(&self) -> Option<Timestamp> {
        Job::made_good_since(self, Timestamp::now()).await
    }

    async fn not_run(&self, slots: Vec<Slot>) -> Vec<Slot> {
        // With no request there is no campaign that could have run.
        let Ok(request) = self.request() else {
            return slots;
        };
        let mut not_run = vec![];
        for slot in slots {
            let has_run = match event(&slot) {
                Ok(id) => self.has_run(&request, &id).await,
                Err(_) => false,
            };
            if !has_run {
                not_run.push(slot);
            }
        }
        not_run
    }

    async fn run(&self, slot: &Slot) -> Became {
        tracing::info!("slot {:.0} is due", slot.at);
        match event(slot) {
            Ok(id) => self.slot(id, slot).await,
            Err(error) => {
                tracing::error!("slot {}: expected {error}", slot.id);
                Became::Run
            }
        }
    }
}

/// What identifies a slot's campaign, beside the request.
fn event(slot: &Slot) -> Result<EventId, EventIdError> {
    EventId::new(EventSource::Slot, &slot.id)
}

/// Logs what happens on the way.
fn tell(told: &Told, late: SignedDuration) {
    let words = words(told, late);
    match told {
        Told::Next(_) | Told::Ran(_) | Told::Over => tracing::info!("{words}"),
        _ => tracing::warn!("{words}"),
    }
}

/// What happens on the way, in words.
fn words(told: &Told, late: SignedDuration) -> String {
    match told {
        Told::Next(at) => format!("next campaign at {at:.0}"),
        Told::MadeGood(at) => {
            format!("the slot at {at:.0} has no campaign so far, and begins now, so late (--missed run)")
        }
        Told::Ran(at) => format!("the campaign of the slot at {at:.0} has run already"),
        Told::Over => "the schedule has no further slot".to_owned(),
        Told::Missed(left) => format!(
            "not run, because this process was not awake within {late:#}, or because a newer slot was due as well: {left}"
        ),
        Told::TooLate(left) => format!(
            "missed, because an open campaign, trouble with the log or AWS, or planning kept it from beginning within \
             {late:#}: {left}"
        ),
        Told::Busy(left) => format!("left out, because a campaign was running: {left}"),
        Told::Stopped(left) => format!("left out, because this process was told to stop: {left}"),
        Told::SetBack(by) => format!("the clock was set back by {by:#}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use patchfleet_core::request::{Format, PatchRequest};

    #[test]
    fn a_delay_is_the_same_each_time_and_differs_from_request_to_request() {
        let most = SignedDuration::from_mins(30);
        let delays: Vec<_> = (0..1_000)
            .map(|number| delay(most, &format!("request-{number}\nlog")))
            .collect();
        assert_eq!(delays[7], delay(most, "request-7\nlog"));
        assert!(
            delays
                .iter()
                .all(|delay| (SignedDuration::ZERO..=most).contains(delay))
        );
        for tenth in 0..10_i32 {
            let from = SignedDuration::from_mins(3) * tenth;
            let here = delays
                .iter()
                .filter(|delay| **delay >= from && **delay < from + SignedDuration::from_mins(3));
            assert!((50..200).contains(&here.count()), "{tenth}");
        }
    }

    #[test]
    fn a_slot_that_an_earlier_process_may_have_left_out_is_not_called_missed_when_it_is_made_good() {
        let told = Told::MadeGood("2026-03-03T22:15:00Z".parse().unwrap());
        assert_eq!(
            words(&told, SignedDuration::from_mins(15)),
            "the slot at 2026-03-03T22:15:00Z has no campaign so far, and begins now, so late (--missed run)"
        );
    }

    /// The words of the command line in a unit file or a manifest.
    fn command_of(text: &str) -> Vec<&str> {
        let line = text.split("# command").nth(1).unwrap_or(text);
        let line = line.split("ExecStart=").nth(1).unwrap_or(line);
        line.lines()
            .next()
            .unwrap_or_default()
            .split_whitespace()
            .collect()
    }

    #[test]
    fn the_unit_files_call_this_program_with_arguments_that_it_takes() {
        for (text, is_once) in [
            (include_str!("../systemd/patchfleet-cron.service"), false),
            (include_str!("../systemd/patchfleet-once.service"), true),
        ] {
            let text = text.replace("\\\n", " ").replace('\'', "");
            // A schedule is one word to systemd and several here.
            let words = command_of(&text)
                .join(" ")
                .replace("cron(15 22 ? * 3#2 *)", "SCHEDULE");
            let words = words.replace("${PATCHFLEET_ID}", "7d0c");
            let args = Args::try_parse_from(words.split(' ')).unwrap_or_else(|error| panic!("{error}"));
            assert_eq!((args.once, args.id.is_some()), (is_once, is_once));
            let log = args.log.unwrap();
            assert!(log.to_string_lossy().starts_with("s3://") || log.is_absolute());
        }
    }

    #[test]
    fn the_manifest_calls_this_program_with_arguments_that_it_takes() {
        let text = include_str!("../kubernetes/cronjob.yaml");
        let args = text
            .split("args: [")
            .nth(1)
            .and_then(|rest| rest.split(']').next())
            .unwrap();
        assert!(args.contains("$(JOB_NAME)") && text.contains("- name: JOB_NAME"));
        let args = args.replace("$(JOB_NAME)", "patchfleet-29539995");
        let words = args.split(", ").map(|word| word.trim_matches('"'));
        let args = Args::try_parse_from(std::iter::once("patchfleet-cron").chain(words));
        let args = args.unwrap_or_else(|error| panic!("{error}"));
        assert!(
            args.once && args.id.is_some(),
            "a pod that is started again means the same campaign"
        );
        let request = text
            .split("weekly.toml: |\n")
            .nth(1)
            .and_then(|rest| rest.split("---").next());
        let request: String = request
            .unwrap()
            .lines()
            .map(|line| format!("{}\n", line.trim()))
            .collect();
        PatchRequest::parse(request.as_bytes(), Format::Toml).unwrap_or_else(|problems| panic!("{problems}"));
    }
}
