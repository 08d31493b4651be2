//! Descriptions of the kinds that rules ask for.

use super::*;
use proptest::prelude::*;

fn kind(bytes: &[u8]) -> String {
    let mut out = Vec::new();
    describe(bytes, &mut out);
    String::from_utf8(out).unwrap()
}

#[test]
fn archives_are_told() {
    let mut tar = vec![0; 512];
    tar[0] = b'a';
    tar[257..263].copy_from_slice(b"ustar\0");
    assert_eq!(kind(&tar), "POSIX tar archive");
    tar[257..265].copy_from_slice(b"ustar  \0");
    assert_eq!(kind(&tar), "POSIX tar archive (GNU)");
    let mut zip = b"PK\x03\x04\x14\0\0\0\0\0".to_vec();
    zip.resize(30, 0);
    assert_eq!(
        kind(&[&zip[..], b"a.txt"].concat()),
        "Zip archive data, at least v2.0 to extract"
    );
    let office = [
        &zip[..],
        b"[Content_Types].xml",
        b"PK\x03\x04word/document.xml",
    ]
    .concat();
    assert_eq!(kind(&office), "Microsoft Word 2007+");
    assert_eq!(
        kind(&[&zip[..], b"META-INF/MANIFEST.MF"].concat()),
        "Java archive data (JAR)"
    );
    for (bytes, text) in [
        (
            &b"7z\xbc\xaf\x27\x1c\0\x04"[..],
            "7-zip archive data, version 0.4",
        ),
        (b"Rar!\x1a\x07\x01\x00", "RAR archive data, v5"),
        (b"\x1f\x8b\x08\0\0\0\0\0\0\x03", "gzip compressed data"),
        (
            b"\x1f\x8b\x08\x08\0\0\0\0\0\x03a.txt\0x",
            "gzip compressed data, was \"a.txt\"",
        ),
        (b"BZh91AY", "bzip2 compressed data, block size = 900k"),
    ] {
        assert_eq!(kind(bytes), text);
    }
}

#[test]
fn images_are_told_with_their_size() {
    let png = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\x02\0\x08\x06\0\0\0";
    let text = "PNG image data, 1 x 512, 8-bit/color RGBA, non-interlaced";
    assert_eq!(kind(png), text);
    let gif = b"GIF89a\x01\0\x02\0\x80";
    assert_eq!(kind(gif), "GIF image data, version 89a, 1 x 2");
    let jpeg = b"\xff\xd8\xff\xe0\0\x10JFIF\0\x01\x01\0";
    assert_eq!(kind(jpeg), "JPEG image data, JFIF standard 1.01");
}

#[test]
fn programs_are_told() {
    let mut pe = vec![0; 256];
    pe[..2].copy_from_slice(b"MZ");
    assert_eq!(kind(&pe), "MS-DOS executable");
    pe[0x3c] = 0x40;
    let header = &mut pe[0x40..];
    header[..4].copy_from_slice(b"PE\0\0");
    header[4..8].copy_from_slice(&[0x4c, 1, 3, 0]);
    header[24..26].copy_from_slice(&[0x0b, 1]);
    header[72] = 4;
    header[92] = 2;
    let text = "PE32 executable for MS Windows 4.00 (GUI), Intel i386, 3 sections";
    assert_eq!(kind(&pe), text);
    let elf = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x02\0\x3e\0";
    let text = "ELF 64-bit LSB executable, x86-64, version 1 (SYSV)";
    assert_eq!(kind(elf), text);
    let class = b"\xca\xfe\xba\xbe\0\0\0\x34";
    let text = "compiled Java class data, version 52.0 (Java 1.8)";
    assert_eq!(kind(class), text);
}

#[test]
fn anything_else_is_text_or_data() {
    for (bytes, text) in [
        (&b""[..], "empty"),
        (b"x", "very short file (no magic)"),
        (b"ab\n", "ASCII text"),
        (b"ab\r\ncd\r\n", "ASCII text, with CRLF line terminators"),
        (b"ab", "ASCII text, with no line terminators"),
        ("\u{e4}\n".as_bytes(), "Unicode text, UTF-8 text"),
        (b"\xe4b\n", "ISO-8859 text"),
        (b"a\0b", "data"),
        (
            b"#!/bin/sh\nx\n",
            "POSIX shell script, ASCII text executable",
        ),
        (
            b"\r\n<HTML><body>\n",
            "HTML document, ASCII text, with CRLF, LF line terminators",
        ),
        (b"%PDF-1.6\n", "PDF document, version 1.6"),
        (b"%PDF-x", "PDF document"),
    ] {
        assert_eq!(kind(bytes), text);
    }
}

proptest! {
    #[test]
    fn anything_can_be_described(bytes in prop::collection::vec(any::<u8>(), 0..WANTED), known in 0_usize..12) {
        let starts = [
            &b"PK\x03\x04"[..], b"MZ", b"\x7fELF", b"GIF8", b"BM", b"\x89PNG\r\n\x1a\n", b"\x1f\x8b\x08\x08",
            b"\xca\xfe\xba\xbe", b"\0\0\x01\0", b"7z\xbc\xaf\x27\x1c", b"#!", b"",
        ];
        let mut out = Vec::new();
        describe(&[starts[known], &bytes].concat(), &mut out);
        prop_assert!(!out.is_empty());
    }
}
