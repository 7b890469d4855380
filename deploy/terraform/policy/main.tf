# The read-only policy of dns-drift as JSON. No provider: it can be tested without an account, and
# given to whatever makes your roles.

terraform {
  required_version = ">= 1.3"
}

variable "level" {
  description = "minimal (all records), recommended (also delegation, private zones and tags) or full (also quotas, DNSSEC and health checks). docs/route53.md explains each call."
  type        = string
  default     = "full"

  validation {
    condition     = contains(["minimal", "recommended", "full"], var.level)
    error_message = "One of minimal, recommended, full."
  }
}

variable "zone_ids" {
  description = "Only these hosted zones; set route53.zone_ids of dns-drift to the same. Empty: all zones, by `level`."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for id in var.zone_ids : can(regex("^Z[A-Z0-9]{1,31}$", id))])
    error_message = "Ids of hosted zones look like Z0123456789ABCDEFGHIJ."
  }
}

variable "assume_role_arns" {
  description = "Roles of other accounts whose zones are read too (route53.accounts)."
  type        = list(string)
  default     = []
}

variable "cloudtrail" {
  description = "Also ask CloudTrail for refused changes (changes.cloudtrail)."
  type        = bool
  default     = false
}

locals {
  file  = { minimal = "1-minimal", recommended = "2-recommended", full = "3-full" }[var.level]
  zones = jsondecode(file("${path.module}/../../iam/${local.file}.json")).Statement
  named = [
    for statement in jsondecode(file("${path.module}/../../iam/named-zones.json")).Statement :
    merge(statement, { Resource = [for id in var.zone_ids : "arn:aws:route53:::hostedzone/${id}"] })
  ]
  roles = {
    Sid      = "ReadOtherAccounts"
    Effect   = "Allow"
    Action   = "sts:AssumeRole"
    Resource = var.assume_role_arns
  }
  trail = {
    Sid      = "ReadRefusedChanges"
    Effect   = "Allow"
    Action   = "cloudtrail:LookupEvents"
    Resource = "*"
  }
}

output "json" {
  description = "The policy."
  # Lists of encoded statements: Terraform wants one type on both sides of a condition, and
  # statements differ in theirs.
  value = format(
    "{\"Version\":\"2012-10-17\",\"Statement\":[%s]}",
    join(",", concat(
      [for statement in local.zones : jsonencode(statement) if length(var.zone_ids) == 0],
      [for statement in local.named : jsonencode(statement) if length(var.zone_ids) > 0],
      [for statement in [local.roles] : jsonencode(statement) if length(var.assume_role_arns) > 0],
      [for statement in [local.trail] : jsonencode(statement) if var.cloudtrail],
    ))
  )
}
