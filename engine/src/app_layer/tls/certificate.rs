//! The certificate chain of a side (RFC 5246 section 7.4.2), and what the first one says.

use sha1::{Digest, Sha1};
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::Event;
use super::wire::Reader;

/// Certificates of a chain that are kept.
const CHAIN: usize = 16;

/// Subject alternative names that are kept.
const NAMES: usize = 512;

/// A chain.
#[derive(Debug, Default)]
pub(super) struct Certificates {
    /// DER, the side's own first.
    pub(super) chain: Vec<Vec<u8>>,
    pub(super) subject: Vec<u8>,
    pub(super) issuer: Vec<u8>,
    /// Pairs of upper-case digits, joined by colons.
    pub(super) serial: Vec<u8>,
    /// SHA-1, pairs of lower-case digits, joined by colons.
    pub(super) fingerprint: Vec<u8>,
    pub(super) alternative_names: Vec<Vec<u8>>,
    /// Seconds since 1970, from and until when it is valid.
    pub(super) validity: Option<(i64, i64)>,
}

impl Certificates {
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Reads the body of a certificate message.
    pub(super) fn read(&mut self, body: &[u8], raise: &mut impl FnMut(Event)) {
        let Some(mut list) = Reader::new(body).vector24() else {
            return raise(Event::InvalidHandshakeMessage);
        };
        while !list.is_empty() && self.chain.len() < CHAIN {
            match list.vector24() {
                Some(der) => self.chain.push(der.rest().to_vec()),
                None => {
                    raise(Event::CertificateInvalidLength);
                    break;
                }
            }
        }
        let Some(der) = self.chain.first().cloned() else {
            return;
        };
        self.fingerprint = colons(&Sha1::digest(&der), false);
        match X509Certificate::from_der(&der) {
            Ok((_, certificate)) => self.describe(&certificate),
            Err(error) => {
                raise(Event::InvalidCertificate);
                raise(detail(&error));
            }
        }
    }

    fn describe(&mut self, certificate: &X509Certificate<'_>) {
        self.subject = certificate.subject().to_string().into_bytes();
        self.issuer = certificate.issuer().to_string().into_bytes();
        self.serial = colons(certificate.raw_serial(), true);
        let validity = certificate.validity();
        self.validity = Some((
            validity.not_before.timestamp(),
            validity.not_after.timestamp(),
        ));
        if let Ok(Some(names)) = certificate.subject_alternative_name() {
            self.alternative_names = names
                .value
                .general_names
                .iter()
                .filter_map(alternative_name)
                .take(NAMES)
                .collect();
        }
    }
}

fn alternative_name(name: &GeneralName<'_>) -> Option<Vec<u8>> {
    match name {
        GeneralName::DNSName(name) | GeneralName::RFC822Name(name) | GeneralName::URI(name) => {
            Some(name.as_bytes().to_vec())
        }
        GeneralName::IPAddress(bytes) => {
            let text = match (bytes.first_chunk::<4>(), bytes.first_chunk::<16>()) {
                (_, Some(v6)) if bytes.len() == 16 => std::net::Ipv6Addr::from(*v6).to_string(),
                (Some(v4), _) if bytes.len() == 4 => std::net::Ipv4Addr::from(*v4).to_string(),
                _ => return None,
            };
            Some(text.into_bytes())
        }
        _ => None,
    }
}

/// Which part of a certificate is wrong.
fn detail(error: &x509_parser::nom::Err<x509_parser::error::X509Error>) -> Event {
    use x509_parser::error::X509Error;
    match error {
        x509_parser::nom::Err::Error(error) | x509_parser::nom::Err::Failure(error) => {
            match error {
                X509Error::InvalidVersion => Event::CertificateInvalidVersion,
                X509Error::InvalidSerial => Event::CertificateInvalidSerial,
                X509Error::InvalidAlgorithmIdentifier => {
                    Event::CertificateInvalidAlgorithmidentifier
                }
                X509Error::InvalidX509Name => Event::CertificateInvalidX509name,
                X509Error::InvalidDate => Event::CertificateInvalidDate,
                X509Error::InvalidExtensions => Event::CertificateInvalidExtensions,
                _ => Event::CertificateInvalidDer,
            }
        }
        x509_parser::nom::Err::Incomplete(_) => Event::CertificateInvalidDer,
    }
}

fn colons(bytes: &[u8], upper: bool) -> Vec<u8> {
    let pairs: Vec<String> = bytes
        .iter()
        .map(|byte| {
            if upper {
                format!("{byte:02X}")
            } else {
                format!("{byte:02x}")
            }
        })
        .collect();
    pairs.join(":").into_bytes()
}
