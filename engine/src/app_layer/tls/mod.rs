//! TLS (RFC 8446, RFC 5246 and before): what both sides say before they encrypt.
//!
//! ```text
//! bytes -> records -> handshake messages -> hello (SNI, ALPN, JA3, JA4) | certificates
//! ```
//!
//! The whole flow is one transaction. What follows a change of ciphers is opaque.

mod certificate;
mod fingerprint;
mod hello;
mod hello_v2;
mod parser;
mod record;
mod side;
mod wire;

use crate::app_layer::{
    BufferShape, BufferSpec, Limits, NumberSpec, Parser, Probe, Progress, Protocol, Start,
    StateSpec, Transports,
};
use crate::event::FlowDirection::{self, ToClient, ToServer};

use parser::TlsParser;

/// TLS.
pub(super) static TLS: Tls = Tls;

#[derive(Debug)]
pub(super) struct Tls;

/// The hello is there.
const HELLO: Progress = 1;
/// The certificates are there, or will not come.
const CERTIFICATES: Progress = 2;
/// This side encrypts from here on.
const ENCRYPTED: Progress = 3;

/// Anomalies, in the order of [`Protocol::events`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
enum Event {
    InvalidRecordVersion,
    InvalidRecordType,
    InvalidHandshakeMessage,
    InvalidCertificate,
    CertificateInvalidLength,
    ErrorMessageEncountered,
    InvalidSslRecord,
    HeartbeatMessage,
    OverflowHeartbeatMessage,
    InvalidHeartbeatMessage,
    MultipleSniExtensions,
    InvalidSniType,
    InvalidSniLength,
    HandshakeInvalidLength,
    CertificateInvalidVersion,
    CertificateInvalidSerial,
    CertificateInvalidAlgorithmidentifier,
    CertificateInvalidX509name,
    CertificateInvalidDate,
    CertificateInvalidExtensions,
    CertificateInvalidDer,
    InvalidAlertMessage,
    InvalidSslv2Header,
    InvalidTlsHeader,
    TooManyRecordsInPacket,
    DataleakHeartbeatMismatch,
    CertificateInvalidSubject,
    CertificateInvalidIssuer,
    CertificateInvalidValidity,
}

const EVENTS: &[&str] = &[
    "invalid_record_version",
    "invalid_record_type",
    "invalid_handshake_message",
    "invalid_certificate",
    "certificate_invalid_length",
    "error_message_encountered",
    "invalid_ssl_record",
    "heartbeat_message",
    "overflow_heartbeat_message",
    "invalid_heartbeat_message",
    "multiple_sni_extensions",
    "invalid_sni_type",
    "invalid_sni_length",
    "handshake_invalid_length",
    "certificate_invalid_version",
    "certificate_invalid_serial",
    "certificate_invalid_algorithmidentifier",
    "certificate_invalid_x509name",
    "certificate_invalid_date",
    "certificate_invalid_extensions",
    "certificate_invalid_der",
    "invalid_alert_message",
    "invalid_sslv2_header",
    "invalid_tls_header",
    "too_many_records_in_packet",
    "dataleak_heartbeat_mismatch",
    "certificate_invalid_subject",
    "certificate_invalid_issuer",
    "certificate_invalid_validity",
];

/// What a buffer shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Sni,
    Alpn,
    Random,
    RandomTime,
    RandomBytes,
    Ja3Hash,
    Ja3String,
    Ja4,
    Subject,
    Issuer,
    Serial,
    Fingerprint,
    Certificates,
    AlternativeNames,
}

const fn buffer(
    keyword: &'static str,
    direction: FlowDirection,
    progress: Progress,
    shape: BufferShape,
) -> BufferSpec {
    BufferSpec {
        keyword,
        direction,
        progress,
        shape,
    }
}

