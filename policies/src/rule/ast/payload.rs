//! Tests on the bytes of a buffer.

use super::Written;

/// A test on the bytes of a buffer.
#[derive(Clone, Debug, PartialEq)]
pub enum PayloadTest {
    /// `content`
    Content(Content),
    /// `pcre`
    Pcre(Pcre),
    /// Any other payload keyword (`byte_test`, `isdataat`, `bsize`, ...), by name and raw value: typed
    /// as the engine learns it.
    Other(Written),
}

/// An offset, depth, distance or within: a number, or a variable that `byte_extract`/`byte_math` set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operand {
    /// A number of bytes.
    Number(i32),
    /// A variable by name.
    Variable(String),
}

/// A `content` with its modifiers.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Content {
    /// The bytes, escapes and hex undone.
    pub pattern: Vec<u8>,
    /// `!"..."`
    pub negated: bool,
    /// `nocase`
    pub nocase: bool,
    /// `offset`
    pub offset: Option<Operand>,
    /// `depth`
    pub depth: Option<Operand>,
    /// `distance`
    pub distance: Option<Operand>,
    /// `within`
    pub within: Option<Operand>,
    /// `startswith`
    pub startswith: bool,
    /// `endswith`
    pub endswith: bool,
    /// `rawbytes` (no effect, kept for printing).
    pub rawbytes: bool,
    /// `fast_pattern` and its form.
    pub fast_pattern: Option<FastPattern>,
}

/// Form of `fast_pattern`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FastPattern {
    /// `fast_pattern`
    Whole,
    /// `fast_pattern:only`
    Only,
    /// `fast_pattern:offset,length`
    Chop {
        /// First byte of the pattern to use.
        offset: u16,
        /// How many bytes.
        length: u16,
    },
}

/// A `pcre` in its parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pcre {
    /// Text between the delimiters.
    pub pattern: String,
    /// Flags behind the closing delimiter that belong to the regular expression (`i`, `s`, `m`, `x`,
    /// `A`, `E`, `G`) and `R` (relative), `B` (raw bytes), `O` (override limits), `^` ...; the letters
    /// that name a buffer are resolved into the match's buffer.
    pub flags: String,
    /// `!"/.../"`
    pub negated: bool,
    /// Names of captures (`pcre:"/x(.*)/, flow:name"`), as written.
    pub captures: Vec<String>,
}
