//! What dns-drift can say: kinds, reasons, causes, impacts, severities, silent reasons.
//!
//! The words are the specification's; they appear unchanged in reports, metrics, alerts and docs.
//! One table each, closed: a new word is a new variant, and the compiler names every place that
//! has to know it.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::model::instance::Instance;
use crate::model::{DomainName, ObjectRef, RecordKey, ZoneId};
use crate::stored;

/// Declares a closed vocabulary: an enum, its words, and the list of all of them.
macro_rules! vocabulary {
    ($(#[$meta:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident = $word:literal,)+ }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name { $($(#[$doc])* $variant,)+ }

        impl $name {
            /// Every word, in the order of the specification.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The stable word in reports, labels and docs.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word,)+ }
            }

            /// The variant of a word; `None` for a word that is not in the vocabulary.
            #[must_use]
            pub fn from_word(word: &str) -> Option<Self> {
                match word { $($word => Some(Self::$variant),)+ _ => None }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { f.write_str(self.as_str()) }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                stored::word(deserializer, Self::from_word)
            }
        }
    };
}

vocabulary! {
    /// What is wrong. The order is that of the ranks: of all kinds that hold for one subject the
    /// first one is its primary finding.
    Kind {
        /// A view could not be read.
        ObserverBlind = "observer_blind",
        /// The instance does not reconcile.
        ControllerStalled = "controller_stalled",
        /// The instance reconciles and ends in an error that belongs to no single record.
        ControllerFailing = "controller_failing",
        /// The instance's flags contradict reality.
        ControllerMisconfigured = "controller_misconfigured",
        /// A large share of names vanished at once.
        MassDeletion = "mass_deletion",
        /// No hosted zone takes the name.
        NoZone = "no_zone",
        /// A change for the name was refused and the difference is still there.
        FailedChange = "failed_change",
        /// The object carries annotations that nobody reads.
        AnnotationUnread = "annotation_unread",
        /// The wish cannot be written as valid DNS in Route 53.
        InvalidDesired = "invalid_desired",
        /// Several objects want different things under one name.
        ConflictingDesired = "conflicting_desired",
        /// The object has no load balancer address.
        NoAddress = "no_address",
        /// The wanted target name is denied by its own DNS.
        TargetUnresolvable = "target_unresolvable",
        /// The record stands in a zone that does not serve the view.
        WrongZone = "wrong_zone",
        /// The zone lacks the record.
        MissingRecord = "missing_record",
        /// Alias where plain values are wanted, or the other way round.
        WrongAlias = "wrong_alias",
        /// Another record type than wanted.
        WrongType = "wrong_type",
        /// Another routing policy or parameter than wanted.
        WrongRouting = "wrong_routing",
        /// Targets that were right earlier.
        StaleTarget = "stale_target",
        /// Targets that were never right.
        WrongTarget = "wrong_target",
        /// A private address in a public zone.
        PrivateTargetInPublicZone = "private_target_in_public_zone",
        /// Several owners for one name.
        OwnerConflict = "owner_conflict",
        /// Another owner holds the record.
        OwnerForeign = "owner_foreign",
        /// Nobody owns the record.
        OwnerMissing = "owner_missing",
        /// An ownership record without its record.
        OwnerOrphan = "owner_orphan",
        /// A record whose target is gone.
        DanglingRecord = "dangling_record",
        /// A record that nothing wants any more.
        StaleRecord = "stale_record",
        /// Parent and zone name different name servers.
        DelegationBroken = "delegation_broken",
        /// The signed zone does not validate.
        DnssecBroken = "dnssec_broken",
        /// A private zone lacks the VPC that resolves it.
        ZoneUnassociated = "zone_unassociated",
        /// The zone is nearly full.
        ZoneQuota = "zone_quota",
        /// A wildcard answers, or does not, where it should not, or should.
        WildcardShadow = "wildcard_shadow",
        /// An authoritative server answers something else than the zone holds.
        AuthMismatch = "auth_mismatch",
        /// Route 53 withholds the record because of health.
        HealthWithdrawn = "health_withdrawn",
        /// A resolver keeps an old answer too long.
        ResolverStale = "resolver_stale",
        /// A resolver answers something that was never right.
        ResolverMismatch = "resolver_mismatch",
        /// A quorum of resolvers fails for the name.
        ResolverUnreachable = "resolver_unreachable",
        /// The record changes back and forth.
        Flapping = "flapping",
        /// The record is written again and again without need.
        Churn = "churn",
        /// The TTL differs from an explicit wish.
        WrongTtl = "wrong_ttl",
    }
}

