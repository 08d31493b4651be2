//! The certificate chain of a side (RFC 5246 section 7.4.2), and what the first one says.

use sha1::{Digest, Sha1};
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, Validity, X509Certificate, X509Name};
use x509_parser::time::ASN1Time;

use crate::frame::Timestamp;

use super::Event;
use super::wire::Reader;

/// Certificates of a chain that are kept.
const CHAIN: usize = 16;

/// Subject alternative names that are kept.
const NAMES: usize = 512;

/// DER's tag of the version in a certificate.
const EXPLICIT_VERSION: u8 = 0xa0;

const NANOSECONDS: u64 = 1_000_000_000;

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
    /// Whether that was over when the certificate came.
    pub(super) expired: Option<bool>,
}

impl Certificates {
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Reads the body of a certificate message.
    pub(super) fn read(&mut self, body: &[u8], at: Timestamp, raise: &mut impl FnMut(Event)) {
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
                if let Some(part) = wrong_part(&der) {
                    raise(part);
                }
            }
        }
        let now = i64::try_from(at.0 / NANOSECONDS).unwrap_or(i64::MAX);
        self.expired = self.validity.map(|(_, until)| until < now);
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

/// The part that is wrong, where it is a name or the validity: they are read one by one (RFC 5280
/// section 4.1).
fn wrong_part(der: &[u8]) -> Option<Event> {
    let mut certificate = Reader::new(der_element(&mut Reader::new(der))?.content);
    let mut signed = Reader::new(der_element(&mut certificate)?.content);
    let first = der_element(&mut signed)?;
    // The version is left out of the oldest form.
    if first.tag == EXPLICIT_VERSION {
        der_element(&mut signed)?;
    }
    der_element(&mut signed)?;
    if X509Name::from_der(der_element(&mut signed)?.whole).is_err() {
        return Some(Event::CertificateInvalidIssuer);
    }
    if Validity::from_der(der_element(&mut signed)?.whole).is_err() {
        return Some(Event::CertificateInvalidValidity);
    }
    let subject = der_element(&mut signed)?;
    X509Name::from_der(subject.whole)
        .is_err()
        .then_some(Event::CertificateInvalidSubject)
}

/// One element of DER.
struct Element<'a> {
    tag: u8,
    whole: &'a [u8],
    content: &'a [u8],
}

/// Takes an element with a one-byte tag and a length of at most three bytes off the front.
fn der_element<'a>(reader: &mut Reader<'a>) -> Option<Element<'a>> {
    let from = reader.rest();
    let tag = reader.u8()?;
    let length = match reader.u8()? {
        0x81 => usize::from(reader.u8()?),
        0x82 => usize::from(reader.u16()?),
        0x83 => reader.u24()?,
        short if short < 0x80 => usize::from(short),
        _ => return None,
    };
    let content = reader.bytes(length)?;
    let whole = from.get(..from.len() - reader.rest().len())?;
    Some(Element {
        tag,
        whole,
        content,
    })
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

/// A time as `2015-10-22T23:59:59`, seconds since 1970; `None` outside of the years 0 to 9999.
pub(super) fn date(seconds: i64) -> Option<String> {
    let time = ASN1Time::from_timestamp(seconds).ok()?.to_datetime();
    let (year, month, day) = time.to_calendar_date();
    let (hour, minute, second) = time.to_hms();
    (0..=9999).contains(&year).then(|| {
        let month = u8::from(month);
        format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}")
    })
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
