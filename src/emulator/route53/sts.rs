//! The two calls of STS that clients of Route 53 make.

use super::ACCOUNT;
use crate::clock::Clock;

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

pub(super) fn caller_identity() -> String {
    format!(
        "<GetCallerIdentityResponse xmlns=\"{STS}\"><GetCallerIdentityResult>\
         <Arn>arn:aws:sts::{ACCOUNT}:assumed-role/dns-drift/dns-drift</Arn><UserId>AROAEMULATED:dns-drift</UserId>\
         <Account>{ACCOUNT}</Account></GetCallerIdentityResult>\
         <ResponseMetadata><RequestId>{}</RequestId></ResponseMetadata></GetCallerIdentityResponse>",
        super::new_request_id()
    )
}
