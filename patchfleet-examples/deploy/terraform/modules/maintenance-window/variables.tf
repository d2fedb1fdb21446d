variable "name" {
  description = "The window's name."
  type        = string

  validation {
    condition     = can(regex("^[A-Za-z][A-Za-z0-9_.-]{2,31}$", var.name))
    error_message = "The name has to be 3 to 32 letters, digits or one of _.-, the first a letter."
  }
}

variable "function_arn" {
  description = "The function that starts campaigns: the output function_arn of the engine."
  type        = string
}

variable "administration_role_arn" {
  description = "The role that Automation assumes in the central account: the engine's output of that name. By default it is AWS-SystemsManager-AutomationAdministrationRole of this account."
  type        = string
  default     = null
}

variable "tell" {
  description = "Whether topic_arn is told of a window that failed, was skipped or cancelled."
  type        = bool
  default     = true
}

variable "topic_arn" {
  description = "The topic that is told: the engine's output of that name. Needed with tell."
  type        = string
  default     = null
}

variable "schedule" {
  description = "When the window opens, as cron(…), rate(…) or at(…). In a cron, one of the two fields for days is a question mark."
  type        = string
  default     = "cron(0 4 ? * SUN *)"

  validation {
    condition     = can(regex("^(cron|rate|at)\\([A-Za-z0-9 ?*,/#:-]+\\)$", var.schedule)) && length(var.schedule) <= 256
    error_message = "The schedule has to be such as cron(0 4 ? * SUN *), of at most 256 characters."
  }
}

variable "time_zone" {
  description = "The time zone of the schedule, by its name in the IANA database, such as Europe/Berlin or US/Eastern."
  type        = string
  default     = "Etc/UTC"
}

variable "schedule_offset" {
  description = "How many days after the day of a cron the window opens. With cron(0 4 ? * TUE#2 *) and 3 that is the Friday after Patch Tuesday."
  type        = number
  default     = null

  validation {
    condition     = var.schedule_offset == null || contains([1, 2, 3, 4, 5, 6], coalesce(var.schedule_offset, 1))
    error_message = "The offset has to be null, or 1 to 6 days."
  }
}

variable "duration" {
  description = "How long the window is, in hours."
  type        = number
  default     = 9

  validation {
    condition     = var.duration >= 1 && var.duration <= 24 && floor(var.duration) == var.duration
    error_message = "The duration has to be 1 to 24 whole hours."
  }
}

variable "cutoff" {
  description = "How many hours before its end the window begins no task any more. The task begins when the window opens, so this seldom matters."
  type        = number
  default     = 1

  validation {
    condition     = var.cutoff >= 0 && var.cutoff <= 23
    error_message = "The cutoff has to be 0 to 23 hours."
  }
}

variable "keep_within_window" {
  description = "Whether every command has to have expired when the window ends. A command lives for more than 6 hours, so a window shorter than 7 hours needs false."
  type        = bool
  default     = true
}

variable "carry_over" {
  description = "Whether a campaign begins with the nodes that the last window did not come to, and with no others. The window after that patches everything, or what this one did not come to. It needs keep_within_window."
  type        = bool
  default     = false
}

variable "second_attempt" {
  description = "Whether the nodes that a campaign did not reach are tried once more when it is over. With keep_within_window that takes more than 6 hours that are left of the window."
  type        = bool
  default     = false
}

variable "enabled" {
  description = "Whether the window opens."
  type        = bool
  default     = true
}

variable "owner_information" {
  description = "Who answers for the window. It stands in its description, and in a message about a window that failed."
  type        = string
  default     = "Patch Management Team"

  validation {
    condition     = can(regex("^[A-Za-z0-9 _.,:/=+@-]{1,100}$", var.owner_information))
    error_message = "It has to be 1 to 100 letters, digits, spaces or one of _.,:/=+@-"
  }
}

variable "resource_group" {
  description = "The resource group that holds the nodes. Its name is the same in every account and Region."
  type        = string

  validation {
    condition     = can(regex("^[A-Za-z0-9_.-]{1,300}$", var.resource_group))
    error_message = "It has to be 1 to 300 letters, digits or one of _.-"
  }
}

variable "regions" {
  description = "The Regions."
  type        = list(string)

  validation {
    condition     = length(var.regions) > 0 && alltrue([for one in var.regions : can(regex("^[a-z]{2,4}(-[a-z]+)+-[0-9]{1,3}$", one))])
    error_message = "There has to be at least one Region, and each has to be such as eu-west-1."
  }
}

variable "operation" {
  description = "Scan looks for missing patches. Install installs them."
  type        = string
  default     = "Scan"

  validation {
    condition     = contains(["Scan", "Install"], var.operation)
    error_message = "The operation has to be Scan or Install."
  }
}

variable "reboot_option" {
  description = "Whether a node reboots after an Install that needs it: RebootIfNeeded or NoReboot."
  type        = string
  default     = "RebootIfNeeded"

  validation {
    condition     = contains(["RebootIfNeeded", "NoReboot"], var.reboot_option)
    error_message = "It has to be RebootIfNeeded or NoReboot."
  }
}

variable "install_override_list" {
  description = "The list of patches to install in the place of the baseline's, as s3://bucket/key or https://…."
  type        = string
  default     = null
}

variable "max_concurrency" {
  description = "How many nodes of an account and Region are patched at once, as a count or a percentage."
  type        = string
  default     = "10%"
}

variable "max_errors" {
  description = "How many nodes of an account and Region may fail before no more are begun there, as a count or a percentage."
  type        = string
  default     = "10%"
}

variable "nodes_that_do_not_answer" {
  description = "What is done with nodes that do not answer when the campaign is planned. With skip only the nodes that are online then are named, and the others are told as not reached. With target they are targeted too: they hold their place in the rate until their command expires, and an Install of which they can hold every place in a location is refused. With refuse nothing is started if there is one."
  type        = string
  default     = "skip"

  validation {
    condition     = contains(["target", "skip", "refuse"], var.nodes_that_do_not_answer)
    error_message = "It has to be target, skip or refuse."
  }
}

variable "target_accounts" {
  description = "The accounts, organizational units or the root of the organization. By default it is this account alone."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for one in var.target_accounts : can(regex("^([0-9]{12}|ou-[a-z0-9]{4,32}-[a-z0-9]{8,32}|r-[a-z0-9]{4,32})$", one))])
    error_message = "Each has to be an account (twelve digits), a unit (ou-…) or the root (r-…)."
  }
}

variable "include_child_ous" {
  description = "Whether a unit or the root in target_accounts stands for the units below it as well."
  type        = bool
  default     = true
}

variable "target_location_max_concurrency" {
  description = "How many pairs of account and Region are patched at once, as a count or a percentage. With keep_within_window each has to begin more than 6 hours before the window ends, so with fewer than all the last may not be patched."
  type        = string
  default     = "50"
}

variable "target_location_max_errors" {
  description = "How many pairs of account and Region may fail before no more are begun, as a count or a percentage."
  type        = string
  default     = "0"
}

variable "execution_role_name" {
  description = "The role in each account, as execution-role.yaml makes it."
  type        = string
  default     = "AWS-SystemsManager-AutomationExecutionRole"
}

variable "document_name" {
  description = "A runbook of your own. By default it is Patchfleet-RunPatchBaseline."
  type        = string
  default     = null
}

variable "permissions_boundary_arn" {
  description = "A policy that bounds the permissions of each role, where your organization asks for one."
  type        = string
  default     = null
}
