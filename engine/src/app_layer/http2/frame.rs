//! Frames (RFC 9113 section 4): headers, and the names of what is in them.

/// Bytes of a frame's header.
pub(super) const HEADER: usize = 9;

pub(super) const DATA: u8 = 0;
pub(super) const HEADERS: u8 = 1;
pub(super) const PRIORITY: u8 = 2;
pub(super) const RST_STREAM: u8 = 3;
pub(super) const SETTINGS: u8 = 4;
pub(super) const PUSH_PROMISE: u8 = 5;
pub(super) const PING: u8 = 6;
pub(super) const GOAWAY: u8 = 7;
pub(super) const WINDOW_UPDATE: u8 = 8;
pub(super) const CONTINUATION: u8 = 9;

const END_STREAM: u8 = 0x01;
const END_HEADERS: u8 = 0x04;
const PADDED: u8 = 0x08;
const PRIORITISED: u8 = 0x20;

/// Bytes of one setting.
pub(super) const SETTING: u32 = 6;

/// The setting that allows longer frames (section 6.5.2), and what is allowed without it.
pub(super) const MAX_FRAME_SIZE: u16 = 5;
pub(super) const FRAME_SIZE: u32 = 16_384;

/// Names of types that rules may write.
pub(super) const TYPES: &[(&str, u64)] = &[
    ("DATA", 0),
    ("HEADERS", 1),
    ("PRIORITY", 2),
    ("RSTSTREAM", 3),
    ("RST_STREAM", 3),
    ("SETTINGS", 4),
    ("PUSHPROMISE", 5),
    ("PUSH_PROMISE", 5),
    ("PING", 6),
    ("GOAWAY", 7),
    ("WINDOWUPDATE", 8),
    ("WINDOW_UPDATE", 8),
    ("CONTINUATION", 9),
];

/// Names of error codes (section 7).
pub(super) const ERRORS: &[(&str, u64)] = &[
    ("NO_ERROR", 0),
    ("PROTOCOL_ERROR", 1),
    ("INTERNAL_ERROR", 2),
    ("FLOW_CONTROL_ERROR", 3),
    ("SETTINGS_TIMEOUT", 4),
    ("STREAM_CLOSED", 5),
    ("FRAME_SIZE_ERROR", 6),
    ("REFUSED_STREAM", 7),
    ("CANCEL", 8),
    ("COMPRESSION_ERROR", 9),
    ("CONNECT_ERROR", 10),
    ("ENHANCE_YOUR_CALM", 11),
    ("INADEQUATE_SECURITY", 12),
    ("HTTP_1_1_REQUIRED", 13),
];

/// Names of settings: in rules, and in records.
pub(super) const SETTING_NAMES: &[(u16, &str)] = &[
    (1, "SETTINGS_HEADER_TABLE_SIZE"),
    (2, "SETTINGS_ENABLE_PUSH"),
    (3, "SETTINGS_MAX_CONCURRENT_STREAMS"),
    (4, "SETTINGS_INITIAL_WINDOW_SIZE"),
    (5, "SETTINGS_MAX_FRAME_SIZE"),
    (6, "SETTINGS_MAX_HEADER_LIST_SIZE"),
    (8, "SETTINGS_ENABLE_CONNECT_PROTOCOL"),
];

/// A frame's header.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Frame {
    pub(super) length: u32,
    pub(super) kind: u8,
    flags: u8,
    /// 0: the connection.
    pub(super) stream: u32,
}

impl Frame {
    pub(super) fn read(header: [u8; HEADER]) -> Self {
        let [high, middle, low, kind, flags, stream @ ..] = header;
        Self {
            length: u32::from_be_bytes([0, high, middle, low]),
            kind,
            flags,
            stream: u32::from_be_bytes(stream) & 0x7fff_ffff,
        }
    }

    /// Nothing of the message follows.
    pub(super) fn ends_stream(self) -> bool {
        matches!(self.kind, DATA | HEADERS) && self.flags & END_STREAM != 0
    }

    /// The block of fields ends with it.
    pub(super) fn ends_block(self) -> bool {
        self.flags & END_HEADERS != 0
    }

    /// It carries fields.
    pub(super) fn has_block(self) -> bool {
        matches!(self.kind, HEADERS | PUSH_PROMISE | CONTINUATION)
    }

    pub(super) fn is_padded(self) -> bool {
        matches!(self.kind, DATA | HEADERS | PUSH_PROMISE) && self.flags & PADDED != 0
    }

    pub(super) fn has_priority(self) -> bool {
        self.kind == PRIORITY || self.kind == HEADERS && self.flags & PRIORITISED != 0
    }

    /// Whether a frame of its type may be on its stream.
    pub(super) fn is_in_place(self) -> bool {
        match self.kind {
            SETTINGS | PING | GOAWAY => self.stream == 0,
            WINDOW_UPDATE | CONTINUATION.. => true,
            _ => self.stream != 0,
        }
    }

    /// Whether its length is one that its type may have.
    pub(super) fn has_valid_length(self) -> bool {
        match self.kind {
            PRIORITY => self.length == 5,
            RST_STREAM | WINDOW_UPDATE => self.length == 4,
            SETTINGS => self.length.is_multiple_of(SETTING),
            PING => self.length == 8,
            GOAWAY => self.length >= 8,
            _ => true,
        }
    }

    /// Bytes of its payload in front of what its type carries: length of padding, priority, promised stream,
    /// or all that is read of it.
    pub(super) fn prefix(self) -> u32 {
        u32::from(self.is_padded())
            + match self.kind {
                HEADERS if self.has_priority() => 5,
                PRIORITY => 5,
                PUSH_PROMISE | RST_STREAM | WINDOW_UPDATE => 4,
                GOAWAY => 8,
                _ => 0,
            }
    }
}

/// The name of a number in records; `None` where it has none.
pub(super) fn name_of(names: &'static [(&'static str, u64)], number: u64) -> Option<&'static str> {
    names
        .iter()
        .find(|(_, known)| *known == number)
        .map(|(name, _)| *name)
}
