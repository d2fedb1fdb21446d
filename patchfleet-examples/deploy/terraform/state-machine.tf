# Calls the function until the campaign is over, then tells. Its definition is that of state-machine.yaml.
resource "aws_sfn_state_machine" "this" {
  name     = var.name
  type     = "STANDARD"
  role_arn = aws_iam_role.state_machine.arn

  definition = templatefile("${path.module}/state-machine.asl.json", {
    FunctionArn    = aws_lambda_function.this.arn
    LambdaInvoke   = "arn:${local.partition}:states:::lambda:invoke"
    SnsPublish     = "arn:${local.partition}:states:::sns:publish"
    StartExecution = "arn:${local.partition}:states:::states:startExecution"
    TopicArn       = aws_sns_topic.told.arn
    LogUri         = local.log_uri
    Turns          = var.turns
  })

  depends_on = [aws_iam_role_policy.following]
}