/// The buffers and what each shows.
const PARTS: [(BufferSpec, Part); 25] = {
    use BufferShape::{Multiple, Single};
    [
        (buffer("tls.sni", ToServer, HELLO, Single), Part::Sni),
        (buffer("tls.alpn", ToServer, HELLO, Multiple), Part::Alpn),
        (buffer("tls.alpn", ToClient, HELLO, Multiple), Part::Alpn),
        (buffer("tls.random", ToServer, HELLO, Single), Part::Random),
        (buffer("tls.random", ToClient, HELLO, Single), Part::Random),
        (
            buffer("tls.random_time", ToServer, HELLO, Single),
            Part::RandomTime,
        ),
        (
            buffer("tls.random_time", ToClient, HELLO, Single),
            Part::RandomTime,
        ),
        (
            buffer("tls.random_bytes", ToServer, HELLO, Single),
            Part::RandomBytes,
        ),
        (
            buffer("tls.random_bytes", ToClient, HELLO, Single),
            Part::RandomBytes,
        ),
        (buffer("ja3.hash", ToServer, HELLO, Single), Part::Ja3Hash),
        (
            buffer("ja3.string", ToServer, HELLO, Single),
            Part::Ja3String,
        ),
        (buffer("ja3s.hash", ToClient, HELLO, Single), Part::Ja3Hash),
        (
            buffer("ja3s.string", ToClient, HELLO, Single),
            Part::Ja3String,
        ),
        (buffer("ja4.hash", ToServer, HELLO, Single), Part::Ja4),
        (
            buffer("tls.cert_subject", ToServer, CERTIFICATES, Single),
            Part::Subject,
        ),
        (
            buffer("tls.cert_subject", ToClient, CERTIFICATES, Single),
            Part::Subject,
        ),
        (
            buffer("tls.cert_issuer", ToServer, CERTIFICATES, Single),
            Part::Issuer,
        ),
        (
            buffer("tls.cert_issuer", ToClient, CERTIFICATES, Single),
            Part::Issuer,
        ),
        (
            buffer("tls.cert_serial", ToServer, CERTIFICATES, Single),
            Part::Serial,
        ),
        (
            buffer("tls.cert_serial", ToClient, CERTIFICATES, Single),
            Part::Serial,
        ),
        (
            buffer("tls.cert_fingerprint", ToServer, CERTIFICATES, Single),
            Part::Fingerprint,
        ),
        (
            buffer("tls.cert_fingerprint", ToClient, CERTIFICATES, Single),
            Part::Fingerprint,
        ),
        (
            buffer("tls.certs", ToServer, CERTIFICATES, Multiple),
            Part::Certificates,
        ),
        (
            buffer("tls.certs", ToClient, CERTIFICATES, Multiple),
            Part::Certificates,
        ),
        (
            buffer("tls.subjectaltname", ToClient, CERTIFICATES, Multiple),
            Part::AlternativeNames,
        ),
    ]
};

const BUFFERS: [BufferSpec; PARTS.len()] = {
    let mut specs = [PARTS[0].0; PARTS.len()];
    let mut index = 0;
    while index < PARTS.len() {
        specs[index] = PARTS[index].0;
        index += 1;
    }
    specs
};

const fn number(
    keyword: &'static str,
    direction: Option<FlowDirection>,
    (progress, names): (Progress, &'static [(&'static str, u64)]),
) -> NumberSpec {
    NumberSpec {
        keyword,
        direction,
        progress,
        names,
    }
}

/// Versions as `tls.version` writes them.
const VERSIONS: &[(&str, u64)] = &[
    ("1.0", 0x0301),
    ("1.1", 0x0302),
    ("1.2", 0x0303),
    ("1.3", 0x0304),
];

/// Versions as `ssl_version` writes them.
const SSL_VERSIONS: &[(&str, u64)] = &[
    ("sslv2", 0x0002),
    ("sslv3", 0x0300),
    ("tls1.0", 0x0301),
    ("tls1.1", 0x0302),
    ("tls1.2", 0x0303),
    ("tls1.3", 0x0304),
];

