use std::fs;

use rcgen::{CertificateParams, KeyPair};

use super::*;

fn load(text: &str) -> Result<WebConfig, String> {
    let folder = tempfile::tempdir().expect("a folder");
    let key = KeyPair::generate().expect("a key");
    let params = CertificateParams::new(vec!["localhost".to_owned()]).expect("names");
    let certificate = params.self_signed(&key).expect("a certificate");
    fs::write(folder.path().join("tls.crt"), certificate.pem()).expect("written");
    fs::write(folder.path().join("tls.key"), key.serialize_pem()).expect("written");
    let other = KeyPair::generate().expect("a key");
    fs::write(folder.path().join("other.key"), other.serialize_pem()).expect("written");
    let path = folder.path().join("web.yml");
    fs::write(&path, text).expect("written");
    WebConfig::load(&path).map_err(|error| {
        let text = crate::error_chain::ErrorChain(&error).to_string();
        text.replace(&folder.path().display().to_string(), "DIR")
    })
}

const PAIR: &str = "tls_server_config:\n  cert_file: tls.crt\n  key_file: tls.key\n";

#[test]
fn what_is_valid() {
    assert!(load("").expect("empty").tls.is_none());
    assert!(load("# nothing\n").expect("a comment").users.is_empty());
    assert!(load("tls_server_config: {}\n").expect("an empty section").tls.is_none());
    assert!(load(PAIR).expect("a pair").tls.is_some());
    let all = format!(
        "{PAIR}  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: tls.crt\n  \
         client_allowed_sans: [prometheus.example.com, 10.0.0.1]\n  min_version: TLS12\n  \
         max_version: TLS12\n  cipher_suites: [TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, \
         TLS_RSA_WITH_AES_128_CBC_SHA]\n  curve_preferences: [X25519]\n  \
         prefer_server_cipher_suites: false\nhttp_server_config:\n  http2: true\n  headers:\n    \
         X-Frame-Options: deny\n    Strict-Transport-Security: max-age=31536000\nrate_limit:\n  \
         interval: 100ms\n  burst: 20\nbasic_auth_users:\n  ann: \
         $2y$10$QOauhQNbBCuQDKes6eFzPeMqBSjb7Mr5DUmpZ/VcEd00UAV/LDeSi\n"
    );
    let config = load(&all).expect("all keys");
    assert_eq!((config.headers.len(), config.limiter.is_some()), (2, true));
    assert!(!config.users.is_empty());
}

#[test]
fn mistakes_name_key_and_line_and_never_the_secret() {
    let check = |text: &str, expected: &str| {
        let said = load(text).expect_err("a mistake");
        assert!(said.contains(expected), "{text}\nsaid: {said}\nwanted: {expected}");
        assert!(!said.contains("hunter2"), "{said}");
    };
    check("tls_server_confg: {}\n", "line 1");
    check("tls_server_confg: {}\n", "tls_server_confg");
    check("basic_auth_users:\n  ann: [hunter2]\n", "line 2");
    check("basic_auth_users:\n  ann: hunter2\n", "line 2: basic_auth_users.ann: is no bcrypt hash");
    check("tls_server_config:\n  key_file: tls.key\n", "tls_server_config: cert_file is missing");
    check(&PAIR.replace("tls.crt", "gone.crt"), "line 2: tls_server_config.cert_file: read \"gone.crt\"");
    check(&PAIR.replace("cert_file: tls.crt", "cert_file: tls.key"), "holds no certificate");
    check(&PAIR.replace("tls.key", "other.key"), "line 3: tls_server_config.key_file");
    check(&format!("{PAIR}  cert: hunter2\n"), "tls_server_config.cert: is there twice");
    check(&format!("{PAIR}  min_version: TLS10\n"), "line 4: tls_server_config.min_version");
    check(&format!("{PAIR}  min_version: TLS13\n  max_version: TLS12\n"), "line 5: tls_server_config.max_v");
    check(&format!("{PAIR}  cipher_suites: [RC4]\n"), "line 4: tls_server_config.cipher_suites");
    check(&format!("{PAIR}  client_auth_type: RequireAnyClientCert\n"), "would take any certificate");
    check(&format!("{PAIR}  client_auth_type: RequireAndVerifyClientCert\n"), "needs client_ca_file");
    check(&format!("{PAIR}  client_ca_file: tls.crt\n"), "need a client_auth_type");
    check("http_server_config:\n  headers:\n    Set-Cookie: x\n", "line 3: http_server_config.headers.Set-C");
    check("rate_limit:\n  interval: often\n", "line 2: rate_limit.interval");
    check("basic_auth_users:\n  ann: {hunter2\n", "web configuration DIR/web.yml");
}
