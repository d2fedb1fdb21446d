# A schedule that starts a campaign, as schedule.yaml makes it.

data "aws_caller_identity" "this" {}

locals {
  named = var.administration_role_arn == null ? {} : { assume_role = var.administration_role_arn }
  whole = merge(
    { for key, value in var.request : key => value if key != "automation" },
    { for key, value in { automation = merge(local.named, try(var.request.automation, {})) } : key => value if length(value) > 0 },
  )

  # What Scheduler fills in is the same whenever one start is tried again, so a start that arrives twice is one campaign.
  # <aws.scheduler.execution-id> would differ.
  event = merge(
    { event_id = "<aws.scheduler.schedule-arn> <aws.scheduler.scheduled-time>" },
    { request = local.whole },
    var.cutoff == null ? {} : { cutoff = var.cutoff },
    var.carry_over ? { carry_over = true } : {},
    var.second_attempt ? { second_attempt = true } : {},
  )

  # jsonencode writes angle brackets as codes. Scheduler would not know its own names by them.
  input = replace(replace(jsonencode(local.event), "\\u003c", "<"), "\\u003e", ">")
}

# A group of its own, since the role below can be bound to a group and not to a schedule.
resource "aws_scheduler_schedule_group" "this" {
  name = var.name
}

resource "aws_scheduler_schedule" "this" {
  name                         = var.name
  group_name                   = aws_scheduler_schedule_group.this.name
  description                  = "Patching by patchfleet"
  schedule_expression          = var.schedule_expression
  schedule_expression_timezone = var.time_zone
  state                        = var.enabled ? "ENABLED" : "DISABLED"

  flexible_time_window {
    mode                      = var.flexible_minutes == 0 ? "OFF" : "FLEXIBLE"
    maximum_window_in_minutes = var.flexible_minutes == 0 ? null : var.flexible_minutes
  }

  target {
    arn      = var.state_machine_arn
    role_arn = aws_iam_role.this.arn
    input    = local.input

    dead_letter_config {
      arn = aws_sqs_queue.dead_letters.arn
    }

    retry_policy {
      maximum_event_age_in_seconds = var.retry_minutes * 60
      maximum_retry_attempts       = 185
    }
  }

  depends_on = [aws_iam_role_policy.starting]

  lifecycle {
    precondition {
      condition     = !var.carry_over || var.cutoff != null
      error_message = "carry_over: a campaign without a cutoff leaves nothing to the next one."
    }
  }
}

resource "aws_iam_role" "this" {
  name_prefix          = "${var.name}-"
  description          = "EventBridge Scheduler starts campaigns of patchfleet with it"
  permissions_boundary = var.permissions_boundary_arn

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "scheduler.amazonaws.com" }
      Action    = "sts:AssumeRole"
      Condition = {
        StringEquals = {
          "aws:SourceAccount" = data.aws_caller_identity.this.account_id
          "aws:SourceArn"     = aws_scheduler_schedule_group.this.arn
        }
      }
    }]
  })
}

resource "aws_iam_role_policy" "starting" {
  name = "starting"
  role = aws_iam_role.this.id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid      = "StartTheStateMachine"
        Effect   = "Allow"
        Action   = "states:StartExecution"
        Resource = var.state_machine_arn
      },
      {
        Sid      = "KeepWhatWasNotStarted"
        Effect   = "Allow"
        Action   = "sqs:SendMessage"
        Resource = aws_sqs_queue.dead_letters.arn
      },
    ]
  })
}

# Starts that were given up. They stay for two weeks, so that nobody has to hurry.
resource "aws_sqs_queue" "dead_letters" {
  name_prefix               = "${var.name}-"
  message_retention_seconds = 1209600
  sqs_managed_sse_enabled   = true
}

resource "aws_sqs_queue_policy" "only_by_tls" {
  queue_url = aws_sqs_queue.dead_letters.id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Deny"
      Principal = "*"
      Action    = "sqs:*"
      Resource  = aws_sqs_queue.dead_letters.arn
      Condition = { Bool = { "aws:SecureTransport" = "false" } }
    }]
  })
}

resource "aws_cloudwatch_metric_alarm" "not_started" {
  count               = var.tell ? 1 : 0
  alarm_name          = "${var.name}-not-started"
  alarm_description   = "patchfleet: a campaign was not started. The reason is in the queue ${aws_sqs_queue.dead_letters.name}."
  namespace           = "AWS/SQS"
  metric_name         = "ApproximateNumberOfMessagesVisible"
  dimensions          = { QueueName = aws_sqs_queue.dead_letters.name }
  statistic           = "Maximum"
  period              = 300
  evaluation_periods  = 1
  threshold           = 0
  comparison_operator = "GreaterThanThreshold"
  treat_missing_data  = "notBreaching"
  alarm_actions       = [var.topic_arn]

  lifecycle {
    precondition {
      condition     = var.topic_arn != null
      error_message = "tell needs topic_arn."
    }
  }
}
