//! Images.

use super::{big16, big32, little16, little32, say};

/// Describes an image; false where it is none.
pub(super) fn describe(bytes: &[u8], out: &mut Vec<u8>) -> bool {
    png(bytes, out) || gif(bytes, out) || jpeg(bytes, out) || bitmap(bytes, out) || icon(bytes, out)
}

fn png(bytes: &[u8], out: &mut Vec<u8>) -> bool {
    if !bytes.starts_with(b"\x89PNG\r\n\x1a\n") {
        return false;
    }
    say(out, format_args!("PNG image data"));
    let (Some(width), Some(height), Some(&[depth, colour, _, _, interlace])) = (
        big32(bytes, 16),
        big32(bytes, 20),
        bytes.get(24..).and_then(<[u8]>::first_chunk),
    ) else {
        return true;
    };
    let kind = match colour {
        0 => " grayscale",
        2 => "/color RGB",
        3 => " colormap",
        4 => " gray+alpha",
        6 => "/color RGBA",
        _ => "",
    };
    let lines = if interlace == 0 {
        "non-interlaced"
    } else {
        "interlaced"
    };
    say(
        out,
        format_args!(", {width} x {height}, {depth}-bit{kind}, {lines}"),
    )
}

fn gif(bytes: &[u8], out: &mut Vec<u8>) -> bool {
    let Some(rest) = bytes.strip_prefix(b"GIF8") else {
        return false;
    };
    say(out, format_args!("GIF image data"));
    let version = match rest {
        [b'7', b'a', ..] => "87a",
        [b'9', b'a', ..] => "89a",
        _ => return true,
    };
    say(out, format_args!(", version {version}"));
    if let (Some(width), Some(height)) = (little16(bytes, 6), little16(bytes, 8)) {
        say(out, format_args!(", {width} x {height}"));
    }
    true
}

fn jpeg(bytes: &[u8], out: &mut Vec<u8>) -> bool {
    if !bytes.starts_with(b"\xff\xd8\xff") {
        return false;
    }
    say(out, format_args!("JPEG image data"));
    match bytes.get(6..).unwrap_or_default() {
        [b'J', b'F', b'I', b'F', 0, major, minor, ..] => {
            say(out, format_args!(", JFIF standard {major}.{minor:02}"))
        }
        [b'E', b'x', b'i', b'f', 0, ..] => say(out, format_args!(", Exif standard")),
        _ => true,
    }
}

fn bitmap(bytes: &[u8], out: &mut Vec<u8>) -> bool {
    // The size of its second header is one of a few.
    let header = little32(bytes, 14);
    if !bytes.starts_with(b"BM") || !matches!(header, Some(12 | 40 | 52 | 56 | 64 | 108 | 124)) {
        return false;
    }
    say(out, format_args!("PC bitmap, Windows 3.x format"));
    if let (Some(40), Some(width), Some(height), Some(bits)) = (
        header,
        little32(bytes, 18),
        little32(bytes, 22),
        little16(bytes, 28),
    ) {
        say(out, format_args!(", {width} x {height} x {bits}"));
    }
    true
}

fn icon(bytes: &[u8], out: &mut Vec<u8>) -> bool {
    let kind = match bytes {
        [0, 0, 1, 0, ..] => "icon",
        [0, 0, 2, 0, ..] => "cursor",
        _ => return false,
    };
    let (Some(count), Some(planes)) = (little16(bytes, 4), big16(bytes, 9)) else {
        return false;
    };
    // A reserved byte is zero, and so are the planes' high bits.
    if count == 0 || count > 255 || planes > 1 << 8 {
        return false;
    }
    let many = if count == 1 { "" } else { "s" };
    say(
        out,
        format_args!("MS Windows {kind} resource - {count} icon{many}"),
    )
}
