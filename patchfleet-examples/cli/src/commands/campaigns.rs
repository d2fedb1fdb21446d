//! `patchfleet status` and `patchfleet report`: what a log says. They ask AWS nothing.

use super::run::{Store, find, listed, log_dir, newest, print_report};
use super::{print_json, print_text};
use crate::args::{CampaignArgs, Output, StatusArgs};
use crate::exit::Failure;
use patchfleet_core::campaign::CampaignSummary;
use patchfleet_core::outcome::FinishedOutcome;
use patchfleet_core::report::Report;
use patchfleet_core::text::one_line;
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::process::ExitCode;

pub(crate) async fn report(args: CampaignArgs) -> Result<ExitCode, Failure> {
    let dir = log_dir(&args.log)?;
    let campaign = match args.campaign {
        Some(campaign) => campaign,
        None => newest(&dir)?,
    };
    let store = Store::at(&dir);
    let state = find(store.log.as_ref(), campaign).await?;
    print_report(
        &Report::build(&state, store.rows.as_ref()).await?,
        args.output.output,
    )
}

pub(crate) fn status(args: &StatusArgs) -> Result<ExitCode, Failure> {
    let all = listed(&log_dir(&args.log)?)?;
    let campaigns: Vec<_> = all
        .iter()
        .filter(|summary| args.campaign.is_none_or(|wanted| wanted == summary.campaign))
        .collect();
    match args.output.output {
        Output::Json => print_json(
            &campaigns
                .iter()
                .map(|campaign| as_json(campaign))
                .collect::<Vec<_>>(),
        )?,
        Output::Text if campaigns.is_empty() => print_text("no campaigns\n")?,
        Output::Text => {
            let mut text = String::new();
            for campaign in campaigns {
                // Writing to a String cannot fail.
                let _ = writeln!(
                    text,
                    "  {}  {:<24} {:<14} planned {:.0}, last record {:.0}",
                    campaign.campaign,
                    campaign.request,
                    outcome(campaign),
                    campaign.planned_at,
                    campaign.last_at,
                );
                if let Some(reason) = &campaign.left_out_because {
                    let _ = writeln!(text, "      nothing more was begun: {}", one_line(reason));
                }
                for warning in &campaign.warnings {
                    let _ = writeln!(text, "      {}", one_line(warning));
                }
            }
            print_text(&text)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn outcome(campaign: &CampaignSummary) -> &'static str {
    campaign.finished.map_or("open", FinishedOutcome::as_str)
}

fn as_json(campaign: &CampaignSummary) -> Value {
    json!({
        "campaign_id": campaign.campaign,
        "request": campaign.request,
        "outcome": outcome(campaign),
        "planned_at": campaign.planned_at,
        "last_at": campaign.last_at,
        "left_out_because": campaign.left_out_because,
        "warnings": campaign.warnings,
    })
}
