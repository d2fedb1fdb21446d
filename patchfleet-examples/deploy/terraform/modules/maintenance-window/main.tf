# A maintenance window that starts a campaign, as maintenance-window.yaml makes it.

data "aws_caller_identity" "this" {}
data "aws_partition" "this" {}
data "aws_region" "this" {}

locals {
  account   = data.aws_caller_identity.this.account_id
  partition = data.aws_partition.this.partition
  region    = data.aws_region.this.region

  # Half an hour less than the window. The task begins a little after the window opens, and Lambda may deliver its event 20
  # minutes later.
  after = var.keep_within_window ? "${var.duration - 1}h30m" : ""

  # An empty text counts as absent.
  payload = jsonencode({
    WindowExecutionId            = "{{WINDOW_EXECUTION_ID}}"
    Cutoff                       = local.after
    CarryOver                    = var.carry_over ? "true" : ""
    SecondAttempt                = var.second_attempt ? "true" : ""
    Regions                      = join(",", var.regions)
    ResourceGroup                = var.resource_group
    Operation                    = var.operation
    RebootOption                 = var.reboot_option
    InstallOverrideList          = var.install_override_list == null ? "" : var.install_override_list
    MaxConcurrency               = var.max_concurrency
    MaxErrors                    = var.max_errors
    Offline                      = var.nodes_that_do_not_answer
    TargetAccounts               = join(",", var.target_accounts)
    IncludeChildOUs              = tostring(var.include_child_ous)
    TargetLocationMaxConcurrency = var.target_location_max_concurrency
    TargetLocationMaxErrors      = var.target_location_max_errors
    ExecutionRoleName            = var.execution_role_name
    AutomationAssumeRole         = var.administration_role_arn == null ? "" : var.administration_role_arn
    DocumentName                 = var.document_name == null ? "" : var.document_name
  })
}

resource "aws_ssm_maintenance_window" "this" {
  name                       = var.name
  description                = "Patching by patchfleet. Owner: ${var.owner_information}"
  schedule                   = var.schedule
  schedule_timezone          = var.time_zone
  schedule_offset            = var.schedule_offset
  duration                   = var.duration
  cutoff                     = var.cutoff
  enabled                    = var.enabled
  allow_unassociated_targets = false

  lifecycle {
    precondition {
      condition     = var.cutoff < var.duration
      error_message = "cutoff has to be less than duration."
    }

    precondition {
      condition     = !var.keep_within_window || var.duration >= 7
      error_message = "keep_within_window: a command lives for more than 6 hours, so duration has to be at least 7, or keep_within_window false."
    }

    precondition {
      condition     = !var.carry_over || var.keep_within_window
      error_message = "carry_over: a campaign that may outlive its window leaves nothing to the next one, so keep_within_window has to be true."
    }
  }
}

# Neither targets nor max_concurrency nor max_errors: a task without targets may not have the last two.
resource "aws_ssm_maintenance_window_task" "this" {
  window_id        = aws_ssm_maintenance_window.this.id
  task_type        = "LAMBDA"
  task_arn         = var.function_arn
  service_role_arn = aws_iam_role.service.arn
  priority         = 1
  cutoff_behavior  = "CONTINUE_TASK"

  task_invocation_parameters {
    lambda_parameters {
      payload = local.payload
    }
  }

  lifecycle {
    # Systems Manager fills in an id of 36 characters, which the payload's limit counts too.
    precondition {
      condition     = length(local.payload) + 13 <= 4096
      error_message = "The payload is longer than the 4,096 bytes that Systems Manager takes. Name organizational units instead of accounts."
    }

    precondition {
      condition     = contains(["", "Patchfleet-RunPatchBaseline"], var.document_name == null ? "" : var.document_name) || var.nodes_that_do_not_answer != "skip"
      error_message = "nodes_that_do_not_answer: a runbook of your own (document_name) cannot be told which nodes to take, so it has to be target or refuse."
    }

    precondition {
      condition     = contains(["", "Patchfleet-RunPatchBaseline"], var.document_name == null ? "" : var.document_name) || !var.carry_over
      error_message = "carry_over: a runbook of your own (document_name) cannot be told which nodes to take, so it has to be false."
    }

    precondition {
      condition     = contains(["", "Patchfleet-RunPatchBaseline"], var.document_name == null ? "" : var.document_name) || !var.second_attempt
      error_message = "second_attempt: a runbook of your own (document_name) cannot be told which nodes to take, so it has to be false."
    }
  }

  depends_on = [aws_iam_role_policy.call_the_function]
}

