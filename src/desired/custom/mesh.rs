//! Shapes of Istio.
//!
//! Source: networking.istio.io/v1, types `Gateway` and `VirtualService`.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{RawObject, Unread};
use crate::desired::objects::nullable;
use crate::model::custom::{Custom, IstioGateway, VirtualService};
use crate::model::object::{Body, KubeObject};

/// Gateway.
pub type RawIstioGateway = RawObject<RawIstioGatewaySpec, Unread>;
/// VirtualService.
pub type RawVirtualService = RawObject<RawVirtualServiceSpec, Unread>;

/// Spec of a Gateway.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct RawIstioGatewaySpec {
    #[serde(deserialize_with = "nullable")]
    pub selector: BTreeMap<String, String>,
    #[serde(deserialize_with = "nullable")]
    pub servers: Vec<RawServer>,
}

/// One server of a Gateway.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct RawServer {
    #[serde(deserialize_with = "nullable")]
    pub hosts: Vec<String>,
}

/// Spec of a VirtualService.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RawVirtualServiceSpec {
    #[serde(deserialize_with = "nullable")]
    pub hosts: Vec<String>,
    #[serde(deserialize_with = "nullable")]
    pub gateways: Vec<String>,
    #[serde(deserialize_with = "nullable")]
    pub export_to: Vec<String>,
}

// === decoding ===

impl RawIstioGateway {
    /// The compact row.
    #[must_use]
    pub fn decode(self) -> KubeObject {
        let hosts = self.spec.servers.into_iter().flat_map(|server| server.hosts).collect();
        let gateway = IstioGateway { selector: self.spec.selector, hosts };
        self.metadata.decode("Gateway", Body::Custom(Custom::IstioGateway(gateway)))
    }
}

impl RawVirtualService {
    /// The compact row.
    #[must_use]
    pub fn decode(self) -> KubeObject {
        let service = VirtualService {
            hosts: self.spec.hosts,
            gateways: self.spec.gateways,
            export_to: self.spec.export_to,
        };
        self.metadata.decode("VirtualService", Body::Custom(Custom::VirtualService(service)))
    }
}
