//! The two calls of STS that clients of Route 53 make.

use super::{ACCOUNT, Refusal};
use crate::clock::Clock;
use crate::emulator::http::query;

const STS: &str = "https://sts.amazonaws.com/doc/2011-06-15/";

pub(super) fn assumed_role(clock: &dyn Clock) -> String {
    let now = clock.now();
    let expires = now.checked_add(jiff::SignedDuration::from_hours(1)).unwrap_or(now);
    format!(
        "<AssumeRoleWithWebIdentityResponse xmlns=\"{STS}\"><AssumeRoleWithWebIdentityResult><Credentials>\
         <AccessKeyId>ASIAEMULATED00000000</AccessKeyId><SecretAccessKey>emulated</SecretAccessKey>\
         <SessionToken>emulated-session</SessionToken><Expiration>{expires:.0}</Expiration></Credentials>\
         <AssumedRoleUser><Arn>arn:aws:sts::{ACCOUNT}:assumed-role/dns-drift/dns-drift</Arn>\
         <AssumedRoleId>AROAEMULATED:dns-drift</AssumedRoleId></AssumedRoleUser>\
         </AssumeRoleWithWebIdentityResult><ResponseMetadata><RequestId>{}</RequestId></ResponseMetadata>\
         </AssumeRoleWithWebIdentityResponse>",
        super::new_request_id()
    )
}

/// A role that is assumed by name: its account becomes part of the access key, so that requests
/// tell under which account they were sent. A role whose name ends in `external` wants `secret-id`.
pub(super) fn role(clock: &dyn Clock, body: &str) -> Result<String, Refusal> {
    let form = format!("http://sts.invalid/?{body}").parse().map(|uri| query(&uri)).unwrap_or_default();
    let arn = form.get("RoleArn").map(String::as_str).unwrap_or_default();
    let account = arn.split(':').nth(4).unwrap_or_default();
    if arn.ends_with("external") && form.get("ExternalId").map(String::as_str) != Some("secret-id") {
        let text = format!("User is not authorized to perform: sts:AssumeRole on resource: {arn}");
        return Err(Refusal::new(403, "AccessDenied", text));
    }
    let now = clock.now();
    let expires = now.checked_add(jiff::SignedDuration::from_hours(1)).unwrap_or(now);
    Ok(format!(
        "<AssumeRoleResponse xmlns=\"{STS}\"><AssumeRoleResult><Credentials>\
         <AccessKeyId>ASIA{account}</AccessKeyId><SecretAccessKey>emulated</SecretAccessKey>\
         <SessionToken>emulated-session</SessionToken><Expiration>{expires:.0}</Expiration></Credentials>\
         </AssumeRoleResult><ResponseMetadata><RequestId>{}</RequestId></ResponseMetadata></AssumeRoleResponse>",
        super::new_request_id()
    ))
}

pub(super) fn caller_identity() -> String {
    format!(
        "<GetCallerIdentityResponse xmlns=\"{STS}\"><GetCallerIdentityResult>\
         <Arn>arn:aws:sts::{ACCOUNT}:assumed-role/dns-drift/dns-drift</Arn><UserId>AROAEMULATED:dns-drift</UserId>\
         <Account>{ACCOUNT}</Account></GetCallerIdentityResult>\
         <ResponseMetadata><RequestId>{}</RequestId></ResponseMetadata></GetCallerIdentityResponse>",
        super::new_request_id()
    )
}
