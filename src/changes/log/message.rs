//! What one message of ExternalDNS says. Source: kubernetes-sigs/external-dns, all releases from
//! v0.4 to v0.22; the texts of older releases stand beside the newer ones.

use std::sync::LazyLock;

use regex::Regex;

use crate::changes::framing::{Level, LogLine};
use crate::changes::{pattern, refusal};
use crate::finding::Reason;
use crate::limits::MAX_NAME;
use crate::model::change::{Action, AttemptedChange, SkipReason};
use crate::model::text::{printable, truncate};
use crate::model::{DomainName, RecordType, ZoneId};

/// A message, understood.
pub(super) enum Message<'a> {
    /// `Desired change: ...`
    Desired { change: AttemptedChange, zone_id: Option<ZoneId> },
    /// `Failure in zone ...`; the error is `None` where it is the next line.
    ZoneFailure { zone: ZoneRef, error: Option<&'a str> },
    /// `Failed submitting change (error: ...)`.
    SingleFailure { error: &'a str },
    /// `N record(s) were successfully updated`.
    Updated { count: u64, zone: ZoneRef },
    /// `All records are already up to date`.
    UpToDate,
    /// `Reconciliation succeeded after N consecutive soft errors`.
    Recovered,
    /// A line that only stands at the start of a reconcile.
    RunBegins,
    /// The reconcile ended in an error.
    RunFailed { sums_up_batches: bool },
    /// A name was left alone.
    Skipped { name: DomainName, record_type: Option<RecordType>, why: SkipReason },
    /// Nothing but an error of an AWS call.
    AwsError,
    /// Anything else.
    Other,
}

/// The zone that a line names, as far as it does.
#[derive(Clone, Debug, Default)]
pub(super) struct ZoneRef {
    pub(super) id: Option<ZoneId>,
    pub(super) name: Option<DomainName>,
}

const ALL_ZONES: &str = "failed to submit all changes for the following zones:";

/// How the messages of a failed reconcile begin, lower case, besides fatal ones.
const RUN_FAILED: [&str; 12] = [
    "failed to do run once",
    "records retrieval failed",
    "failed to list hosted zones",
    "failed to list resource records",
    "failed to list zones",
    "failed to list tags for zone",
    "failed to get zones",
    "getting zones",
    "failed to sync ",
    // Sources of their own words. Up to v0.13.4 nothing stands before them.
    "failed to get node address from",
    "failed to apply template on",
    "invalid gateway name (name or namespace/name)",
];

static OWNER: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"^Skipping endpoint (?P<endpoint>.+) because (?:of missing owner label|owner id does not match)(?P<rest>.*)$",
    )
});
static FOUND: LazyLock<Regex> = LazyLock::new(|| pattern(r#"found: "(?P<found>[^"]*)""#));
static REQUIRED: LazyLock<Regex> = LazyLock::new(|| pattern(r#"required: "(?P<required>[^"]*)""#));
static NO_ZONE: LazyLock<Regex> = LazyLock::new(|| {
    pattern(r"^Skipping record (?P<name>.+?) because no hosted zone matching record DNS Name was detected")
});
static DUMPED_NAME: LazyLock<Regex> = LazyLock::new(|| pattern(r#"\bName: ?"(?P<name>[^"]*)""#));
static DUMPED_TYPE: LazyLock<Regex> = LazyLock::new(|| pattern(r#"\bType: ?"(?P<type>[^"]*)""#));
static PINNED: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"^Skipping record (?P<name>\S+): pinned hosted zone \S+ is not among "));
static LABEL: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"^label \S+ in (?P<name>\S+) is longer than 63 characters"));
static TOO_LARGE: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"^Total changes for (?P<name>.+?) exceeds max batch size"));
static CONFLICT: LazyLock<Regex> = LazyLock::new(|| {
    pattern(r"^Domain (?P<name>\S+) contains conflicting record type candidates; discarding CNAME record")
});
static SOURCE: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"failed to sync |no endpoints|unable to (?:list|watch|get)|cannot (?:list|watch|get) resource|is forbidden: User|could not find the requested resource|no matches for kind|informer|template|node address|invalid gateway name|\bsource\b|kubernetes|/apis?/",
    )
});

