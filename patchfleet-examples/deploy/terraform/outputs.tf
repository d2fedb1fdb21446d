output "function_arn" {
  description = "The function, for a maintenance window's Lambda task."
  value       = aws_lambda_function.this.arn
}

output "function_role_arn" {
  description = "Its role, for CallerRoleArns of execution-role.yaml."
  value       = aws_iam_role.function.arn
}

output "administration_role_arn" {
  description = "The role that Automation assumes here, for automation.assume_role of a request and AdministrationRoleArn of execution-role.yaml."
  value       = local.administration_role_arn
}

output "state_machine_arn" {
  description = "The state machine, for a schedule."
  value       = aws_sfn_state_machine.this.arn
}

output "function_log_group_name" {
  description = "Where the function's log lines are, for `aws logs tail`."
  value       = aws_cloudwatch_log_group.function.name
}

output "log_uri" {
  description = "Where campaigns are written down, for --log of the command."
  value       = local.log_uri
}

output "topic_arn" {
  description = "The topic that tells how each campaign ended, for further subscriptions."
  value       = aws_sns_topic.told.arn
}

output "stop_topic_arn" {
  description = "A message to this topic stops the campaign that it names, or the only one that is open. Null without stop_by_topic."
  value       = one(aws_sns_topic.stop[*].arn)
}