vocabulary! {
    /// Why it is wrong, one level below the kind. A word may serve several kinds.
    Reason {
        /// Permission denied to us.
        Forbidden = "forbidden",
        /// Too many requests.
        Throttled = "throttled",
        /// No connection, or no answer in time.
        Unreachable = "unreachable",
        /// What came back could not be understood.
        Parse = "parse",
        /// An empty list where there was a full one.
        EmptySuspicious = "empty_suspicious",
        /// No reconcile for too long.
        NoReconcile = "no_reconcile",
        /// The container keeps crashing.
        CrashLoop = "crash_loop",
        /// There is no Pod.
        Absent = "absent",
        /// The instance only pretends.
        DryRun = "dry_run",
        /// Permission denied to the instance.
        AccessDenied = "access_denied",
        /// Bad or expired credentials, or a wrong clock.
        Credentials = "credentials",
        /// A source could not be read.
        SourceError = "source_error",
        /// An error in another zone stops all zones.
        OtherZone = "other_zone",
        /// The annotation prefix in force reads nothing of what objects carry.
        AnnotationPrefixFlip = "annotation_prefix_flip",
        /// The filters leave no zone.
        ZoneFilterMatchesNothing = "zone_filter_matches_nothing",
        /// A filter value carries quotes.
        DomainFilterQuoted = "domain_filter_quoted",
        /// Another cluster uses the same owner id.
        OwnerIdShared = "owner_id_shared",
        /// The owner id changed under existing records.
        OwnerIdChanged = "owner_id_changed",
        /// The TXT prefix or suffix changed under existing records.
        TxtAffixChanged = "txt_affix_changed",
        /// Two instances write the same names.
        OverlappingInstances = "overlapping_instances",
        /// The role may list but not watch.
        RbacWatchMissing = "rbac_watch_missing",
        /// No `--policy` (`controller_misconfigured`); no routing policy where one is wanted
        /// (`wrong_routing`).
        PolicyMissing = "policy_missing",
        /// `--dry-run` is on.
        DryRunOn = "dry_run_on",
        /// Load balancer addresses were lost.
        LbStatusLost = "lb_status_lost",
        /// The objects stopped wanting the names.
        WantsVanished = "wants_vanished",
        /// The records vanished.
        RecordsVanished = "records_vanished",
        /// No such zone.
        NotFound = "not_found",
        /// A filter takes the zone away.
        FilteredOut = "filtered_out",
        /// The zone is of the other type.
        WrongType = "wrong_type",
        /// The zone cannot be read.
        NoAccess = "no_access",
        /// Alias target outside of the target zone.
        AliasTargetNotInZone = "alias_target_not_in_zone",
        /// Alias target does not exist with that type.
        AliasTargetNotFound = "alias_target_not_found",
        /// A CNAME stands in the way.
        CnameConflict = "cname_conflict",
        /// The record exists already.
        AlreadyExists = "already_exists",
        /// The record to delete does not exist.
        DeleteNotFound = "delete_not_found",
        /// The record to delete has other values.
        DeleteValuesMismatch = "delete_values_mismatch",
        /// Simple and routed sets mixed.
        RoutingPolicyMix = "routing_policy_mix",
        /// Two members with the same routing key.
        RoutingDuplicate = "routing_duplicate",
        /// A value that its type does not allow.
        InvalidRdata = "invalid_rdata",
        /// A name that DNS does not allow.
        IllegalName = "illegal_name",
        /// The name lies outside of the zone.
        NameNotInZone = "name_not_in_zone",
        /// The apex NS or SOA record, or a protected one.
        ProtectedRecord = "protected_record",
        /// The zone is gone.
        NoSuchZone = "no_such_zone",
        /// The health check is gone.
        NoSuchHealthCheck = "no_such_health_check",
        /// A quota is reached.
        LimitsExceeded = "limits_exceeded",
        /// Change guardrail: form of an NS record.
        GuardrailNsFormatCheck = "guardrail_ns_format_check",
        /// Change guardrail: authority of a delegation.
        GuardrailNsDelegationAuthorityCheck = "guardrail_ns_delegation_authority_check",
        /// Change guardrail: a delegation hides records.
        GuardrailNsOcclusionCheck = "guardrail_ns_occlusion_check",
        /// Change guardrail: alias target.
        GuardrailAliasTargetCheck = "guardrail_alias_target_check",
        /// Change guardrail: the record is in use.
        GuardrailActiveRecordCheck = "guardrail_active_record_check",
        /// Change guardrail: the delegation is in use.
        GuardrailActiveDelegationCheck = "guardrail_active_delegation_check",
        /// Lost with its batch because of another record.
        BatchVictim = "batch_victim",
        /// A text that fits no known reason.
        Unknown = "unknown",
        /// Keys under another prefix.
        OtherPrefix = "other_prefix",
        /// A misspelt key.
        Typo = "typo",
        /// Alias to an IP address.
        AliasOnIp = "alias_on_ip",
        /// Alias to a name outside of the zone.
        AliasNotInZone = "alias_not_in_zone",
        /// CNAME at the apex of a zone.
        ApexCname = "apex_cname",
        /// A label over 63 octets.
        LabelTooLong = "label_too_long",
        /// The label of the ownership record is over 63 octets.
        TxtLabelTooLong = "txt_label_too_long",
        /// An empty label.
        EmptyLabel = "empty_label",
        /// Characters that DNS names do not have.
        BadChars = "bad_chars",
        /// The target is the name itself.
        SelfReference = "self_reference",
        /// CNAME beside other types.
        MixedTypes = "mixed_types",
        /// More values than Route 53 takes.
        TooManyValues = "too_many_values",
        /// Claimants with different targets, one wins.
        DifferentTargets = "different_targets",
        /// Claimants with different targets, merged.
        MergedTargets = "merged_targets",
        /// Simple and routed claims mixed.
        MixedRouting = "mixed_routing",
        /// Two claims with one set identifier.
        DuplicateSetIdentifier = "duplicate_set_identifier",
        /// There never was an address.
        NeverAssigned = "never_assigned",
        /// There was an address.
        Lost = "lost",
        /// The name does not exist.
        Nxdomain = "nxdomain",
        /// A CNAME loop.
        Loop = "loop",
        /// The name has no address.
        NoAddress = "no_address",
        /// Not the zone that the parent delegates to.
        NotTheDelegatedOne = "not_the_delegated_one",
        /// A delegation below the apex hides the record.
        OccludedByDelegation = "occluded_by_delegation",
        /// A private zone hides the public record.
        ShadowedByPrivateZone = "shadowed_by_private_zone",
        /// The parent zone instead of the child.
        ParentZone = "parent_zone",
        /// Private instead of public, or the other way round.
        PrivateVsPublic = "private_vs_public",
        /// It was there in an earlier round.
        Deleted = "deleted",
        /// One address family of two.
        OneFamily = "one_family",
        /// Alias wanted, plain values found.
        AliasExpected = "alias_expected",
        /// Alias wanted, CNAME to the same target found.
        AliasExpectedCname = "alias_expected_cname",
        /// Plain values wanted, alias found.
        AliasUnexpected = "alias_unexpected",
        /// An explicitly demanded `EvaluateTargetHealth` differs.
        EvaluateTargetHealth = "evaluate_target_health",
        /// The zone id of the alias target differs.
        AliasZoneId = "alias_zone_id",
        /// CNAME instead of A or AAAA.
        CnameInsteadOfA = "cname_instead_of_a",
        /// A or AAAA instead of CNAME.
        AInsteadOfCname = "a_instead_of_cname",
        /// A routing policy where none is wanted.
        PolicyUnwanted = "policy_unwanted",
        /// Weight.
        Weight = "weight",
        /// Region.
        Region = "region",
        /// Failover role.
        Failover = "failover",
        /// Location.
        Geo = "geo",
        /// Health check.
        HealthCheck = "health_check",
        /// Set identifier.
        SetIdentifier = "set_identifier",
        /// The targets of the previous load balancer.
        PreviousLb = "previous_lb",
        /// No common target.
        Disjoint = "disjoint",
        /// Some targets are missing.
        Subset = "subset",
        /// Some targets are too many.
        Superset = "superset",
        /// RFC 1918.
        Rfc1918 = "rfc1918",
        /// RFC 6598.
        Cgnat = "cgnat",
        /// Unique local, link-local or loopback.
        Ula = "ula",
        /// One instance serves public and private zones.
        SplitZonesSharedInstance = "split_zones_shared_instance",
        /// An ownership record of the old format.
        LegacyTxt = "legacy_txt",
        /// Two instances.
        TwoInstances = "two_instances",
        /// Another instance of this cluster.
        OtherInstance = "other_instance",
        /// Another cluster.
        OtherCluster = "other_cluster",
        /// The target name does not exist.
        TargetNxdomain = "target_nxdomain",
        /// The address is in no inventory.
        IpNotOurs = "ip_not_ours",
        /// A service name that anybody may claim.
        ClaimableService = "claimable_service",
        /// Policy sync did not delete it.
        NotDeleted = "not_deleted",
        /// The policy keeps it.
        PolicyKeeps = "policy_keeps",
        /// The owner is not running.
        OwnerAbsent = "owner_absent",
        /// Nobody delegates to the zone.
        NotDelegated = "not_delegated",
        /// No delegated server is authoritative.
        LameAll = "lame_all",
        /// Some delegated server is not authoritative.
        LamePartial = "lame_partial",
        /// The parent delegates to somebody else.
        DelegatedElsewhere = "delegated_elsewhere",
        /// The DS at the parent fits no key.
        DsMismatch = "ds_mismatch",
        /// Signing does not work.
        SigningError = "signing_error",
        /// Validation fails for another reason.
        ValidationFails = "validation_fails",
        /// The VPC is not associated.
        VpcMissing = "vpc_missing",
        /// No VPC is associated.
        NoVpc = "no_vpc",
        /// Number of record sets.
        RecordCount = "record_count",
        /// The wildcard leads elsewhere.
        OtherTarget = "other_target",
        /// A name below makes the wildcard stop.
        EmptyNonTerminal = "empty_non_terminal",
        /// NOERROR without records.
        Nodata = "nodata",
        /// Other records.
        Different = "different",
        /// The servers disagree.
        NsDisagree = "ns_disagree",
        /// An old answer.
        Positive = "positive",
        /// An old denial.
        Negative = "negative",
        /// Rewritten by the resolver.
        Rewritten = "rewritten",
        /// Filtered by the resolver.
        Filtered = "filtered",
        /// The answer of another view.
        OtherView = "other_view",
        /// Most resolvers answer SERVFAIL.
        ServfailQuorum = "servfail_quorum",
        /// Most resolvers do not answer.
        TimeoutQuorum = "timeout_quorum",
        /// Between two values.
        TwoValues = "two_values",
        /// Between a value and nothing.
        CreateDelete = "create_delete",
        /// An UPSERT that changes nothing.
        NoOpUpsert = "no_op_upsert",
        /// The kind says it all.
        None = "none",
    }
}

