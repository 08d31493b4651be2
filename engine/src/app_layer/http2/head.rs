//! The fields of a message, and the buffers made of all of them.

use crate::app_layer::http::text::Span;

/// Bytes that each field counts beside its texts (RFC 9113 section 6.5.2).
const OVERHEAD: usize = 32;

/// Capacity that is kept for the next message: of texts, and of fields.
const KEPT: usize = 1 << 10;
const FIELDS_KEPT: usize = 16;

/// Fields whose values are asked for by name. Those of several fields are joined: cookies as the standard
/// has it (section 8.2.3), others as a list.
const NAMES: [&[u8]; 24] = [
    b":method",
    b":path",
    b":authority",
    b":status",
    b":scheme",
    b"host",
    b"cookie",
    b"set-cookie",
    b"user-agent",
    b"accept",
    b"accept-encoding",
    b"accept-language",
    b"referer",
    b"connection",
    b"content-length",
    b"content-type",
    b"content-encoding",
    b"content-disposition",
    b"content-range",
    b"location",
    b"server",
    b"x-forwarded-for",
    b"transfer-encoding",
    b"expect",
];

/// Index behind those of [`NAMES`].
const OTHER: u8 = 24;

const _: () = assert!(NAMES.len() == OTHER as usize);

/// The fields of a message.
#[derive(Debug, Default)]
pub(super) struct Head {
    /// Each field as `name: value` and a line end.
    text: Vec<u8>,
    fields: Vec<Field>,
    /// Bytes as the standard counts them.
    size: usize,
    built: Vec<u8>,
    without_cookies: Span,
    names: Span,
    start: Span,
    joined: Vec<(u8, Span)>,
}

#[derive(Clone, Copy, Debug)]
struct Field {
    /// Which of [`NAMES`].
    known: u8,
    name: Span,
    value: Span,
}

/// The fields are more than the limit allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TooLong;

impl Head {
    /// Takes a field.
    pub(super) fn add(&mut self, name: &[u8], value: &[u8], limit: usize) -> Result<(), TooLong> {
        let size = self.size + name.len() + value.len() + OVERHEAD;
        if size > limit {
            return Err(TooLong);
        }
        self.size = size;
        let start = self.text.len();
        self.text.extend_from_slice(name);
        self.text.extend_from_slice(b": ");
        self.text.extend_from_slice(value);
        self.text.extend_from_slice(b"\r\n");
        let end = self.text.len() - 2;
        let known = NAMES
            .iter()
            .position(|known| name.eq_ignore_ascii_case(known));
        self.fields.push(Field {
            known: known.and_then(|at| u8::try_from(at).ok()).unwrap_or(OTHER),
            name: Span::new(start, start + name.len()),
            value: Span::new(end - value.len(), end),
        });
        Ok(())
    }

    /// All fields are there: makes the buffers of them, behind the first line.
    pub(super) fn build(&mut self, line: &[u8]) {
        let Self {
            text,
            fields,
            built,
            ..
        } = self;
        built.clear();
        built.extend_from_slice(b"\r\n");
        for field in fields.iter() {
            built.extend_from_slice(field.name.of_buffer(text));
            built.extend_from_slice(b"\r\n");
        }
        built.extend_from_slice(b"\r\n");
        self.names = Span::new(0, built.len());
        let from = built.len();
        for field in fields.iter().filter(|field| !is_cookie(field.known)) {
            built.extend_from_slice(line_of(text, field));
            built.extend_from_slice(b"\r\n");
        }
        self.without_cookies = Span::new(from, built.len());
        let from = built.len();
        built.extend_from_slice(line);
        built.extend_from_slice(text);
        built.extend_from_slice(b"\r\n");
        self.start = Span::new(from, built.len());
        self.join();
    }

    /// Joins the values of names that several fields have.
    fn join(&mut self) {
        self.joined.clear();
        let mut times = [0_u32; NAMES.len() + 1];
        for field in &self.fields {
            if let Some(times) = times.get_mut(usize::from(field.known)) {
                *times += 1;
            }
        }
        for known in (0..OTHER).filter(|known| times[usize::from(*known)] > 1) {
            let from = self.built.len();
            let between: &[u8] = if NAMES[usize::from(known)] == b"cookie" {
                b"; "
            } else {
                b", "
            };
            for (at, field) in self
                .fields
                .iter()
                .filter(|field| field.known == known)
                .enumerate()
            {
                if at > 0 {
                    self.built.extend_from_slice(between);
                }
                self.built
                    .extend_from_slice(field.value.of_buffer(&self.text));
            }
            self.joined.push((known, Span::new(from, self.built.len())));
        }
    }

