# A role in AWS for dns-drift on EKS, by Pod Identity or by IRSA.

terraform {
  required_version = ">= 1.3"
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.29"
    }
  }
}

variable "cluster_name" {
  description = "Name of the EKS cluster."
  type        = string
}

variable "mode" {
  description = "pod-identity (needs the EKS Pod Identity agent on the nodes) or irsa (needs the cluster's IAM OIDC provider)."
  type        = string
  default     = "pod-identity"

  validation {
    condition     = contains(["pod-identity", "irsa"], var.mode)
    error_message = "One of pod-identity, irsa."
  }
}

variable "oidc_provider_arn" {
  description = "ARN of the cluster's IAM OIDC provider, for irsa."
  type        = string
  default     = ""
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
  irsa   = var.mode == "irsa"
  issuer = replace(var.oidc_provider_arn, "/^.*:oidc-provider\\//", "")

  trust = {
    irsa = {
      Version = "2012-10-17"
      Statement = [{
        Effect    = "Allow"
        Action    = "sts:AssumeRoleWithWebIdentity"
        Principal = { Federated = var.oidc_provider_arn }
        Condition = {
          StringEquals = {
            "${local.issuer}:aud" = "sts.amazonaws.com"
            "${local.issuer}:sub" = "system:serviceaccount:${var.namespace}:${var.service_account}"
          }
        }
      }]
    }
    pod-identity = {
      Version = "2012-10-17"
      Statement = [{
        Effect    = "Allow"
        Action    = ["sts:AssumeRole", "sts:TagSession"]
        Principal = { Service = "pods.eks.amazonaws.com" }
      }]
    }
  }
}

module "policy" {
  source = "../policy"

  level            = var.level
  zone_ids         = var.zone_ids
  assume_role_arns = var.assume_role_arns
  cloudtrail       = var.cloudtrail
}

resource "aws_iam_role" "dns_drift" {
  name               = var.role_name
  description        = "dns-drift on EKS reads Route 53"
  assume_role_policy = jsonencode(local.trust[var.mode])
  tags               = var.tags

  lifecycle {
    precondition {
      condition     = !local.irsa || can(regex(":oidc-provider/", var.oidc_provider_arn))
      error_message = "irsa needs oidc_provider_arn, the ARN of the cluster's IAM OIDC provider."
    }
  }
}

resource "aws_iam_role_policy" "read" {
  name   = "read"
  role   = aws_iam_role.dns_drift.id
  policy = module.policy.json
}

resource "aws_eks_pod_identity_association" "dns_drift" {
  count = local.irsa ? 0 : 1

  cluster_name    = var.cluster_name
  namespace       = var.namespace
  service_account = var.service_account
  role_arn        = aws_iam_role.dns_drift.arn
  tags            = var.tags
}

output "role_arn" {
  description = "With irsa for the annotation eks.amazonaws.com/role-arn of the service account."
  value       = aws_iam_role.dns_drift.arn
}
