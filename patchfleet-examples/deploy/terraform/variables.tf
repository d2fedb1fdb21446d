variable "name" {
  description = "The name of the function and of the state machine, and the beginning of the other names. It has to be new in this account and Region."
  type        = string
  default     = "patchfleet"

  validation {
    condition     = can(regex("^[A-Za-z][A-Za-z0-9-]{0,31}$", var.name))
    error_message = "The name has to be 1 to 32 letters, digits or hyphens, the first a letter."
  }
}

variable "zip_path" {
  description = "The function's zip, as cargo-lambda makes it. The README has the line that builds it."
  type        = string
}

variable "architecture" {
  description = "The architecture that the zip was built for: arm64 or x86_64."
  type        = string
  default     = "arm64"

  validation {
    condition     = contains(["arm64", "x86_64"], var.architecture)
    error_message = "The architecture has to be arm64 or x86_64."
  }
}

variable "timeout" {
  description = "Seconds that the function has for one call. Planning has to end within one, and asks every location. What is driven goes on in the next call."
  type        = number
  default     = 900

  validation {
    condition     = var.timeout >= 60 && var.timeout <= 900
    error_message = "The timeout has to be 60 to 900 seconds."
  }
}

variable "memory" {
  description = "Megabytes of the function. More of it is more CPU as well."
  type        = number
  default     = 512

  validation {
    condition     = var.memory >= 128 && var.memory <= 10240
    error_message = "The memory has to be 128 to 10,240 megabytes."
  }
}

variable "administration_role_arn" {
  description = "The role that Automation assumes in this account, if there is one. By default the module makes it, and each request has to name it (automation.assume_role)."
  type        = string
  default     = null

  validation {
    condition     = var.administration_role_arn == null || can(regex("^arn:aws[a-z0-9-]*:iam::[0-9]{12}:role/[A-Za-z0-9+=,.@_/-]+$", var.administration_role_arn))
    error_message = "It has to be null, or the ARN of a role of this account."
  }
}

variable "execution_role_name" {
  description = "The name of the role in each account whose nodes are patched (execution-role.yaml makes it)."
  type        = string
  default     = "AWS-SystemsManager-AutomationExecutionRole"

  validation {
    condition     = can(regex("^[A-Za-z0-9_+=,.@-]{1,64}$", var.execution_role_name))
    error_message = "It has to be 1 to 64 letters, digits or one of _+=,.@-"
  }
}

variable "runbook_name" {
  description = "The runbook that campaigns start (automation.document of the request). `patchfleet runbook ensure` makes it."
  type        = string
  default     = "Patchfleet-RunPatchBaseline"

  validation {
    condition     = can(regex("^[A-Za-z0-9_.-]{3,128}$", var.runbook_name))
    error_message = "It has to be 3 to 128 letters, digits or one of _.-"
  }
}

variable "external_id_parameter" {
  description = "The parameter of Parameter Store with the external id, which the request names by access.external_id = { ssm = \"…\" }. Beginning with a slash."
  type        = string
  default     = null

  validation {
    condition     = var.external_id_parameter == null || can(regex("^(/[A-Za-z0-9_.-]+){1,15}$", var.external_id_parameter))
    error_message = "It has to be null, or a parameter's name that begins with a slash, such as /patchfleet/external-id."
  }
}

variable "permissions_boundary_arn" {
  description = "A policy that bounds the permissions of each role, where your organization asks for one."
  type        = string
  default     = null

  validation {
    condition     = var.permissions_boundary_arn == null || can(regex("^arn:aws[a-z0-9-]*:iam::([0-9]{12}|aws):policy/[A-Za-z0-9+=,.@_/-]+$", var.permissions_boundary_arn))
    error_message = "It has to be null, or the ARN of a managed policy."
  }
}

variable "notify_email" {
  description = "An address that is told how each campaign ended. It has to confirm the subscription."
  type        = string
  default     = null

  validation {
    condition     = var.notify_email == null || can(regex("^[^@ ]+@[^@ ]+[.][^@ ]+$", var.notify_email))
    error_message = "It has to be null, or an e-mail address."
  }
}

variable "stop_by_topic" {
  description = "Whether a message to a second topic stops the campaign, such as that of an alarm of yours. Who may publish to that topic may stop campaigns."
  type        = bool
  default     = true
}

variable "turns" {
  description = "After so many calls of the function the campaign goes on in a new execution. An execution ends at 25,000 events; a call takes nine, and each attempt that fails three."
  type        = number
  default     = 1500

  validation {
    condition     = var.turns >= 1 && var.turns <= 2000
    error_message = "It has to be 1 to 2,000 calls."
  }
}

variable "log_retention_days" {
  description = "Days that the function's log lines are kept. The log of campaigns in the bucket is kept for good."
  type        = number
  default     = 365

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.log_retention_days)
    error_message = "CloudWatch Logs takes 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288 or 3653 days."
  }
}
