//! Services under whose domain anybody can register a free name. Pure.
//!
//! A record that points at a free name hands the host to whoever registers it. Source: the
//! services' own documentation, and the community list EdOverflow/can-i-take-over-xyz.

use crate::model::DomainName;

/// Suffix and service. Only services that deny a free name are here: where every name answers,
/// DNS cannot tell a free one. Names that a service makes up itself (load balancers, `CloudFront`) are
/// not here: nobody can choose them.
const SERVICES: [(&str, &str); 15] = [
    ("azureedge.net", "Azure CDN"),
    ("azure-api.net", "Azure API Management"),
    ("azurecontainer.io", "Azure Container Instances"),
    ("azurefd.net", "Azure Front Door"),
    ("azurewebsites.net", "Azure App Service"),
    ("blob.core.windows.net", "Azure Storage"),
    ("cloudapp.azure.com", "Azure virtual machines"),
    ("cloudapp.net", "Azure Cloud Services"),
    ("elasticbeanstalk.com", "AWS Elastic Beanstalk"),
    ("herokuapp.com", "Heroku"),
    ("herokudns.com", "Heroku"),
    ("netlify.app", "Netlify"),
    ("trafficmanager.net", "Azure Traffic Manager"),
    ("web.core.windows.net", "Azure Storage"),
    ("onrender.com", "Render"),
];

/// S3 names carry the region in several places: `b.s3-website-eu-west-1.amazonaws.com`,
/// `b.s3-website.eu-central-1.amazonaws.com`, `b.s3.amazonaws.com`.
const S3: [&str; 2] = [".s3-website", ".s3."];

/// The service under which anybody can register the host; `None` when nobody can.
#[must_use]
pub fn claimable(host: &DomainName) -> Option<&'static str> {
    let text = host.as_str();
    if text.ends_with(".amazonaws.com") && S3.iter().any(|part| text.contains(part)) {
        return Some("Amazon S3");
    }
    SERVICES.iter().find(|(suffix, _)| host.is_within(&DomainName::new(suffix))).map(|(_, service)| *service)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_that_anybody_can_choose() {
        let check =
            |host: &str, expected: Option<&str>| assert_eq!(claimable(&DomainName::new(host)), expected);
        check("shop.azurewebsites.net", Some("Azure App Service"));
        check("b.s3-website-eu-west-1.amazonaws.com", Some("Amazon S3"));
        check("b.s3.eu-west-1.amazonaws.com", Some("Amazon S3"));
        check("web.eu-west-1.elasticbeanstalk.com", Some("AWS Elastic Beanstalk"));
        check("k8s-shop-1.eu-west-1.elb.amazonaws.com", None);
        check("d111111abcdef8.cloudfront.net", None);
        check("azurewebsites.net.example.com", None);
    }
}
