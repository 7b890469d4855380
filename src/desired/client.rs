//! Connecting to an API server.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use kube::client::ClientBuilder;
use kube::config::{Config, InClusterError, KubeConfigOptions, Kubeconfig, KubeconfigError};

use crate::clock::Clock;
use crate::desired::contact::{CountingLayer, KubeStats};
use crate::model::text::printable;

/// Which API server to talk with, and how patiently.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KubeSettings {
    /// A kubeconfig file; `None` for `KUBECONFIG`, then the default file.
    pub kubeconfig: Option<PathBuf>,
    /// A context of the kubeconfig; `None` for its current one.
    pub context: Option<String>,
    /// Only the service account of the Pod counts, whatever kubeconfig is there.
    pub in_cluster: bool,
    /// How long the server may be silent on a list or watch. Must exceed the watch's own length,
    /// or a healthy quiet watch is cut.
    pub read_timeout: Duration,
    /// The same for following logs, where silence is usual.
    pub log_read_timeout: Duration,
}

/// A connection and what is known about it.
#[derive(Clone)]
pub struct Connection {
    /// For lists and watches.
    pub client: kube::Client,
    /// For logs: it waits longer.
    pub logs: kube::Client,
    /// Requests and times of contact of both.
    pub stats: KubeStats,
    /// The server as `https://host:port`, printable.
    pub server: String,
    /// Where the settings came from, for the log: a kubeconfig's context, or the Pod.
    pub origin: String,
}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The kubeconfig cannot be read or is none.
    #[error("read kubeconfig {place}")]
    Kubeconfig {
        /// The file, or where it was looked for.
        place: String,
        /// Why.
        #[source]
        source: Box<KubeconfigError>,
    },
    /// The kubeconfig lacks the context.
    #[error("kubeconfig {place} has no context {context:?}; it has {}", listed(.existing))]
    NoContext {
        /// The file, or where it was looked for.
        place: String,
        /// The context that was asked for.
        context: String,
        /// Those that exist, in order of the file.
        existing: Vec<String>,
    },
    /// The kubeconfig names no current context and none was asked for.
    #[error("kubeconfig {place} has no current context; choose one of {}", listed(.existing))]
    NoCurrentContext {
        /// The file, or where it was looked for.
        place: String,
        /// Those that exist, in order of the file.
        existing: Vec<String>,
    },
    /// Neither a kubeconfig nor a service account.
    #[error("find a cluster: no kubeconfig ({kubeconfig}), and no service account of a Pod")]
    NoCluster {
        /// Why there is no kubeconfig.
        kubeconfig: String,
        /// Why there is no service account.
        #[source]
        source: Box<InClusterError>,
    },
    /// Asked for the service account, and there is none.
    #[error("read the service account of the Pod")]
    InCluster(#[source] Box<InClusterError>),
    /// The settings lead to no usable client, for example because of a bad certificate or a
    /// failing credential program.
    #[error("prepare the connection to {server}")]
    Build {
        /// The server.
        server: String,
        /// Why.
        #[source]
        source: Box<kube::Error>,
    },
    /// The credential program of the kubeconfig did not end in time.
    #[error("prepare the connection to {server}: no credentials within {} s", CREDENTIALS_WITHIN.as_secs())]
    Slow {
        /// The server.
        server: String,
    },
}

/// How long a credential program of a kubeconfig may take. Some of them log in over the network.
const CREDENTIALS_WITHIN: Duration = Duration::from_secs(30);

/// Contexts that an error message lists.
const LISTED_CONTEXTS: usize = 20;

impl Default for KubeSettings {
    fn default() -> Self {
        Self {
            kubeconfig: None,
            context: None,
            in_cluster: false,
            // Above the length of a watch (60 s) and its margin: a hung list must end, a quiet
            // watch must not.
            read_timeout: Duration::from_secs(75),
            // Above the follower's own idle timeout of 5 minutes.
            log_read_timeout: Duration::from_mins(6),
        }
    }
}

