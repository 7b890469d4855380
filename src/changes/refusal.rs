//! What Route 53, or the way to it, said when it refused a call.
//!
//! The same text arrives in three wrappings: as CloudTrail has it (code and message apart), as
//! the Go SDK v1 writes it (`Code: message\n\tstatus code: 400, request id: ...`, ExternalDNS up to
//! v0.15.0) and as the Go SDK v2 does (`operation error Route 53: ..., Code: message`).

mod sentence;

use std::borrow::Cow;
use std::sync::{Arc, LazyLock};

use regex::Regex;

use crate::changes::pattern;
use crate::finding::Reason;
use crate::limits::{MAX_LOG_LINE, MAX_SENTENCES};
use crate::model::ZoneId;
use crate::model::change::RefusalError;
use crate::model::text::{printable, truncate};

/// A refusal, decoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Error code without a trailing `Exception`; empty when the text tells none.
    pub code: Arc<str>,
    /// Request id; `None` when the text tells none.
    pub request_id: Option<Arc<str>>,
    /// One for each sentence, at least one, at most [`MAX_SENTENCES`].
    pub errors: Vec<RefusalError>,
    /// The whole text, printable and bounded.
    pub message: Arc<str>,
}

/// The wrapping of an error text and what is inside.
struct Unwrapped<'a> {
    code: &'a str,
    request_id: Option<&'a str>,
    body: &'a str,
}

/// The end of an error of the Go SDK v1.
static SDK_V1: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"\s*status code: (?P<status>\d{3}), request id: (?P<request_id>[0-9a-z-]*)"));

/// The start of an error of the Go SDK v2 that got an answer from the service.
static SDK_V2: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"https response error StatusCode: \d+, RequestID: (?P<request_id>[0-9a-z-]*), (?:api error )?(?P<rest>.*)",
    )
});

/// `InvalidChangeBatch: ` at the start; the console writes `InvalidChangeBatch 400: `.
static CODE_FIRST: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"^\s*(?P<code>[a-z]{4,60})(?: \d{3})?:\s*(?P<rest>.*)$"));

/// A known code somewhere behind the words of a caller.
static CODE_INSIDE: LazyLock<Regex> = LazyLock::new(|| {
    pattern(&format!(r"\b(?P<code>(?:{})(?:Exception)?):\s*(?P<rest>.*)$", KNOWN_CODES.join("|")))
});

static ZONES: LazyLock<Regex> = LazyLock::new(|| pattern(r"hostedzone/(?P<id>[0-9a-z]{1,64})"));

/// Error codes that decide by themselves, and the batch code. Source: Route 53 API, common errors
/// and the errors of `ChangeResourceRecordSets`; AWS STS.
const KNOWN_CODES: [&str; 25] = [
    "InvalidChangeBatch",
    "InvalidInput",
    "Throttling",
    "TooManyRequests",
    "RequestLimitExceeded",
    "PriorRequestNotComplete",
    "AccessDenied",
    "UnauthorizedOperation",
    "SignatureDoesNotMatch",
    "InvalidSignature",
    "IncompleteSignature",
    "InvalidClientTokenId",
    "InvalidAccessKeyId",
    "UnrecognizedClient",
    "ExpiredToken",
    "RequestExpired",
    "MissingAuthenticationToken",
    "InvalidIdentityToken",
    "WebIdentityErr",
    "NoCredentialProviders",
    "NoSuchHostedZone",
    "NoSuchHealthCheck",
    "LimitsExceeded",
    "TooManyResourceRecordSets",
    "RequestError",
];

/// Decodes an error text in any of the wrappings. Total.
#[must_use]
pub fn read(text: &str) -> Refusal {
    let text = bounded(text);
    let Unwrapped { code, request_id, body } = unwrap(text);
    let mut refusal = decode(code, body, text);
    refusal.request_id = request_id.filter(|id| !id.is_empty()).map(|id| truncate(id, 100).into());
    refusal
}

/// Decodes a text whose code is told apart from it, as CloudTrail does.
#[must_use]
pub fn read_with_code(code: &str, text: &str) -> Refusal {
    let text = bounded(text);
    let mut refusal = decode(code, text, text);
    if refusal.message.is_empty() {
        refusal.message = Arc::clone(&refusal.code);
    }
    refusal
}

/// True if the text looks like an error of an AWS call, not like words of ExternalDNS.
#[must_use]
pub fn is_aws_error(text: &str) -> bool {
    let text = bounded(text);
    let known = unwrap_known_code(text).is_some_and(|(_, code, _)| !code.is_empty());
    known || SDK_V1.is_match(text) || text.trim_start().starts_with("operation error ")
}

/// The hosted zones that a text names by id, without repetition, in order.
#[must_use]
pub fn zones_named(text: &str) -> Vec<ZoneId> {
    let mut zones = Vec::new();
    for capture in ZONES.captures_iter(bounded(text)) {
        let Some(id) = capture.name("id").map(|id| ZoneId::new(id.as_str())) else { continue };
        if !zones.contains(&id) {
            zones.push(id);
        }
        if MAX_SENTENCES <= zones.len() {
            break;
        }
    }
    zones
}

