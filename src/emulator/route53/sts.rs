//! The two calls of STS that clients of Route 53 make.

use std::collections::BTreeMap;

use super::{ACCOUNT, Refusal, Shared, lock};
use crate::emulator::http::query;

const STS: &str = "https://sts.amazonaws.com/doc/2011-06-15/";

/// How the access keys of sessions begin; the number of the session follows.
pub(super) const SESSION: &str = "ASIA";

/// Digits of that number. The service's own keys have sixteen characters after the prefix.
pub(super) const SESSION_DIGITS: usize = 4;

/// A role for whoever shows a web identity token. The account is part of the access key, so that
/// requests tell under which account they were sent.
pub(super) fn assumed_role(shared: &Shared, body: &str) -> Result<String, Refusal> {
    let shown = form(body).remove("WebIdentityToken").unwrap_or_default();
    if lock(&shared.sessions).token.as_ref().is_some_and(|token| *token != shown) {
        return Err(Refusal::new(400, "InvalidIdentityToken", "The token that was shown is not valid"));
    }
    let credentials = session(shared, ACCOUNT);
    Ok(format!(
        "<AssumeRoleWithWebIdentityResponse xmlns=\"{STS}\"><AssumeRoleWithWebIdentityResult>{credentials}\
         <AssumedRoleUser><Arn>arn:aws:sts::{ACCOUNT}:assumed-role/dns-drift/dns-drift</Arn>\
         <AssumedRoleId>AROAEMULATED:dns-drift</AssumedRoleId></AssumedRoleUser>\
         </AssumeRoleWithWebIdentityResult><ResponseMetadata><RequestId>{}</RequestId></ResponseMetadata>\
         </AssumeRoleWithWebIdentityResponse>",
        super::new_request_id()
    ))
}

/// A role that is assumed by name. One whose name ends in `external` wants `secret-id`.
pub(super) fn role(shared: &Shared, body: &str) -> Result<String, Refusal> {
    let form = form(body);
    let arn = form.get("RoleArn").map(String::as_str).unwrap_or_default();
    let account = arn.split(':').nth(4).unwrap_or_default();
    if arn.ends_with("external") && form.get("ExternalId").map(String::as_str) != Some("secret-id") {
        let text = format!("User is not authorized to perform: sts:AssumeRole on resource: {arn}");
        return Err(Refusal::new(403, "AccessDenied", text));
    }
    Ok(format!(
        "<AssumeRoleResponse xmlns=\"{STS}\"><AssumeRoleResult>{}</AssumeRoleResult>\
         <ResponseMetadata><RequestId>{}</RequestId></ResponseMetadata></AssumeRoleResponse>",
        session(shared, account),
        super::new_request_id()
    ))
}

fn form(body: &str) -> BTreeMap<String, String> {
    format!("http://sts.invalid/?{body}").parse().map(|uri| query(&uri)).unwrap_or_default()
}

/// Credentials for an hour.
fn session(shared: &Shared, account: &str) -> String {
    let number = {
        let mut sessions = lock(&shared.sessions);
        sessions.given = sessions.given.saturating_add(1);
        sessions.given
    };
    let now = shared.clock.now();
    let expires = now.checked_add(jiff::SignedDuration::from_hours(1)).unwrap_or(now);
    format!(
        "<Credentials><AccessKeyId>{SESSION}{number:0SESSION_DIGITS$}{account}</AccessKeyId>\
         <SecretAccessKey>emulated</SecretAccessKey><SessionToken>emulated-session</SessionToken>\
         <Expiration>{expires:.0}</Expiration></Credentials>"
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
