use super::*;
use crate::desired::flags::parse::go_duration;

fn flags(args: &[&str]) -> Flags {
    with_version(args, Some(Version::new(0, 21, 0)))
}

fn with_version(args: &[&str], version: Option<Version>) -> Flags {
    let args: Vec<String> = args.iter().map(|arg| (*arg).to_owned()).collect();
    Flags::from_args(&args, &BTreeMap::new(), version)
}

#[test]
fn every_way_to_write_a_flag() {
    let read = flags(&[
        "--source=ingress",
        "--source",
        "service",
        "--provider=aws",
        "--txt-owner-id=first",
        "--txt-owner-id",
        "last",
        "--dry-run",
        "--no-aws-evaluate-target-health",
        "--aws-prefer-cname=true",
        "--combine-fqdn-annotation=false",
        "--interval",
        "1m30s",
    ]);
    assert_eq!(read.sources, ["ingress", "service"]);
    assert_eq!(read.owner_id, "last");
    assert!(read.dry_run && read.prefer_cname && !read.combine_fqdn && !read.evaluate_target_health);
    assert_eq!(read.interval, Duration::from_secs(90));
    assert_eq!(read.unknown, Vec::<String>::new());
}

#[test]
fn lists_split_never_at_commas_but_templates_do() {
    let read = flags(&[
        "--domain-filter=a.com,b.com",
        "--domain-filter=\"c.com\"",
        "--managed-record-types=A,CNAME",
        "--fqdn-template={{.Name}}.a.com, {{.Name}}.b.com",
        "--fqdn-template=c.com",
    ]);
    assert_eq!(read.domain_filter, ["a.com,b.com", "\"c.com\""], "quotes stay: they are a finding");
    assert_eq!(read.managed_types, [RecordType::new("A,CNAME")]);
    assert_eq!(read.fqdn_templates, ["{{.Name}}.a.com, {{.Name}}.b.com", "c.com"]);
}

#[test]
fn defaults_follow_the_version() {
    let check = |version: Option<Version>, prefix: &str, types: usize, policy: Policy| {
        let read = with_version(&["--provider=aws"], version);
        assert_eq!(
            (read.annotation_prefix.as_str(), read.managed_types.len(), read.policy),
            (prefix, types, policy),
            "{version:?}"
        );
        assert!(!read.annotation_prefix_given && read.evaluate_target_health);
        assert_eq!(read.owner_id, "default");
        assert_eq!((read.registry, read.zone_type), (Registry::Txt, ZoneType::Any));
        assert_eq!(read.interval, Duration::from_mins(1));
        assert_eq!(read.batch_change_interval, Duration::from_secs(1));
        // Without a version nobody can tell which of its two prefixes it reads.
        let legacy_annotation_prefix = version.is_none();
        assert_eq!(read.details, FlagDetails { legacy_annotation_prefix, ..FlagDetails::default() });
    };
    check(Some(Version::new(0, 13, 4)), ALPHA_PREFIX, 2, Policy::Sync);
    check(Some(Version::new(0, 13, 5)), ALPHA_PREFIX, 3, Policy::Sync);
    check(Some(Version::new(0, 21, 0)), ALPHA_PREFIX, 3, Policy::Sync);
    check(Some(Version::new(0, 22, 0)), GA_PREFIX, 3, Policy::Missing);
    check(None, GA_PREFIX, 3, Policy::Sync);
}

#[test]
fn the_environment_fills_in_and_the_command_line_wins() {
    let env = |pairs: &[(&str, &str)]| {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect::<BTreeMap<_, _>>()
    };
    let env = env(&[
        ("EXTERNAL_DNS_PROVIDER", "aws"),
        ("EXTERNAL_DNS_SOURCE", "ingress\nservice"),
        ("EXTERNAL_DNS_DOMAIN_FILTER", "env.example.com"),
        ("EXTERNAL_DNS_DRY_RUN", "1"),
        ("UNRELATED", "x"),
    ]);
    let read = Flags::from_args(&["--domain-filter=arg.example.com".to_owned()], &env, None);
    assert_eq!(read.provider, "aws");
    assert_eq!(read.sources, ["ingress", "service"]);
    assert_eq!(read.domain_filter, ["arg.example.com"]);
    assert!(read.dry_run);
}

#[test]
fn excluded_types_and_the_longer_cache() {
    let read = flags(&["--exclude-record-types=aaaa", "--provider-cache-time=2m", "--txt-cache-interval=1m"]);
    assert_eq!(read.managed_types, [RecordType::A, RecordType::Cname]);
    assert_eq!(read.cache_time, Duration::from_mins(2));
}

#[test]
fn what_is_not_understood_is_kept_and_not_fatal() {
    let read =
        flags(&["--shiny=1", "--once", "stray", "--interval=soon", "--policy", "--dry-run", "-x", "--"]);
    assert_eq!(read.unknown, ["--shiny=1", "stray", "--policy", "-x", "--", "--interval=soon"]);
    assert!(read.dry_run && read.details.once);
    assert_eq!(read.policy, Policy::Sync);
}

#[test]
fn go_durations() {
    let check = |text: &str, expected: Option<u64>| {
        assert_eq!(go_duration(text), expected.map(Duration::from_millis), "{text}");
    };
    check("1m", Some(60_000));
    check("1h30m", Some(5_400_000));
    check("500ms", Some(500));
    check("1.5s", Some(1_500));
    check("90", Some(90_000));
    check("0", Some(0));
    check("0s", Some(0));
    check("", None);
    check("m", None);
    check("1", Some(1_000));
    check("1x", None);
    check("1m2", None);
    check("-1m", None);
    check("99999999999999999999h", None);
}

#[test]
fn values_that_stand_elsewhere_are_untold() {
    let env: BTreeMap<String, String> = [
        ("OWNER", "$(OWNER)"),
        ("EXTERNAL_DNS_DOMAIN_FILTER", "$(EXTERNAL_DNS_DOMAIN_FILTER)"),
        ("EXTERNAL_DNS_POLICY", "$(EXTERNAL_DNS_POLICY)"),
        ("EXTERNAL_DNS_NAMESPACE", "$(EXTERNAL_DNS_NAMESPACE)"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into();
    let args =
        ["--source=ingress", "--txt-owner-id=$(OWNER)-1", "--txt-prefix=$(NOWHERE)", "--namespace=web"];
    let read = Flags::from_args(&args.map(str::to_owned), &env, Some(Version::new(0, 22, 0)));
    assert_eq!(read.untold, ["domain-filter", "policy", "txt-owner-id"]);
    assert!(read.domain_filter.is_empty() && read.txt_encrypt);
    // The policy that accuses nobody; an argument comes before its variable; what nobody defines is text.
    assert_eq!(read.policy, Policy::UpsertOnly);
    assert_eq!((read.namespace.as_str(), read.affixes.prefix.as_str()), ("web", "$(nowhere)"));
}
