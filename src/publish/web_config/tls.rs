//! `tls_server_config`: what rustls is told.

use std::sync::Arc;

use rustls::client::danger::HandshakeSignatureValid;
use rustls::client::verify_server_name;
use rustls::crypto::CryptoProvider;
use rustls::crypto::aws_lc_rs::{self, kx_group};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{ParsedCertificate, WebPkiClientVerifier};
use rustls::version::{TLS12, TLS13};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, RootCertStore, ServerConfig,
    SignatureScheme, SupportedProtocolVersion,
};
use serde::Deserialize;
use serde_saphyr::Spanned;

use crate::publish::web_config::{Files, Mistake};

/// Suites that Go has and rustls has not: without forward secrecy or without an AEAD.
const LEFT_OUT: [&str; 10] = [
    "TLS_RSA_WITH_AES_128_CBC_SHA",
    "TLS_RSA_WITH_AES_256_CBC_SHA",
    "TLS_RSA_WITH_AES_128_GCM_SHA256",
    "TLS_RSA_WITH_AES_256_GCM_SHA384",
    "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA",
    "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA",
    "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA",
    "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA",
    "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256",
    "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256",
];

type Text = Option<Spanned<String>>;

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Raw {
    cert: Text,
    key: Text,
    client_ca: Text,
    cert_file: Text,
    key_file: Text,
    client_ca_file: Text,
    client_auth_type: Text,
    client_allowed_sans: Option<Vec<Spanned<String>>>,
    min_version: Text,
    max_version: Text,
    cipher_suites: Option<Vec<Spanned<String>>>,
    curve_preferences: Option<Vec<Spanned<String>>>,
    prefer_server_cipher_suites: Option<bool>,
}

/// Takes a client certificate that the inner verifier takes and that has one of the names.
#[derive(Debug)]
struct Named {
    inner: Arc<dyn ClientCertVerifier>,
    names: Vec<ServerName<'static>>,
}

/// The configuration of rustls; `None` where the section is empty, which means plain HTTP.
pub(super) fn server_config(
    section: &Spanned<Raw>,
    files: &mut Files<'_>,
) -> Result<Option<Arc<ServerConfig>>, Mistake> {
    let raw = &section.value;
    let nothing = [&raw.cert, &raw.key, &raw.cert_file, &raw.key_file, &raw.client_auth_type];
    if nothing.iter().all(|text| text.is_none()) && raw.client_ca.is_none() && raw.client_ca_file.is_none() {
        return Ok(None);
    }
    let provider = Arc::new(provider(raw)?);
    let versions = versions(raw)?;
    let wrong = |text: &str| Mistake::at(section, "tls_server_config", text);
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(&versions)
        .map_err(|error| wrong(&error.to_string()))?;
    let builder = match client_verifier(section, &provider, files)? {
        Some(verifier) => builder.with_client_cert_verifier(verifier),
        None => builder.with_no_client_auth(),
    };
    let (place, bytes) = pem(section, "cert", (&raw.cert, &raw.cert_file), files)?
        .ok_or_else(|| wrong("cert_file is missing"))?;
    let chain = certificates(&bytes).map_err(|text| Mistake::at(place.1, place.0, text))?;
    let (key_place, bytes) =
        pem(section, "key", (&raw.key, &raw.key_file), files)?.ok_or_else(|| wrong("key_file is missing"))?;
    let key = PrivateKeyDer::from_pem_slice(&bytes).map_err(|_reason| {
        Mistake::at(key_place.1, key_place.0.as_str(), "holds no private key in PEM form")
    })?;
    let mut config = builder.with_single_cert(chain, key).map_err(|error| {
        let text = format!("certificate and key do not go together: {error}");
        Mistake::at(key_place.1, key_place.0, text)
    })?;
    config.ignore_client_order = raw.prefer_server_cipher_suites.unwrap_or(true);
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Some(Arc::new(config)))
}

type Place<'a> = (String, &'a Spanned<String>);

/// The PEM text of a key that may stand inline or in a file.
fn pem<'a>(
    section: &Spanned<Raw>,
    name: &str,
    (inline, file): (&'a Text, &'a Text),
    files: &mut Files<'_>,
) -> Result<Option<(Place<'a>, Vec<u8>)>, Mistake> {
    let path = format!("tls_server_config.{name}");
    match (inline, file) {
        (Some(_), Some(_)) => {
            Err(Mistake::at(section, path, format!("is there twice: {name} and {name}_file")))
        }
        (Some(text), None) => Ok(Some(((path, text), text.value.clone().into_bytes()))),
        (None, Some(name)) => {
            let path = format!("{path}_file");
            let read = files.read(&name.value);
            let bytes = read.map_err(|error| {
                Mistake::at(name, path.clone(), format!("read {:?}: {error}", name.value))
            })?;
            Ok(Some(((path, name), bytes)))
        }
        (None, None) => Ok(None),
    }
}

fn certificates(bytes: &[u8]) -> Result<Vec<CertificateDer<'static>>, &'static str> {
    let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(bytes).collect();
    match all {
        Ok(all) if !all.is_empty() => Ok(all),
        Ok(_) => Err("holds no certificate in PEM form"),
        Err(_reason) => Err("is not in PEM form"),
    }
}

// === clients ===

