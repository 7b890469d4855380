mock_provider "aws" {
  mock_resource "aws_iam_role" {
    defaults = { arn = "arn:aws:iam::111122223333:role/dns-drift" }
  }
}

variables {
  cluster_name = "prod"
}

run "pod_identity_binds_the_service_account" {
  command = plan

  assert {
    condition     = aws_eks_pod_identity_association.dns_drift[0].service_account == "dns-drift"
    error_message = "The association is not for the service account."
  }
}

run "irsa_trusts_one_service_account" {
  command = plan

  variables {
    mode              = "irsa"
    oidc_provider_arn = "arn:aws:iam::111122223333:oidc-provider/oidc.eks.eu-west-1.amazonaws.com/id/0123456789ABCDEF"
  }

  assert {
    condition = jsondecode(aws_iam_role.dns_drift.assume_role_policy).Statement[0].Condition.StringEquals == {
      "oidc.eks.eu-west-1.amazonaws.com/id/0123456789ABCDEF:aud" = "sts.amazonaws.com"
      "oidc.eks.eu-west-1.amazonaws.com/id/0123456789ABCDEF:sub" = "system:serviceaccount:dns-drift:dns-drift"
    }
    error_message = "The trust policy is not bound to the service account."
  }

  assert {
    condition     = length(aws_eks_pod_identity_association.dns_drift) == 0
    error_message = "irsa needs no association."
  }
}

run "irsa_needs_the_provider" {
  command = plan

  variables {
    mode = "irsa"
  }

  expect_failures = [aws_iam_role.dns_drift]
}
