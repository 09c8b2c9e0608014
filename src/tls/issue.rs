//! Making keys and certificates. Decides nothing, keeps nothing.

use chrono::{DateTime, Datelike as _, TimeDelta, Utc};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, date_time_ymd,
};

use super::{AUTHORITY_LIFETIME, Authority, Key, Order, id_at, midnight};
use crate::config::ProjectName;

/// Clocks differ.
const BACKDATED: TimeDelta = TimeDelta::days(1);

/// Why there is no certificate.
#[derive(Debug, thiserror::Error)]
pub(crate) enum IssueError {
    #[error("making a certificate: {0}")]
    Make(#[from] rcgen::Error),
    #[error("the project has no authority that could sign")]
    NoAuthority,
}

/// What a service finds in its directory, as PEM.
#[derive(Debug, Clone)]
pub(crate) struct Files {
    /// `ca.pem`: whom to trust.
    pub(crate) authorities: String,
    /// `cert.pem` and `key.pem`.
    pub(crate) own: Option<(String, Key)>,
}

/// A new authority for a project.
pub(crate) fn new_authority(
    project: &ProjectName,
    now: DateTime<Utc>,
) -> Result<Authority, IssueError> {
    let id = id_at(now);
    let name = format!("{project} internal authority {id}");
    let key = KeyPair::generate()?;
    let not_after = midnight(now + AUTHORITY_LIFETIME);
    let mut params = authority_params(&name);
    lasts(&mut params, now, not_after);
    let certificate = params.self_signed(&key)?;
    Ok(Authority {
        id,
        name,
        certificate: certificate.pem(),
        key: Key(key.serialize_pem()),
        not_after,
    })
}

/// Makes what was ordered, with a fresh key.
pub(crate) fn issue(order: &Order) -> Result<Files, IssueError> {
    let authorities: String = order
        .trusted
        .iter()
        .map(|authority| authority.certificate.as_str())
        .collect();
    let Some(not_after) = order.issued.not_after else {
        return Ok(Files {
            authorities,
            own: None,
        });
    };
    let authority = order.signer.as_ref().ok_or(IssueError::NoAuthority)?;
    let signer = Issuer::new(
        authority_params(&authority.name),
        KeyPair::from_pem(authority.key.pem())?,
    );
    let key = KeyPair::generate()?;
    let mut params = CertificateParams::new(order.issued.names.clone())?;
    params.distinguished_name = named(order.issued.service.as_str());
    lasts(&mut params, order.issued.at, not_after);
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![
        ExtendedKeyUsagePurpose::ServerAuth,
        ExtendedKeyUsagePurpose::ClientAuth,
    ];
    params.use_authority_key_identifier_extension = true;
    let certificate = params.signed_by(&key, &signer)?;
    Ok(Files {
        authorities,
        own: Some((certificate.pem(), Key(key.serialize_pem()))),
    })
}

fn authority_params(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = named(name);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

fn named(name: &str) -> DistinguishedName {
    let mut names = DistinguishedName::new();
    names.push(DnType::CommonName, name);
    names
}

fn lasts(params: &mut CertificateParams, from: DateTime<Utc>, to: DateTime<Utc>) {
    let part = |number: u32| u8::try_from(number).unwrap_or(1);
    let day =
        |time: DateTime<Utc>| date_time_ymd(time.year(), part(time.month()), part(time.day()));
    params.not_before = day(from - BACKDATED);
    params.not_after = day(to);
}
