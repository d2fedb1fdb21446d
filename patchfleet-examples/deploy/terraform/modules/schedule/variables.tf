variable "name" {
  description = "The name of the schedule and of its group, and the beginning of the other names."
  type        = string

  validation {
    condition     = can(regex("^[A-Za-z][A-Za-z0-9_-]{0,31}$", var.name))
    error_message = "The name has to be 1 to 32 letters, digits or one of _-, the first a letter."
  }
}

variable "state_machine_arn" {
  description = "The state machine that follows campaigns: the output state_machine_arn of the engine."
  type        = string
}

variable "administration_role_arn" {
  description = "The role that Automation assumes in the central account: the engine's output of that name. It is put into a request that does not name one."
  type        = string
  default     = null
}

variable "tell" {
  description = "Whether topic_arn is told of a start that was given up."
  type        = bool
  default     = true
}

variable "topic_arn" {
  description = "The topic that is told: the engine's output of that name. Needed with tell."
  type        = string
  default     = null
}

variable "schedule_expression" {
  description = "When campaigns are started, as cron(…), rate(…) or at(…). In a cron, one of the two fields for days is a question mark."
  type        = string
  default     = "cron(15 22 ? * TUE *)"

  validation {
    condition     = can(regex("^(cron|rate|at)\\([A-Za-z0-9 ?*,/#:-]+\\)$", var.schedule_expression)) && length(var.schedule_expression) <= 256
    error_message = "The schedule has to be such as cron(15 22 ? * TUE *), of at most 256 characters."
  }
}

variable "time_zone" {
  description = "The time zone of the schedule, by its name in the IANA database, such as Europe/Berlin."
  type        = string
  default     = "UTC"
}

variable "flexible_minutes" {
  description = "Scheduler starts the campaign at some time within this many minutes after the schedule's. 0 is on the minute."
  type        = number
  default     = 0

  validation {
    condition     = var.flexible_minutes >= 0 && var.flexible_minutes <= 1440
    error_message = "It has to be 0 to 1,440 minutes."
  }
}

variable "retry_minutes" {
  description = "How long after its time a start is tried again while the state machine cannot be reached. A start that is given up goes to the dead-letter queue."
  type        = number
  default     = 60

  validation {
    condition     = var.retry_minutes >= 1 && var.retry_minutes <= 1440
    error_message = "It has to be 1 to 1,440 minutes."
  }
}

variable "enabled" {
  description = "Whether the schedule is on."
  type        = bool
  default     = true
}

variable "cutoff" {
  description = "When every command must have expired, from when the campaign is planned, such as 9h or 8h30m. A command lives for more than 6 hours."
  type        = string
  default     = null

  validation {
    condition     = var.cutoff == null || can(regex("^([1-9][0-9]{0,3}h([1-9][0-9]?m)?|[1-9][0-9]{0,4}m)$", var.cutoff))
    error_message = "It has to be null, or hours and minutes, such as 9h, 8h30m or 510m."
  }
}

variable "carry_over" {
  description = "Whether a campaign begins with the nodes that the last one did not come to before its cutoff, and with no others. The campaign after that is one of the whole request, or of what this one did not come to. It needs a cutoff."
  type        = bool
  default     = false
}

variable "second_attempt" {
  description = "Whether the nodes that a campaign did not reach are tried once more when it is over, before its cutoff. A command lives for more than 6 hours."
  type        = bool
  default     = false
}

variable "request" {
  description = "The request, with the fields of a request file: name, targets, patch, budget and so on. Try it with `patchfleet plan -f request.json` first."
  type        = any

  validation {
    condition     = can(var.request.name) && can(var.request.targets)
    error_message = "The request has to have a name and targets."
  }
}

variable "permissions_boundary_arn" {
  description = "A policy that bounds the role's permissions, where your organization asks for one."
  type        = string
  default     = null
}