/// Prepares a connection. Nothing is sent yet, except by a credential program.
///
/// # Errors
///
/// Says which kubeconfig and context were looked for, and which contexts there are.
pub async fn connect(settings: &KubeSettings, clock: Arc<dyn Clock>) -> Result<Connection, ClientError> {
    install_crypto();
    let (config, origin) = load(settings).await?;
    let server = server_of(&config);
    let stats = KubeStats::new(clock);
    let client = build(&config, settings.read_timeout, &stats, &server).await?;
    let logs = build(&config, settings.log_read_timeout, &stats, &server).await?;
    Ok(Connection { client, logs, stats, server, origin })
}

/// One TLS provider for the whole process, before any client exists: with two in the binary the
/// first client would panic. A second call finds it done.
fn install_crypto() {
    if rustls::crypto::CryptoProvider::get_default().is_none() {
        // Somebody else may have been faster, with the same intent.
        drop(rustls::crypto::aws_lc_rs::default_provider().install_default());
    }
}

async fn load(settings: &KubeSettings) -> Result<(Config, String), ClientError> {
    if settings.in_cluster {
        let config = Config::incluster().map_err(|error| ClientError::InCluster(Box::new(error)))?;
        return Ok((config, "service account of the Pod".to_owned()));
    }
    let (place, read) = match &settings.kubeconfig {
        Some(path) => (path.display().to_string(), Kubeconfig::read_from(path)),
        None => ("of KUBECONFIG or ~/.kube/config".to_owned(), Kubeconfig::read()),
    };
    let asked_for = settings.kubeconfig.is_some() || settings.context.is_some();
    match read {
        Ok(kubeconfig) => from_kubeconfig(kubeconfig, settings.context.clone(), place).await,
        Err(error) if !asked_for && is_absent(&error) => match Config::incluster() {
            Ok(config) => Ok((config, "service account of the Pod".to_owned())),
            Err(source) => Err(ClientError::NoCluster {
                kubeconfig: printable(&error.to_string()),
                source: Box::new(source),
            }),
        },
        Err(source) => Err(ClientError::Kubeconfig { place, source: Box::new(source) }),
    }
}

/// Only a missing file means that there is no kubeconfig; a broken one is a mistake to report.
fn is_absent(error: &KubeconfigError) -> bool {
    if let KubeconfigError::ReadConfig(cause, _) = error {
        return cause.kind() == std::io::ErrorKind::NotFound;
    }
    matches!(error, KubeconfigError::FindPath)
}

async fn from_kubeconfig(
    kubeconfig: Kubeconfig,
    context: Option<String>,
    place: String,
) -> Result<(Config, String), ClientError> {
    let existing: Vec<String> = kubeconfig.contexts.iter().map(|context| printable(&context.name)).collect();
    let current = kubeconfig.current_context.clone().filter(|name| !name.is_empty());
    let Some(context) = context.or(current) else {
        return Err(ClientError::NoCurrentContext { place, existing });
    };
    if !kubeconfig.contexts.iter().any(|known| known.name == context) {
        return Err(ClientError::NoContext { place, context, existing });
    }
    let origin = format!("kubeconfig {place}, context {}", printable(&context));
    let options = KubeConfigOptions { context: Some(context), ..KubeConfigOptions::default() };
    match Config::from_custom_kubeconfig(kubeconfig, &options).await {
        Ok(config) => Ok((config, origin)),
        Err(source) => Err(ClientError::Kubeconfig { place, source: Box::new(source) }),
    }
}

/// Credential programs run while the client is built, and block.
async fn build(
    config: &Config,
    read_timeout: Duration,
    stats: &KubeStats,
    server: &str,
) -> Result<kube::Client, ClientError> {
    let mut config = config.clone();
    // The client's own retries would hide 429 and 503 for minutes; the watch has its own pace.
    config.default_retry = false;
    config.read_timeout = Some(read_timeout);
    config.reset_reader_on_write = true;
    let layer = CountingLayer::new(stats.clone());
    let building =
        tokio::task::spawn_blocking(move || Ok(ClientBuilder::try_from(config)?.with_layer(&layer).build()));
    match tokio::time::timeout(CREDENTIALS_WITHIN, building).await {
        Ok(Ok(built)) => {
            built.map_err(|source| ClientError::Build { server: server.to_owned(), source: Box::new(source) })
        }
        // The blocking task can only fail by a panic in a credential program's reader.
        Ok(Err(_)) | Err(_) => Err(ClientError::Slow { server: server.to_owned() }),
    }
}