/// How client-go words what the Kubernetes API said, at the start of the message. Up to v0.13.4 nothing
/// stands before the error that ends a reconcile; a name or value of a user never stands there.
static CLUSTER: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r#"^(?:[a-z0-9.-]+(?: "[^"]*")? is forbidden: User "|the server (?:could not find the requested resource|has asked for the client to provide credentials|has received too many requests|is currently unable to handle the request|was unable to return a response)|an error on the server \("|no matches for kind "|Get "?https?://[^/"]+/apis?/)"#,
    )
});

/// Reads a message. Cheap for lines that say nothing: the start of the text chooses.
pub(super) fn read(text: &str, level: Option<Level>) -> Message<'_> {
    if let Some(rest) = text.strip_prefix("Desired change: ") {
        return read_desired(rest).unwrap_or(Message::Other);
    }
    if text.starts_with("All records are already up to date") {
        return Message::UpToDate;
    }
    if text.starts_with("Applying provider record filter") {
        return Message::RunBegins;
    }
    if let Some(rest) = text.strip_prefix("Failure in zone ") {
        return read_zone_failure(rest);
    }
    if let Some(rest) = text.strip_prefix("Failed submitting change (error: ") {
        let end = rest.rfind("), it will be retried").unwrap_or(rest.len());
        return Message::SingleFailure { error: rest.get(..end).unwrap_or(rest) };
    }
    if text.starts_with("Reconciliation succeeded after ") {
        return Message::Recovered;
    }
    if let Some(message) = read_updated(text).or_else(|| read_skipped(text)) {
        return message;
    }
    read_failure(text, level)
}

/// The reason of a failed reconcile, in the words of `controller_failing`.
pub(super) fn run_reason(text: &str) -> Reason {
    if CLUSTER.is_match(text) {
        return Reason::SourceError;
    }
    let refusal = refusal::read(text);
    let reason = refusal.errors.first().map_or(Reason::Unknown, |error| error.reason);
    let reason = refusal::reason_of(&refusal.code, text).unwrap_or(reason);
    if [Reason::AccessDenied, Reason::Throttled, Reason::Credentials].contains(&reason) {
        return reason;
    }
    let lower = text.to_ascii_lowercase();
    let aws = refusal::is_aws_error(text) || lower.contains("hosted zone") || lower.contains("route 53");
    if !aws && SOURCE.is_match(text) {
        return Reason::SourceError;
    }
    // What stops everything is about one zone: the others wait for it.
    if reason == Reason::NoSuchZone || (aws && lower.contains("for zone ")) {
        return Reason::OtherZone;
    }
    Reason::Unknown
}

/// `CREATE app.example.com A`, up to v0.14.2 with ` [Id: /hostedzone/Z...]`.
fn read_desired<'a>(text: &str) -> Option<Message<'a>> {
    let (text, zone_id) = split_id(text.trim_end());
    let (action, rest) = text.split_once(' ')?;
    let (name, record_type) = rest.rsplit_once(' ')?;
    let change = AttemptedChange {
        action: read_action(action)?,
        name: Some(name.trim()).filter(|name| !name.is_empty()).map(DomainName::from_route53)?,
        record_type: RecordType::new(&truncate(record_type, 20)),
        set_identifier: None,
        targets: Vec::new(),
        alias: None,
    };
    Some(Message::Desired { change, zone_id })
}

fn read_action(word: &str) -> Option<Action> {
    match word {
        "CREATE" => Some(Action::Create),
        "UPSERT" => Some(Action::Upsert),
        "DELETE" => Some(Action::Delete),
        _other => None,
    }
}

fn read_zone_failure(text: &str) -> Message<'_> {
    let (zone, error) = match text.split_once(" when submitting change batch:") {
        Some((zone, error)) => (zone, Some(error.trim_start())),
        None => (text, None),
    };
    Message::ZoneFailure { zone: ZoneRef::read(zone), error }
}

/// `3 record(s) in zone example.com. [Id: ...] were successfully updated`.
fn read_updated<'a>(text: &str) -> Option<Message<'a>> {
    let (count, rest) = text.split_once(" record(s)")?;
    let zone = rest.strip_suffix(" were successfully updated")?;
    let zone = zone.strip_prefix(" in zone ").map(ZoneRef::read).unwrap_or_default();
    Some(Message::Updated { count: count.parse().ok()?, zone })
}

