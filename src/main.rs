//! The `dns-drift` program.

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let dir = args.iter().skip_while(|a| *a != "--recording").nth(1).unwrap();
    let report = dns_drift::replay::replay(std::path::Path::new(dir), |config| {
        let mut policy = dns_drift::policy::Policy::default();
        for v in config["views"].as_array().into_iter().flatten() {
            policy.views.push(dns_drift::policy::NetworkView {
                name: v["name"].as_str().unwrap().into(),
                vpc_id: v["vpc_id"].as_str().map(Into::into),
                resolves_public: v["resolves_public"].as_bool().unwrap_or(false),
                internal: v["internal"].as_bool().unwrap_or(false),
            });
        }
        for v in config["maintenance"].as_array().into_iter().flatten() {
            policy.maintenance.push(dns_drift::policy::Maintenance {
                instance: v["instance"].as_str().map(Into::into),
                from: v["from"].as_str().unwrap().parse().unwrap(),
                until: v["until"].as_str().unwrap().parse().unwrap(),
            });
        }
        for v in config["zones"].as_array().into_iter().flatten() {
            policy.zones.insert(
                dns_drift::model::ZoneId::new(v["id"].as_str().unwrap()),
                dns_drift::policy::ZoneFacts {
                    public_dns_fallback: v["public_dns_fallback"].as_bool().unwrap_or(false),
                },
            );
        }
        Ok(policy)
    })
    .unwrap();
    println!("{}", serde_json::to_string(&report).unwrap());
}
