# --- The function's role.

resource "aws_iam_role" "function" {
  name_prefix          = "${var.name}-"
  description          = "patchfleet: the function that plans and drives campaigns"
  permissions_boundary = var.permissions_boundary_arn

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "lambda.amazonaws.com" }
      Action    = "sts:AssumeRole"
    }]
  })
}

resource "aws_iam_role_policy" "campaigns" {
  name = "campaigns"
  role = aws_iam_role.function.id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      # What campaigns call, whatever the request names. `patchfleet iam --for management` prints it for one request, and with
      # it what people need who look who sees the runbook, keep it, or have the external id in Secrets Manager.
      {
        Sid      = "WhichRegionsThereAre"
        Effect   = "Allow"
        Action   = "account:ListRegions"
        Resource = "*"
      },
      # Where a request names a CloudWatch alarm or change calendars.
      {
        Sid    = "WhatMayKeepACampaignWaiting"
        Effect = "Allow"
        Action = [
          "cloudwatch:DescribeAlarms",
          "ssm:GetCalendarState",
        ]
        Resource = "*"
      },
      {
        Sid    = "ReadTheOrganization"
        Effect = "Allow"
        Action = [
          "organizations:DescribeAccount",
          "organizations:ListAccounts",
          "organizations:ListAccountsForParent",
          "organizations:ListOrganizationalUnitsForParent",
          "organizations:ListTagsForResource",
        ]
        Resource = "*"
      },
      {
        Sid      = "EnterTheAccounts"
        Effect   = "Allow"
        Action   = "sts:AssumeRole"
        Resource = "arn:${local.partition}:iam::*:role/${var.execution_role_name}"
      },
      {
        Sid    = "ReadTheRunbook"
        Effect = "Allow"
        Action = "ssm:GetDocument"
        Resource = [
          "arn:${local.partition}:ssm:*:${local.account}:document/${var.runbook_name}",
          "arn:${local.partition}:ssm:*::document/AWS-RunPatchBaseline",
        ]
      },
      {
        Sid    = "Start"
        Effect = "Allow"
        Action = "ssm:StartAutomationExecution"
        Resource = [
          "arn:${local.partition}:ssm:${local.region}:${local.account}:document/${var.runbook_name}",
          "arn:${local.partition}:ssm:${local.region}:${local.account}:automation-definition/${var.runbook_name}:*",
          "arn:${local.partition}:ssm:${local.region}:${local.account}:automation-execution/*",
        ]
      },
      {
        Sid      = "TagWhatIsStarted"
        Effect   = "Allow"
        Action   = "ssm:AddTagsToResource"
        Resource = "arn:${local.partition}:ssm:${local.region}:${local.account}:automation-execution/*"
      },
      {
        Sid       = "HandOnTheRole"
        Effect    = "Allow"
        Action    = "iam:PassRole"
        Resource  = local.administration_role_arn
        Condition = { StringEquals = { "iam:PassedToService" = "ssm.amazonaws.com" } }
      },
      # Here the campaign's own executions, and what they began where this account's own nodes are patched.
      {
        Sid    = "FollowAndStop"
        Effect = "Allow"
        Action = [
          "ssm:DescribeAutomationStepExecutions",
          "ssm:GetAutomationExecution",
          "ssm:StopAutomationExecution",
        ]
        Resource = "arn:${local.partition}:ssm:*:${local.account}:automation-execution/*"
      },
      # These take no resource (service authorization references of Systems Manager and Resource Groups).
      {
        Sid    = "WhatThisAccountHolds"
        Effect = "Allow"
        Action = [
          "cloudformation:DescribeStacks",
          "cloudformation:ListStackResources",
          "resource-groups:ListGroupResources",
          "resource-groups:SearchResources",
          "ssm:DescribeInstanceInformation",
          "tag:GetResources",
        ]
        Resource = "*"
      },
      {
        Sid    = "WhatBecameOfIt"
        Effect = "Allow"
        Action = [
          "ssm:CancelCommand",
          "ssm:DescribeAutomationExecutions",
          "ssm:DescribeInstancePatchStates",
          "ssm:DescribeInstancePatches",
          "ssm:GetCommandInvocation",
          "ssm:ListCommandInvocations",
          "ssm:ListCommands",
        ]
        Resource = "*"
      },
      # What the engine needs beside that.
      {
        Sid      = "ReadAndWriteTheLog"
        Effect   = "Allow"
        Action   = ["s3:GetObject", "s3:PutObject"]
        Resource = "${aws_s3_bucket.log.arn}/campaigns/*"
      },
      {
        Sid      = "ListTheLog"
        Effect   = "Allow"
        Action   = "s3:ListBucket"
        Resource = aws_s3_bucket.log.arn
      },
      {
        Sid      = "HandOver"
        Effect   = "Allow"
        Action   = "states:StartExecution"
        Resource = local.state_machine_arn
      },
      {
        Sid      = "TellOfLostEvents"
        Effect   = "Allow"
        Action   = "sns:Publish"
        Resource = aws_sns_topic.told.arn
      },
      {
        Sid      = "WriteLogLines"
        Effect   = "Allow"
        Action   = ["logs:CreateLogStream", "logs:PutLogEvents"]
        Resource = "${aws_cloudwatch_log_group.function.arn}:*"
      },
    ]
  })
}