fn read_skipped<'a>(text: &str) -> Option<Message<'a>> {
    let skipped = |pattern: &Regex, why: SkipReason, record_type: Option<RecordType>| {
        let name =
            pattern.captures(text)?.name("name").map(|name| DomainName::from_route53(name.as_str()))?;
        Some(Message::Skipped { name, record_type, why })
    };
    if text.starts_with("Skipping endpoint ") {
        return read_owner_skip(text);
    }
    if text.starts_with("Skipping record ") {
        return skipped(&PINNED, SkipReason::NoZone, None).or_else(|| read_no_zone(text));
    }
    if text.starts_with("label ") {
        return skipped(&LABEL, SkipReason::LabelLength, None);
    }
    if text.starts_with("Total changes for ") {
        return skipped(&TOO_LARGE, SkipReason::BatchTooLarge, None);
    }
    if text.starts_with("Domain ") {
        return skipped(&CONFLICT, SkipReason::TypeConflict, Some(RecordType::Cname));
    }
    None
}

/// An endpoint reads `name ttl IN TYPE set-identifier targets [properties]`.
fn read_owner_skip<'a>(text: &str) -> Option<Message<'a>> {
    let found = OWNER.captures(text)?;
    let mut words = found.name("endpoint")?.as_str().split(' ');
    let name = DomainName::from_route53(words.next()?);
    let record_type =
        words.skip_while(|word| *word != "IN").nth(1).map(|word| RecordType::new(&truncate(word, 20)));
    let rest = found.name("rest").map_or("", |rest| rest.as_str());
    let quoted = |pattern: &Regex, group: &str| {
        let id = pattern.captures(rest).and_then(|id| id.name(group).map(|id| id.as_str().to_owned()));
        printable(&truncate(&id.unwrap_or_default(), MAX_NAME)).into()
    };
    let why = SkipReason::Owner { found: quoted(&FOUND, "found"), required: quoted(&REQUIRED, "required") };
    Some(Message::Skipped { name, record_type, why })
}

/// Up to v0.15.0 the name is a dump of the whole change.
fn read_no_zone<'a>(text: &str) -> Option<Message<'a>> {
    let found = NO_ZONE.captures(text)?;
    let shown = found.name("name")?.as_str();
    let part = |pattern: &Regex, group: &str| {
        pattern.captures(shown).and_then(|part| part.name(group).map(|part| part.as_str().to_owned()))
    };
    let name = if shown.starts_with('{') { part(&DUMPED_NAME, "name")? } else { shown.to_owned() };
    let record_type = part(&DUMPED_TYPE, "type").map(|text| RecordType::new(&truncate(&text, 20)));
    Some(Message::Skipped { name: DomainName::from_route53(&name), record_type, why: SkipReason::NoZone })
}

fn read_failure<'a>(text: &str, level: Option<Level>) -> Message<'a> {
    if text.starts_with("panic: ") {
        return Message::RunFailed { sums_up_batches: false };
    }
    // Below error level nothing ends a reconcile; unframed lines are continuations of something.
    if level.is_none_or(|level| level < Level::Error) {
        return Message::Other;
    }
    let start = text.get(..200).unwrap_or(text).to_ascii_lowercase();
    if start.contains(ALL_ZONES) {
        return Message::RunFailed { sums_up_batches: true };
    }
    if RUN_FAILED.iter().any(|words| start.starts_with(words)) {
        return Message::RunFailed { sums_up_batches: false };
    }
    if refusal::is_aws_error(text) {
        return Message::AwsError;
    }
    if level == Some(Level::Fatal) || CLUSTER.is_match(text) {
        return Message::RunFailed { sums_up_batches: false };
    }
    Message::Other
}

/// Takes ` [Id: /hostedzone/Z...]` from the end.
fn split_id(text: &str) -> (&str, Option<ZoneId>) {
    let split = text.strip_suffix(']').and_then(|open| open.rsplit_once(" [Id: "));
    match split {
        Some((rest, id)) if id.len() <= 100 => (rest, Some(ZoneId::new(id))),
        _none => (text, None),
    }
}

// === impl ZoneRef ===

impl ZoneRef {
    /// `example.com. [Id: /hostedzone/Z...]`.
    fn read(text: &str) -> Self {
        let (name, id) = split_id(text.trim());
        let name = name.split(' ').next().filter(|name| !name.is_empty());
        Self { id, name: name.map(DomainName::from_route53) }
    }

    /// Takes what the message lacks from the fields of the line.
    pub(super) fn or_fields(self, line: &LogLine<'_>) -> Self {
        Self {
            id: self.id.or_else(|| line.zone_id.clone()),
            name: self.name.or_else(|| line.zone_name.clone()),
        }
    }
}
