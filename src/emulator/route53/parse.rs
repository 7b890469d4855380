//! Request bodies.

use serde::Deserialize;

use super::{Change, Refusal};

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ChangeRequest {
    change_batch: ChangeBatch,
}

/// A batch as it arrives.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ChangeBatch {
    pub(super) comment: Option<String>,
    changes: Changes,
}

#[derive(Deserialize)]
struct Changes {
    #[serde(rename = "Change", default)]
    rows: Vec<Change>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct TagsRequest {
    resource_ids: ResourceIds,
}

#[derive(Deserialize)]
struct ResourceIds {
    #[serde(rename = "ResourceId", default)]
    rows: Vec<String>,
}

/// `CreateHostedZoneRequest`.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct CreateZone {
    pub(super) name: String,
    #[serde(rename = "VPC")]
    pub(super) vpc: Option<Vpc>,
    pub(super) hosted_zone_config: Option<ZoneConfig>,
}

/// A VPC of a request.
#[derive(Deserialize)]
pub(super) struct Vpc {
    #[serde(rename = "VPCRegion", default)]
    pub(super) region: String,
    #[serde(rename = "VPCId", default)]
    pub(super) id: String,
}

/// `HostedZoneConfig`.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ZoneConfig {
    pub(super) comment: Option<String>,
    #[serde(default)]
    pub(super) private_zone: bool,
}

impl ChangeBatch {
    /// Its changes, in order.
    pub(super) fn into_changes(self) -> (Vec<Change>, Option<String>) {
        (self.changes.rows, self.comment)
    }
}

pub(super) fn change_batch(body: &str) -> Result<ChangeBatch, Refusal> {
    let request: ChangeRequest = read(body, "ChangeResourceRecordSetsRequest")?;
    Ok(request.change_batch)
}

pub(super) fn resource_ids(body: &str) -> Result<Vec<String>, Refusal> {
    let request: TagsRequest = read(body, "ListTagsForResourcesRequest")?;
    Ok(request.resource_ids.rows)
}

pub(super) fn create_zone(body: &str) -> Result<CreateZone, Refusal> {
    read(body, "CreateHostedZoneRequest")
}

fn read<T: for<'de> Deserialize<'de>>(body: &str, root: &str) -> Result<T, Refusal> {
    if !body.contains(&format!("<{root}")) {
        return Err(Refusal::new(400, "MalformedInput", format!("The body is not valid, expected {root}")));
    }
    quick_xml::de::from_str(body).map_err(|error| {
        Refusal::new(400, "InvalidInput", format!("Invalid XML ; cvc-complex-type: {error}"))
    })
}
