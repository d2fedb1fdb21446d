//! The command line.

use clap::{Args, Parser, Subcommand, ValueEnum};
use jiff::{SignedDuration, Timestamp};
use patchfleet_aws::S3Uri;
use patchfleet_core::id::{AccountId, CampaignId, UnitId, WaveName};
use patchfleet_core::request::Format;
use std::path::PathBuf;

/// Plan, run and account for Systems Manager patch campaigns over many AWS accounts and Regions.
#[derive(Debug, Parser)]
#[command(name = "patchfleet", version, about, after_help = EXIT_CODES)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

const EXIT_CODES: &str = "\
Exit codes: 0 every targeted node reached its goal, or nothing to do; 1 unexpected error; 2 bad usage or invalid \
request; 3 refused before anything was started; 4 finished, but some nodes did not reach their goal, or locations \
were skipped as unknown, or the campaign stays open, as nobody knows whether a start took effect, or as AWS does not \
let patchfleet stop all of it; 5 halted by a budget, a gate, a breaker or its alarm, the cutoff (also if a command lived past it), a changed runbook or \
somebody else's cancel, stopped by `patchfleet stop`, or closed by `patchfleet abandon`; 130 interrupted by Ctrl-C (the campaign stays open).

AWS settings come from the usual environment and profiles (AWS_PROFILE, AWS_REGION, AWS_ENDPOINT_URL, \
AWS_CA_BUNDLE).

Where AWS throttles, patchfleet asks more slowly by itself. PATCHFLEET_RATES sets the most calls a second for an \
operation in each account and Region (organizations:ListAccountsForParent=3,sts:AssumeRole=5); \
PATCHFLEET_CALLS_AT_ONCE how many calls are under way at once, at most (default 256). \
PATCHFLEET_EXTERNAL_ID gives an external id again that a request has and its plan does not keep. A variable of these \
that is empty counts as not set.";

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Show what would be patched, what would not be and why, and the worst case. Reads only.
    Plan(PlanArgs),
    /// Plan, start, follow and report one campaign.
    Run(RunArgs),
    /// Go on with a campaign where its log ends.
    Resume(ResumeArgs),
    /// Read results again that could not be read, also of a campaign that is over. Starts nothing.
    Collect(CampaignArgs),
    /// Stop a campaign: nothing more of it is begun, and what runs is cancelled. Then report it.
    Stop(StopArgs),
    /// Approve of a wave that is over, so that the next one may begin. Starts nothing itself.
    Approve(ApproveArgs),
    /// Close a campaign that AWS no longer knows, so that its request's name is free. Starts and stops nothing.
    Abandon(AbandonArgs),
    /// Show how far each campaign of a log has come.
    Status(StatusArgs),
    /// Show what became of every location, and of every node that needs action.
    Report(CampaignArgs),
    /// Show why one location or one node came to what it did, and which records of the log say so.
    Explain(ExplainArgs),
    /// Print the patches that a campaign's nodes have installed, as a list for install_override_list. Starts nothing.
    OverrideList(OverrideListArgs),
    /// The Automation document that campaigns run.
    #[command(subcommand)]
    Runbook(RunbookCommand),
    /// Print the IAM policy that a request needs, for one of the roles. Asks AWS for nothing.
    Iam(IamArgs),
}

impl Command {
    /// What goes to standard output, for the commands that tell scripts of a failure there.
    pub(crate) fn output(&self) -> Option<Output> {
        let args = match self {
            Self::Plan(args) => &args.output,
            Self::Run(args) => &args.output,
            Self::Resume(args) => &args.campaign.output,
            Self::Abandon(args) => &args.output,
            Self::Stop(args) => &args.output,
            Self::Approve(args) => &args.output,
            Self::Collect(args) | Self::Report(args) => &args.output,
            Self::Explain(args) => &args.output,
            Self::Status(args) => &args.output,
            Self::Runbook(RunbookCommand::Ensure { output, .. }) => output,
            // What they print is no report in either form.
            Self::Runbook(RunbookCommand::Print(_)) | Self::Iam(_) | Self::OverrideList(_) => return None,
        };
        Some(args.output)
    }

