//! `patchfleet iam`: what IAM has to allow for a request.

use super::print_text;
use crate::args::{IamArgs, PartyArg, PolicyOutput};
use crate::exit::Failure;
use crate::input;
use patchfleet_aws::iam::{Party, Policy};
use std::process::ExitCode;

pub(crate) fn iam(args: &IamArgs) -> Result<ExitCode, Failure> {
    let request = input::request(&args.request, args.format.map(Into::into))?;
    let party = match args.party {
        PartyArg::Management => Party::Management,
        PartyArg::Administration => Party::Administration,
        PartyArg::Execution => Party::Execution,
        PartyArg::Discovery => Party::Discovery,
        PartyArg::Sending => Party::Sending,
    };
    let mut policy = Policy::of(party, &request, args.central.as_ref());
    if policy.is_empty() && party == Party::Sending {
        return Err(Failure::Usage(
            "the request names no role of its own for sending commands (access.send_role, with automation.dispatch = \
             \"run-command\"), so there is no policy for it"
                .to_owned(),
        ));
    }
    if policy.is_empty() {
        return Err(Failure::Usage(format!(
            "by automation.dispatch = \"run-command\" no automation runs, so the {} role has nothing to do and needs no \
             policy: the {} role sends the commands",
            party.as_str(),
            Party::Discovery.as_str(),
        )));
    }
    if let Some(uri) = &args.log {
        policy = policy.with_log(uri);
    }
    if args.share {
        policy = policy.with_sharing();
    }
    if let Some(places) = request.output.in_words() {
        eprintln!(
            "note: by [output] the nodes write to {places}, each with its own role: that of its instance profile, or a \
             hybrid node's service role. None of the policies is for that one; docs/permissions.md says what it needs"
        );
    }
    let text = match args.output {
        PolicyOutput::Json => policy.to_json(),
        PolicyOutput::Terraform => policy.to_terraform(),
        PolicyOutput::Cloudformation => policy.to_cloudformation(),
    };
    print_text(&format!("{text}\n"))?;
    Ok(ExitCode::SUCCESS)
}