    /// The value of the fields of a name, one of [`NAMES`].
    pub(super) fn value(&self, name: &[u8]) -> Option<&[u8]> {
        let at = NAMES.iter().position(|known| *known == name)?;
        let joined = self
            .joined
            .iter()
            .find(|(known, _)| usize::from(*known) == at);
        if let Some((_, span)) = joined {
            return Some(span.of_buffer(&self.built));
        }
        let field = self
            .fields
            .iter()
            .find(|field| usize::from(field.known) == at)?;
        Some(field.value.of_buffer(&self.text))
    }

    /// The value of the first field of a name, one of [`NAMES`].
    pub(super) fn first(&self, name: &[u8]) -> Option<&[u8]> {
        let at = NAMES.iter().position(|known| *known == name)?;
        let field = self
            .fields
            .iter()
            .find(|field| usize::from(field.known) == at)?;
        Some(field.value.of_buffer(&self.text))
    }

    /// Name and value of one field.
    pub(super) fn get(&self, index: usize) -> Option<(&[u8], &[u8])> {
        let field = self.fields.get(index)?;
        Some((
            field.name.of_buffer(&self.text),
            field.value.of_buffer(&self.text),
        ))
    }

    /// One field as `name: value`.
    pub(super) fn line(&self, index: usize) -> Option<&[u8]> {
        Some(line_of(&self.text, self.fields.get(index)?))
    }

    /// Every field but cookies, as `name: value` lines.
    pub(super) fn without_cookies(&self) -> &[u8] {
        self.without_cookies.of_buffer(&self.built)
    }

    /// Every field, as `name: value` lines.
    pub(super) fn all(&self) -> &[u8] {
        &self.text
    }

    /// Every name on a line of its own, an empty line in front and behind.
    pub(super) fn names(&self) -> &[u8] {
        self.names.of_buffer(&self.built)
    }

    /// First line, every field and an empty line.
    pub(super) fn start(&self) -> &[u8] {
        self.start.of_buffer(&self.built)
    }

    pub(super) fn len(&self) -> usize {
        self.fields.len()
    }

    /// Forgets everything, keeping some memory.
    pub(super) fn clear(&mut self) {
        for buffer in [&mut self.text, &mut self.built] {
            buffer.clear();
            buffer.shrink_to(KEPT);
        }
        self.fields.clear();
        self.fields.shrink_to(FIELDS_KEPT);
        self.joined.clear();
        self.size = 0;
        (self.names, self.without_cookies, self.start) = Default::default();
    }
}

fn line_of<'t>(text: &'t [u8], field: &Field) -> &'t [u8] {
    let length = field.name.len() + 2 + field.value.len();
    let name = field.name.start();
    text.get(name..name + length).unwrap_or_default()
}

fn is_cookie(known: u8) -> bool {
    matches!(
        NAMES.get(usize::from(known)),
        Some(&(b"cookie" | b"set-cookie"))
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffers_are_made_of_fields() {
        let mut head = Head::default();
        for (name, value) in [
            (":method", "GET"),
            ("Cookie", "a=1"),
            ("accept", "x"),
            ("cookie", "b=2"),
            ("accept", "y"),
        ] {
            head.add(name.as_bytes(), value.as_bytes(), 1000).unwrap();
        }
        head.build(b"GET / HTTP/2\r\n");
        assert_eq!(head.value(b"cookie"), Some(&b"a=1; b=2"[..]));
        assert_eq!(head.value(b"accept"), Some(&b"x, y"[..]));
        assert_eq!(
            (head.value(b"host"), head.first(b"accept")),
            (None, Some(&b"x"[..]))
        );
        assert_eq!(
            head.without_cookies(),
            b":method: GET\r\naccept: x\r\naccept: y\r\n"
        );
        assert_eq!(
            head.names(),
            b"\r\n:method\r\nCookie\r\naccept\r\ncookie\r\naccept\r\n\r\n"
        );
        assert!(
            head.start()
                .starts_with(b"GET / HTTP/2\r\n:method: GET\r\nCookie: a=1\r\n")
        );
        assert_eq!(head.line(3), Some(&b"cookie: b=2"[..]));
        assert_eq!(head.add(b"x", &[b'v'; 1000], 1000), Err(TooLong));
    }
}
