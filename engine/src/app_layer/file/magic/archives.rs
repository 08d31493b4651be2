//! Archives and compressed files.

use memchr::memmem;

use super::{little16, say};

/// Describes an archive; false where it is none.
pub(super) fn describe(bytes: &[u8], out: &mut Vec<u8>) -> bool {
    zip(bytes, out) || seven_zip(bytes, out) || rar(bytes, out) || gzip(bytes, out) || {
        bzip2(bytes, out) || tar(bytes, out)
    }
}

/// Names of first entries, or of types in them, and what the archive is then.
const PACKAGES: [(&[u8], &str); 4] = [
    (
        b"mimetypeapplication/vnd.oasis.opendocument.text",
        "OpenDocument Text",
    ),
    (
        b"mimetypeapplication/vnd.oasis.opendocument.spreadsheet",
        "OpenDocument Spreadsheet",
    ),
    (
        b"mimetypeapplication/vnd.oasis.opendocument.presentation",
        "OpenDocument Presentation",
    ),
    (b"mimetypeapplication/epub+zip", "EPUB document"),
];

/// Folders in Office packages.
const OFFICE: [(&[u8], &str); 3] = [
    (b"word/", "Microsoft Word 2007+"),
    (b"xl/", "Microsoft Excel 2007+"),
    (b"ppt/", "Microsoft PowerPoint 2007+"),
];

fn zip(bytes: &[u8], out: &mut Vec<u8>) -> bool {
    if bytes.starts_with(b"PK\x05\x06") {
        return say(out, format_args!("Zip archive data (empty)"));
    }
    if !bytes.starts_with(b"PK\x03\x04") {
        return false;
    }
    let name = bytes.get(30..).unwrap_or_default();
    if let Some((_, kind)) = PACKAGES.iter().find(|(start, _)| name.starts_with(start)) {
        return say(out, format_args!("{kind}"));
    }
    let office = [&b"[Content_Types].xml"[..], b"_rels/.rels", b"docProps"];
    if office.iter().any(|first| name.starts_with(first)) {
        let entry = |folder: &[u8]| memmem::find(bytes, folder).is_some();
        let kind = OFFICE.iter().find(|(folder, _)| entry(folder));
        let kind = kind.map_or("Microsoft OOXML", |(_, kind)| kind);
        return say(out, format_args!("{kind}"));
    }
    if name.starts_with(b"META-INF/") {
        return say(out, format_args!("Java archive data (JAR)"));
    }
    if name.starts_with(b"AndroidManifest.xml") {
        return say(out, format_args!("Android package (APK)"));
    }
    let version = little16(bytes, 4).unwrap_or(0);
    let (major, minor) = (version / 10, version % 10);
    say(
        out,
        format_args!("Zip archive data, at least v{major}.{minor} to extract"),
    )
}

fn seven_zip(bytes: &[u8], out: &mut Vec<u8>) -> bool {
    let Some(rest) = bytes.strip_prefix(b"7z\xbc\xaf\x27\x1c") else {
        return false;
    };
    match rest {
        [major, minor, ..] => say(
            out,
            format_args!("7-zip archive data, version {major}.{minor}"),
        ),
        _ => say(out, format_args!("7-zip archive data")),
    }
}

fn rar(bytes: &[u8], out: &mut Vec<u8>) -> bool {
    if bytes.starts_with(b"Rar!\x1a\x07\x01\x00") {
        return say(out, format_args!("RAR archive data, v5"));
    }
    bytes.starts_with(b"Rar!\x1a\x07\x00") && say(out, format_args!("RAR archive data, v4"))
}

fn gzip(bytes: &[u8], out: &mut Vec<u8>) -> bool {
    const NAMED: u8 = 1 << 3;
    let [0x1f, 0x8b, method, flags, ..] = bytes else {
        return false;
    };
    say(out, format_args!("gzip compressed data"));
    if *method == 8 && flags & NAMED != 0 {
        let name = bytes.get(10..).unwrap_or_default();
        let name = name.split(|byte| *byte == 0).next().unwrap_or_default();
        say(out, format_args!(", was \""));
        out.extend_from_slice(name);
        say(out, format_args!("\""));
    }
    true
}

fn bzip2(bytes: &[u8], out: &mut Vec<u8>) -> bool {
    let [b'B', b'Z', b'h', size @ b'1'..=b'9', ..] = bytes else {
        return false;
    };
    let size = u32::from(size - b'0') * 100;
    say(
        out,
        format_args!("bzip2 compressed data, block size = {size}k"),
    )
}

/// By the magic, or by the checksum of headers that have none.
fn tar(bytes: &[u8], out: &mut Vec<u8>) -> bool {
    match bytes.get(257..265) {
        Some(b"ustar  \0") => say(out, format_args!("POSIX tar archive (GNU)")),
        Some([b'u', b's', b't', b'a', b'r', 0, ..]) => say(out, format_args!("POSIX tar archive")),
        _ => old_tar(bytes) && say(out, format_args!("tar archive (old), type '0'")),
    }
}

fn old_tar(bytes: &[u8]) -> bool {
    let Some(header) = bytes.get(..512).filter(|header| header.first() != Some(&0)) else {
        return false;
    };
    let digits = header.get(148..156).unwrap_or_default();
    let digits = digits.trim_ascii_start();
    let end = digits.iter().position(|byte| !(b'0'..=b'7').contains(byte));
    let digits = digits
        .get(..end.unwrap_or(digits.len()))
        .unwrap_or_default();
    let wanted = digits
        .iter()
        .fold(0_u32, |sum, digit| sum * 8 + u32::from(digit - b'0'));
    let sum: u32 = header
        .iter()
        .enumerate()
        .map(|(at, byte)| {
            u32::from(if (148..156).contains(&at) {
                b' '
            } else {
                *byte
            })
        })
        .sum();
    !digits.is_empty() && sum == wanted
}
