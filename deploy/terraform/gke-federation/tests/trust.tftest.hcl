mock_provider "aws" {
  mock_data "aws_caller_identity" {
    defaults = { account_id = "111122223333" }
  }
  mock_data "aws_partition" {
    defaults = { partition = "aws" }
  }
}

variables {
  project_id   = "PROJECT"
  location     = "LOCATION"
  cluster_name = "CLUSTER"
}

run "trust_is_that_of_the_shipped_policy" {
  command = plan

  assert {
    condition     = jsondecode(aws_iam_role.dns_drift.assume_role_policy) == jsondecode(file("../../iam/trust-gke.json"))
    error_message = "The trust policy differs from deploy/iam/trust-gke.json."
  }
}

run "a_provider_that_is_there_is_left_alone" {
  command = plan

  variables {
    create_oidc_provider = false
  }

  assert {
    condition     = length(aws_iam_openid_connect_provider.gke) == 0
    error_message = "Makes a provider that it should not."
  }
}
