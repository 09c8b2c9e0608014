//! Certificates of a project's own authority: what its services need to speak TLS to each other.
//!
//! What is to be made is decided here, from records and a clock that is handed in; [`issue`] makes
//! it. The authority's key is kept with the records, in the state volume, and on no operator's disk:
//! any machine that reaches the engine can renew.

mod issue;
#[cfg(test)]
mod tests;

use std::{collections::BTreeMap, fmt};

use chrono::{DateTime, NaiveTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use crate::config::{Owner, Service, ServiceName, Tls, user_of};

pub(crate) use issue::{IssueError, issue, new_authority};

/// Nobody outside of the project trusts it, so that there is little to win by a short life.
const AUTHORITY_LIFETIME: TimeDelta = TimeDelta::days(20 * 365);
/// Long enough for a stack that nobody touches for a year.
const CERTIFICATE_LIFETIME: TimeDelta = TimeDelta::days(2 * 365);
/// An `up` renews what has less left.
const RENEW_BEFORE: TimeDelta = TimeDelta::days(365);
/// `doctor` warns of what has less left.
pub(crate) const WARN_BEFORE: TimeDelta = TimeDelta::days(60);

/// Stands in a plan for an authority that is made before the plan is carried out.
const TO_BE_MADE: &str = "to be made";

/// Who signs the certificates of a project.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Authority {
    pub(crate) id: String,
    /// What it is called in certificates.
    pub(crate) name: String,
    /// PEM.
    pub(crate) certificate: String,
    pub(crate) key: Key,
    pub(crate) not_after: DateTime<Utc>,
}

/// A private key as PEM. Never shown.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Key(String);

impl Key {
    pub(crate) fn pem(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(…)")
    }
}

/// What a service was given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Issued {
    pub(crate) service: ServiceName,
    pub(crate) at: DateTime<Utc>,
    /// Whom it was told to trust.
    pub(crate) authorities: Vec<String>,
    /// Who its key belongs to.
    pub(crate) owner: Owner,
    /// Names and addresses of its certificate; none, when it has no certificate.
    pub(crate) names: Vec<String>,
    /// End of its certificate.
    pub(crate) not_after: Option<DateTime<Utc>>,
}

/// A file of the state volume.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub(crate) enum TlsRecord {
    Authority(Authority),
    Issued(Issued),
}

impl TlsRecord {
    /// Its path on the state volume; sorts by time.
    pub(crate) fn path(&self) -> String {
        match self {
            Self::Authority(authority) => format!("tls/{}-authority.json", authority.id),
            Self::Issued(issued) => {
                format!("tls/{}-{}.json", id_at(issued.at), issued.service)
            }
        }
    }
}

/// All that is recorded of certificates.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Known {
    /// The oldest first.
    pub(crate) authorities: Vec<Authority>,
    /// What each service was given last.
    pub(crate) issued: BTreeMap<ServiceName, Issued>,
}

/// What is to be made for a service.
#[derive(Debug, Clone)]
pub(crate) struct Order {
    /// What will be recorded of it.
    pub(crate) issued: Issued,
    trusted: Vec<Authority>,
    /// Absent where no certificate is asked for, and in a plan that is only shown.
    signer: Option<Authority>,
}

impl Known {
    /// Adds a record, in the order of the paths.
    pub(crate) fn add(&mut self, record: TlsRecord) {
        match record {
            TlsRecord::Authority(authority) => self.authorities.push(authority),
            TlsRecord::Issued(issued) => {
                self.issued.insert(issued.service.clone(), issued);
            }
        }
    }

    /// Whether a new authority is to be made. It comes long before it signs anything: until then
    /// every service has been told of it.
    pub(crate) fn wants_authority(&self, now: DateTime<Utc>) -> bool {
        let enough = now + CERTIFICATE_LIFETIME * 2;
        !self
            .authorities
            .iter()
            .any(|authority| authority.not_after > enough)
    }

    /// What is to be made for a service, and why; nothing, when what it has is good.
    /// `lost` says that its volume is gone.
    pub(crate) fn due(
        &self,
        service: &Service,
        tls: &Tls,
        now: DateTime<Utc>,
        lost: bool,
    ) -> Option<(Order, &'static str)> {
        let order = self.order(service, tls, now);
        let wanted = &order.issued;
        let cause = match self.issued.get(&service.name) {
            None => "it has none yet",
            Some(_) if lost => "its volume is missing",
            Some(has) if has.authorities != wanted.authorities => "whom it trusts changed",
            Some(has) if has.names != wanted.names => "its names changed",
            Some(has) if tls.certificate && has.owner != wanted.owner => {
                "who reads its key changed"
            }
            Some(has) if has.not_after.is_some_and(|end| end < now + RENEW_BEFORE) => {
                "its certificate has less than a year left"
            }
            Some(_) => return None,
        };
        Some((order, cause))
    }

    fn order(&self, service: &Service, tls: &Tls, now: DateTime<Utc>) -> Order {
        let trusted: Vec<Authority> = self
            .authorities
            .iter()
            .filter(|authority| authority.not_after > now)
            .cloned()
            .collect();
        let end = midnight(now + CERTIFICATE_LIFETIME);
        let mut authorities: Vec<String> = trusted
            .iter()
            .map(|authority| authority.id.clone())
            .collect();
        if self.wants_authority(now) {
            authorities.push(TO_BE_MADE.to_owned());
        }
        let mut names = Vec::new();
        if tls.certificate {
            names.push(service.name.to_string());
            names.extend(tls.names.iter().cloned());
        }
        // The oldest that outlives it: those that trust the newest are not all there yet.
        let signer = trusted
            .iter()
            .find(|authority| tls.certificate && authority.not_after >= end)
            .cloned();
        Order {
            issued: Issued {
                service: service.name.clone(),
                at: now,
                authorities,
                owner: tls
                    .owner
                    .or_else(|| user_of(service))
                    .unwrap_or(Owner { uid: 0, gid: 0 }),
                names,
                not_after: tls.certificate.then_some(end),
            },
            trusted,
            signer,
        }
    }
}

/// Sorts by time.
fn id_at(time: DateTime<Utc>) -> String {
    time.format("%Y%m%d-%H%M%S%.3f").to_string()
}

/// The days of a certificate are whole.
fn midnight(time: DateTime<Utc>) -> DateTime<Utc> {
    time.with_time(NaiveTime::MIN).single().unwrap_or(time)
}
