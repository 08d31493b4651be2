//! Parameters of fields, as HTTP and MIME have them (RFC 2045 section 5.1): `; name="value"`.

/// The value of a parameter (`; filename="x"`) of a field; `name` is lower case, `=` included. What looks like a
/// parameter within a quoted string is none. Escapes in a quoted value are left as they are.
pub(super) fn parameter<'a>(field: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let name = name.strip_suffix(b"=").unwrap_or(name);
    let mut rest = field;
    loop {
        rest = trim_start(rest.get(skip_to(rest, b';')? + 1..)?);
        let (head, behind) = rest.split_at_checked(name.len())?;
        let value = trim_start(behind).strip_prefix(b"=").map(trim_start);
        let Some(value) = value.filter(|_| head.eq_ignore_ascii_case(name)) else {
            continue;
        };
        return Some(match quoted(value) {
            Some(length) => value.get(1..length - 1).unwrap_or_default(),
            None => unquoted(value),
        });
    }
}

/// A value without quotes, or with one that never ends.
fn unquoted(value: &[u8]) -> &[u8] {
    match value.strip_prefix(b"\"") {
        Some(open) => open,
        None => split_while(value, |byte| !matches!(byte, b';' | b' ' | b'\t')).0,
    }
}

/// Where the first such byte is that stands in no quoted string.
fn skip_to(bytes: &[u8], wanted: u8) -> Option<usize> {
    let mut at = 0;
    loop {
        let rest = bytes.get(at..)?;
        let first = *rest.first()?;
        if first == wanted {
            return Some(at);
        }
        at += quoted(rest).unwrap_or(1);
    }
}

/// Length of the quoted string that bytes start with, quotes included. One that does not end is none.
fn quoted(bytes: &[u8]) -> Option<usize> {
    let inner = bytes.strip_prefix(b"\"")?;
    let mut escaped = false;
    let end = inner.iter().position(|byte| {
        let ends = *byte == b'"' && !escaped;
        escaped = *byte == b'\\' && !escaped;
        ends
    })?;
    Some(end + 2)
}

fn trim_start(bytes: &[u8]) -> &[u8] {
    split_while(bytes, |byte| b" \t\r\n".contains(&byte)).1
}

/// Splits where `is` stops to hold.
pub(super) fn split_while(bytes: &[u8], is: impl Fn(u8) -> bool) -> (&[u8], &[u8]) {
    let end = bytes.iter().position(|byte| !is(*byte));
    bytes.split_at(end.unwrap_or(bytes.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_found_quoted_or_not() {
        let field = b"form-data; name=\"a;b\"; FileName=\"x y.txt\"; z=1";
        assert_eq!(parameter(field, b"filename="), Some(&b"x y.txt"[..]));
        assert_eq!(parameter(field, b"z="), Some(&b"1"[..]));
        assert_eq!(parameter(field, b"w="), None);
        assert_eq!(
            parameter(b"attachment; filename=a.pdf;x", b"filename="),
            Some(&b"a.pdf"[..])
        );
    }

    #[test]
    fn parameters_in_quoted_strings_are_none() {
        let boundary = |field: &'static [u8]| parameter(field, b"boundary=");
        for field in [
            &b"multipart/mixed; x=\"; boundary=no\"; boundary=real"[..],
            b"multipart/mixed; x=\"\\\"; boundary=no\"; boundary=real",
            b"multipart/mixed \"; boundary=no\" ;boundary = \"real\"",
            b"multipart/mixed; boundary\t=\treal ; boundary=no",
            b"multipart/mixed; x=\"; boundary=real",
            b"multipart/mixed; boundaryx=no; boundary=\"real",
        ] {
            assert_eq!(
                boundary(field),
                Some(&b"real"[..]),
                "{}",
                field.escape_ascii()
            );
        }
    }
}