/// The reason that a code, or a telling word in the text, stands for; `None` for anything else.
#[must_use]
pub fn reason_of(code: &str, text: &str) -> Option<Reason> {
    refused_identity(code, text).or_else(|| reason_of_code(code)).or_else(|| {
        // The text of a refused batch quotes names and values, which may spell any of the words.
        if code == "InvalidChangeBatch" {
            return None;
        }
        let lower = text.to_ascii_lowercase();
        TELLING.iter().find_map(|(word, reason)| lower.contains(word).then_some(*reason))
    })
}

/// What decides where there is no code. All lower case.
const TELLING: [(&str, Reason); 16] = [
    ("rate exceeded", Reason::Throttled),
    ("throttling:", Reason::Throttled),
    ("priorrequestnotcomplete", Reason::Throttled),
    ("is not authorized to perform", Reason::AccessDenied),
    ("accessdenied", Reason::AccessDenied),
    ("signature expired", Reason::Credentials),
    ("signaturedoesnotmatch", Reason::Credentials),
    ("invalidclienttokenid", Reason::Credentials),
    ("expiredtoken", Reason::Credentials),
    ("failed to retrieve credentials", Reason::Credentials),
    ("get credentials:", Reason::Credentials),
    ("failed to refresh cached credentials", Reason::Credentials),
    ("no hosted zone found with id", Reason::NoSuchZone),
    ("toomanyresourcerecordsets", Reason::LimitsExceeded),
    ("nosuchhealthcheck", Reason::NoSuchHealthCheck),
    // The SDK itself stops to repeat a call that is refused again and again.
    ("retry quota exceeded", Reason::Throttled),
];

/// A refusal on the way to the credentials, before anything was asked of Route 53. All lower case.
const IDENTITY: [&str; 3] =
    ["operation error sts:", "get credentials:", "failed to refresh cached credentials"];

/// Access that is denied to whoever asks for credentials lacks those, and no right in Route 53.
fn refused_identity(code: &str, text: &str) -> Option<Reason> {
    let denied = reason_of_code(code) == Some(Reason::AccessDenied);
    let lower = text.to_ascii_lowercase();
    (denied && IDENTITY.iter().any(|words| lower.contains(words))).then_some(Reason::Credentials)
}

fn reason_of_code(code: &str) -> Option<Reason> {
    let reason = match without_exception(code).to_ascii_lowercase().as_str() {
        "throttling"
        | "toomanyrequests"
        | "requestlimitexceeded"
        | "priorrequestnotcomplete"
        | "slowdown" => Reason::Throttled,
        "accessdenied" | "unauthorizedoperation" => Reason::AccessDenied,
        "signaturedoesnotmatch"
        | "invalidsignature"
        | "incompletesignature"
        | "invalidclienttokenid"
        | "invalidaccesskeyid"
        | "unrecognizedclient"
        | "expiredtoken"
        | "requestexpired"
        | "missingauthenticationtoken"
        | "invalididentitytoken"
        | "webidentityerr"
        | "nocredentialproviders" => Reason::Credentials,
        "nosuchhostedzone" => Reason::NoSuchZone,
        "nosuchhealthcheck" => Reason::NoSuchHealthCheck,
        "limitsexceeded" | "toomanyresourcerecordsets" => Reason::LimitsExceeded,
        _other => return None,
    };
    Some(reason)
}

/// Services written in Java sometimes record the name of the exception class.
fn without_exception(code: &str) -> &str {
    code.strip_suffix("Exception").filter(|rest| !rest.is_empty()).unwrap_or(code)
}

fn bounded(text: &str) -> &str {
    let end = (0..=MAX_LOG_LINE.min(text.len())).rev().find(|index| text.is_char_boundary(*index));
    text.get(..end.unwrap_or(0)).unwrap_or_default()
}

fn unwrap(text: &str) -> Unwrapped<'_> {
    if let Some(capture) = SDK_V2.captures(text) {
        let rest = capture.name("rest").map_or("", |found| found.as_str());
        let (code, body) = split_code(rest).unwrap_or(("", rest));
        return Unwrapped { code, request_id: capture.name("request_id").map(|id| id.as_str()), body };
    }
    let (text, request_id) = match SDK_V1.captures(text) {
        Some(capture) => (
            capture.get(0).and_then(|tail| text.get(..tail.start())).unwrap_or(text),
            capture.name("request_id").map(|id| id.as_str()),
        ),
        None => (text, None),
    };
    let (code, body) = match unwrap_known_code(text) {
        Some((_, code, body)) => (code, body),
        None => split_code(text).unwrap_or(("", text)),
    };
    Unwrapped { code, request_id, body }
}