vocabulary! {
    /// What users get now.
    Impact {
        /// No answer where there should be one.
        Down = "down",
        /// Answers that lead somewhere else.
        WrongPlace = "wrong_place",
        /// Part of the answers, servers or views is wrong.
        Degraded = "degraded",
        /// Works now, breaks at the next change.
        Latent = "latent",
        /// Nothing.
        None = "none",
        /// Somebody else may take over what the name leads to.
        Security = "security",
    }
}

vocabulary! {
    /// How loud it is. Order: the last one is the loudest.
    Severity {
        /// For the dashboard.
        Info = "info",
        /// For working hours.
        Warning = "warning",
        /// Wakes somebody.
        Critical = "critical",
    }
}

vocabulary! {
    /// Where a finding stands.
    State {
        /// Inside a window, or not confirmed yet.
        Pending = "pending",
        /// Confirmed; the only state that alerts.
        Open = "open",
        /// Somebody said to be quiet about it.
        Muted = "muted",
        /// Another open finding explains it.
        Explained = "explained",
        /// A view is blind; the last verdict is frozen.
        Stale = "stale",
        /// Gone.
        Resolved = "resolved",
    }
}

vocabulary! {
    /// Why a comparison was not made, or made and kept quiet.
    SilentReason {
        /// The object names no host.
        NoHost = "no_host",
        /// A young object without an address.
        NoDnsTargetYet = "no_dns_target_yet",
        /// The controller annotation has another value.
        ControllerAnnotation = "controller_annotation",
        /// Another Ingress class.
        ClassFilter = "class_filter",
        /// The annotation filter excludes the object.
        AnnotationFilter = "annotation_filter",
        /// The label filter excludes the object.
        LabelFilter = "label_filter",
        /// Another namespace.
        NamespaceFilter = "namespace_filter",
        /// The domain filter excludes the name.
        DomainFilter = "domain_filter",
        /// The host comes from a source that is switched off.
        HostSourceFilter = "host_source_filter",
        /// The record type is not managed.
        RecordTypeFilter = "record_type_filter",
        /// A resource kind that we do not read.
        SourceNotWatched = "source_not_watched",
        /// A domain that nobody here manages.
        OutsideManagedZones = "outside_managed_zones",
        /// A cert-manager HTTP-01 solver.
        AcmeSolver = "acme_solver",
        /// Somebody opted out.
        OptedOut = "opted_out",
        /// A declared maintenance period.
        Maintenance = "maintenance",
        /// Another owner serves the same.
        ForeignOwnerAgrees = "foreign_owner_agrees",
        /// Several claims, one target.
        SameTargetClaims = "same_target_claims",
        /// A target annotation overrides the status.
        TargetOverride = "target_override",
        /// Documented precedence.
        ResolutionOrder = "resolution_order",
        /// Another member of the same routing set.
        RoutingSibling = "routing_sibling",
        /// The answer depends on where one asks.
        RoutingView = "routing_view",
        /// A drained member.
        WeightZero = "weight_zero",
        /// A standby.
        FailoverStandby = "failover_standby",
        /// Eight of many values.
        MultivalueSubset = "multivalue_subset",
        /// An unhealthy member while others serve.
        HealthByDesign = "health_by_design",
        /// The load balancer's addresses rotate.
        ElbRotation = "elb_rotation",
        /// The `dualstack.` prefix.
        DualstackEquivalent = "dualstack_equivalent",
        /// Another spelling of the same name.
        NameEquivalent = "name_equivalent",
        /// Order or repetition of values.
        ValueOrder = "value_order",
        /// The TTL of an alias.
        AliasTtlIgnored = "alias_ttl_ignored",
        /// The AAAA alias of a target without IPv6.
        AliasFamilyNodata = "alias_family_nodata",
        /// A default that nobody demanded otherwise.
        DefaultAttribute = "default_attribute",
        /// Views that differ by design.
        SplitHorizon = "split_horizon",
        /// A resolver marked internal.
        InternalResolver = "internal_resolver",
        /// A private zone with public fallback.
        PublicFallback = "public_fallback",
        /// A wildcard answers for an unwanted host.
        WildcardCover = "wildcard_cover",
        /// A record that is not ours to judge.
        UnmanagedRecord = "unmanaged_record",
        /// The policy keeps a record.
        PolicyLeftover = "policy_leftover",
        /// Encrypted ownership.
        RegistryOpaque = "registry_opaque",
        /// Obsolete ownership records of the same owner.
        RegistryExtraTxt = "registry_extra_txt",
        /// Ownership is kept elsewhere.
        RegistryElsewhere = "registry_elsewhere",
        /// The controller has not had its time yet.
        SyncWindow = "sync_window",
        /// A new object.
        GraceNew = "grace_new",
        /// A deleted object.
        GraceDeleted = "grace_deleted",
        /// Route 53 is still spreading the change.
        PropagationWindow = "propagation_window",
        /// The old TTL is still running.
        TtlWindow = "ttl_window",
        /// A cached denial is still running.
        NegativeTtlWindow = "negative_ttl_window",
        /// The parent's NS TTL is still running.
        DelegationTtlWindow = "delegation_ttl_window",
        /// The resolver itself fails.
        ResolverFault = "resolver_fault",
        /// One lost packet.
        SingleObservation = "single_observation",
    }
}

