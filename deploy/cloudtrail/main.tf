# Changes of Route 53, as CloudTrail records them, in a queue that dns-drift reads.
#
# The events of Route 53 are in us-east-1 only, whatever region the cluster is in; use a provider
# of that region. A trail that records management write events must exist in the account:
# EventBridge gets its events from it.

terraform {
  required_version = ">= 1.3"
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.0"
    }
  }
}

variable "name" {
  description = "Name of the queue and the rule."
  type        = string
  default     = "dns-drift-route53"
}

variable "reader_role_name" {
  description = "Role that dns-drift runs with; empty if you attach the policy yourself."
  type        = string
  default     = ""
}

data "aws_region" "current" {}

resource "aws_sqs_queue" "dead_letters" {
  name                      = "${var.name}-dead-letters"
  message_retention_seconds = 1209600
  sqs_managed_sse_enabled   = true
}

resource "aws_sqs_queue" "changes" {
  name                       = var.name
  message_retention_seconds  = 86400
  visibility_timeout_seconds = 60
  receive_wait_time_seconds  = 20
  sqs_managed_sse_enabled    = true

  redrive_policy = jsonencode({
    deadLetterTargetArn = aws_sqs_queue.dead_letters.arn
    maxReceiveCount     = 5
  })

  lifecycle {
    precondition {
      condition     = data.aws_region.current.name == "us-east-1"
      error_message = "The events of Route 53 are in us-east-1 only: use a provider of that region."
    }
  }
}

resource "aws_cloudwatch_event_rule" "changes" {
  name        = var.name
  description = "Changes of Route 53 record sets, accepted and refused, for dns-drift"

  event_pattern = jsonencode({
    source      = ["aws.route53"]
    detail-type = ["AWS API Call via CloudTrail"]
    detail = {
      eventSource = ["route53.amazonaws.com"]
      eventName   = ["ChangeResourceRecordSets"]
    }
  })
}

resource "aws_cloudwatch_event_target" "queue" {
  rule = aws_cloudwatch_event_rule.changes.name
  arn  = aws_sqs_queue.changes.arn
}

data "aws_iam_policy_document" "queue" {
  statement {
    actions   = ["sqs:SendMessage"]
    resources = [aws_sqs_queue.changes.arn]

    principals {
      type        = "Service"
      identifiers = ["events.amazonaws.com"]
    }

    condition {
      test     = "ArnEquals"
      variable = "aws:SourceArn"
      values   = [aws_cloudwatch_event_rule.changes.arn]
    }
  }
}

resource "aws_sqs_queue_policy" "changes" {
  queue_url = aws_sqs_queue.changes.url
  policy    = data.aws_iam_policy_document.queue.json
}

data "aws_iam_policy_document" "reader" {
  statement {
    sid       = "ReadTheQueue"
    actions   = ["sqs:ReceiveMessage", "sqs:DeleteMessage"]
    resources = [aws_sqs_queue.changes.arn]
  }
}

resource "aws_iam_role_policy" "reader" {
  count  = var.reader_role_name == "" ? 0 : 1
  name   = "${var.name}-reader"
  role   = var.reader_role_name
  policy = data.aws_iam_policy_document.reader.json
}

output "queue_url" {
  description = "For changes.queue_url of dns-drift."
  value       = aws_sqs_queue.changes.url
}

output "reader_policy" {
  description = "What the role of dns-drift needs."
  value       = data.aws_iam_policy_document.reader.json
}
