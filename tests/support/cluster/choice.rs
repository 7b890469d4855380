//! Which API server a test run gets.

use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};

/// What the environment says.
#[derive(Clone, Debug, Default)]
pub(crate) struct Variables {
    pub(crate) kubeconfig: Option<PathBuf>,
    pub(crate) assets: Option<PathBuf>,
    pub(crate) etcd: Option<PathBuf>,
    pub(crate) apiserver: Option<PathBuf>,
    pub(crate) require_real: bool,
    pub(crate) busy_is_fine: bool,
}

/// The two programs of an API server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Programs {
    pub(crate) etcd: PathBuf,
    pub(crate) apiserver: PathBuf,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Choice {
    /// Somebody's cluster.
    Existing(PathBuf),
    /// An API server that the tests start.
    Assets(Programs),
    /// The project's own.
    Emulator,
}

// === impl Choice ===

impl fmt::Display for Choice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Existing(file) => write!(f, "real, of kubeconfig {}", file.display()),
            Self::Assets(programs) => write!(f, "real, started from {}", programs.apiserver.display()),
            Self::Emulator => f.write_str("the emulator"),
        }
    }
}

// === impl Variables ===

impl Variables {
    pub(crate) fn of_the_process() -> Self {
        Self::read(|name| std::env::var_os(name))
    }

    fn read(variable: impl Fn(&str) -> Option<OsString>) -> Self {
        let given = |name: &str| variable(name).filter(|value| !value.is_empty());
        let path = |name: &str| given(name).map(PathBuf::from);
        let is_on = |name: &str| given(name).is_some_and(|value| value != "0");
        Self {
            kubeconfig: path("DNS_DRIFT_TEST_KUBECONFIG"),
            assets: path("KUBEBUILDER_ASSETS"),
            etcd: path("TEST_ASSET_ETCD"),
            apiserver: path("TEST_ASSET_KUBE_APISERVER"),
            require_real: is_on("DNS_DRIFT_REQUIRE_REAL_K8S"),
            busy_is_fine: is_on("DNS_DRIFT_TEST_KUBECONFIG_BUSY"),
        }
    }

    /// # Errors
    ///
    /// What was asked for and is not there. A real server that was named is never replaced by the
    /// emulator: the run would show less than it seems to.
    pub(crate) fn choose(&self) -> Result<Choice, String> {
        if let Some(file) = &self.kubeconfig {
            return present(file).map(Choice::Existing);
        }
        let asset = |own: &Option<PathBuf>, name: &str| {
            own.clone().or_else(|| self.assets.as_ref().map(|folder| folder.join(name)))
        };
        match (asset(&self.etcd, "etcd"), asset(&self.apiserver, "kube-apiserver")) {
            (Some(etcd), Some(apiserver)) => {
                Ok(Choice::Assets(Programs { etcd: present(&etcd)?, apiserver: present(&apiserver)? }))
            }
            (None, None) if self.require_real => {
                Err("DNS_DRIFT_REQUIRE_REAL_K8S wants a real API server: set \
                 DNS_DRIFT_TEST_KUBECONFIG or KUBEBUILDER_ASSETS"
                    .to_owned())
            }
            (None, None) => Ok(Choice::Emulator),
            _ => Err("TEST_ASSET_ETCD and TEST_ASSET_KUBE_APISERVER go together".to_owned()),
        }
    }
}

fn present(file: &Path) -> Result<PathBuf, String> {
    if file.is_file() { Ok(file.to_owned()) } else { Err(format!("there is no file {}", file.display())) }
}

#[test]
fn a_real_server_that_is_asked_for_is_never_replaced() {
    let folder = tempfile::tempdir().expect("folder");
    let file = |name: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, "").expect("written");
        path
    };
    let (config, etcd, apiserver) = (file("config"), file("etcd"), file("kube-apiserver"));
    let of = |pairs: &[(&str, &Path)]| {
        Variables::read(|name| {
            pairs.iter().find(|pair| pair.0 == name).map(|pair| pair.1.as_os_str().to_owned())
        })
        .choose()
    };
    let (one, missing) = (Path::new("1"), Path::new("/nonexistent/kube"));
    let assets = Choice::Assets(Programs { etcd: etcd.clone(), apiserver: apiserver.clone() });
    assert_eq!(of(&[]), Ok(Choice::Emulator));
    assert_eq!(
        of(&[("KUBEBUILDER_ASSETS", Path::new("")), ("DNS_DRIFT_TEST_KUBECONFIG", Path::new(""))]),
        Ok(Choice::Emulator)
    );
    assert_eq!(
        of(&[("DNS_DRIFT_TEST_KUBECONFIG", &config), ("KUBEBUILDER_ASSETS", folder.path())]),
        Ok(Choice::Existing(config.clone()))
    );
    assert_eq!(
        of(&[("KUBEBUILDER_ASSETS", folder.path()), ("DNS_DRIFT_REQUIRE_REAL_K8S", one)]),
        Ok(assets.clone())
    );
    assert_eq!(of(&[("TEST_ASSET_ETCD", &etcd), ("TEST_ASSET_KUBE_APISERVER", &apiserver)]), Ok(assets));
    for refused in [
        vec![("DNS_DRIFT_REQUIRE_REAL_K8S", one)],
        vec![("DNS_DRIFT_TEST_KUBECONFIG", missing)],
        vec![("KUBEBUILDER_ASSETS", missing)],
        vec![("TEST_ASSET_ETCD", etcd.as_path())],
    ] {
        assert!(of(&refused).is_err(), "{refused:?}");
    }
}
