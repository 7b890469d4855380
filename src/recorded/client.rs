//! The only place that calls Route 53: every attempt takes a token from the budget and is counted.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use aws_config::SdkConfig;
use aws_config::sts::AssumeRoleProvider;
use aws_sdk_route53::config::retry::RetryConfig;
use aws_sdk_route53::config::timeout::TimeoutConfig;
use aws_sdk_route53::config::{AppName, BehaviorVersion, IdentityCache, Region, SharedCredentialsProvider};
use aws_sdk_route53::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_route53::operation::list_hosted_zones::ListHostedZonesOutput;
use aws_sdk_route53::operation::list_resource_record_sets::ListResourceRecordSetsOutput;
use aws_sdk_route53::types::{HostedZoneLimitType, RrType, TagResourceType};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use tokio::time::Instant;

use crate::model::zone::{Dnssec, TestedName, ZoneLimit};
use crate::model::{DomainName, HostedZone, ZoneId};
use crate::recorded::accounts::AccountSettings;
use crate::recorded::budget::Budget;
use crate::recorded::error::{Failure, ReadError, failure};
use crate::recorded::route53::Route53Settings;
use crate::recorded::sdk;
use crate::recorded::session::Session;
use crate::recorded::stats::{ApiStats, Operation, Outcome};

/// One attempt; a page of 300 record sets takes well under a second.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(10);

/// One call of the SDK with everything around it, credentials included.
const CALL_TIMEOUT: Duration = Duration::from_secs(20);

/// How often a throttled call is tried; the pauses between add up to more than half a minute.
const THROTTLED_TRIES: u32 = 4;

/// How often a call is tried that ran into a timeout, a lost connection or a server error.
const FAILED_TRIES: u32 = 3;

/// Zones per page. Source: Route 53 API, `ListHostedZones`.
const ZONES_PER_PAGE: i32 = 100;

/// Questions until two answers about tags must agree.
const TAG_TRIES: usize = 4;

/// Zones whose tags one call tells. Source: Route 53 API, `ListTagsForResources`.
pub(crate) const TAGGED_PER_CALL: usize = 10;

/// Name servers of every delegation set. Source: Route 53 Developer Guide.
const DELEGATION_SET: usize = 4;

/// Where a listing of record sets goes on. Sent back exactly as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Cursor {
    pub(crate) name: String,
    pub(crate) record_type: Option<RrType>,
    pub(crate) identifier: Option<String>,
}

/// A Route 53 client that keeps to its budget.
#[derive(Debug)]
pub struct Client {
    session: Session,
    budget: Arc<Budget>,
    stats: Arc<ApiStats>,
}

// === impl Client ===

impl Client {
    /// Makes a client of one account. Sends nothing yet, but for credentials of a web identity.
    pub(crate) async fn with(
        settings: &Route53Settings,
        account: &AccountSettings,
        budget: Arc<Budget>,
    ) -> Self {
        let mut loader = aws_config::defaults(BehaviorVersion::v2026_01_12())
            .region(Region::new(settings.region.to_string()));
        if let Ok(name) = AppName::new("dns-drift") {
            loader = loader.app_name(name);
        }
        if let Some(credentials) = &settings.credentials {
            loader = loader.credentials_provider(credentials.clone());
        }
        if let Some(http_client) = &settings.http_client {
            loader = loader.http_client(http_client.clone());
        }
        let mut shared = Box::pin(loader.load()).await;
        if let Some(role) = &account.role_arn {
            // The role is asked for once an hour; credentials below it that were kept could have
            // expired meanwhile.
            let mut sts = shared.to_builder().identity_cache(IdentityCache::no_cache());
            if let Some(url) = &settings.sts_endpoint_url {
                sts = sts.endpoint_url(url);
            }
            let provider = Box::pin(assumed(role, account.external_id.as_deref(), &sts.build())).await;
            shared = shared.into_builder().credentials_provider(provider).build();
        }
        // The SDK's own retries would go past the budget, so there are none.
        let mut config = aws_sdk_route53::config::Builder::from(&shared)
            .retry_config(RetryConfig::disabled())
            .timeout_config(
                TimeoutConfig::builder()
                    .connect_timeout(Duration::from_secs(3))
                    .operation_attempt_timeout(ATTEMPT_TIMEOUT)
                    .operation_timeout(CALL_TIMEOUT)
                    .build(),
            );
        if let Some(url) = &settings.endpoint_url {
            config = config.endpoint_url(url.as_str());
        }
        Self::from_config(config, budget, Arc::clone(&settings.stats))
    }

    pub(crate) fn from_config(
        config: aws_sdk_route53::config::Builder,
        budget: Arc<Budget>,
        stats: Arc<ApiStats>,
    ) -> Self {
        Self { session: Session::new(config), budget, stats }
    }

    /// The counters of this client.
    #[must_use]
    pub fn stats(&self) -> &ApiStats {
        &self.stats
    }

