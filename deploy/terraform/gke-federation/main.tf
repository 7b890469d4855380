# A role in AWS for dns-drift on GKE, without keys: the cluster's own tokens are trusted.
#
# The Pod gets a token of its service account with the audience sts.amazonaws.com
# (deploy/kustomize/overlays/gke, or `aws.roleArn` of the chart); AWS checks it against the public keys of
# the cluster's issuer. No Google service account takes part.

terraform {
  required_version = ">= 1.3"
  required_providers {
    aws = {
      source = "hashicorp/aws"
      # Since then the thumbprint of a well-known issuer is not asked for.
      version = ">= 5.81"
    }
  }
}

variable "project_id" {
  description = "Google Cloud project of the cluster."
  type        = string
}

variable "location" {
  description = "Region or zone of the cluster."
  type        = string
}

variable "cluster_name" {
  description = "Name of the cluster."
  type        = string
}

variable "create_oidc_provider" {
  description = "Make the IAM OIDC provider. An account has one for each cluster: false if it is there already."
  type        = bool
  default     = true
}

variable "namespace" {
  description = "Namespace of dns-drift."
  type        = string
  default     = "dns-drift"
}

variable "service_account" {
  description = "Its service account."
  type        = string
  default     = "dns-drift"
}

variable "role_name" {
  description = "Name of the role that is made."
  type        = string
  default     = "dns-drift"
}

variable "level" {
  description = "What the role may read: minimal, recommended or full (docs/route53.md)."
  type        = string
  default     = "full"
}

variable "zone_ids" {
  description = "Only these hosted zones; empty for all. Set route53.zone_ids of dns-drift to the same."
  type        = list(string)
  default     = []
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

variable "tags" {
  description = "Tags of everything that is made."
  type        = map(string)
  default     = {}
}

locals {
  issuer   = "container.googleapis.com/v1/projects/${var.project_id}/locations/${var.location}/clusters/${var.cluster_name}"
  audience = "sts.amazonaws.com"
  provider = "arn:${data.aws_partition.current.partition}:iam::${data.aws_caller_identity.current.account_id}:oidc-provider/${local.issuer}"
}

data "aws_caller_identity" "current" {}

data "aws_partition" "current" {}

resource "aws_iam_openid_connect_provider" "gke" {
  count = var.create_oidc_provider ? 1 : 0

  url            = "https://${local.issuer}"
  client_id_list = [local.audience]
  tags           = var.tags
}

module "policy" {
  source = "../policy"

  level            = var.level
  zone_ids         = var.zone_ids
  assume_role_arns = var.assume_role_arns
  cloudtrail       = var.cloudtrail
}

resource "aws_iam_role" "dns_drift" {
  name        = var.role_name
  description = "dns-drift on GKE reads Route 53"
  tags        = var.tags

  # Both conditions: without the subject every Pod of the cluster could take the role.
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = "sts:AssumeRoleWithWebIdentity"
      Principal = { Federated = local.provider }
      Condition = {
        StringEquals = {
          "${local.issuer}:aud" = local.audience
          "${local.issuer}:sub" = "system:serviceaccount:${var.namespace}:${var.service_account}"
        }
      }
    }]
  })

  depends_on = [aws_iam_openid_connect_provider.gke]
}

resource "aws_iam_role_policy" "read" {
  name   = "read"
  role   = aws_iam_role.dns_drift.id
  policy = module.policy.json
}

output "role_arn" {
  description = "For `aws.roleArn` of the chart or AWS_ROLE_ARN."
  value       = aws_iam_role.dns_drift.arn
}
