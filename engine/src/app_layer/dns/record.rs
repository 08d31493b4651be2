//! What a message tells of itself.

use std::fmt::Write as _;
use std::net::{Ipv4Addr, Ipv6Addr};

use crate::app_layer::Fields;

use super::message::{Message, Record, Section};
use super::parser::DnsTransaction;

/// Version of the record's format.
const VERSION: u64 = 3;

pub(super) fn describe(transaction: &DnsTransaction, fields: &mut dyn Fields) {
    let message = &transaction.message;
    let header = message.header;
    fields.number("version", VERSION);
    let kind: &[u8] = if header.is_response() {
        b"response"
    } else {
        b"request"
    };
    fields.text("type", kind);
    fields.number("id", u64::from(header.id));
    let mut flags = String::new();
    // Writing to a string does not fail.
    let _ = write!(flags, "{:x}", header.flags);
    fields.text("flags", flags.as_bytes());
    for (name, bit) in [
        ("qr", 15),
        ("aa", 10),
        ("tc", 9),
        ("rd", 8),
        ("ra", 7),
        ("z", 6),
    ] {
        if header.flags >> bit & 1 != 0 {
            fields.flag(name, true);
        }
    }
    fields.number("opcode", u64::from(header.opcode()));
    if header.is_response() {
        fields.text("rcode", rcode_name(header.rcode()).as_bytes());
    }
    for (name, section) in [
        ("queries", Section::Question),
        ("answers", Section::Answer),
        ("authorities", Section::Authority),
        ("additionals", Section::Additional),
    ] {
        let len = message.section(section).count();
        if len > 0 {
            fields.list(name, len, &mut |index, element| {
                if let Some(record) = message.section(section).nth(index) {
                    describe_record(message, record, element);
                }
            });
        }
    }
}

fn describe_record(message: &Message, record: &Record, fields: &mut dyn Fields) {
    fields.text("rrname", message.bytes(&record.name));
    fields.text("rrtype", type_name(record.kind).as_bytes());
    if record.section == Section::Question {
        return;
    }
    fields.number("ttl", u64::from(record.ttl));
    if let Some(target) = &record.target {
        fields.text("rdata", message.bytes(target));
        return;
    }
    let data = message.bytes(&record.data);
    match (
        record.kind,
        data.first_chunk::<4>(),
        data.first_chunk::<16>(),
    ) {
        (1, Some(address), _) => {
            fields.text("rdata", Ipv4Addr::from(*address).to_string().as_bytes());
        }
        (28, _, Some(address)) => {
            fields.text("rdata", Ipv6Addr::from(*address).to_string().as_bytes());
        }
        // The first string of a text record; its length stands in front.
        (16, ..) => {
            let text = data.split_first().map_or(data, |(length, text)| {
                text.get(..usize::from(*length)).unwrap_or(text)
            });
            fields.text("rdata", text);
        }
        _ => {}
    }
}

/// Response codes (RFC 6895) by name.
pub(super) const RCODES: &[(&str, u64)] = &[
    ("NOERROR", 0),
    ("FORMERR", 1),
    ("SERVFAIL", 2),
    ("NXDOMAIN", 3),
    ("NOTIMP", 4),
    ("REFUSED", 5),
    ("YXDOMAIN", 6),
    ("YXRRSET", 7),
    ("NXRRSET", 8),
    ("NOTAUTH", 9),
    ("NOTZONE", 10),
];

/// Record types by name, as the IANA registry has them.
pub(super) const TYPES: &[(&str, u64)] = &[
    ("A", 1),
    ("NS", 2),
    ("CNAME", 5),
    ("SOA", 6),
    ("PTR", 12),
    ("HINFO", 13),
    ("MX", 15),
    ("TXT", 16),
    ("AAAA", 28),
    ("SRV", 33),
    ("NAPTR", 35),
    ("DNAME", 39),
    ("OPT", 41),
    ("DS", 43),
    ("SSHFP", 44),
    ("RRSIG", 46),
    ("NSEC", 47),
    ("DNSKEY", 48),
    ("NSEC3", 50),
    ("TLSA", 52),
    ("SVCB", 64),
    ("HTTPS", 65),
    ("TKEY", 249),
    ("TSIG", 250),
    ("IXFR", 251),
    ("AXFR", 252),
    ("ANY", 255),
    ("CAA", 257),
];

fn name_of(names: &[(&'static str, u64)], number: u64) -> Option<&'static str> {
    let named = names.iter().find(|(_, known)| *known == number);
    named.map(|(name, _)| *name)
}

/// Name of a response code, or its number.
fn rcode_name(code: u8) -> String {
    name_of(RCODES, code.into()).map_or_else(|| code.to_string(), str::to_owned)
}

/// Name of a record type, or its number.
fn type_name(kind: u16) -> String {
    name_of(TYPES, kind.into()).map_or_else(|| format!("TYPE{kind}"), str::to_owned)
}