fn client_verifier(
    section: &Spanned<Raw>,
    provider: &Arc<CryptoProvider>,
    files: &mut Files<'_>,
) -> Result<Option<Arc<dyn ClientCertVerifier>>, Mistake> {
    let raw = &section.value;
    let authority = pem(section, "client_ca", (&raw.client_ca, &raw.client_ca_file), files)?;
    let word = raw.client_auth_type.as_ref().map_or("NoClientCert", |word| word.value.as_str());
    let at_word = |text: &str| {
        let key = "tls_server_config.client_auth_type";
        raw.client_auth_type
            .as_ref()
            .map_or_else(|| Mistake::at(section, key, text), |word| Mistake::at(word, key, text))
    };
    let optional = match word {
        "NoClientCert" | "" if authority.is_some() || raw.client_allowed_sans.is_some() => {
            return Err(at_word("client_ca_file and client_allowed_sans need a client_auth_type"));
        }
        "NoClientCert" | "" => return Ok(None),
        "VerifyClientCertIfGiven" => true,
        "RequireAndVerifyClientCert" => false,
        "RequestClientCert" | "RequireAnyClientCert" | "RequireClientCert" => {
            return Err(at_word("would take any certificate; use RequireAndVerifyClientCert"));
        }
        other => return Err(at_word(&format!("{other:?} is no type of client authentication"))),
    };
    let Some((place, bytes)) = authority else { return Err(at_word("needs client_ca_file")) };
    let wrong = |text: &str| Mistake::at(place.1, place.0.clone(), text);
    let mut roots = RootCertStore::empty();
    for certificate in certificates(&bytes).map_err(wrong)? {
        roots.add(certificate).map_err(|error| wrong(&error.to_string()))?;
    }
    let builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider));
    let builder = if optional { builder.allow_unauthenticated() } else { builder };
    let inner = builder.build().map_err(|error| wrong(&error.to_string()))?;
    let Some(names) = &raw.client_allowed_sans else { return Ok(Some(inner)) };
    let names: Result<Vec<_>, _> = names.iter().map(allowed_name).collect();
    Ok(Some(Arc::new(Named { inner, names: names? })))
}

fn allowed_name(name: &Spanned<String>) -> Result<ServerName<'static>, Mistake> {
    ServerName::try_from(name.value.clone()).map_err(|_invalid| {
        Mistake::at(name, "tls_server_config.client_allowed_sans", "is neither a DNS name nor an IP address")
    })
}

impl ClientCertVerifier for Named {
    fn offer_client_auth(&self) -> bool {
        self.inner.offer_client_auth()
    }

    fn client_auth_mandatory(&self) -> bool {
        self.inner.client_auth_mandatory()
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.inner.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let verified = self.inner.verify_client_cert(end_entity, intermediates, now)?;
        let certificate = ParsedCertificate::try_from(end_entity)?;
        if self.names.iter().any(|name| verify_server_name(&certificate, name).is_ok()) {
            return Ok(verified);
        }
        Err(Error::InvalidCertificate(CertificateError::ApplicationVerificationFailure))
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}

// === versions, suites, curves ===

fn versions(raw: &Raw) -> Result<Vec<&'static SupportedProtocolVersion>, Mistake> {
    let number = |text: &Text, key: &str, default: u8| match text.as_ref().map(|text| (text, &*text.value)) {
        None => Ok(default),
        Some((_, "TLS12")) => Ok(2),
        Some((_, "TLS13")) => Ok(3),
        Some((text, word)) => {
            let key = format!("tls_server_config.{key}");
            Err(Mistake::at(text, key, format!("{word:?} is not supported; TLS12 and TLS13 are")))
        }
    };
    let least = number(&raw.min_version, "min_version", 2)?;
    let most = number(&raw.max_version, "max_version", 3)?;
    let versions: Vec<_> = [(2, &TLS12), (3, &TLS13)]
        .into_iter()
        .filter(|(number, _)| (least..=most).contains(number))
        .map(|(_, version)| version)
        .collect();
    match (&raw.max_version, versions.is_empty()) {
        (Some(text), true) => Err(Mistake::at(text, "tls_server_config.max_version", "is below min_version")),
        _ => Ok(versions),
    }
}

/// The suites of TLS 1.2 that are listed; those of 1.3 cannot be chosen, as in Go.
fn provider(raw: &Raw) -> Result<CryptoProvider, Mistake> {
    let mut provider = aws_lc_rs::default_provider();
    if let Some(listed) = &raw.cipher_suites {
        let name = |suite: &rustls::SupportedCipherSuite| {
            format!("{:?}", suite.suite()).replacen("TLS13_", "TLS_", 1)
        };
        for word in listed {
            let known = provider.cipher_suites.iter().any(|suite| name(suite) == word.value);
            if !known && !LEFT_OUT.contains(&word.value.as_str()) {
                let text = format!("{:?} is no cipher suite that can be served", word.value);
                return Err(Mistake::at(word, "tls_server_config.cipher_suites", text));
            }
        }
        let is_listed = |suite: &rustls::SupportedCipherSuite| {
            suite.tls13().is_some() || listed.iter().any(|word| word.value == name(suite))
        };
        provider.cipher_suites.retain(is_listed);
    }
    if let Some(listed) = &raw.curve_preferences {
        let groups: Result<Vec<_>, _> = listed.iter().map(curve).collect();
        provider.kx_groups = groups?;
    }
    Ok(provider)
}

fn curve(word: &Spanned<String>) -> Result<&'static dyn rustls::crypto::SupportedKxGroup, Mistake> {
    Ok(match word.value.as_str() {
        "CurveP256" => kx_group::SECP256R1,
        "CurveP384" => kx_group::SECP384R1,
        "X25519" => kx_group::X25519,
        "X25519MLKEM768" => kx_group::X25519MLKEM768,
        other => {
            let text = format!("{other:?} is no curve that can be served");
            return Err(Mistake::at(word, "tls_server_config.curve_preferences", text));
        }
    })
}
