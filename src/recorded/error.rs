//! Why a call to Route 53 failed, in the words of the specification.

use aws_sdk_route53::error::{ProvideErrorMetadata, SdkError};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;

use crate::error_chain::ErrorChain;
use crate::finding::Reason;
use crate::model::ZoneId;
use crate::model::text::printable;
use crate::recorded::stats::{Operation, Outcome};
use crate::snapshot::Problem;

/// A failed call, or an answer that cannot be whole.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// The call failed, after all tries.
    #[error("{}{}: {text}", operation.as_str(), of_zone(zone.as_ref()))]
    Call {
        /// What was asked.
        operation: Operation,
        /// Of which zone; `None` for the list of zones.
        zone: Option<ZoneId>,
        /// How it ended.
        outcome: Outcome,
        /// What the service or the SDK said, printable and bounded.
        text: String,
    },
    /// The answer was cut, or contradicts itself, more often than it is asked for again.
    #[error("{}{}: unusable answer: {text}", operation.as_str(), of_zone(zone.as_ref()))]
    Answer {
        /// What was asked.
        operation: Operation,
        /// Of which zone; `None` for the list of zones.
        zone: Option<ZoneId>,
        /// What is wrong with it.
        text: String,
    },
    /// The listing ended early, or raced with many writes.
    #[error("the listing of hosted zone {zone} is incomplete: {listed} of {expected} record sets")]
    Incomplete {
        /// The zone.
        zone: ZoneId,
        /// Record sets that came.
        listed: usize,
        /// `ResourceRecordSetCount`.
        expected: u64,
    },
    /// Not even the zone's own NS and SOA records were listed.
    #[error("hosted zone {zone} lists no record sets, not even its own NS and SOA")]
    EmptyZone {
        /// The zone.
        zone: ZoneId,
    },
    /// Only the zone's own NS and SOA records were listed, and the zone says that it holds more.
    #[error(
        "hosted zone {zone} lists nothing but its own NS and SOA, and says that it holds {expected} record sets"
    )]
    OnlyApex {
        /// The zone.
        zone: ZoneId,
        /// `ResourceRecordSetCount`.
        expected: u64,
    },
    /// There were zones, and now the list of zones is empty.
    #[error("ListHostedZones returned no zones; {known} were known before")]
    NoZones {
        /// Zones that were known.
        known: usize,
    },
}

/// Codes of a session that has ended. Source: AWS, "Common Errors".
const EXPIRED: [&str; 3] = ["ExpiredToken", "ExpiredTokenException", "InvalidClientTokenId"];

/// A call that was tried once.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) outcome: Outcome,
    pub(crate) text: String,
    /// Other credentials of the same identity may succeed.
    pub(crate) expired: bool,
}

// === impl ReadError ===

impl ReadError {
    /// What an empty list of zones is after one that was not empty, while nobody saw the zones deleted;
    /// `None` where the list can be believed.
    #[must_use]
    pub fn emptied(listed: usize, known: usize) -> Option<Self> {
        (listed == 0 && known != 0).then_some(Self::NoZones { known })
    }

    /// The code of the problem that this error becomes.
    #[must_use]
    pub fn code(&self) -> Reason {
        match self {
            Self::Call { outcome, .. } => match outcome {
                Outcome::Throttled => Reason::Throttled,
                Outcome::Denied | Outcome::Auth => Reason::Forbidden,
                Outcome::Parse | Outcome::Invalid => Reason::Parse,
                Outcome::Ok
                | Outcome::NotFound
                | Outcome::Timeout
                | Outcome::Connect
                | Outcome::Server
                | Outcome::Other => Reason::Unreachable,
            },
            Self::Answer { .. } | Self::Incomplete { .. } => Reason::Parse,
            Self::EmptyZone { .. } | Self::OnlyApex { .. } | Self::NoZones { .. } => Reason::EmptySuspicious,
        }
    }

    /// How the call ended; `None` if it was answered and the answer is the trouble.
    #[must_use]
    pub fn outcome(&self) -> Option<Outcome> {
        if let Self::Call { outcome, .. } = self { Some(*outcome) } else { None }
    }

    /// The problem as the views carry it: scope is the zone or `all`.
    #[must_use]
    pub fn problem(&self) -> Problem {
        let scope = match self {
            Self::Call { zone, .. } | Self::Answer { zone, .. } => zone.as_ref(),
            Self::Incomplete { zone, .. } | Self::EmptyZone { zone } | Self::OnlyApex { zone, .. } => {
                Some(zone)
            }
            Self::NoZones { .. } => None,
        };
        Problem {
            scope: scope.map_or_else(|| "all".to_owned(), ToString::to_string),
            code: self.code(),
            message: printable(&self.to_string()),
        }
    }
}

