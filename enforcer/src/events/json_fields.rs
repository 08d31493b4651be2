//! What a transaction tells of itself, as JSON.
//!
//! Written straight into the line: nothing is allocated but for texts that are not UTF-8.

use weir_engine::app_layer::Fields;

/// Fields of one JSON object, or elements of one list, being written.
struct JsonFields<'a> {
    out: &'a mut Vec<u8>,
    first: bool,
}

/// Writes `"name":{...}`, the fields being told by `tell`.
pub(super) fn object(out: &mut Vec<u8>, name: &str, tell: &mut dyn FnMut(&mut dyn Fields)) {
    let mut fields = JsonFields { out, first: true };
    fields.object(name, tell);
}

impl JsonFields<'_> {
    /// The comma and the name in front of a value; an element of a list has no name.
    fn name(&mut self, name: &str) {
        if !std::mem::take(&mut self.first) {
            self.out.push(b',');
        }
        if !name.is_empty() {
            string(self.out, name.as_bytes());
            self.out.push(b':');
        }
    }

    fn nested(&mut self, tell: &mut dyn FnMut(&mut dyn Fields)) {
        self.out.push(b'{');
        tell(&mut JsonFields {
            out: self.out,
            first: true,
        });
        self.out.push(b'}');
    }
}

impl Fields for JsonFields<'_> {
    fn text(&mut self, name: &str, value: &[u8]) {
        self.name(name);
        string(self.out, value);
    }

    fn number(&mut self, name: &str, value: u64) {
        self.name(name);
        self.out.extend_from_slice(value.to_string().as_bytes());
    }

    fn flag(&mut self, name: &str, value: bool) {
        self.name(name);
        let text: &[u8] = if value { b"true" } else { b"false" };
        self.out.extend_from_slice(text);
    }

    fn object(&mut self, name: &str, inner: &mut dyn FnMut(&mut dyn Fields)) {
        self.name(name);
        self.nested(inner);
    }

    fn list(&mut self, name: &str, len: usize, element: &mut dyn FnMut(usize, &mut dyn Fields)) {
        self.name(name);
        self.out.push(b'[');
        for index in 0..len {
            if index > 0 {
                self.out.push(b',');
            }
            let at = self.out.len();
            let mut fields = Element {
                out: self.out,
                bare: false,
                first: true,
            };
            element(index, &mut fields);
            match (fields.bare, fields.first) {
                (true, _) => {}
                (false, false) => self.out.push(b'}'),
                // Nothing was told: an empty object keeps the list well-formed.
                (false, true) => {
                    self.out.truncate(at);
                    self.out.extend_from_slice(b"{}");
                }
            }
        }
        self.out.push(b']');
    }
}

/// One element of a list: a bare value, or an object that is opened by its first field.
struct Element<'a> {
    out: &'a mut Vec<u8>,
    bare: bool,
    first: bool,
}

impl Element<'_> {
    /// Tells a field through an object's writer, opening the object where there is none.
    fn tell(&mut self, name: &str, tell: impl FnOnce(&mut JsonFields<'_>)) {
        if self.bare {
            // A bare value is all there is to an element.
            return;
        }
        if name.is_empty() && self.first {
            self.bare = true;
        } else if self.first {
            self.out.push(b'{');
        }
        let mut fields = JsonFields {
            out: self.out,
            first: self.first,
        };
        tell(&mut fields);
        self.first = false;
    }
}

impl Fields for Element<'_> {
    fn text(&mut self, name: &str, value: &[u8]) {
        self.tell(name, |fields| fields.text(name, value));
    }

    fn number(&mut self, name: &str, value: u64) {
        self.tell(name, |fields| fields.number(name, value));
    }

    fn flag(&mut self, name: &str, value: bool) {
        self.tell(name, |fields| fields.flag(name, value));
    }

    fn object(&mut self, name: &str, inner: &mut dyn FnMut(&mut dyn Fields)) {
        self.tell(name, |fields| fields.object(name, inner));
    }

    fn list(&mut self, name: &str, len: usize, element: &mut dyn FnMut(usize, &mut dyn Fields)) {
        self.tell(name, |fields| fields.list(name, len, element));
    }
}

/// A JSON string. Bytes that are not UTF-8 are written as `\xNN`, the backslash escaped.
fn string(out: &mut Vec<u8>, bytes: &[u8]) {
    out.push(b'"');
    for chunk in bytes.utf8_chunks() {
        for letter in chunk.valid().chars() {
            escape(out, letter);
        }
        for byte in chunk.invalid() {
            out.extend_from_slice(format!("\\\\x{byte:02X}").as_bytes());
        }
    }
    out.push(b'"');
}

fn escape(out: &mut Vec<u8>, letter: char) {
    match letter {
        '"' => out.extend_from_slice(b"\\\""),
        '\\' => out.extend_from_slice(b"\\\\"),
        control if u32::from(control) < 0x20 => {
            out.extend_from_slice(format!("\\u{:04x}", u32::from(control)).as_bytes());
        }
        letter => {
            let mut utf8 = [0; 4];
            out.extend_from_slice(letter.encode_utf8(&mut utf8).as_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    #[test]
    fn every_kind_of_field_becomes_json() {
        let mut out = b"{".to_vec();
        object(&mut out, "dns", &mut |fields| {
            fields.text("rr\"name", b"a\\b\n\xff");
            fields.number("id", 7);
            fields.flag("rd", true);
            fields.object("empty", &mut |_| ());
            fields.list("names", 2, &mut |index, fields| {
                fields.number("", index as u64);
            });
            fields.list("answers", 2, &mut |index, fields| {
                if index == 0 {
                    fields.text("rrname", b"x");
                    fields.number("ttl", 60);
                }
            });
        });
        out.push(b'}');
        let value: Value = serde_json::from_slice(&out).unwrap();
        assert_eq!(
            value,
            json!({"dns": {
                "rr\"name": "a\\b\n\\xFF", "id": 7, "rd": true, "empty": {},
                "names": [0, 1], "answers": [{"rrname": "x", "ttl": 60}, {}],
            }})
        );
    }

    proptest! {
        #[test]
        fn any_bytes_make_a_string(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            let mut out = Vec::new();
            string(&mut out, &bytes);
            let read: String = serde_json::from_slice(&out).unwrap();
            if let Ok(text) = std::str::from_utf8(&bytes) {
                prop_assert_eq!(read, text);
            }
        }
    }
}
