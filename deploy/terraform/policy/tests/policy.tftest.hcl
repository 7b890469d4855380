run "the_default_reads_and_nothing_else" {
  command = plan

  assert {
    condition = alltrue([
      for action in flatten([for statement in jsondecode(output.json).Statement : statement.Action]) :
      can(regex("^route53:(List|Get)", action))
    ])
    error_message = "An action that does not only read."
  }
}

run "named_zones_name_them" {
  command = plan

  variables {
    zone_ids         = ["Z0EXAMPLE1", "Z0EXAMPLE2"]
    assume_role_arns = ["arn:aws:iam::444455556666:role/dns-drift"]
    cloudtrail       = true
  }

  assert {
    condition     = jsondecode(output.json).Statement[0].Resource == ["arn:aws:route53:::hostedzone/Z0EXAMPLE1", "arn:aws:route53:::hostedzone/Z0EXAMPLE2"]
    error_message = "The zones are not those that were named."
  }

  assert {
    condition     = [for statement in jsondecode(output.json).Statement : statement.Sid] == ["ReadNamedZones", "ReadOtherAccounts", "ReadRefusedChanges"]
    error_message = "Not the statements that were asked for."
  }
}

run "a_wrong_zone_id_is_refused" {
  command = plan

  variables {
    zone_ids = ["/hostedzone/Z0EXAMPLE1"]
  }

  expect_failures = [var.zone_ids]
}
