//! What `aws route53 ...` prints, as far as we read and write it. Unknown members are ignored.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::recorded::decode::{RawHostedZone, RawRecordSet};

/// `list-hosted-zones`.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct HostedZonesFile {
    pub(super) hosted_zones: Vec<RawHostedZone>,
    #[serde(flatten)]
    pub(super) rest: Rest,
}

/// `list-resource-record-sets`.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct RecordSetsFile {
    /// `None` when the file is not a listing at all.
    pub(super) resource_record_sets: Option<Vec<RawRecordSet>>,
    #[serde(flatten)]
    pub(super) rest: Rest,
}

/// How a listing says that it was cut: `NextToken` with `--max-items`, `IsTruncated` from the raw API.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct Rest {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) next_token: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) is_truncated: Option<bool>,
}

/// `get-hosted-zone`.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct HostedZoneFile {
    pub(super) hosted_zone: RawHostedZone,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) delegation_set: Option<DelegationSet>,
    #[serde(rename = "VPCs", skip_serializing_if = "Vec::is_empty")]
    pub(super) vpcs: Vec<RawVpc>,
}

/// `DelegationSet`.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct DelegationSet {
    pub(super) name_servers: Vec<String>,
}

/// `VPC`.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct RawVpc {
    #[serde(rename = "VPCRegion")]
    pub(super) region: String,
    #[serde(rename = "VPCId")]
    pub(super) id: String,
}

/// `get-hosted-zone-limit`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct LimitFile {
    pub(super) limit: Limit,
    pub(super) count: u64,
}

/// `HostedZoneLimit`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Limit {
    #[serde(rename = "Type")]
    pub(super) kind: String,
    pub(super) value: u64,
}

/// `get-dnssec`.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct DnssecFile {
    pub(super) status: DnssecStatus,
    pub(super) key_signing_keys: Vec<Key>,
}

/// `DNSSECStatus`.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct DnssecStatus {
    pub(super) serve_signature: String,
}

/// `KeySigningKey`.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct Key {
    #[serde(rename = "DSRecord", skip_serializing_if = "Option::is_none")]
    pub(super) ds_record: Option<String>,
    pub(super) status: String,
}

/// `changes.json`: one `ChangeInfo` for each change, with its zone.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct ChangesFile {
    pub(super) changes: Vec<Change>,
}

/// `ChangeInfo` and the zone of the change.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Change {
    pub(super) id: String,
    pub(super) status: String,
    pub(super) submitted_at: Timestamp,
    pub(super) hosted_zone_id: String,
}

impl Rest {
    /// True if more would have followed.
    pub(super) fn is_cut(&self) -> bool {
        self.next_token.is_some() || self.is_truncated == Some(true)
    }
}
