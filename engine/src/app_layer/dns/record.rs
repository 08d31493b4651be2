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

/// Name of a response code (RFC 6895).
fn rcode_name(code: u8) -> String {
    let known = [
        "NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED", "YXDOMAIN", "YXRRSET",
        "NXRRSET", "NOTAUTH", "NOTZONE",
    ];
    known
        .get(usize::from(code))
        .map_or_else(|| code.to_string(), ToString::to_string)
}

/// Name of a record type (the IANA registry's), or its number.
fn type_name(kind: u16) -> String {
    let known = match kind {
        1 => "A",
        2 => "NS",
        5 => "CNAME",
        6 => "SOA",
        12 => "PTR",
        13 => "HINFO",
        15 => "MX",
        16 => "TXT",
        28 => "AAAA",
        33 => "SRV",
        35 => "NAPTR",
        39 => "DNAME",
        41 => "OPT",
        43 => "DS",
        44 => "SSHFP",
        46 => "RRSIG",
        47 => "NSEC",
        48 => "DNSKEY",
        50 => "NSEC3",
        52 => "TLSA",
        64 => "SVCB",
        65 => "HTTPS",
        249 => "TKEY",
        250 => "TSIG",
        251 => "IXFR",
        252 => "AXFR",
        255 => "ANY",
        257 => "CAA",
        _ => return format!("TYPE{kind}"),
    };
    known.to_owned()
}
