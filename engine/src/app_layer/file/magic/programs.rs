//! Executables.

use super::{big16, big32, little16, little32, say};

/// Describes an executable; false where it is none.
pub(super) fn describe(bytes: &[u8], out: &mut Vec<u8>) -> bool {
    elf(bytes, out) || windows(bytes, out) || java(bytes, out) || mach(bytes, out)
}

fn elf(bytes: &[u8], out: &mut Vec<u8>) -> bool {
    let Some(&[class, order, version, abi]) =
        bytes.strip_prefix(b"\x7fELF").and_then(<[u8]>::first_chunk)
    else {
        return false;
    };
    let read = if order == 2 { big16 } else { little16 };
    let bits = if class == 2 { 64 } else { 32 };
    let order = if order == 2 { "MSB" } else { "LSB" };
    let kind = match read(bytes, 16) {
        Some(1) => "relocatable",
        Some(2) => "executable",
        // A program that can be loaded anywhere, or a library: the table that tells them apart may lie
        // beyond what is looked at.
        Some(3) if has_interpreter(bytes) => "pie executable",
        Some(3) => "shared object",
        Some(4) => "core file",
        _ => "*unknown type*",
    };
    let machine = match read(bytes, 18) {
        Some(2) => "SPARC",
        Some(3) => "Intel 80386",
        Some(8) => "MIPS",
        Some(20) => "PowerPC or cisco 4500",
        Some(21) => "64-bit PowerPC or cisco 7500",
        Some(22) => "IBM S/390",
        Some(40) => "ARM",
        Some(50) => "IA-64",
        Some(62) => "x86-64",
        Some(183) => "ARM aarch64",
        Some(243) => "UCB RISC-V",
        _ => "*unknown arch*",
    };
    let abi = match abi {
        3 => "GNU/Linux",
        9 => "FreeBSD",
        _ => "SYSV",
    };
    say(
        out,
        format_args!("ELF {bits}-bit {order} {kind}, {machine}, version {version} ({abi})"),
    )
}

fn has_interpreter(bytes: &[u8]) -> bool {
    let loaders = [&b"/ld-"[..], b"/ld64", b"/libexec/ld-elf", b"/linker"];
    loaders
        .iter()
        .any(|name| memchr::memmem::find(bytes, name).is_some())
}

/// DOS and Windows.
fn windows(bytes: &[u8], out: &mut Vec<u8>) -> bool {
    if !bytes.starts_with(b"MZ") {
        return false;
    }
    let header = little32(bytes, 0x3c).and_then(|at| usize::try_from(at).ok());
    let header = header.and_then(|at| bytes.get(at..)).unwrap_or_default();
    if header.starts_with(b"NE") {
        return say(
            out,
            format_args!("MS-DOS executable, NE for MS Windows 3.x"),
        );
    }
    if !header.starts_with(b"PE\0\0") {
        return say(out, format_args!("MS-DOS executable"));
    }
    let format = match little16(header, 24) {
        Some(0x20b) => "PE32+",
        Some(0x107) => "PE ROM image",
        _ => "PE32",
    };
    say(out, format_args!("{format} executable for MS Windows"));
    if let (Some(major), Some(minor)) = (little16(header, 72), little16(header, 74)) {
        say(out, format_args!(" {major}.{minor:02}"));
    }
    const LIBRARY: u16 = 0x2000;
    let kind = match (little16(header, 22), little16(header, 92)) {
        (Some(flags), _) if flags & LIBRARY != 0 => " (DLL)",
        (_, Some(1)) => " (native)",
        (_, Some(2)) => " (GUI)",
        (_, Some(3)) => " (console)",
        (_, Some(7)) => " (POSIX)",
        (_, Some(10)) => " (EFI application)",
        _ => "",
    };
    let machine = match little16(header, 4) {
        Some(0x14c) => ", Intel i386",
        Some(0x8664) => ", x86-64",
        Some(0xaa64) => ", ARM64",
        Some(0x1c0 | 0x1c4) => ", ARM",
        Some(0x200) => ", Intel Itanium",
        _ => "",
    };
    say(out, format_args!("{kind}{machine}"));
    match little16(header, 6) {
        Some(sections) => say(out, format_args!(", {sections} sections")),
        None => true,
    }
}

fn java(bytes: &[u8], out: &mut Vec<u8>) -> bool {
    let (Some(0xcafe_babe), Some(minor), Some(major)) =
        (big32(bytes, 0), big16(bytes, 4), big16(bytes, 6))
    else {
        return false;
    };
    // Universal Mach-O has the same magic, and there a small number of architectures.
    if !(45..128).contains(&major) {
        return false;
    }
    let release = major - 44;
    let name = if release < 9 { "1." } else { "" };
    say(
        out,
        format_args!(
            "compiled Java class data, version {major}.{minor} (Java {}{release})",
            if release < 9 { name } else { "SE " }
        ),
    )
}

fn mach(bytes: &[u8], out: &mut Vec<u8>) -> bool {
    let magic = little32(bytes, 0);
    if big32(bytes, 0) == Some(0xcafe_babe) {
        let count = big32(bytes, 4).unwrap_or(0);
        return say(
            out,
            format_args!("Mach-O universal binary with {count} architectures"),
        );
    }
    let bits = match magic {
        Some(0xfeed_face) => "",
        Some(0xfeed_facf) => " 64-bit",
        _ => return false,
    };
    let machine = match little32(bytes, 4) {
        Some(0x7) => " i386",
        Some(0x0100_0007) => " x86_64",
        Some(0x0100_000c) => " arm64",
        Some(0xc) => " arm",
        _ => "",
    };
    let kind = match little32(bytes, 12) {
        Some(1) => " object",
        Some(2) => " executable",
        Some(6) => " dynamically linked shared library",
        Some(8) => " bundle",
        _ => "",
    };
    say(out, format_args!("Mach-O{bits}{machine}{kind}"))
}
