//! Answers in XML.

use axum::response::Response;

use super::Refusal;
use super::world::{AppliedChange, Zone};
use crate::emulator::http;
use crate::emulator::zones::RecordSet;

const NAMESPACE: &str = "https://route53.amazonaws.com/doc/2013-04-01/";

/// XML that grows from left to right.
#[derive(Default)]
pub(super) struct Xml(String);

// === impl Xml ===

impl Xml {
    /// The answer of an operation: `<OperationResponse>` around what `content` writes.
    pub(super) fn response(operation: &str, content: impl FnOnce(&mut Self)) -> String {
        let mut xml = Self("<?xml version=\"1.0\"?>\n".to_owned());
        xml.0.extend(["<", operation, "Response xmlns=\"", NAMESPACE, "\">"]);
        content(&mut xml);
        xml.0.extend(["</", operation, "Response>"]);
        xml.0
    }

    /// An element with elements inside.
    pub(super) fn within(&mut self, tag: &str, content: impl FnOnce(&mut Self)) {
        self.0.extend(["<", tag, ">"]);
        content(self);
        self.0.extend(["</", tag, ">"]);
    }

    /// An element with text.
    pub(super) fn leaf(&mut self, tag: &str, text: impl std::fmt::Display) {
        let text = text.to_string();
        let text = quick_xml::escape::escape(text.as_str());
        self.0.extend(["<", tag, ">", &*text, "</", tag, ">"]);
    }

    /// An element with text, if there is any.
    pub(super) fn maybe(&mut self, tag: &str, text: Option<impl std::fmt::Display>) {
        if let Some(text) = text {
            self.leaf(tag, text);
        }
    }

    /// `HostedZone`.
    pub(super) fn hosted_zone(&mut self, zone: &Zone, count_off: i64) {
        let count = i64::try_from(zone.records.len()).unwrap_or(i64::MAX).saturating_add(count_off);
        self.within("HostedZone", |xml| {
            xml.leaf("Id", format_args!("/hostedzone/{}", zone.id));
            xml.leaf("Name", &zone.name);
            xml.leaf("CallerReference", &zone.caller_reference);
            xml.within("Config", |xml| {
                xml.maybe("Comment", zone.comment.as_ref());
                xml.leaf("PrivateZone", zone.private);
            });
            xml.leaf("ResourceRecordSetCount", count);
        });
    }

    /// `DelegationSet` of a public zone.
    pub(super) fn delegation_set(&mut self, zone: &Zone) {
        self.within("DelegationSet", |xml| {
            xml.within("NameServers", |xml| {
                for server in &zone.name_servers {
                    // The service writes these, unlike all other names, without the final dot.
                    xml.leaf("NameServer", server.strip_suffix('.').unwrap_or(server));
                }
            });
        });
    }

    /// `ResourceRecordSet`, elements in the order of the API model.
    pub(super) fn record_set(&mut self, record: &RecordSet) {
        self.within("ResourceRecordSet", |xml| {
            xml.leaf("Name", &record.name);
            xml.leaf("Type", &record.kind);
            xml.maybe("SetIdentifier", record.set_identifier.as_ref());
            xml.maybe("Weight", record.weight);
            xml.maybe("Region", record.region.as_ref());
            if let Some(geo) = &record.geo_location {
                xml.within("GeoLocation", |xml| {
                    xml.maybe("ContinentCode", geo.continent_code.as_ref());
                    xml.maybe("CountryCode", geo.country_code.as_ref());
                    xml.maybe("SubdivisionCode", geo.subdivision_code.as_ref());
                });
            }
            xml.maybe("Failover", record.failover.as_ref());
            xml.maybe("MultiValueAnswer", record.multi_value_answer);
            xml.maybe("TTL", record.ttl);
            xml.content(record);
        });
    }

    fn content(&mut self, record: &RecordSet) {
        if let Some(values) = &record.resource_records {
            self.within("ResourceRecords", |xml| {
                for value in &values.records {
                    xml.within("ResourceRecord", |xml| xml.leaf("Value", &value.text));
                }
            });
        }
        if let Some(alias) = &record.alias_target {
            self.within("AliasTarget", |xml| {
                xml.leaf("HostedZoneId", &alias.hosted_zone_id);
                xml.leaf("DNSName", &alias.dns_name);
                xml.leaf("EvaluateTargetHealth", alias.evaluate_target_health);
            });
        }
        self.maybe("HealthCheckId", record.health_check_id.as_ref());
        self.maybe("TrafficPolicyInstanceId", record.traffic_policy_instance_id.as_ref());
        if let Some(cidr) = &record.cidr_routing_config {
            self.within("CidrRoutingConfig", |xml| {
                xml.leaf("CollectionId", &cidr.collection_id);
                xml.leaf("LocationName", &cidr.location_name);
            });
        }
        if let Some(geo) = &record.geo_proximity_location {
            self.within("GeoProximityLocation", |xml| {
                xml.maybe("AWSRegion", geo.aws_region.as_ref());
                xml.maybe("LocalZoneGroup", geo.local_zone_group.as_ref());
                xml.maybe("Bias", geo.bias);
            });
        }
    }

    /// `ChangeInfo`. A change is answered PENDING even when it is in sync at once.
    pub(super) fn change_info(&mut self, change: &AppliedChange) {
        self.within("ChangeInfo", |xml| {
            xml.leaf("Id", format_args!("/change/{}", change.id));
            xml.leaf("Status", if change.in_sync { "INSYNC" } else { "PENDING" });
            xml.leaf("SubmittedAt", format_args!("{:.3}", change.submitted_at));
            xml.maybe("Comment", change.comment.as_ref());
        });
    }

    /// `ResourceTagSet`.
    pub(super) fn tag_set(&mut self, zone: &Zone) {
        self.within("ResourceTagSet", |xml| {
            xml.leaf("ResourceType", "hostedzone");
            xml.leaf("ResourceId", &zone.id);
            xml.within("Tags", |xml| {
                for (key, value) in &zone.tags {
                    xml.within("Tag", |xml| {
                        xml.leaf("Key", key);
                        xml.leaf("Value", value);
                    });
                }
            });
        });
    }
}

/// An XML answer with a request id.
pub(super) fn respond(status: u16, body: String) -> Response {
    with_request_id(http::answer(status, "text/xml", body), &super::new_request_id())
}

/// A refusal in the shape that the service uses for all operations.
pub(super) fn refuse(refusal: &Refusal) -> Response {
    let kind = if refusal.status < 500 { "Sender" } else { "Receiver" };
    let mut xml = Xml(format!("<?xml version=\"1.0\"?>\n<ErrorResponse xmlns=\"{NAMESPACE}\">"));
    xml.within("Error", |xml| {
        xml.leaf("Type", kind);
        xml.leaf("Code", &refusal.code);
        xml.leaf("Message", &refusal.message);
    });
    xml.leaf("RequestId", &refusal.request_id);
    xml.0.push_str("</ErrorResponse>");
    with_request_id(http::answer(refusal.status, "text/xml", xml.0), &refusal.request_id)
}

pub(super) fn with_request_id(mut response: Response, id: &str) -> Response {
    if let Ok(value) = id.parse() {
        response.headers_mut().insert("x-amzn-requestid", value);
    }
    response
}