/// Where a finding comes from. Source: findings.md section 2.1.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cause {
    /// A refused change: `failed_change:<reason>`.
    FailedChange(Reason),
    /// A refused change of another record of the batch: `failed_change:<fqdn>`.
    FailedChangeOf(DomainName),
    /// An impossible wish: `invalid_desired:<reason>`.
    InvalidDesired(Reason),
    /// Wrong flags: `controller_misconfigured:<reason>`.
    ControllerMisconfigured(Reason),
    /// Competing wishes: `conflicting_desired:<reason>`.
    ConflictingDesired(Reason),
    /// The controller does not reconcile.
    ControllerStalled,
    /// The controller fails as a whole.
    ControllerFailing,
    /// Another owner.
    OwnerForeign,
    /// No owner.
    OwnerMissing,
    /// A left-over ownership record.
    OwnerOrphan,
    /// The policy forbids the change.
    Policy,
    /// The zone is full.
    ZoneQuota,
    /// Somebody else changed it.
    ManualChange,
    /// This version cannot do what the object asks.
    ControllerVersion,
    /// No feed shows any sign of trouble.
    UnknownSilent,
}

/// What a finding is about. Source: findings.md section 2.2.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Subject {
    /// A record of a hosted zone, or a name with the type that the instance would write.
    Record(RecordKey),
    /// A hosted zone, by name.
    Zone(DomainName),
    /// An instance, by owner id.
    Instance(std::sync::Arc<str>),
    /// An object of the cluster.
    Object(ObjectRef),
    /// A view.
    Source(crate::snapshot::ViewName),
}

