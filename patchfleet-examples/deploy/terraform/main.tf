data "aws_caller_identity" "this" {}
data "aws_partition" "this" {}
data "aws_region" "this" {}

locals {
  account   = data.aws_caller_identity.this.account_id
  partition = data.aws_partition.this.partition
  region    = data.aws_region.this.region

  # Named and not referred to: the function, its role and the state machine refer to each other.
  state_machine_arn       = "arn:${local.partition}:states:${local.region}:${local.account}:stateMachine:${var.name}"
  log_uri                 = "s3://${aws_s3_bucket.log.bucket}/campaigns"
  administration_role_arn = coalesce(var.administration_role_arn, one(aws_iam_role.administration[*].arn))
}

# --- The log of campaigns. Terraform refuses to destroy the bucket while it holds one.

resource "aws_s3_bucket" "log" {
  bucket_prefix = "${lower(var.name)}-log-"
  force_destroy = false
}

# No lifecycle rule: a log from which objects are missing is damaged.
resource "aws_s3_bucket_versioning" "log" {
  bucket = aws_s3_bucket.log.id

  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "log" {
  bucket = aws_s3_bucket.log.id

  rule {
    apply_server_side_encryption_by_default {
      sse_algorithm = "AES256"
    }
  }
}

resource "aws_s3_bucket_ownership_controls" "log" {
  bucket = aws_s3_bucket.log.id

  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

resource "aws_s3_bucket_public_access_block" "log" {
  bucket                  = aws_s3_bucket.log.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_policy" "log" {
  bucket = aws_s3_bucket.log.id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "OnlyByTls"
      Effect    = "Deny"
      Principal = "*"
      Action    = "s3:*"
      Resource  = [aws_s3_bucket.log.arn, "${aws_s3_bucket.log.arn}/*"]
      Condition = { Bool = { "aws:SecureTransport" = "false" } }
    }]
  })
}

# --- The function: plans a campaign, and drives it for minutes at a time.

resource "aws_lambda_function" "this" {
  function_name    = var.name
  description      = "patchfleet: plans patch campaigns and drives them"
  runtime          = "provided.al2023"
  handler          = "bootstrap" # not read: the binary is its own runtime
  architectures    = [var.architecture]
  filename         = var.zip_path
  source_code_hash = filebase64sha256(var.zip_path)
  role             = aws_iam_role.function.arn
  timeout          = var.timeout
  memory_size      = var.memory

  logging_config {
    log_format = "Text"
    log_group  = aws_cloudwatch_log_group.function.name
  }

  environment {
    variables = {
      PATCHFLEET_LOG           = local.log_uri
      PATCHFLEET_STATE_MACHINE = local.state_machine_arn
    }
  }

  depends_on = [aws_iam_role_policy.campaigns]
}

# What Lambda itself calls the function with (a window's task, the stop topic) and could not deliver is told.
# By itself Lambda may still deliver an event after six hours. A window's cutoff counts from when the function is called, so its
# payload leaves room for these 20 minutes.
resource "aws_lambda_function_event_invoke_config" "this" {
  function_name                = aws_lambda_function.this.function_name
  maximum_retry_attempts       = 2
  maximum_event_age_in_seconds = 1200

  destination_config {
    on_failure {
      destination = aws_sns_topic.told.arn
    }
  }
}

resource "aws_cloudwatch_log_group" "function" {
  name_prefix       = "/patchfleet/${var.name}-"
  retention_in_days = var.log_retention_days
}
