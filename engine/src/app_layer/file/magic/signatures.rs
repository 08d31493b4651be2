//! Kinds told by bytes in a fixed place.

use super::say;

/// Where, what, and what that makes the file.
type Signature = (usize, &'static [u8], &'static str);

#[rustfmt::skip]
const SIGNATURES: &[Signature] = &[
    // Documents.
    (0, b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "Composite Document File V2 Document"),
    (0, b"{\\rtf1", "Rich Text Format data, version 1"),
    (0, b"%!PS-Adobe-", "PostScript document text conforming DSC level"),
    (0, b"%!PS", "PostScript document text"),
    (0, b"ITSF\x03\0\0\0", "MS Windows HtmlHelp Data"),
    (0, b"L\0\0\0\x01\x14\x02\0\0\0\0\0\xc0\0\0\0\0\0\0F", "MS Windows shortcut"),
    (0, b"\xe4\x52\x5c\x7b\x8c\xd8\xa7\x4d", "Microsoft OneNote"),
    (0, b"MSWIM\0\0\0", "Windows imaging (WIM) image"),
    (0, b"regf", "MS Windows registry file, NT/2000 or above"),
    (0, b"ElfFile\0", "MS Windows 10-11 Event Log"),
    // Archives and compression.
    (0, b"\xfd7zXZ\0", "XZ compressed data"),
    (0, b"\x5d\0\0\x80\0", "LZMA compressed data"),
    (0, b"\x5d\0\0\x10\0", "LZMA compressed data"),
    (0, b"\x28\xb5\x2f\xfd", "Zstandard compressed data (v0.8+)"),
    (0, b"\x04\x22\x4d\x18", "LZ4 compressed data (v1.4+)"),
    (0, b"\x1f\x9d", "compress'd data"),
    (0, b"MSCF\0\0\0\0", "Microsoft Cabinet archive data"),
    (0, b"ISc(", "InstallShield CAB"),
    (0, b"\x60\xea", "ARJ archive data"),
    (0, b"**ACE**", "ACE archive data"),
    (7, b"**ACE**", "ACE archive data"),
    (2, b"-lh5-", "LHarc 1.x/ARX archive data  [lh5]"),
    (0, b"xar!", "xar archive"),
    (0, b"!<arch>\ndebian-binary", "Debian binary package (format 2.0)"),
    (0, b"!<arch>\n", "current ar archive"),
    (0, b"\xed\xab\xee\xdb", "RPM v3.0 bin"),
    (0, b"070701", "ASCII cpio archive (SVR4 with no CRC)"),
    (0, b"Cr24", "Google Chrome extension"),
    (0, b"hsqs", "Squashfs filesystem, little endian"),
    // Programs.
    (0, b"\0asm\x01\0\0\0", "WebAssembly (wasm) binary module version 0x1 (MVP)"),
    (0, b"dex\n035\0", "Dalvik dex file version 035"),
    (0, b"dex\n", "Dalvik dex file"),
    (0, b"FWS", "Macromedia Flash data"),
    (0, b"CWS", "Macromedia Flash data (compressed)"),
    (0, b"ZWS", "Macromedia Flash data (lzma compressed)"),
    (0, b"\xac\xed\0\x05", "Java serialization data, version 5"),
    (0, b"\xca\xfe\xd0\x0d", "Java module image"),
    (0, b"BC\xc0\xde", "LLVM IR bitcode"),
    // Media.
    (0, b"OggS", "Ogg data"),
    (0, b"fLaC", "FLAC audio bitstream data"),
    (0, b"ID3\x02", "Audio file with ID3 version 2.2.0"),
    (0, b"ID3\x03", "Audio file with ID3 version 2.3.0"),
    (0, b"ID3\x04", "Audio file with ID3 version 2.4.0"),
    (0, b"\xff\xfb", "MPEG ADTS, layer III, v1"),
    (0, b"\0\0\x01\xba", "MPEG sequence, v2, program multiplex"),
    (0, b"\x1a\x45\xdf\xa3", "Matroska data"),
    (0, b"FLV\x01", "Macromedia Flash Video"),
    (0, b"MThd", "Standard MIDI data"),
    (4, b"ftypqt", "ISO Media, Apple QuickTime movie, Apple QuickTime (.MOV/QT)"),
    (4, b"ftypisom", "ISO Media, MP4 Base Media v1 [ISO 14496-12:2003]"),
    (4, b"ftypmp42", "ISO Media, MP4 v2 [ISO 14496-14]"),
    (4, b"ftypM4A", "ISO Media, Apple iTunes ALAC/AAC-LC (.M4A) Audio"),
    (4, b"ftyp", "ISO Media"),
    (8, b"WAVEfmt ", "RIFF (little-endian) data, WAVE audio"),
    (8, b"AVI LIST", "RIFF (little-endian) data, AVI"),
    (8, b"WEBPVP8", "RIFF (little-endian) data, Web/P image"),
    (0, b"RIFF", "RIFF (little-endian) data"),
    (0, b"II*\0", "TIFF image data, little-endian"),
    (0, b"MM\0*", "TIFF image data, big-endian"),
    (0, b"8BPS", "Adobe Photoshop Image"),
    (0, b"wOFF", "Web Open Font Format"),
    (0, b"wOF2", "Web Open Font Format (Version 2)"),
    (0, b"OTTO\0", "OpenType font data"),
    (0, b"\0\x01\0\0\0", "TrueType Font data"),
    // Data.
    (0, b"SQLite format 3\0", "SQLite 3.x database"),
    (0, b"\xd4\xc3\xb2\xa1", "pcap capture file, microsecond ts (little-endian)"),
    (0, b"\xa1\xb2\xc3\xd4", "pcap capture file, microsecond ts (big-endian)"),
    (0, b"\x0a\x0d\x0d\x0a", "pcapng capture file"),
    (0, b"bplist00", "Apple binary property list"),
    (0, b"BZhBSDIFF40", "bsdiff(1) patch file"),
    (0, b"-----BEGIN CERTIFICATE-----", "PEM certificate"),
    (0, b"-----BEGIN CERTIFICATE REQ", "PEM certificate request"),
    (0, b"-----BEGIN RSA PRIVATE", "PEM RSA private key"),
    (0, b"-----BEGIN DSA PRIVATE", "PEM DSA private key"),
    (0, b"-----BEGIN EC PRIVATE", "PEM EC private key"),
    (0, b"-----BEGIN OPENSSH PRIVATE KEY", "OpenSSH private key"),
    (0, b"-----BEGIN PGP PUBLIC KEY BLOCK-", "PGP public key block"),
    (0, b"-----BEGIN PGP MESSAGE-", "PGP message"),
];

/// Describes a file of one of them; false where it is none.
pub(super) fn describe(bytes: &[u8], out: &mut Vec<u8>) -> bool {
    if let Some(rest) = bytes.strip_prefix(b"%PDF-") {
        return portable_document(rest, out);
    }
    let found = SIGNATURES.iter().find(|(at, wanted, _)| {
        bytes
            .get(*at..)
            .is_some_and(|part| part.starts_with(wanted))
    });
    found.is_some_and(|(.., text)| say(out, format_args!("{text}")))
}

fn portable_document(version: &[u8], out: &mut Vec<u8>) -> bool {
    say(out, format_args!("PDF document"));
    if let [major @ b'0'..=b'9', b'.', minor @ b'0'..=b'9', ..] = version {
        let (major, minor) = (char::from(*major), char::from(*minor));
        say(out, format_args!(", version {major}.{minor}"));
    }
    true
}