    pub(crate) async fn zones_page(
        &self,
        marker: Option<String>,
    ) -> Result<ListHostedZonesOutput, ReadError> {
        self.call(Operation::ListHostedZones, None, |sdk| {
            sdk.list_hosted_zones().set_marker(marker.clone()).max_items(ZONES_PER_PAGE).send()
        })
        .await
    }

    pub(crate) async fn records_page(
        &self,
        zone: &ZoneId,
        from: Option<Cursor>,
        max_items: i32,
    ) -> Result<ListResourceRecordSetsOutput, ReadError> {
        self.call(Operation::ListResourceRecordSets, Some(zone), |sdk| {
            let request = sdk.list_resource_record_sets().hosted_zone_id(zone.as_str()).max_items(max_items);
            let request = match from.clone() {
                None => request,
                Some(cursor) => request
                    .start_record_name(cursor.name)
                    .set_start_record_type(cursor.record_type)
                    .set_start_record_identifier(cursor.identifier),
            };
            request.send()
        })
        .await
    }

    /// Reads a zone with its delegation set, VPCs and count of record sets.
    ///
    /// # Errors
    ///
    /// When the call fails or the answer lacks what every zone has.
    pub async fn hosted_zone(&self, zone: &ZoneId) -> Result<HostedZone, ReadError> {
        let first = self.hosted_zone_once(zone).await?;
        if first.private || first.delegation_set.len() >= DELEGATION_SET {
            return Ok(first);
        }
        // A cut answer loses name servers silently; two equal answers are believed.
        let second = self.hosted_zone_once(zone).await?;
        if second.delegation_set.len() >= first.delegation_set.len() { Ok(second) } else { Ok(first) }
    }

    async fn hosted_zone_once(&self, zone: &ZoneId) -> Result<HostedZone, ReadError> {
        let answer = self
            .call(Operation::GetHostedZone, Some(zone), |sdk| sdk.get_hosted_zone().id(zone.as_str()).send())
            .await?;
        let unusable = |text: &str| ReadError::Answer {
            operation: Operation::GetHostedZone,
            zone: Some(zone.clone()),
            text: text.to_owned(),
        };
        let mut found = answer
            .hosted_zone
            .and_then(|zone| sdk::hosted_zone(zone).decode())
            .ok_or_else(|| unusable("no hosted zone in it"))?;
        if let Some(set) = answer.delegation_set {
            found.delegation_set =
                set.name_servers.iter().map(|name| DomainName::from_route53(name)).collect();
            found.delegation_set.sort();
        }
        found.vpcs = Some(sdk::vpcs(answer.vpcs.unwrap_or_default()));
        if found.private && found.vpcs.as_ref().is_some_and(Vec::is_empty) {
            return Err(unusable("a private zone without any VPC"));
        }
        Ok(found)
    }

    /// Reads how many record sets a zone may hold.
    ///
    /// # Errors
    ///
    /// When the call fails.
    pub async fn limit(&self, zone: &ZoneId) -> Result<Option<ZoneLimit>, ReadError> {
        let answer = self
            .call(Operation::GetHostedZoneLimit, Some(zone), |sdk| {
                let request = sdk.get_hosted_zone_limit().hosted_zone_id(zone.as_str());
                request.r#type(HostedZoneLimitType::MaxRrsetsByZone).send()
            })
            .await?;
        Ok(answer.limit.and_then(|limit| {
            Some(ZoneLimit { limit: limit.value.try_into().ok()?, count: answer.count.try_into().ok()? })
        }))
    }

    /// Reads the signing state of a public zone.
    ///
    /// # Errors
    ///
    /// When the call fails.
    pub async fn dnssec(&self, zone: &ZoneId) -> Result<Option<Dnssec>, ReadError> {
        let answer = self
            .call(Operation::GetDnssec, Some(zone), |sdk| {
                sdk.get_dnssec().hosted_zone_id(zone.as_str()).send()
            })
            .await?;
        Ok(sdk::dnssec(answer.status, answer.key_signing_keys))
    }

    /// Reads the tags of some zones, at most ten.
    ///
    /// # Errors
    ///
    /// When the call fails, or its answers cannot be whole.
    pub async fn tags(
        &self,
        zones: &[ZoneId],
    ) -> Result<BTreeMap<ZoneId, BTreeMap<String, String>>, ReadError> {
        let ids: Vec<String> = zones.iter().map(|id| id.as_str().to_owned()).collect();
        // A cut answer loses tags silently; two equal answers are believed.
        let mut last = None;
        for _ in 0..TAG_TRIES {
            let answer = self
                .call(Operation::ListTagsForResources, None, |sdk| {
                    let request = sdk.list_tags_for_resources().set_resource_ids(Some(ids.clone()));
                    request.resource_type(TagResourceType::Hostedzone).send()
                })
                .await?;
            let found = sdk::tags(answer.resource_tag_sets);
            if zones.iter().all(|zone| found.contains_key(zone)) {
                if last.as_ref() == Some(&found) {
                    return Ok(found);
                }
                last = Some(found);
            }
        }
        let text = "zones are missing from it, or no two answers agree".to_owned();
        Err(ReadError::Answer { operation: Operation::ListTagsForResources, zone: None, text })
    }

