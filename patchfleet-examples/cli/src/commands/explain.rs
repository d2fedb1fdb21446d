//! `patchfleet explain`: why a location or a node came to what it did, by what a log says. It asks AWS nothing.

use super::{print_json, print_text};
use crate::args::{ExplainArgs, Output};
use crate::exit::Failure;
use crate::log::Logs;
use patchfleet_core::campaign::State;
use patchfleet_core::id::{CampaignId, Location};
use patchfleet_core::report::{Subject, SubjectError};
use patchfleet_core::text::names;
use std::process::ExitCode;

pub(crate) async fn explain(args: ExplainArgs) -> Result<ExitCode, Failure> {
    let subject: Result<Subject, SubjectError> = args.subject.parse();
    let logs = Logs::given(&args.log).await?;
    let campaigns = logs.named_or_all(args.campaign).await?;
    let subject = match subject {
        Ok(subject) => subject,
        Err(error) => return Err(no_subject(&logs, &campaigns, &error, &args.subject).await),
    };
    for campaign in &campaigns {
        let now = logs.now_for(*campaign).await?;
        let Some(explanation) = logs.watched.explain(*campaign, &subject, now).await? else {
            continue;
        };
        let explanation = explanation.in_log(args.log.log.as_deref());
        match args.output.output {
            Output::Text => print_text(&explanation.to_text())?,
            Output::Json => print_json(&explanation)?,
        }
        return Ok(ExitCode::SUCCESS);
    }
    Err(unknown(&logs, &campaigns, &subject).await)
}

/// The failure of a text that is neither a location nor a node. What the newest campaign has that is like it is named.
async fn no_subject(logs: &Logs, campaigns: &[CampaignId], error: &SubjectError, text: &str) -> Failure {
    let like = match newest(logs, campaigns).await {
        Some(state) => like(&state, text),
        None => String::new(),
    };
    Failure::Usage(format!("{error}{like}"))
}

/// The failure of a location or a node that nothing knows. It names what was looked through.
async fn unknown(logs: &Logs, campaigns: &[CampaignId], subject: &Subject) -> Failure {
    let place = logs.in_place();
    let looked = match campaigns {
        [one] => format!("campaign {one}{place} does not know {subject}"),
        several => format!(
            "none of the {} campaigns{place} knows {subject}; looked through {}",
            several.len(),
            names(several)
        ),
    };
    let near = match subject {
        Subject::Location(Location { account, .. }) => account.to_string(),
        other => other.to_string(),
    };
    let like = match newest(logs, campaigns).await {
        Some(state) => like(&state, &near),
        None => String::new(),
    };
    let why = match subject {
        Subject::Node(_) => {
            ". A campaign knows the nodes of its plan and those that it found when it read the results"
        }
        _ => "",
    };
    Failure::Usage(format!("{looked}{why}{like}"))
}

async fn newest(logs: &Logs, campaigns: &[CampaignId]) -> Option<State> {
    logs.find(*campaigns.first()?).await.ok()
}

/// What a campaign has that a text may mean, in words; empty if it has nothing like it.
fn like(state: &State, text: &str) -> String {
    let like = Subject::like(state, text);
    match like.is_empty() {
        true => String::new(),
        false => format!(". Campaign {} has {}", state.campaign(), names(like)),
    }
}
