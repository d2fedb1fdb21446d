output "window_id" {
  description = "The window, for `aws ssm describe-maintenance-window-executions`."
  value       = aws_ssm_maintenance_window.this.id
}

output "service_role_arn" {
  description = "The role that the task runs with."
  value       = aws_iam_role.service.arn
}