/// Words before the first known code, the code, and the message behind it.
fn unwrap_known_code(text: &str) -> Option<(&str, &str, &str)> {
    let capture = CODE_INSIDE.captures(text)?;
    let code = capture.name("code")?;
    Some((text.get(..code.start())?, code.as_str(), capture.name("rest")?.as_str()))
}

fn split_code(text: &str) -> Option<(&str, &str)> {
    let capture = CODE_FIRST.captures(text)?;
    Some((capture.name("code")?.as_str(), capture.name("rest")?.as_str()))
}

fn decode(code: &str, body: &str, whole: &str) -> Refusal {
    let code = without_exception(code.trim());
    let mut errors: Vec<RefusalError> = split_sentences(body)
        .into_iter()
        .take(MAX_SENTENCES)
        .map(|text| {
            let mut error = sentence::read(text);
            if error.reason == Reason::Unknown {
                // The words before the code say whose refusal it is.
                let reason = refused_identity(code, whole).or_else(|| reason_of(code, text));
                error.reason = reason.unwrap_or(Reason::Unknown);
            }
            error
        })
        .collect();
    // Half a sentence of a text that was cut says nothing of its own.
    if is_cut(body) && 1 < errors.len() && errors.last().is_some_and(|last| last.reason == Reason::Unknown) {
        errors.pop();
    }
    Refusal {
        code: printable(&truncate(code, 100)).into(),
        request_id: None,
        errors,
        message: printable(&collapse(whole)).into(),
    }
}

/// A text with its line breaks made blanks, for showing.
fn collapse(text: &str) -> Cow<'_, str> {
    let trimmed = text.trim();
    if trimmed.contains(['\n', '\t', '\r']) {
        Cow::Owned(
            trimmed.split(['\n', '\t', '\r']).filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" "),
        )
    } else {
        Cow::Borrowed(trimmed)
    }
}

/// How known sentences begin, lower case. A comma followed by anything else belongs to the
/// sentence: values and names hold commas.
const STARTS: [&str; 9] = [
    "tried to ",
    "rrset ",
    "invalid resource record",
    "a hostedzone ",
    "the request contains",
    "fatal problem",
    "number of records limit",
    "rdata character limit",
    "duplicate resource record",
];

/// True for a list without its end. CloudTrail keeps a kilobyte, and the SDK says so itself.
fn is_cut(body: &str) -> bool {
    let body = body.trim();
    (body.starts_with('[') || body.contains("it was truncated.")) && !body.ends_with(']')
}

/// Splits `[first, second]`; a bare sentence is a list of one.
fn split_sentences(body: &str) -> Vec<&str> {
    let body = body.trim();
    let truncated = body.find("it was truncated.").filter(|index| *index < 40);
    let body =
        truncated.and_then(|index| body.get(index + "it was truncated.".len()..)).unwrap_or(body).trim();
    let body = body.strip_prefix('[').map_or(body, |rest| rest.strip_suffix(']').unwrap_or(rest)).trim();
    let (sentences, closed) = split_outside(body, Quotes::Respected);
    // A value with an apostrophe of its own leaves a quote open; then quotes tell nothing.
    if closed { sentences } else { split_outside(body, Quotes::Ignored).0 }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Quotes {
    Respected,
    Ignored,
}

/// Splits before known sentence starts outside of quotes and brackets; false if one was left open.
fn split_outside(body: &str, quotes: Quotes) -> (Vec<&str>, bool) {
    let bytes = body.as_bytes();
    let (mut sentences, mut from, mut quoted, mut nested) = (Vec::new(), 0_usize, 0_usize, 0_usize);
    for (index, byte) in bytes.iter().enumerate() {
        let before = index.checked_sub(1).and_then(|at| bytes.get(at)).copied();
        let after = bytes.get(index + 1).copied();
        match byte {
            b'\'' if before.is_none_or(|byte| b" =[(:".contains(&byte)) => quoted += 1,
            b'\'' if after.is_none_or(|byte| b" ,.])'".contains(&byte)) => quoted = quoted.saturating_sub(1),
            b'[' if quoted == 0 => nested += 1,
            b']' if quoted == 0 => nested = nested.saturating_sub(1),
            b',' if quotes == Quotes::Ignored || (quoted == 0 && nested == 0) => {
                let next = body.get(index + 1..).unwrap_or_default().trim_start();
                if starts_sentence(next) {
                    sentences.push(body.get(from..index).unwrap_or_default().trim());
                    from = body.len() - next.len();
                }
            }
            _plain => {}
        }
    }
    sentences.push(body.get(from..).unwrap_or_default().trim());
    (sentences, quoted == 0 && nested == 0)
}

fn starts_sentence(text: &str) -> bool {
    STARTS.iter().any(|start| {
        text.as_bytes().get(..start.len()).is_some_and(|head| head.eq_ignore_ascii_case(start.as_bytes()))
    })
}

#[cfg(test)]
mod tests;
