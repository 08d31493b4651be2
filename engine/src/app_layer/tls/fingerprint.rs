//! JA3, JA3S and JA4: what a hello offers, as a string and its hash.

use sha2::{Digest, Sha256};

/// What a hello offers, in its order.
#[derive(Debug, Default)]
pub(super) struct Offer {
    pub(super) version: u16,
    pub(super) ciphers: Vec<u16>,
    pub(super) extensions: Vec<u16>,
    pub(super) groups: Vec<u16>,
    pub(super) point_formats: Vec<u8>,
    pub(super) signature_algorithms: Vec<u16>,
    pub(super) versions: Vec<u16>,
}

/// Hexadecimal digits of a truncated hash in JA4.
const JA4_HASH: usize = 12;

/// JA3: version, ciphers, extensions, groups, point formats, GREASE left out.
pub(super) fn ja3(offer: &Offer, out: &mut Vec<u8>) {
    out.clear();
    out.extend(offer.version.to_string().bytes());
    for list in [&offer.ciphers, &offer.extensions, &offer.groups] {
        out.push(b',');
        join(
            list.iter().copied().filter(|number| !is_grease(*number)),
            out,
        );
    }
    out.push(b',');
    join(
        offer.point_formats.iter().map(|format| u16::from(*format)),
        out,
    );
}

/// JA3S: version, cipher, extensions.
pub(super) fn ja3s(offer: &Offer, out: &mut Vec<u8>) {
    out.clear();
    out.extend(offer.version.to_string().bytes());
    for list in [&offer.ciphers, &offer.extensions] {
        out.push(b',');
        join(list.iter().copied(), out);
    }
}

/// JA4 of a TLS client over TCP.
pub(super) fn ja4(offer: &Offer, alpn: &[Vec<u8>], out: &mut Vec<u8>) {
    let real = |list: &[u16]| -> Vec<u16> {
        list.iter()
            .copied()
            .filter(|number| !is_grease(*number))
            .collect()
    };
    let (mut ciphers, extensions) = (real(&offer.ciphers), real(&offer.extensions));
    let version = real(&offer.versions)
        .into_iter()
        .max()
        .unwrap_or(offer.version);
    let sni = if extensions.contains(&0) { 'd' } else { 'i' };
    let head = format!(
        "t{}{sni}{:02}{:02}{}",
        version_name(version),
        ciphers.len().min(99),
        extensions.len().min(99),
        alpn_ends(alpn.first().map_or(&[], Vec::as_slice)),
    );
    ciphers.sort_unstable();
    // Neither the server's name nor ALPN: the head tells those.
    let mut others: Vec<u16> = extensions
        .into_iter()
        .filter(|kind| ![0, 16].contains(kind))
        .collect();
    others.sort_unstable();
    let mut tail = hex_list(&others);
    if !offer.signature_algorithms.is_empty() {
        tail.push('_');
        tail.push_str(&hex_list(&offer.signature_algorithms));
    }
    let tail = if others.is_empty() { None } else { Some(tail) };
    let ciphers = (!ciphers.is_empty()).then(|| hex_list(&ciphers));
    out.clear();
    out.extend(head.bytes());
    for part in [ciphers, tail] {
        out.push(b'_');
        match part {
            Some(part) => out.extend(sha256_start(&part).bytes()),
            None => out.extend([b'0'; JA4_HASH]),
        }
    }
}

/// Values that clients mix in to keep servers tolerant (RFC 8701).
fn is_grease(number: u16) -> bool {
    number & 0x0f0f == 0x0a0a && number >> 8 == number & 0xff
}

fn join(numbers: impl Iterator<Item = u16>, out: &mut Vec<u8>) {
    for (index, number) in numbers.enumerate() {
        if index > 0 {
            out.push(b'-');
        }
        out.extend(number.to_string().bytes());
    }
}

fn hex_list(numbers: &[u16]) -> String {
    let hex: Vec<String> = numbers
        .iter()
        .map(|number| format!("{number:04x}"))
        .collect();
    hex.join(",")
}

fn sha256_start(text: &str) -> String {
    let digest = Sha256::digest(text.as_bytes());
    digest
        .iter()
        .take(JA4_HASH / 2)
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

fn version_name(version: u16) -> &'static str {
    match version {
        0x0304 => "13",
        0x0303 => "12",
        0x0302 => "11",
        0x0301 => "10",
        0x0300 => "s3",
        0x0002 => "s2",
        _ => "00",
    }
}

/// First and last character of the first protocol name; hexadecimal digits where these are no letters
/// or digits.
fn alpn_ends(name: &[u8]) -> String {
    match (name.first(), name.last()) {
        (Some(first), Some(last))
            if first.is_ascii_alphanumeric() && last.is_ascii_alphanumeric() =>
        {
            format!("{}{}", char::from(*first), char::from(*last))
        }
        (Some(first), Some(last)) => format!("{:x}{:x}", first >> 4, last & 0x0f),
        _ => "00".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the JA4 specification (FoxIO, `technical_details/JA4.md`).
    #[test]
    fn ja4_of_the_published_example() {
        let offer = Offer {
            version: 0x0303,
            ciphers: vec![
                0x1301, 0x1302, 0x1303, 0xc02b, 0xc02f, 0xc02c, 0xc030, 0xcca9, 0xcca8, 0xc013,
                0xc014, 0x009c, 0x009d, 0x002f, 0x0035, 0x3a3a,
            ],
            extensions: vec![
                0x001b, 0x0000, 0x0033, 0x0010, 0x4469, 0x0017, 0x002d, 0x000d, 0x0005, 0x0023,
                0x0012, 0x002b, 0xff01, 0x000b, 0x000a, 0x0015, 0x0a0a,
            ],
            signature_algorithms: vec![
                0x0403, 0x0804, 0x0401, 0x0503, 0x0805, 0x0501, 0x0806, 0x0601,
            ],
            versions: vec![0x7a7a, 0x0304, 0x0303],
            ..Offer::default()
        };
        let mut out = Vec::new();
        ja4(&offer, &[b"h2".to_vec()], &mut out);
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "t13d1516h2_8daaf6152771_e5627efa2ab1"
        );
    }

    #[test]
    fn ja3_leaves_grease_out() {
        let offer = Offer {
            version: 769,
            ciphers: vec![0x0a0a, 47, 53],
            extensions: vec![0, 10, 0x1a1a],
            groups: vec![23, 0x2a2a, 24],
            point_formats: vec![0],
            ..Offer::default()
        };
        let mut out = Vec::new();
        ja3(&offer, &mut out);
        assert_eq!(out, b"769,47-53,0-10,23-24,0");
        ja3s(&offer, &mut out);
        assert_eq!(out, b"769,2570-47-53,0-10-6682");
    }
}