/// Messages that have been there, as `ssl_state` writes them.
const STATES: &[(&str, u64)] = &[
    ("unknown", 0),
    ("client_hello", 1),
    ("server_hello", 2),
    ("client_keyx", 3),
    ("server_keyx", 4),
];

const NUMBERS: &[NumberSpec] = &[
    number("tls.version", None, (HELLO, VERSIONS)),
    number("ssl_version", None, (HELLO, SSL_VERSIONS)),
    number("ssl_state", None, (0, STATES)),
    number("tls_cert_expired", Some(ToClient), (CERTIFICATES, &[])),
    number("tls_cert_valid", Some(ToClient), (CERTIFICATES, &[])),
    number("tls.cert_notbefore", Some(ToClient), (CERTIFICATES, &[])),
    number("tls.cert_notafter", Some(ToClient), (CERTIFICATES, &[])),
    number("tls.cert_chain_len", Some(ToClient), (CERTIFICATES, &[])),
];

/// Steps, by the names of Suricata 8.0 and by those that later releases give them.
const STEPS: &[StateSpec] = &[
    StateSpec::new("client_in_progress", ToServer, 0),
    StateSpec::new("client_started", ToServer, 0),
    StateSpec::new("client_hello_done", ToServer, HELLO),
    StateSpec::new("client_hello", ToServer, HELLO),
    StateSpec::new("client_cert_done", ToServer, CERTIFICATES),
    StateSpec::new("client_cert", ToServer, CERTIFICATES),
    StateSpec::new("client_handshake_done", ToServer, ENCRYPTED),
    StateSpec::new("client_data", ToServer, ENCRYPTED),
    StateSpec::new("client_finished", ToServer, ENCRYPTED),
    StateSpec::new("server_in_progress", ToClient, 0),
    StateSpec::new("server_started", ToClient, 0),
    StateSpec::new("server_hello", ToClient, HELLO),
    StateSpec::new("server_cert_done", ToClient, CERTIFICATES),
    StateSpec::new("server_cert", ToClient, CERTIFICATES),
    StateSpec::new("server_hello_done", ToClient, CERTIFICATES),
    StateSpec::new("server_handshake_done", ToClient, ENCRYPTED),
    StateSpec::new("server_data", ToClient, ENCRYPTED),
    StateSpec::new("server_finished", ToClient, ENCRYPTED),
];

impl Protocol for Tls {
    fn name(&self) -> &'static str {
        "tls"
    }

    fn aliases(&self) -> &'static [&'static str] {
        &["ssl"]
    }

    fn transports(&self) -> Transports {
        Transports::Tcp
    }

    fn buffers(&self) -> &'static [BufferSpec] {
        const STATIC: &[BufferSpec] = &BUFFERS;
        STATIC
    }

    fn numbers(&self) -> &'static [NumberSpec] {
        NUMBERS
    }

    fn states(&self) -> &'static [StateSpec] {
        STEPS
    }

    fn events(&self) -> &'static [&'static str] {
        EVENTS
    }

    fn probe(&self, start: &Start<'_>) -> Probe {
        record::probe(start.direction, start.bytes)
    }

    /// Any record will do: a server may answer a hello with an alert.
    fn confirm(&self, start: &Start<'_>) -> Probe {
        match record::probe(start.direction, start.bytes) {
            Probe::No => record::is_record(start.bytes),
            answer => answer,
        }
    }

    fn opens(&self) -> Option<FlowDirection> {
        Some(ToServer)
    }

    fn is_answer(&self, start: &Start<'_>) -> bool {
        !start.datagram && record::probe(ToClient, start.bytes) == Probe::Yes
    }

    fn complete(&self, _: FlowDirection) -> Progress {
        ENCRYPTED
    }

    fn open(&self, _: &Limits) -> Box<dyn Parser> {
        Box::<TlsParser>::default()
    }
}
