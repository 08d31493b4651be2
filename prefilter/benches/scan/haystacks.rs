//! The payloads.

use super::patterns::Content;

/// Bytes of a payload: those of a super-packet.
const HAYSTACK: usize = 64 << 10;

/// Payloads by name.
pub(crate) fn payloads() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("captured", captured()),
        ("random", random()),
        ("http", http()),
    ]
}

fn http() -> Vec<u8> {
    let request = b"POST /api/v1/orders?id=4711&sort=desc HTTP/1.1\r\nHost: shop.internal:8080\r\n\
        User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36\r\nAccept: text/html,\
        application/json\r\nContent-Type: application/json\r\nCookie: session=0123456789abcdef\r\n\r\n\
        {\"customer\":\"anna\",\"lines\":[{\"sku\":\"A-1\",\"count\":3},{\"sku\":\"B-22\",\"count\":1}]}";
    request.iter().copied().cycle().take(HAYSTACK).collect()
}

fn random() -> Vec<u8> {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let next = (0..HAYSTACK).map(|_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[3]
    });
    next.collect()
}

/// Every pattern without its last byte: nothing but near misses.
pub(crate) fn near(contents: &[Content]) -> Vec<u8> {
    let cut = |content: &Content| {
        let bytes = &content.bytes;
        bytes
            .get(..bytes.len().saturating_sub(1))
            .unwrap_or_default()
            .to_vec()
    };
    let misses: Vec<u8> = contents.iter().flat_map(cut).collect();
    misses.iter().copied().cycle().take(HAYSTACK).collect()
}

/// TCP payload of the captures, one behind the other.
fn captured() -> Vec<u8> {
    let folder = super::corpus("captures/arkime");
    let mut files: Vec<_> = std::fs::read_dir(&folder)
        .unwrap_or_else(|error| panic!("{}: {error}: set WEIR_CORPUS", folder.display()))
        .filter_map(|entry| Some(entry.ok()?.path()))
        .collect();
    files.sort();
    let mut bytes = Vec::new();
    for file in files {
        let capture = std::fs::read(file).unwrap_or_default();
        frames(&capture, |frame| {
            bytes.extend_from_slice(payload(frame).unwrap_or_default());
        });
    }
    // A part of every file: what is taken is spread evenly.
    let step = bytes.len() / HAYSTACK;
    let pieces = bytes.chunks(1400).step_by(step.max(1)).flatten();
    pieces.copied().take(HAYSTACK).collect()
}

/// The frames of a little-endian Ethernet capture; of another, none.
fn frames(capture: &[u8], mut each: impl FnMut(&[u8])) {
    let word = |bytes: &[u8], at: usize| {
        let four = bytes.get(at..)?.first_chunk::<4>()?;
        usize::try_from(u32::from_le_bytes(*four)).ok()
    };
    if word(capture, 0) != Some(0xa1b2_c3d4) || word(capture, 20) != Some(1) {
        return;
    }
    let mut rest = capture.get(24..).unwrap_or_default();
    while let Some(frame) = word(rest, 8).and_then(|length| rest.get(16..16 + length)) {
        each(frame);
        rest = rest.get(16 + frame.len()..).unwrap_or_default();
    }
}

/// The payload of TCP in IPv4 in Ethernet.
fn payload(frame: &[u8]) -> Option<&[u8]> {
    let ip = frame
        .get(14..)
        .filter(|_| frame.get(12..14) == Some(&[8, 0]))?;
    let tcp = ip
        .get(usize::from(ip.first()? & 0x0f) * 4..)
        .filter(|_| ip.get(9) == Some(&6))?;
    tcp.get(usize::from(tcp.get(12)? >> 4) * 4..)
}
