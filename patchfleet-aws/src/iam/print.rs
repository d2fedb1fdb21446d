//! A policy as text.

use super::{Policy, Statement};
use serde_json::{Value, json};

impl Policy {
    /// As IAM takes it: a policy document in JSON.
    #[must_use]
    pub fn to_json(&self) -> String {
        pretty(&self.document())
    }

    /// As Terraform and OpenTofu take it: a managed policy.
    #[must_use]
    pub fn to_terraform(&self) -> String {
        let word = self.party.as_str();
        // JSON reads as an expression of HCL. There `${` and `%{` begin a template, unless their first letter stands twice.
        let document = pretty(&self.document()).replace("${", "$${").replace("%{", "%%{");
        let document = document.replace('\n', "\n  ");
        format!(
            "resource \"aws_iam_policy\" \"patchfleet_{word}\" {{\n  name_prefix = \"patchfleet-{word}-\"\n  policy = \
             jsonencode({document})\n}}"
        )
    }

    /// As CloudFormation takes it: a template with a managed policy, whose output is the policy's ARN.
    #[must_use]
    pub fn to_cloudformation(&self) -> String {
        let word = self.party.as_str();
        pretty(&json!({
            "AWSTemplateFormatVersion": "2010-09-09",
            "Description": format!("What patchfleet's {word} role has to be allowed"),
            "Resources": {
                "Policy": {
                    "Type": "AWS::IAM::ManagedPolicy",
                    "Properties": { "PolicyDocument": self.document() },
                },
            },
            "Outputs": {
                "PolicyArn": { "Description": "Attach it to the role", "Value": { "Ref": "Policy" } },
            },
        }))
    }

    fn document(&self) -> Value {
        let statements: Vec<Value> = self.statements.iter().map(Statement::to_value).collect();
        json!({ "Version": "2012-10-17", "Statement": statements })
    }
}

fn pretty(value: &Value) -> String {
    format!("{value:#}")
}
