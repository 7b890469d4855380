//! What the readers of CloudTrail and SQS share.

use aws_config::{BehaviorVersion, SdkConfig};
use aws_sdk_cloudtrail::config::{AppName, Credentials, Region};
use aws_sdk_cloudtrail::error::{ProvideErrorMetadata, SdkError};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;

use crate::error_chain::ErrorChain;
use crate::finding::Reason;
use crate::model::text::printable;
use crate::snapshot::Problem;

/// The default chain of credentials unless others are given.
pub(super) async fn load(region: &str, credentials: Option<&Credentials>) -> SdkConfig {
    let mut loader =
        aws_config::defaults(BehaviorVersion::v2026_01_12()).region(Region::new(region.to_owned()));
    if let Ok(name) = AppName::new("dns-drift") {
        loader = loader.app_name(name);
    }
    if let Some(credentials) = credentials {
        loader = loader.credentials_provider(credentials.clone());
    }
    Box::pin(loader.load()).await
}

/// A failed call as a problem. `action` is the IAM action that it needs.
pub(super) fn problem<E>(error: &SdkError<E, HttpResponse>, source: &'static str, action: &str) -> Problem
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    let service = error.as_service_error();
    let code = service.and_then(ProvideErrorMetadata::code).unwrap_or_default();
    let said = service.and_then(ProvideErrorMetadata::message).unwrap_or_default();
    let status = error.raw_response().map_or(0, |response| response.status().as_u16());
    let chain = ErrorChain(error).to_string();
    let (code, message) = match code {
        "AccessDenied" | "AccessDeniedException" | "UnauthorizedOperation" => {
            (Reason::Forbidden, format!("no permission for {action}: {said}"))
        }
        "Throttling" | "ThrottlingException" | "RequestThrottled" => {
            (Reason::Throttled, format!("{action}: {code}: {said}"))
        }
        "" if status == 403 => (Reason::Forbidden, format!("no permission for {action}: {chain}")),
        "" => (Reason::Unreachable, format!("{action}: {chain}")),
        code if status == 403 => (Reason::Forbidden, format!("{action}: {code}: {said}")),
        code => (Reason::Unreachable, format!("{action}: {code}: {said}")),
    };
    Problem { scope: source.to_owned(), code, message: printable(&message) }
}

/// The word for the counters.
pub(super) fn outcome(problem: &Problem) -> &'static str {
    if problem.code == Reason::Forbidden {
        "denied"
    } else if problem.code == Reason::Throttled {
        "throttled"
    } else {
        "other"
    }
}
