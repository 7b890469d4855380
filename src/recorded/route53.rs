//! Reading Route 53 live: settings, and the two ways to do it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use aws_sdk_route53::config::{Credentials, SharedHttpClient};
use futures::future::join_all;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::finding::Reason;
use crate::model::ZoneId;
use crate::model::zone::Zones;
use crate::recorded::accounts::{AccountSettings, Merger, merge};
use crate::recorded::budget::{Budget, BudgetError, DEFAULT_RATE};
use crate::recorded::client::Client;
use crate::recorded::filter::ZoneFilter;
use crate::recorded::stats::ApiStats;
use crate::recorded::task::Reader;
use crate::recorded::urgent::UrgentName;
use crate::snapshot::{Problem, Reading, ViewState};

/// How Route 53 is read.
#[derive(Clone, Debug)]
pub struct Route53Settings {
    /// Region that requests are signed for. Route 53 is global, but the SDK insists on one.
    pub region: Arc<str>,
    /// Requests per second to the account of the default credentials; above 0, at most
    /// [`MAX_RATE`](crate::recorded::budget::MAX_RATE).
    pub requests_per_second: f64,
    /// From the start of one full listing to the start of the next. When the budget allows less,
    /// the listings follow each other without a pause.
    pub interval: Duration,
    /// Which zones are read; the filter holds for every account.
    pub filter: ZoneFilter,
    /// The accounts; empty for the one that the default credentials belong to.
    pub accounts: Vec<AccountSettings>,
    /// Instead of the real service; `None` leaves it to the environment
    /// (`AWS_ENDPOINT_URL_ROUTE_53`).
    pub endpoint_url: Option<String>,
    /// Where roles are assumed instead of the real STS; `None` leaves it to the environment
    /// (`AWS_ENDPOINT_URL_STS`).
    pub sts_endpoint_url: Option<String>,
    /// Instead of the default chain (environment, profile, web identity, instance); for emulators.
    pub credentials: Option<Credentials>,
    /// Instead of connections of our own, for measurements and tests in memory.
    pub http_client: Option<SharedHttpClient>,
    /// Where attempts are counted; share it with whoever publishes the numbers.
    pub stats: Arc<ApiStats>,
}

/// Keeps the recorded view fresh until `stop`: the first listing at once, then one each interval,
/// and beside them the names that `urgent` asks for.
///
/// `known` are the zones from before a restart. Publishes after each listing and, once the first one is complete, after each zone that changed
/// and each urgent name. What fails becomes a problem in the published reading; the task itself
/// ends only with `stop`.
pub async fn run(
    settings: Route53Settings,
    known: BTreeSet<ZoneId>,
    urgent: watch::Receiver<Arc<[UrgentName]>>,
    clock: Arc<dyn Clock>,
    publish: watch::Sender<Reading<Zones>>,
    stop: CancellationToken,
) {
    let accounts = settings.all_accounts();
    let merger = Merger::new(&accounts, publish);
    let clients = match stop.run_until_cancelled(clients(&settings, &accounts)).await {
        Some(Ok(clients)) => clients,
        Some(Err(error)) => {
            for index in 0..accounts.len() {
                merger.publish(index, unusable(&error));
            }
            return stop.cancelled().await;
        }
        None => return,
    };
    let readings = clients.into_iter().enumerate().map(|(index, client)| {
        // Of several accounts nobody remembers whose each zone was.
        let known = if accounts.len() == 1 { known.clone() } else { BTreeSet::new() };
        let reader = Reader::new(client, settings.filter.clone(), Arc::clone(&clock)).remembering(known);
        let merger = merger.clone();
        let publish = move |reading| merger.publish(index, reading);
        reader.keep_reading(settings.interval, urgent.clone(), publish)
    });
    stop.run_until_cancelled(join_all(readings)).await;
}

/// Reads everything once.
pub async fn read_once(settings: Route53Settings, clock: Arc<dyn Clock>) -> Reading<Zones> {
    let accounts = settings.all_accounts();
    let clients = match clients(&settings, &accounts).await {
        Ok(clients) => clients,
        Err(error) => return unusable(&error),
    };
    let readings = clients.into_iter().map(|client| {
        let mut reader = Reader::new(client, settings.filter.clone(), Arc::clone(&clock));
        async move {
            reader.read_all(|_| ()).await;
            if reader.reading().state == ViewState::Read {
                reader.read_extras(u32::MAX).await;
            }
            reader.reading()
        }
    });
    let names: Vec<String> = accounts.iter().map(|account| account.name().to_owned()).collect();
    merge(&names, &join_all(readings).await)
}

/// A client for each account. Roles of one account share a budget: that of the lowest rate.
async fn clients(
    settings: &Route53Settings,
    accounts: &[AccountSettings],
) -> Result<Vec<Client>, BudgetError> {
    let mut rates: BTreeMap<Option<&str>, f64> = BTreeMap::new();
    for account in accounts {
        let rate = rates.entry(account.account_id()).or_insert(account.requests_per_second);
        *rate = rate.min(account.requests_per_second);
    }
    let mut budgets: BTreeMap<Option<&str>, Arc<Budget>> = BTreeMap::new();
    for (id, rate) in rates {
        budgets.insert(id, Arc::new(Budget::new(rate)?));
    }
    let shown = budgets.iter().map(|(id, budget)| (id.unwrap_or("default").to_owned(), Arc::clone(budget)));
    settings.stats.set_budgets(shown.collect());
    let mut clients = Vec::new();
    for account in accounts {
        let budget = budgets.get(&account.account_id()).map(Arc::clone);
        let budget = budget.map_or_else(|| Budget::new(account.requests_per_second).map(Arc::new), Ok)?;
        clients.push(Client::with(settings, account, budget).await);
    }
    Ok(clients)
}

fn unusable(error: &BudgetError) -> Reading<Zones> {
    let problem = Problem { scope: "all".to_owned(), code: Reason::Parse, message: error.to_string() };
    Reading::unread(vec![problem])
}

// === impl Route53Settings ===

impl Route53Settings {
    fn all_accounts(&self) -> Vec<AccountSettings> {
        if self.accounts.is_empty() { vec![self.default_account()] } else { self.accounts.clone() }
    }

    pub(crate) fn default_account(&self) -> AccountSettings {
        let requests_per_second = self.requests_per_second;
        AccountSettings { role_arn: None, external_id: None, requests_per_second }
    }
}

impl Default for Route53Settings {
    fn default() -> Self {
        Self {
            region: "us-east-1".into(),
            requests_per_second: DEFAULT_RATE,
            interval: Duration::from_mins(1),
            filter: ZoneFilter::default(),
            accounts: Vec::new(),
            endpoint_url: None,
            sts_endpoint_url: None,
            credentials: None,
            http_client: None,
            stats: Arc::default(),
        }
    }
}
