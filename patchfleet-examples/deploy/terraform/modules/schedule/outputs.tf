output "schedule_arn" {
  description = "The schedule."
  value       = aws_scheduler_schedule.this.arn
}

output "dead_letter_queue_url" {
  description = "Where starts are kept that were given up."
  value       = aws_sqs_queue.dead_letters.id
}

output "role_arn" {
  description = "The role that Scheduler starts the state machine with."
  value       = aws_iam_role.this.arn
}
