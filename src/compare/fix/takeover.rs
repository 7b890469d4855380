//! How records move from one owner id to another. Pure.
//!
//! ExternalDNS leaves alone what another id owns, so whoever changes an id leaves its records behind. From v0.20.0
//! on `--migrate-from-txt-owner` takes over *all* that the former id owns in the zones in view, and with a policy
//! that deletes, what this cluster does not want of it goes. While the flag stays every record is written anew in
//! every loop. Source: facts/external-dns.md sections 2.6 and 3.7; kubernetes-sigs/external-dns:registry/txt,
//! plan/plan.go.

use crate::compare::fix::flags;
use crate::model::instance::{Instance, Policy};

const MIGRATE: &str = "--migrate-from-txt-owner";

/// For an instance whose own records all stand under a former id.
#[must_use]
pub fn back_or_over(instance: &Instance, former: &str) -> String {
    let (id, back) = (&instance.flags.owner_id, format!("Start it with --txt-owner-id={former} again"));
    if flags::has(instance, MIGRATE) {
        let since = if instance.version.is_none() { " (from v0.20.0 on)" } else { "" };
        // Another cluster may go on with the former id, and a policy that updates nothing moves nothing.
        let is_safe = instance.flags.policy == Policy::UpsertOnly;
        let with = if is_safe { "" } else { " with --policy=upsert-only" };
        return format!(
            "{back}, or add {MIGRATE}={former}{since}{with} until all of them belong to {id}, and take it away then."
        );
    }
    let release = instance.effective_version();
    format!(
        "{back}. {release} cannot move records to {id}: update it to v0.20.0 or later, which can with {MIGRATE}={former}, \
         or write owner={id} into their ownership TXTs by hand."
    )
}

/// For an id that somebody else uses, too: how the records of this instance get an id of its own. `whom` is who
/// needs one: `each cluster`, `each`.
#[must_use]
pub fn apart(instance: &Instance, whom: &str) -> String {
    let id = &instance.flags.owner_id;
    let what = format!("Give {whom} its own --txt-owner-id; what it has written stays under the old id");
    if !flags::has(instance, MIGRATE) {
        return format!(
            "{what}, and is left alone until the new one stands in its ownership TXTs (owner=...): by hand, or with \
             {MIGRATE} after an update to v0.20.0 or later."
        );
    }
    let since = if instance.version.is_none() { " (from v0.20.0 on)" } else { "" };
    let keep = match instance.flags.policy {
        Policy::UpsertOnly => "the policy that it has (sync would delete the other's)",
        Policy::Sync | Policy::Missing => "--policy=upsert-only (sync would delete the other's)",
        Policy::CreateOnly => "--policy=upsert-only (create-only moves nothing)",
    };
    format!(
        "{what} until {MIGRATE}={id}{since} has moved it: set that with the new id and {keep}, and take it away then."
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::instance;

    #[test]
    fn a_policy_that_updates_nothing_moves_nothing() {
        let fixed = instance(&["--txt-owner-id=new", "--policy=create-only"], "v0.21.0");
        let over = back_or_over(&fixed, "old");
        assert!(over.contains("--migrate-from-txt-owner=old with --policy=upsert-only until"), "{over}");
        assert!(apart(&fixed, "each").contains("--policy=upsert-only (create-only moves nothing)"));
    }

    #[test]
    fn a_release_without_the_flag_is_not_told_to_set_it() {
        let of = |version| instance(&["--txt-owner-id=new", "--policy=sync"], version);
        let old = back_or_over(&of("v0.19.0"), "gke-prod");
        assert!(old.contains("--txt-owner-id=gke-prod again. v0.19.0 cannot move records to new"), "{old}");
        let new = back_or_over(&of("v0.20.0"), "gke-prod");
        assert!(
            new.contains("or add --migrate-from-txt-owner=gke-prod with --policy=upsert-only until all of them belong to new"),
            "{new}"
        );
        assert!(apart(&of("v0.19.0"), "each").contains("after an update to v0.20.0 or later"));
        let apart = apart(&of("v0.22.0"), "each");
        assert!(
            apart.contains("--migrate-from-txt-owner=new has moved it") && apart.contains("upsert-only"),
            "{apart}"
        );
    }
}