    /// The folder of campaign logs, for the commands that have one.
    fn log_args(&mut self) -> Option<&mut LogArgs> {
        match self {
            Self::Plan(args) => Some(&mut args.log),
            Self::Run(args) => Some(&mut args.log),
            Self::Resume(args) => Some(&mut args.campaign.log),
            Self::Abandon(args) => Some(&mut args.log),
            Self::Stop(args) => Some(&mut args.log),
            Self::Approve(args) => Some(&mut args.log),
            Self::Collect(args) | Self::Report(args) => Some(&mut args.log),
            Self::Explain(args) => Some(&mut args.log),
            Self::Status(args) => Some(&mut args.log),
            Self::OverrideList(args) => Some(&mut args.log),
            Self::Runbook(_) | Self::Iam(_) => None,
        }
    }

    /// Takes the folder of campaign logs from the environment if no argument names one. Gives the folder, if one is
    /// named. clap would read the variable itself, but takes an empty one for a missing value.
    pub(crate) fn log(&mut self) -> Option<PathBuf> {
        let args = self.log_args()?;
        args.log = args.log.take().or_else(log_of_environment);
        args.log.clone()
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Output {
    /// For people.
    Text,
    /// For scripts: JSON alone on standard output, all else on standard error.
    Json,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum FormatArg {
    Toml,
    Json,
    Yaml,
}

impl From<FormatArg> for Format {
    fn from(format: FormatArg) -> Self {
        match format {
            FormatArg::Toml => Self::Toml,
            FormatArg::Json => Self::Json,
            FormatArg::Yaml => Self::Yaml,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum DepthArg {
    /// Stop at the first node of each location: quick, and without counts.
    Presence,
    /// Count every node, by kind.
    Count,
}

#[derive(Debug, Args)]
pub(crate) struct World {
    /// Run against a simulated organisation: a world file, or a built-in name (calm, troubled, staged, staged-failing).
    #[cfg(feature = "sim")]
    #[arg(long, value_name = "WORLD", num_args = 0..=1, default_missing_value = "calm")]
    pub(crate) sim: Option<String>,
    /// Simulated seconds in a second. Default: what suits the world. Hours in which nothing happens are
    /// skipped.
    #[cfg(feature = "sim")]
    #[arg(long, value_name = "N", requires = "sim", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(crate) sim_speed: Option<u32>,
}

impl World {
    /// Whether the command runs against a simulated organisation.
    pub(crate) fn is_simulated(&self) -> bool {
        self.name().is_some()
    }

    /// The simulated organisation, as it was named.
    pub(crate) fn name(&self) -> Option<&str> {
        #[cfg(feature = "sim")]
        return self.sim.as_deref();
        #[cfg(not(feature = "sim"))]
        None
    }
}

#[derive(Debug, Args)]
pub(crate) struct RequestArgs {
    /// The request: a TOML, JSON or YAML file, or - for standard input. With --sim, the world's own
    /// if left out.
    #[arg(short = 'f', long = "request", value_name = "FILE")]
    pub(crate) request: Option<PathBuf>,
    /// The request's language. Default: what the file's name ends in; for standard input, what its
    /// content looks like.
    #[arg(long, value_enum, requires = "request")]
    pub(crate) format: Option<FormatArg>,
    /// How closely to look into each location.
    #[arg(long, value_enum, default_value_t = DepthArg::Count)]
    pub(crate) depth: DepthArg,
    /// When every command must have expired: an instant such as 2026-03-01T06:00Z, or a time from now
    /// such as 9h. A command that is alive patches and reboots a node whenever it comes back.
    #[arg(long, value_name = "WHEN")]
    pub(crate) cutoff: Option<CutoffArg>,
}

/// When every command must have expired.
#[derive(Debug, Clone, Copy)]
pub(crate) enum CutoffArg {
    At(Timestamp),
    In(SignedDuration),
}

impl std::str::FromStr for CutoffArg {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let duration = text.parse::<SignedDuration>().ok();
        match (
            duration.filter(SignedDuration::is_positive),
            text.parse::<Timestamp>(),
        ) {
            (Some(duration), _) => Ok(Self::In(duration)),
            (None, Ok(at)) => Ok(Self::At(at)),
            (None, Err(_)) => Err(
                "expected an instant with its offset, such as 2026-03-01T06:00Z, or a time from \
                                   now with units, such as 9h or 90m"
                    .to_owned(),
            ),
        }
    }
}

impl CutoffArg {
    /// The cutoff of a plan that is made now.
    pub(crate) fn from(self, now: Timestamp) -> Timestamp {
        match self {
            Self::At(at) => at,
            Self::In(duration) => now.checked_add(duration).unwrap_or(Timestamp::MAX),
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct OutputArgs {
    /// What goes to standard output.
    #[arg(long, value_enum, default_value_t = Output::Text)]
    pub(crate) output: Output,
}

#[derive(Debug, Args)]
pub(crate) struct LogArgs {
    /// Where campaign logs are: a folder, or s3://BUCKET/PREFIX. Default: what PATCHFLEET_LOG names, or else the folder
    /// .patchfleet in the current directory.
    #[arg(long, value_name = "PLACE")]
    pub(crate) log: Option<PathBuf>,
}

/// The folder that `PATCHFLEET_LOG` names. A variable that is empty counts as not set.
fn log_of_environment() -> Option<PathBuf> {
    let log = std::env::var_os("PATCHFLEET_LOG")?;
    let is_empty = log.to_string_lossy().trim().is_empty();
    (!is_empty).then(|| log.into())
}

#[derive(Debug, Args)]
#[command(mut_arg("log", |log| log.help("Where campaign logs are: a folder, or s3://BUCKET/PREFIX. How long a node took in the last campaigns of the request is read there, for the forecast; nothing is written. Default: what PATCHFLEET_LOG names, or else the folder .patchfleet in the current directory; with --sim, none is read")))]
pub(crate) struct PlanArgs {
    #[command(flatten)]
    pub(crate) request: RequestArgs,
    /// Save the plan, for `run --plan`.
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) log: LogArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
    #[command(flatten)]
    pub(crate) world: World,
}

#[derive(Debug, Args)]
#[command(mut_arg("log", |log| log.help("Where campaign logs are: a folder, or s3://BUCKET/PREFIX. Default: what PATCHFLEET_LOG names, or else the folder .patchfleet in the current directory; with --sim, none is kept")))]
pub(crate) struct RunArgs {
    #[command(flatten)]
    pub(crate) request: RequestArgs,
    /// Run a saved plan, with the cutoff that it was saved with. The census is taken again. Any difference is shown and
    /// refused, even if only the nodes are others and their number is the same.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["request", "cutoff"])]
    pub(crate) plan: Option<PathBuf>,
    /// Try again what a campaign that is over has left: its id, or the beginning of it. Nodes that failed, were lost, were not
    /// reached or not run are named in a new campaign of the same request, as far as the request still selects them. So are those
    /// that wait for a reboot which the request lets them have. No other node is: where nobody knows what a node came to, a command
    /// may be at work on it still.
    #[arg(long, value_name = "CAMPAIGN", conflicts_with_all = ["request", "plan", "carry_over"])]
    pub(crate) retry: Option<CampaignArg>,
    /// Begin with what the last campaign of the request left when its window (--cutoff) closed: the nodes that were not run,
    /// and no others. Where it left none, this is a whole new campaign.
    #[arg(long, conflicts_with = "plan")]
    pub(crate) carry_over: bool,
    /// Once the campaign is over, try the nodes once more that it did not reach, in a campaign of its own. The exit code is that of
    /// both: 0 if nothing else was left and the second one brought each of them to its goal. A campaign that was halted gets no
    /// second attempt.
    #[arg(long)]
    pub(crate) second_attempt: bool,
    /// Do not ask before an Install. Without it a question comes where standard input and standard error are a terminal.
    /// If only one of them is, the Install is refused; if neither is, it begins at once. With --yes nobody counts as being
    /// there to see it, so nodes that do not answer may refuse the plan.
    #[arg(short, long)]
    pub(crate) yes: bool,
    #[command(flatten)]
    pub(crate) log: LogArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
    #[command(flatten)]
    pub(crate) world: World,
}

/// A campaign, as a person names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum CampaignArg {
    Id(CampaignId),
    /// The beginning of its id.
    Beginning(String),
}

impl std::str::FromStr for CampaignArg {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_beginning =
            (4..36).contains(&text.len()) && text.chars().all(|c| c.is_ascii_hexdigit() || c == '-');
        match text.parse() {
            Ok(id) => Ok(Self::Id(id)),
            Err(_) if is_beginning => Ok(Self::Beginning(text.to_ascii_lowercase())),
            Err(_) => Err(format!(
                "{text:?} is not a campaign's id of 36 characters, or at least the first 4 characters of one"
            )),
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct CampaignArgs {
    /// The campaign: its id, or the beginning of it, of 4 characters at least. Default: the newest of the log.
    #[arg(value_name = "CAMPAIGN")]
    pub(crate) campaign: Option<CampaignArg>,
    #[command(flatten)]
    pub(crate) log: LogArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

#[derive(Debug, Args)]
#[command(mut_arg("campaign", |campaign| campaign.help("The campaign: its id, or the beginning of it, of 4 characters at least. Default: the newest of the log that is open")))]
pub(crate) struct ResumeArgs {
    #[command(flatten)]
    pub(crate) campaign: CampaignArgs,
    /// Begin what is left of a campaign that stopped because somebody else cancelled something of it. The campaign may
    /// be over, and locations that a cancelled execution did not reach are begun too. What was at work when it was
    /// cancelled stays cancelled. Default campaign: the newest of the log.
    #[arg(long)]
    pub(crate) go_on: bool,
    /// Send the start of an unresolved unit again. Nobody knows whether AWS took that start, and AWS may have forgotten
    /// its client token. patchfleet looks for it once more. If AWS still knows nothing of it, the same bytes are sent
    /// with the same token. `status` names the unresolved units. Give this option once for each unit.
    #[arg(long, value_name = "UNIT", value_parser = unit, conflicts_with = "go_on")]
    pub(crate) send_again: Vec<UnitId>,
}

/// A unit, by its number from 1.
fn unit(text: &str) -> Result<UnitId, String> {
    let number = text.parse::<u32>().ok().and_then(|number| number.checked_sub(1));
    number
        .map(UnitId::from_index)
        .ok_or_else(|| "expected the number of a unit, from 1, as `status` shows it".to_owned())
}

#[derive(Debug, Args)]
#[command(after_help = STOP)]
pub(crate) struct StopArgs {
    /// The campaign: its id, or the beginning of it, of 4 characters at least. Default: the only one of the log that is
    /// open.
    #[arg(value_name = "CAMPAIGN")]
    pub(crate) campaign: Option<CampaignArg>,
    /// Let a location's command go on to its end once it was sent. What has not sent one is stopped.
    #[arg(long)]
    pub(crate) let_commands_run: bool,
    #[command(flatten)]
    pub(crate) log: LogArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

const STOP: &str = "\
It does not ask. It writes into the log first, and from then on no process decides to begin anything of the campaign. A \
start that was decided on just before may still be sent within 30 seconds of its own record; it is looked for, and stopped \
if it took effect. Then it stops every execution, what these began in each location, and the commands there, and so does each process that follows the \
campaign. It waits for the end and collects what became of every node. Nodes that are at work may come to their end, and \
nothing takes a patch back.

The campaign ends halted (exit 5), for good: it is not gone on with, its request's name is free, and a new run patches what \
is still missing. It cannot be taken back. If `stop` itself is interrupted or killed, say it again. What AWS does not let \
patchfleet stop is named, and then the campaign stays open (exit 4) until that has come to its end.";

#[derive(Debug, Args)]
#[command(after_help = ABANDON)]
pub(crate) struct AbandonArgs {
    /// The campaign: its id, or the beginning of it, of 4 characters at least.
    #[arg(value_name = "CAMPAIGN")]
    pub(crate) campaign: CampaignArg,
    #[command(flatten)]
    pub(crate) log: LogArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

const ABANDON: &str = "\
Run it from the account and Region that the campaign was planned from. patchfleet asks AWS about everything that the \
campaign began and that is not over by its log, and AWS has to answer that it knows none of it. A denial, a throttled \
call or a timeout does not count as an answer. The exception is an account that lets nobody look any more, once what ran \
there must have expired. The last command that may have been sent has to have expired as well. It lives for \
its TimeoutSeconds and its steps, for as many turns as its execution has. Under a runbook of your own it counts as alive \
for 30 days, for which AWS keeps executions.

Otherwise abandon is refused with every reason (exit 3). The campaign ends halted (exit 5). Nothing is known of the nodes \
of what it had begun, and the others were not run.";

#[derive(Debug, Args)]
#[command(after_help = APPROVE)]
pub(crate) struct ApproveArgs {
    /// The campaign: its id, or the beginning of it, of 4 characters at least. Default: the only one that is open.
    #[arg(value_name = "CAMPAIGN")]
    pub(crate) campaign: Option<CampaignArg>,
    /// The wave, by its name. Default: the one whose approval is waited for.
    #[arg(long, value_name = "NAME")]
    pub(crate) wave: Option<WaveName>,
    #[command(flatten)]
    pub(crate) log: LogArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

const APPROVE: &str = "\
A wave needs it if its request says `approval = true`, or if its gate is inconclusive, because the results of too few \
nodes are known. `patchfleet status` says which wave waits. Any machine that reaches the log can approve. A wave that is \
not over, or that has failed its gate, is refused (exit 3). A campaign that is over, as its window closed before \
anybody approved, can be approved of as well: what it left begins in a retry, or in the next window with \
`--carry-over`.";

#[derive(Debug, Args)]
pub(crate) struct StatusArgs {
    /// One campaign: its id, or the beginning of it, of 4 characters at least. Default: all of the log, the newest first.
    #[arg(value_name = "CAMPAIGN")]
    pub(crate) campaign: Option<CampaignArg>,
    #[command(flatten)]
    pub(crate) log: LogArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

#[derive(Debug, Args)]
pub(crate) struct ExplainArgs {
    /// The location (111122223333/eu-west-1) or the node (i-…, mi-…).
    #[arg(value_name = "LOCATION|NODE")]
    pub(crate) subject: String,
    /// The campaign: its id, or the beginning of it, of 4 characters at least. Default: the newest of the log that knows
    /// the location or node.
    #[arg(long, value_name = "CAMPAIGN")]
    pub(crate) campaign: Option<CampaignArg>,
    #[command(flatten)]
    pub(crate) log: LogArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

#[derive(Debug, Args)]
#[command(after_help = OVERRIDE_LIST)]
pub(crate) struct OverrideListArgs {
    /// The campaign: its id, or the beginning of it, of 4 characters at least. Default: the newest of the log.
    #[arg(value_name = "CAMPAIGN")]
    pub(crate) campaign: Option<CampaignArg>,
    /// The wave, by its name, as the plan has it. Default: all waves.
    #[arg(long, value_name = "NAME")]
    pub(crate) wave: Option<WaveName>,
    #[command(flatten)]
    pub(crate) log: LogArgs,
}

const OVERRIDE_LIST: &str = "\
It prints YAML on standard output, and all else on standard error. With it in a bucket, \
`patch.install_override_list = \"s3://BUCKET/list.yaml\"` has a later request install the same patches, also when AWS no \
longer has the campaign's snapshot of the patch baseline.

AWS is asked now about each node that was installed on and is done or waits for a reboot, with at least two calls a node \
(DescribeInstancePatches). A node that cannot be read is named with the reason.

Exit codes: 0 the list has everything; 2 the campaign or the wave only scanned, or there is no such wave; 4 the \
campaign is not over there, a node could not be read, a patch cannot be named in a list, or no node is done. In the last case nothing is printed on standard output.";

#[derive(Debug, Subcommand)]
pub(crate) enum RunbookCommand {
    /// Print the runbook's content (schema 0.3, JSON).
    Print(RunbookArgs),
    /// Create or update it in the central account and Region, and make it the default version.
    ///
    /// With a request also in each other Region that the request names. What is right already is left alone.
    Ensure {
        #[command(flatten)]
        runbook: RunbookArgs,
        /// The request whose Regions and accounts are meant: a TOML, JSON or YAML file, or - for standard input.
        #[arg(short = 'f', long = "request", value_name = "FILE")]
        request: Option<PathBuf>,
        /// The request's language. Default: what the file's name ends in; for standard input, what its content looks like.
        #[arg(long, value_enum, requires = "request")]
        format: Option<FormatArg>,
        /// Share it in each of these Regions with the request's accounts there. No share is ever taken away.
        #[arg(long, requires = "request")]
        share: bool,
        #[command(flatten)]
        output: OutputArgs,
        #[command(flatten)]
        world: World,
    },
}

#[derive(Debug, Args)]
#[command(after_help = IAM)]
pub(crate) struct IamArgs {
    /// Whose policy.
    #[arg(long = "for", value_enum, value_name = "ROLE")]
    pub(crate) party: PartyArg,
    /// The request: a TOML, JSON or YAML file, or - for standard input.
    #[arg(short = 'f', long = "request", value_name = "FILE")]
    pub(crate) request: PathBuf,
    /// The request's language. Default: what the file's name ends in; for standard input, what its
    /// content looks like.
    #[arg(long, value_enum)]
    pub(crate) format: Option<FormatArg>,
    /// The central account. Default: that of automation.assume_role, or else a * in its place.
    #[arg(long, value_name = "ACCOUNT")]
    pub(crate) central: Option<AccountId>,
    /// The log's place in a bucket, s3://BUCKET/PREFIX: the policy for management also has what that takes.
    #[arg(long, value_name = "URI")]
    pub(crate) log: Option<S3Uri>,
    /// The runbook will be shared (runbook ensure --share): the policy for management also has what that takes.
    #[arg(long)]
    pub(crate) share: bool,
    /// As what the policy is printed.
    #[arg(long, value_enum, default_value_t = PolicyOutput::Json)]
    pub(crate) output: PolicyOutput,
}

const IAM: &str = "\
The policy says what the role may do, and not who may assume it. docs/permissions.md has that, and the template \
patchfleet-examples/deploy/execution-role.yaml makes a role for an account whose nodes are patched. A runbook of your own \
needs, beside the policy for execution, what its other steps do.";

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum PartyArg {
    /// Whoever runs patchfleet, in the central account.
    Management,
    /// What Automation runs with in the central account.
    Administration,
    /// What Automation runs with in each account whose nodes are patched.
    Execution,
    /// What patchfleet reads with in each other account.
    Discovery,
    /// What patchfleet sends commands with in each other account, if access.send_role names a role for that.
    Sending,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum PolicyOutput {
    /// A policy document, as IAM takes it.
    Json,
    /// A managed policy for Terraform or OpenTofu.
    Terraform,
    /// A template with a managed policy.
    Cloudformation,
}

#[derive(Debug, Args)]
pub(crate) struct RunbookArgs {
    /// Seconds after which a location's step ends, whatever its command does.
    #[arg(long, value_name = "SECONDS")]
    pub(crate) step_timeout: Option<u32>,
}
