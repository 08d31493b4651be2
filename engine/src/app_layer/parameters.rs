//! Parameters of fields, as HTTP and MIME have them (RFC 2045 section 5.1): `; name="value"`.

/// The value of a parameter (`; filename="x"`) of a field; `name` is lower case, `=` included.
pub(super) fn parameter<'a>(field: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let mut rest = field;
    loop {
        let at = rest.iter().position(|byte| *byte == b';')?;
        let (_, after) = split_while(rest.get(at + 1..)?, |byte| b" \t\r\n".contains(&byte));
        let (head, value) = after.split_at_checked(name.len())?;
        if !head.eq_ignore_ascii_case(name) {
            rest = after;
            continue;
        }
        let value = match value.strip_prefix(b"\"") {
            Some(quoted) => split_while(quoted, |byte| byte != b'"').0,
            None => split_while(value, |byte| !matches!(byte, b';' | b' ' | b'\t')).0,
        };
        return Some(value);
    }
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
}
