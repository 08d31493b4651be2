//! Values inside EVE records that are made by hand: what signatures say of themselves and have met, and bytes.

use serde::Serialize;
use serde::ser::{SerializeMap as _, Serializer};
use serde_json::value::RawValue;
use weir_engine::detect::{CaptureKind, Excerpt, Remark};

/// A signature's metadata: each key once, with the list of its values.
pub(super) struct Metadata<'a>(pub(super) &'a [(String, String)]);

impl Metadata<'_> {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Serialize for Metadata<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (index, (key, _)) in self.0.iter().enumerate() {
            let earlier = self.0.iter().take(index);
            if earlier.into_iter().all(|(k, _)| k != key) {
                map.serialize_entry(key, &Values(self.0, key))?;
            }
        }
        map.end()
    }
}

/// What data sets know of the values that were found in them.
pub(super) struct Contexts<'a>(pub(super) &'a [Remark]);

impl Contexts<'_> {
    pub(super) fn is_empty(&self) -> bool {
        self.each().next().is_none()
    }

    fn each(&self) -> impl Iterator<Item = (Key<'_>, Context<'_>)> {
        self.0.iter().filter_map(|remark| match remark {
            Remark::Context { key, json } => {
                let json = Context::Json(serde_json::from_str(json).ok()?);
                Some((Key::Text(key), json))
            }
            Remark::Captured {
                kind: CaptureKind::Alert,
                name,
                value,
            } => {
                let value = Context::Text(Printable(value.bytes()));
                Some((Key::Bytes(Printable(name.bytes())), value))
            }
            _ => None,
        })
    }
}

impl Serialize for Contexts<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.each())
    }
}

/// Name of what an alert knows: given in a file, or captured.
#[derive(Serialize)]
#[serde(untagged)]
enum Key<'a> {
    Text(&'a str),
    Bytes(Printable<'a>),
}

/// One thing that an alert knows of its context.
#[derive(Serialize)]
#[serde(untagged)]
enum Context<'a> {
    Json(&'a RawValue),
    Text(Printable<'a>),
}

/// What is known of the flow and the packet: what expressions captured, and entropies, by buffer.
pub(super) struct Known<'a> {
    remarks: &'a [Remark],
    flow: &'a [(Excerpt, Excerpt)],
}

impl<'a> Known<'a> {
    /// `None`: nothing is.
    pub(super) fn of(remarks: &'a [Remark], flow: &'a [(Excerpt, Excerpt)]) -> Option<Self> {
        let known = Self { remarks, flow };
        let packet = known.of_packet().next().is_some();
        let some = packet || !flow.is_empty() || known.entropies().next().is_some();
        some.then_some(known)
    }

    fn entropies(&self) -> impl Iterator<Item = (&str, f64)> {
        self.remarks.iter().filter_map(|remark| match remark {
            Remark::Entropy { buffer, value } => Some((&**buffer, *value)),
            _ => None,
        })
    }

    fn of_packet(&self) -> impl Iterator<Item = (&Excerpt, &Excerpt)> {
        self.remarks.iter().filter_map(|remark| match remark {
            Remark::Captured {
                kind: CaptureKind::Packet,
                name,
                value,
            } => Some((name, value)),
            _ => None,
        })
    }
}

impl Serialize for Known<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        if self.of_packet().next().is_some() {
            map.serialize_entry("pktvars", &Listed(|| self.of_packet()))?;
        }
        if !self.flow.is_empty() {
            let flow = || self.flow.iter().map(|(name, value)| (name, value));
            map.serialize_entry("flowvars", &Listed(flow))?;
        }
        if self.entropies().next().is_some() {
            map.serialize_entry("entropy", &Entropies(self))?;
        }
        map.end()
    }
}

/// One number for each buffer.
struct Entropies<'a>(&'a Known<'a>);

impl Serialize for Entropies<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.entropies())
    }
}

/// One object for each variable.
struct Listed<F>(F);

impl<'a, F: Fn() -> I, I: Iterator<Item = (&'a Excerpt, &'a Excerpt)>> Serialize for Listed<F> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        struct One<'a>(Printable<'a>, Printable<'a>);
        impl Serialize for One<'_> {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_map([(&self.0, &self.1)])
            }
        }
        let one = |(name, value): (&'a Excerpt, &'a Excerpt)| {
            One(Printable(name.bytes()), Printable(value.bytes()))
        };
        serializer.collect_seq((self.0)().map(one))
    }
}

struct Values<'a>(&'a [(String, String)], &'a str);

impl Serialize for Values<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let values = self.0.iter().filter(|(key, _)| key == self.1);
        serializer.collect_seq(values.map(|(_, value)| value))
    }
}

/// Bytes in base64.
pub(super) struct Base64<'a>(pub(super) &'a [u8]);

impl Serialize for Base64<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let engine = &base64::engine::general_purpose::STANDARD;
        serializer.collect_str(&base64::display::Base64Display::new(self.0, engine))
    }
}

/// Bytes, `.` for what is neither printable ASCII nor a line end.
pub(super) struct Printable<'a>(pub(super) &'a [u8]);

impl Serialize for Printable<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl std::fmt::Display for Printable<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        use std::fmt::Write as _;
        for &byte in self.0 {
            let keep = byte.is_ascii_graphic() || matches!(byte, b' ' | b'\r' | b'\n');
            f.write_char(if keep { char::from(byte) } else { '.' })?;
        }
        Ok(())
    }
}