/// What distinguishes two findings over time: subject, zone and kind. The zone matters where a
/// public and a private zone hold the same name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct FindingKey {
    /// What it is about.
    #[serde(with = "stored::subject")]
    pub subject: Subject,
    /// Hosted zone, for what lives in one.
    pub zone_id: Option<ZoneId>,
    /// Instance, for what an instance wants.
    pub instance: Option<std::sync::Arc<str>>,
    /// What is wrong.
    pub kind: Kind,
}

/// A window in which a difference is expected. Source: findings.md section 7.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    /// Which one.
    pub reason: SilentReason,
    /// When it closes.
    pub until: Timestamp,
}

// === impl Kind ===

impl Kind {
    /// The rank of the specification: of several kinds on one subject the lowest wins.
    #[must_use]
    pub const fn rank(self) -> u8 {
        match self {
            Self::ObserverBlind => 1,
            Self::ControllerStalled => 2,
            Self::ControllerFailing => 3,
            Self::ControllerMisconfigured => 4,
            Self::MassDeletion => 5,
            Self::NoZone => 10,
            Self::FailedChange => 11,
            Self::AnnotationUnread => 12,
            Self::InvalidDesired => 13,
            Self::ConflictingDesired => 14,
            Self::NoAddress => 15,
            Self::TargetUnresolvable => 16,
            Self::WrongZone => 17,
            Self::MissingRecord => 20,
            Self::WrongAlias => 21,
            Self::WrongType => 22,
            Self::WrongRouting => 23,
            Self::StaleTarget => 24,
            Self::WrongTarget => 25,
            Self::PrivateTargetInPublicZone => 26,
            Self::OwnerConflict => 30,
            Self::OwnerForeign => 31,
            Self::OwnerMissing => 32,
            Self::OwnerOrphan => 33,
            Self::DanglingRecord => 40,
            Self::StaleRecord => 41,
            Self::DelegationBroken => 50,
            Self::DnssecBroken => 51,
            Self::ZoneUnassociated => 52,
            Self::ZoneQuota => 53,
            Self::WildcardShadow => 60,
            Self::AuthMismatch => 61,
            Self::HealthWithdrawn => 62,
            Self::ResolverStale => 63,
            Self::ResolverMismatch => 64,
            Self::ResolverUnreachable => 65,
            Self::Flapping => 70,
            Self::Churn => 71,
            Self::WrongTtl => 72,
        }
    }