    /// Reads what the checkers of a health check report: how many were asked, and how many of them
    /// report success.
    ///
    /// # Errors
    ///
    /// When the call fails.
    pub async fn checker_votes(&self, health_check: &str) -> Result<(usize, usize), ReadError> {
        let answer = self
            .call(Operation::GetHealthCheckStatus, None, |sdk| {
                sdk.get_health_check_status().health_check_id(health_check).send()
            })
            .await?;
        Ok(sdk::checker_votes(&answer.health_check_observations))
    }

    /// Asks what Route 53 computes for a name: the response code and the values, sorted.
    ///
    /// # Errors
    ///
    /// When the call fails, or its answer cannot be whole.
    pub(crate) async fn test_answer(
        &self,
        asked: &TestedName,
    ) -> Result<(Arc<str>, Vec<Arc<str>>), ReadError> {
        let answer = self
            .call(Operation::TestDnsAnswer, Some(&asked.zone_id), |sdk| {
                let request = sdk.test_dns_answer().hosted_zone_id(asked.zone_id.as_str());
                let record_type = RrType::from(asked.record_type.as_str());
                request.record_name(asked.name.to_string()).record_type(record_type).send()
            })
            .await?;
        sdk::tested(&answer).ok_or_else(|| ReadError::Answer {
            operation: Operation::TestDnsAnswer,
            zone: Some(asked.zone_id.clone()),
            text: "no response code in it, or none of the values".to_owned(),
        })
    }

    /// Tries a call until it is answered, refused, or has failed too often.
    async fn call<T, E, F>(
        &self,
        operation: Operation,
        zone: Option<&ZoneId>,
        send: impl Fn(&aws_sdk_route53::Client) -> F,
    ) -> Result<T, ReadError>
    where
        F: Future<Output = Result<T, SdkError<E, HttpResponse>>>,
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        let mut tried = 0;
        loop {
            let failed = match self.attempt(operation, &send).await {
                Ok(answer) => return Ok(answer),
                Err(failed) => failed,
            };
            if failed.expired && self.session.renew() {
                tracing::info!(%operation, "the credentials have expired early, renewing them");
                continue;
            }
            tried += 1;
            if tries(failed.outcome) <= tried {
                return Err(ReadError::Call {
                    operation,
                    zone: zone.cloned(),
                    outcome: failed.outcome,
                    text: failed.text,
                });
            }
            tracing::debug!(%operation, tried, outcome = failed.outcome.as_str(), "trying again");
            // A throttled call waits in the budget, together with all others.
            if failed.outcome != Outcome::Throttled {
                tokio::time::sleep(self.budget.retry_pause(tried)).await;
            }
        }
    }

    async fn attempt<T, E, F>(
        &self,
        operation: Operation,
        send: &impl Fn(&aws_sdk_route53::Client) -> F,
    ) -> Result<T, Failure>
    where
        F: Future<Output = Result<T, SdkError<E, HttpResponse>>>,
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        self.budget.take().await;
        let start = Instant::now();
        let sdk = self.session.sdk();
        let answer = Box::pin(send(&sdk)).await;
        let outcome = answer.map_err(|error| failure(&error, operation));
        let word = outcome.as_ref().map_or_else(|failed| failed.outcome, |_| Outcome::Ok);
        self.stats.count(operation, word, start.elapsed());
        match word {
            Outcome::Throttled => self.budget.throttled(),
            Outcome::Ok | Outcome::Denied | Outcome::NotFound | Outcome::Invalid => self.budget.answered(),
            Outcome::Auth
            | Outcome::Timeout
            | Outcome::Connect
            | Outcome::Server
            | Outcome::Parse
            | Outcome::Other => {}
        }
        outcome
    }
}

/// Credentials of a role, renewed by the SDK before they expire. The session name is what CloudTrail
/// shows.
async fn assumed(role: &str, external_id: Option<&str>, base: &SdkConfig) -> SharedCredentialsProvider {
    let mut builder = AssumeRoleProvider::builder(role).session_name("dns-drift").configure(base);
    if let Some(id) = external_id {
        builder = builder.external_id(id);
    }
    SharedCredentialsProvider::new(builder.build().await)
}

fn tries(outcome: Outcome) -> u32 {
    match outcome {
        Outcome::Throttled => THROTTLED_TRIES,
        Outcome::Timeout | Outcome::Connect | Outcome::Server | Outcome::Parse => FAILED_TRIES,
        Outcome::Ok
        | Outcome::Denied
        | Outcome::NotFound
        | Outcome::Invalid
        | Outcome::Auth
        | Outcome::Other => 1,
    }
}

#[cfg(test)]
mod tests;