/// Sorts a failed attempt into the bounded list of outcomes.
#[expect(clippy::wildcard_enum_match_arm, reason = "the SDK may add kinds of errors")]
pub(crate) fn failure<E>(error: &SdkError<E, HttpResponse>, operation: Operation) -> Failure
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    let text = printable(&ErrorChain(error).to_string());
    let status = error.raw_response().map(|response| response.status().as_u16());
    let outcome = match error {
        SdkError::TimeoutError(_) => Outcome::Timeout,
        SdkError::DispatchFailure(failure) if failure.is_timeout() => Outcome::Timeout,
        SdkError::DispatchFailure(failure) if failure.is_io() => Outcome::Connect,
        SdkError::DispatchFailure(_) if is_about_credentials(&text) => Outcome::Auth,
        // Also a connection that ends in the middle of an answer, which is no I/O error to the SDK.
        SdkError::DispatchFailure(failure) if !failure.is_user() => Outcome::Connect,
        SdkError::ResponseError(_) => Outcome::Parse,
        SdkError::ServiceError(service) => by_code(service.err().code(), status),
        _ => Outcome::Other,
    };
    let text = match (outcome, error) {
        (Outcome::Auth, SdkError::DispatchFailure(_)) => no_credentials(&text),
        (Outcome::Denied, SdkError::ServiceError(service)) => {
            format!(
                "no permission for {}: {}",
                operation.action(),
                service.err().message().unwrap_or("access denied")
            )
        }
        (_, SdkError::ServiceError(service)) => match (service.err().code(), service.err().message()) {
            (Some(code), Some(message)) => format!("{code}: {message}"),
            (Some(code), None) => code.to_owned(),
            (None, _) => format!("HTTP {}: {text}", status.unwrap_or(0)),
        },
        _ => text,
    };
    let code = error.as_service_error().and_then(ProvideErrorMetadata::code);
    let expired = code.is_some_and(|code| EXPIRED.contains(&code));
    Failure { outcome, text: printable(&text), expired }
}

fn by_code(code: Option<&str>, status: Option<u16>) -> Outcome {
    match code.unwrap_or_default() {
        "Throttling" | "ThrottlingException" | "PriorRequestNotComplete" | "RequestLimitExceeded" => {
            Outcome::Throttled
        }
        "AccessDenied" | "AccessDeniedException" | "UnauthorizedOperation" | "OptInRequired" => {
            Outcome::Denied
        }
        "NoSuchHostedZone" => Outcome::NotFound,
        "InvalidInput" | "ValidationError" | "InvalidArgument" => Outcome::Invalid,
        "InvalidClientTokenId"
        | "SignatureDoesNotMatch"
        | "ExpiredToken"
        | "ExpiredTokenException"
        | "RequestExpired"
        | "MissingAuthenticationToken"
        | "UnrecognizedClientException"
        | "IncompleteSignature" => Outcome::Auth,
        _ => match status {
            Some(429) => Outcome::Throttled,
            Some(401 | 403) => Outcome::Denied,
            Some(404) => Outcome::NotFound,
            Some(500..) => Outcome::Server,
            // A good status and no answer in it: an error page, or an empty body.
            Some(200..=299) => Outcome::Parse,
            _ => Outcome::Other,
        },
    }
}

/// What a person can do about it; the SDK's own list of five empty places only hides that.
fn no_credentials(text: &str) -> String {
    let why = if text.contains("no credentials found in chain") {
        "none in the environment, the profile, a web identity, the container or the instance"
    } else {
        text
    };
    format!(
        "no AWS credentials: {why}; set AWS_PROFILE, AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or a web \
         identity (AWS_ROLE_ARN and AWS_WEB_IDENTITY_TOKEN_FILE)"
    )
}

/// The SDK reports missing credentials as a failed dispatch without a typed cause.
fn is_about_credentials(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    text.contains("credential") || text.contains("identity")
}

fn of_zone(zone: Option<&ZoneId>) -> String {
    zone.map_or_else(String::new, |zone| format!(" of hosted zone {zone}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outcomes_by_code_then_by_status() {
        let rows = [
            (Some("Throttling"), 400, Outcome::Throttled),
            (Some("PriorRequestNotComplete"), 400, Outcome::Throttled),
            (Some("AccessDenied"), 403, Outcome::Denied),
            (Some("ExpiredToken"), 403, Outcome::Auth),
            (Some("NoSuchHostedZone"), 404, Outcome::NotFound),
            (Some("InvalidInput"), 400, Outcome::Invalid),
            (Some("NewFailure"), 503, Outcome::Server),
            (Some("NewFailure"), 400, Outcome::Other),
            (None, 403, Outcome::Denied),
            (None, 200, Outcome::Parse),
        ];
        for (code, status, expected) in rows {
            assert_eq!(by_code(code, Some(status)), expected, "{code:?} {status}");
        }
    }

    #[test]
    fn missing_credentials_say_what_to_set() {
        let chain = "dispatch failure: other: no credentials found in chain. Attempted: Environment";
        assert!(is_about_credentials(chain));
        let shown = no_credentials(chain);
        assert!(shown.starts_with("no AWS credentials: none in the environment"), "{shown}");
        assert!(shown.contains("AWS_PROFILE") && shown.contains("web identity"), "{shown}");
        assert!(no_credentials("No such file").contains("No such file"), "an odd cause stays visible");
    }
}