    /// Ranks 20 to 25: what is recorded differs from what is wanted.
    #[must_use]
    pub const fn is_record_ladder(self) -> bool {
        matches!(self.rank(), 20..=25)
    }

    /// Ranks 60 to 65: what DNS answers differs from what is recorded.
    #[must_use]
    pub const fn is_live(self) -> bool {
        matches!(self.rank(), 60..=65)
    }

    /// Ranks 2 to 4.
    #[must_use]
    pub const fn is_controller(self) -> bool {
        matches!(self.rank(), 2..=4)
    }
}

impl Impact {
    /// How bad it is for users, for choosing the worst of several.
    #[must_use]
    pub const fn weight(self) -> u8 {
        match self {
            Self::None => 0,
            Self::Latent => 1,
            Self::Degraded => 2,
            Self::WrongPlace => 3,
            Self::Down => 4,
            Self::Security => 5,
        }
    }
}

impl Subject {
    /// The record's key, for a record subject.
    #[must_use]
    pub fn record(&self) -> Option<&RecordKey> {
        if let Self::Record(key) = self { Some(key) } else { None }
    }

    /// True for a record of the name.
    #[must_use]
    pub fn is_about(&self, name: &DomainName) -> bool {
        self.record().is_some_and(|key| key.name == *name)
    }

