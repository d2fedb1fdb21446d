//! The resource that a denial names.
//!
//! Recorded: a SendCommand that is denied names the document or the node. AWS's service authorization
//! reference says which operations have a resource of their own. The others name everything of the
//! account.

use super::{Caller, Service};
use serde_json::Value;

/// The ARN that a denial of `operation` names.
pub(super) fn of(caller: &Caller, service: Service, operation: &str, input: &Value) -> String {
    let Caller { account, region, .. } = caller;
    let (partition, name) = (region.partition(), service.name());
    let text = |member: &str| input.get(member).and_then(Value::as_str);
    let first = |member: &str| input.get(member)?.as_array()?.first()?.as_str();
    let in_place = |rest: &str| format!("arn:{partition}:{name}:{region}:{account}:{rest}");
    let all = || in_place("*");
    match (service, operation) {
        (
            Service::Ssm,
            "SendCommand"
            | "StartAutomationExecution"
            | "CreateDocument"
            | "UpdateDocument"
            | "GetDocument"
            | "DescribeDocument"
            | "DeleteDocument"
            | "UpdateDocumentDefaultVersion"
            | "ModifyDocumentPermission"
            | "DescribeDocumentPermission"
            | "ListDocumentVersions",
        ) => match text("DocumentName").or_else(|| text("Name")) {
            Some(arn) if arn.starts_with("arn:") => arn.to_owned(),
            // Amazon's own documents belong to no account.
            Some(document) if document.starts_with("AWS-") => {
                format!("arn:{partition}:ssm:{region}::document/{document}")
            }
            Some(document) => in_place(&format!("document/{document}")),
            None => all(),
        },
        (
            Service::Ssm,
            "GetAutomationExecution"
            | "StopAutomationExecution"
            | "SendAutomationSignal"
            | "DescribeAutomationStepExecutions",
        ) => text("AutomationExecutionId")
            .map_or_else(all, |id| in_place(&format!("automation-execution/{id}"))),
        (Service::Ssm, "DescribeInstancePatchStates" | "DescribeInstancePatches") => {
            match first("InstanceIds").or_else(|| text("InstanceId")) {
                Some(id) if id.starts_with("mi-") => in_place(&format!("managed-instance/{id}")),
                Some(id) => format!("arn:{partition}:ec2:{region}:{account}:instance/{id}"),
                None => all(),
            }
        }
        (Service::ResourceGroups, "SearchResources" | "ListGroups" | "CreateGroup") => "*".to_owned(),
        (Service::ResourceGroups, _) => match text("Group").or_else(|| text("GroupName")) {
            Some(arn) if arn.starts_with("arn:") => arn.to_owned(),
            Some(group) => in_place(&format!("group/{group}")),
            None => all(),
        },
        (Service::Sts, _) => text("RoleArn").unwrap_or("*").to_owned(),
        (Service::S3, _) => {
            let bucket = text("Bucket").unwrap_or("*");
            let key = text("Key").map_or_else(String::new, |key| format!("/{key}"));
            format!("arn:{partition}:s3:::{bucket}{key}")
        }
        (Service::Account, _) => format!("arn:{partition}:account::{account}:account"),
        (Service::Organizations | Service::Tagging | Service::CloudWatch, _) => "*".to_owned(),
        (Service::Ssm, _) => all(),
    }
}
