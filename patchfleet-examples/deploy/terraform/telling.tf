# --- Who is told.

resource "aws_sns_topic" "told" {
  name_prefix = "${var.name}-"
}

resource "aws_sns_topic_policy" "told" {
  arn = aws_sns_topic.told.arn

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "Alarms"
        Effect    = "Allow"
        Principal = { Service = "cloudwatch.amazonaws.com" }
        Action    = "sns:Publish"
        Resource  = aws_sns_topic.told.arn
        Condition = { StringEquals = { "aws:SourceAccount" = local.account } }
      },
      # A topic takes no condition for EventBridge (its user guide, on resource-based policies).
      {
        Sid       = "RuleUntold"
        Effect    = "Allow"
        Principal = { Service = "events.amazonaws.com" }
        Action    = "sns:Publish"
        Resource  = aws_sns_topic.told.arn
      },
    ]
  })
}

resource "aws_sns_topic_subscription" "email" {
  count     = var.notify_email == null ? 0 : 1
  topic_arn = aws_sns_topic.told.arn
  protocol  = "email"
  endpoint  = var.notify_email
}

# An execution that ended without a word of its own: stopped by hand, at the end of its events, or where the topic could not
# be reached.
resource "aws_cloudwatch_event_rule" "untold" {
  name_prefix = "${var.name}-"
  description = "Executions of the state machine that ended without telling anybody"

  event_pattern = jsonencode({
    source      = ["aws.states"]
    detail-type = ["Step Functions Execution Status Change"]
    detail = {
      stateMachineArn = [aws_sfn_state_machine.this.arn]
      "$or" = [
        { status = ["TIMED_OUT", "ABORTED"] },
        { status = ["FAILED"], error = [{ anything-but = { prefix = "Campaign" } }, null] },
      ]
    }
  })
}

resource "aws_cloudwatch_event_target" "untold" {
  rule = aws_cloudwatch_event_rule.untold.name
  arn  = aws_sns_topic.told.arn

  input_transformer {
    input_paths = {
      name   = "$.detail.name"
      status = "$.detail.status"
      arn    = "$.detail.executionArn"
    }

    input_template = "\"patchfleet: the execution <name> ended as <status>, and told nobody how its campaign stands. Its input says which campaign it is, and what it ended with says why: <arn>. Look with patchfleet status --log ${local.log_uri} and go on with patchfleet resume, or with an execution whose input is the campaign_id.\""
  }
}

resource "aws_cloudwatch_metric_alarm" "function_errors" {
  alarm_name          = "${var.name}-function-errors"
  alarm_description   = "patchfleet: the function failed. The state machine tries again; its log says why."
  namespace           = "AWS/Lambda"
  metric_name         = "Errors"
  dimensions          = { FunctionName = aws_lambda_function.this.function_name }
  statistic           = "Sum"
  period              = 300
  evaluation_periods  = 1
  threshold           = 1
  comparison_operator = "GreaterThanOrEqualToThreshold"
  treat_missing_data  = "notBreaching"
  alarm_actions       = [aws_sns_topic.told.arn]
}

resource "aws_cloudwatch_metric_alarm" "executions_failed" {
  alarm_name          = "${var.name}-executions-failed"
  alarm_description   = "patchfleet: an execution of the state machine failed, was stopped or timed out."
  evaluation_periods  = 1
  threshold           = 1
  comparison_operator = "GreaterThanOrEqualToThreshold"
  treat_missing_data  = "notBreaching"
  alarm_actions       = [aws_sns_topic.told.arn]

  metric_query {
    id          = "ended"
    expression  = "FILL(failed, 0) + FILL(stopped, 0) + FILL(late, 0)"
    label       = "Executions that did not end well"
    return_data = true
  }

  dynamic "metric_query" {
    for_each = { failed = "ExecutionsFailed", stopped = "ExecutionsAborted", late = "ExecutionsTimedOut" }

    content {
      id          = metric_query.key
      return_data = false

      metric {
        namespace   = "AWS/States"
        metric_name = metric_query.value
        dimensions  = { StateMachineArn = aws_sfn_state_machine.this.arn }
        stat        = "Sum"
        period      = 300
      }
    }
  }
}

# --- Stop by a message.

resource "aws_sns_topic" "stop" {
  count       = var.stop_by_topic ? 1 : 0
  name_prefix = "${var.name}-stop-"
}

resource "aws_sns_topic_policy" "stop" {
  count = var.stop_by_topic ? 1 : 0
  arn   = aws_sns_topic.stop[0].arn

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "AlarmsOfThisAccount"
      Effect    = "Allow"
      Principal = { Service = "cloudwatch.amazonaws.com" }
      Action    = "sns:Publish"
      Resource  = aws_sns_topic.stop[0].arn
      Condition = { StringEquals = { "aws:SourceAccount" = local.account } }
    }]
  })
}

resource "aws_sns_topic_subscription" "stop" {
  count     = var.stop_by_topic ? 1 : 0
  topic_arn = aws_sns_topic.stop[0].arn
  protocol  = "lambda"
  endpoint  = aws_lambda_function.this.arn

  depends_on = [aws_lambda_permission.stop]
}

resource "aws_lambda_permission" "stop" {
  count         = var.stop_by_topic ? 1 : 0
  function_name = aws_lambda_function.this.function_name
  action        = "lambda:InvokeFunction"
  principal     = "sns.amazonaws.com"
  source_arn    = aws_sns_topic.stop[0].arn
}