resource "aws_iam_role_policy" "external_id" {
  count = var.external_id_parameter == null ? 0 : 1
  name  = "external-id"
  role  = aws_iam_role.function.id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid      = "ReadTheExternalId"
        Effect   = "Allow"
        Action   = "ssm:GetParameter"
        Resource = "arn:${local.partition}:ssm:${local.region}:${local.account}:parameter${var.external_id_parameter}"
      },
      {
        Sid       = "DecryptTheExternalId"
        Effect    = "Allow"
        Action    = "kms:Decrypt"
        Resource  = "arn:${local.partition}:kms:${local.region}:${local.account}:key/*"
        Condition = { StringLike = { "kms:ViaService" = "ssm.${local.region}.amazonaws.com*" } }
      },
    ]
  })
}

# --- What Automation runs with in this account.

resource "aws_iam_role" "administration" {
  count                = var.administration_role_arn == null ? 1 : 0
  name_prefix          = "${var.name}-"
  description          = "patchfleet: Automation enters the accounts with it"
  permissions_boundary = var.permissions_boundary_arn

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "ssm.amazonaws.com" }
      Action    = "sts:AssumeRole"
      Condition = {
        StringEquals = { "aws:SourceAccount" = local.account }
        ArnLike      = { "aws:SourceArn" = "arn:${local.partition}:ssm:*:${local.account}:automation-execution/*" }
      }
    }]
  })
}

resource "aws_iam_role_policy" "accounts" {
  count = var.administration_role_arn == null ? 1 : 0
  name  = "accounts"
  role  = aws_iam_role.administration[0].id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid      = "EnterTheAccounts"
        Effect   = "Allow"
        Action   = "sts:AssumeRole"
        Resource = "arn:${local.partition}:iam::*:role/${var.execution_role_name}"
      },
      # For requests that hand their alarm to AWS (breaker.hand_alarm_to_aws).
      {
        Sid      = "ReadTheAlarm"
        Effect   = "Allow"
        Action   = "cloudwatch:DescribeAlarms"
        Resource = "*"
      },
      {
        Sid      = "StopForTheAlarm"
        Effect   = "Allow"
        Action   = "ssm:StopAutomationExecution"
        Resource = "arn:${local.partition}:ssm:${local.region}:${local.account}:automation-execution/*"
      },
    ]
  })
}

# --- What the state machine runs with.

resource "aws_iam_role" "state_machine" {
  name_prefix          = "${var.name}-"
  description          = "patchfleet: the state machine that follows campaigns"
  permissions_boundary = var.permissions_boundary_arn

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "states.amazonaws.com" }
      Action    = "sts:AssumeRole"
      Condition = {
        StringEquals = { "aws:SourceAccount" = local.account }
        ArnLike      = { "aws:SourceArn" = local.state_machine_arn }
      }
    }]
  })
}

resource "aws_iam_role_policy" "following" {
  name = "following"
  role = aws_iam_role.state_machine.id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid      = "CallTheFunction"
        Effect   = "Allow"
        Action   = "lambda:InvokeFunction"
        Resource = aws_lambda_function.this.arn
      },
      {
        Sid      = "Tell"
        Effect   = "Allow"
        Action   = "sns:Publish"
        Resource = aws_sns_topic.told.arn
      },
      {
        Sid      = "GoOnInANewExecution"
        Effect   = "Allow"
        Action   = "states:StartExecution"
        Resource = local.state_machine_arn
      },
    ]
  })
}