resource "aws_iam_role" "service" {
  name_prefix          = "${var.name}-"
  description          = "The maintenance window of patchfleet calls its function with it"
  permissions_boundary = var.permissions_boundary_arn

  # AWS does not document whether a window names its account and itself here. What it names has to be this one.
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "ssm.amazonaws.com" }
      Action    = "sts:AssumeRole"
      Condition = {
        StringEqualsIfExists = { "aws:SourceAccount" = local.account }
        ArnLikeIfExists      = { "aws:SourceArn" = "arn:${local.partition}:ssm:${local.region}:${local.account}:*" }
      }
    }]
  })
}

resource "aws_iam_role_policy" "call_the_function" {
  name = "call-the-function"
  role = aws_iam_role.service.id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect   = "Allow"
      Action   = "lambda:InvokeFunction"
      Resource = var.function_arn
    }]
  })
}

# A window that could not call the function writes no log of patchfleet's.
resource "aws_cloudwatch_event_rule" "failed" {
  count       = var.tell ? 1 : 0
  name_prefix = "${var.name}-"
  description = "Tells of a maintenance window of patchfleet that failed, was skipped or cancelled"

  event_pattern = jsonencode({
    source      = ["aws.ssm"]
    detail-type = ["Maintenance Window Execution State-change Notification"]
    detail = {
      window-id = [aws_ssm_maintenance_window.this.id]
      status    = ["FAILED", "TIMED_OUT", "CANCELLED", "SKIPPED_OVERLAPPING"]
    }
  })
}

resource "aws_cloudwatch_event_target" "failed" {
  count    = var.tell ? 1 : 0
  rule     = aws_cloudwatch_event_rule.failed[0].name
  arn      = var.topic_arn
  role_arn = aws_iam_role.telling[0].arn

  input_transformer {
    input_paths = {
      window    = "$.detail.window-id"
      execution = "$.detail.window-execution-id"
      status    = "$.detail.status"
      region    = "$.region"
    }

    input_template = join("\n", [
      "\"patchfleet: the maintenance window <window> (${var.name}) ended as <status> (execution <execution>, Region <region>).\"",
      "\"Nothing may have been patched. What the function said is in its log group; what was begun is shown by: patchfleet status\"",
      "\"Owner: ${var.owner_information}\"",
    ])
  }

  lifecycle {
    precondition {
      condition     = var.topic_arn != null
      error_message = "tell needs topic_arn."
    }
  }
}

resource "aws_iam_role" "telling" {
  count                = var.tell ? 1 : 0
  name_prefix          = "${var.name}-"
  description          = "EventBridge tells of failed windows of patchfleet with it"
  permissions_boundary = var.permissions_boundary_arn

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "events.amazonaws.com" }
      Action    = "sts:AssumeRole"
      # For the target of a rule EventBridge names the rule (its user guide, on the confused deputy).
      Condition = {
        StringEquals = { "aws:SourceAccount" = local.account }
        ArnEquals    = { "aws:SourceArn" = aws_cloudwatch_event_rule.failed[0].arn }
      }
    }]
  })
}

resource "aws_iam_role_policy" "telling" {
  count = var.tell ? 1 : 0
  name  = "telling"
  role  = aws_iam_role.telling[0].id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect   = "Allow"
      Action   = "sns:Publish"
      Resource = var.topic_arn
    }]
  })
}