    /// The subject of an instance.
    #[must_use]
    pub fn instance(instance: &Instance) -> Self {
        Self::Instance(instance.id.clone())
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::FailedChange(reason) => write!(f, "failed_change:{reason}"),
            Self::FailedChangeOf(name) => write!(f, "failed_change:{name}"),
            Self::InvalidDesired(reason) => write!(f, "invalid_desired:{reason}"),
            Self::ControllerMisconfigured(reason) => write!(f, "controller_misconfigured:{reason}"),
            Self::ConflictingDesired(reason) => write!(f, "conflicting_desired:{reason}"),
            Self::ControllerStalled => f.write_str("controller_stalled"),
            Self::ControllerFailing => f.write_str("controller_failing"),
            Self::OwnerForeign => f.write_str("owner_foreign"),
            Self::OwnerMissing => f.write_str("owner_missing"),
            Self::OwnerOrphan => f.write_str("owner_orphan"),
            Self::Policy => f.write_str("policy"),
            Self::ZoneQuota => f.write_str("zone_quota"),
            Self::ManualChange => f.write_str("manual_change"),
            Self::ControllerVersion => f.write_str("controller_version"),
            Self::UnknownSilent => f.write_str("unknown_silent"),
        }
    }
}

impl Cause {
    /// Reads what [`Cause`] shows; `None` when it is no cause.
    #[must_use]
    pub fn from_word(text: &str) -> Option<Self> {
        let reason = |word: &str| Reason::from_word(word);
        Some(match text.split_once(':') {
            Some(("failed_change", word)) => match reason(word) {
                Some(reason) => Self::FailedChange(reason),
                None => Self::FailedChangeOf(DomainName::new(word)),
            },
            Some(("invalid_desired", word)) => Self::InvalidDesired(reason(word)?),
            Some(("controller_misconfigured", word)) => Self::ControllerMisconfigured(reason(word)?),
            Some(("conflicting_desired", word)) => Self::ConflictingDesired(reason(word)?),
            Some(_) => return None,
            None => match text {
                "controller_stalled" => Self::ControllerStalled,
                "controller_failing" => Self::ControllerFailing,
                "owner_foreign" => Self::OwnerForeign,
                "owner_missing" => Self::OwnerMissing,
                "owner_orphan" => Self::OwnerOrphan,
                "policy" => Self::Policy,
                "zone_quota" => Self::ZoneQuota,
                "manual_change" => Self::ManualChange,
                "controller_version" => Self::ControllerVersion,
                "unknown_silent" => Self::UnknownSilent,
                _ => return None,
            },
        })
    }
}

impl<'de> Deserialize<'de> for Cause {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        stored::word(deserializer, Self::from_word)
    }
}

impl Serialize for Cause {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Record(key) => key.fmt(f),
            Self::Zone(name) => write!(f, "zone/{name}"),
            Self::Instance(id) => write!(f, "instance/{}", crate::model::text::printable(id)),
            Self::Object(object) => write!(f, "object/{object}"),
            Self::Source(view) => write!(f, "source/{}", view.as_str()),
        }
    }
}

impl Serialize for Subject {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_unique_and_come_back() {
        for kind in Kind::ALL {
            assert_eq!(Kind::from_word(kind.as_str()), Some(*kind));
        }
        let mut words: Vec<&str> = Reason::ALL.iter().map(|reason| reason.as_str()).collect();
        words.sort_unstable();
        let count = words.len();
        words.dedup();
        assert_eq!(words.len(), count);
    }

    #[test]
    fn kinds_are_declared_in_rank_order() {
        let ranks: Vec<u8> = Kind::ALL.iter().map(|kind| kind.rank()).collect();
        assert!(ranks.windows(2).all(|pair| pair[0] < pair[1]), "{ranks:?}");
    }

    #[test]
    fn severity_orders_by_loudness() {
        assert!(Severity::Info < Severity::Warning && Severity::Warning < Severity::Critical);
    }
}