/// Without path, user and password.
fn server_of(config: &Config) -> String {
    let url = &config.cluster_url;
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    printable(&format!("{}://{}{port}", url.scheme_str().unwrap_or("https"), url.host().unwrap_or_default()))
}

fn listed(names: &[String]) -> String {
    let shown: Vec<&str> = names.iter().take(LISTED_CONTEXTS).map(String::as_str).collect();
    match names.len() {
        0 => "none".to_owned(),
        count if count > LISTED_CONTEXTS => {
            format!("{} and {} more", shown.join(", "), count - LISTED_CONTEXTS)
        }
        _ => shown.join(", "),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;
    use crate::clock::SystemClock;
    use crate::error_chain::ErrorChain;

    const TEXT: &str = r"
apiVersion: v1
kind: Config
current-context: prod
clusters:
- {name: c, cluster: {server: 'https://user:secret@192.0.2.1:6443/path'}}
users:
- {name: u, user: {token: t}}
contexts:
- {name: prod, context: {cluster: c, user: u}}
- {name: staging, context: {cluster: c, user: u}}
- {name: broken, context: {cluster: missing, user: u}}
";

    fn written(text: &str) -> tempfile::NamedTempFile {
        let mut file = tempfile::NamedTempFile::new().expect("file");
        file.write_all(text.as_bytes()).expect("written");
        file
    }

    async fn outcome(text: &str, context: Option<&str>) -> Result<(String, String), String> {
        let file = written(text);
        let settings = KubeSettings {
            kubeconfig: Some(file.path().to_owned()),
            context: context.map(str::to_owned),
            ..KubeSettings::default()
        };
        let path = file.path().display().to_string();
        match connect(&settings, Arc::new(SystemClock)).await {
            Ok(connection) => Ok((connection.server, connection.origin.replace(&path, "FILE"))),
            Err(error) => Err(ErrorChain(&error).to_string().replace(&path, "FILE")),
        }
    }

    #[tokio::test]
    async fn contexts() {
        let server = "https://192.0.2.1:6443".to_owned();
        assert_eq!(
            outcome(TEXT, None).await,
            Ok((server.clone(), "kubeconfig FILE, context prod".to_owned()))
        );
        assert_eq!(
            outcome(TEXT, Some("staging")).await,
            Ok((server, "kubeconfig FILE, context staging".to_owned()))
        );
        assert_eq!(
            outcome(TEXT, Some("dev")).await,
            Err("kubeconfig FILE has no context \"dev\"; it has prod, staging, broken".to_owned())
        );
        let without = TEXT.replace("current-context: prod", "");
        assert_eq!(
            outcome(&without, None).await,
            Err("kubeconfig FILE has no current context; choose one of prod, staging, broken".to_owned())
        );
        let broken = outcome(TEXT, Some("broken")).await.expect_err("no cluster");
        assert!(broken.starts_with("read kubeconfig FILE: "), "{broken}");
        let broken = outcome("contexts: 3", None).await.expect_err("no kubeconfig");
        assert!(broken.starts_with("read kubeconfig FILE: "), "{broken}");
    }

    #[tokio::test]
    async fn a_missing_file_that_was_asked_for_is_an_error() {
        let settings =
            KubeSettings { kubeconfig: Some("/nonexistent/kubeconfig".into()), ..KubeSettings::default() };
        let error = connect(&settings, Arc::new(SystemClock)).await.err().expect("error");
        assert!(ErrorChain(&error).to_string().starts_with("read kubeconfig /nonexistent/kubeconfig: "));
    }
}
