//! What is said of a rule that cannot be taken.

use std::fmt;

use super::ast::Position;

/// One problem. It costs the rule it stands in, and no other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// Where the problem is.
    pub position: Position,
    /// The rule's sid, where one could be read.
    pub sid: Option<u32>,
    /// The keyword at fault, as written; `None` for a problem of the header or the whole line.
    pub keyword: Option<String>,
    /// What is wrong, what was found and what was expected.
    pub message: String,
    /// False for a rule that is commented out.
    pub enabled: bool,
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}:{}: ", self.position.line, self.position.column)?;
        if let Some(sid) = self.sid {
            write!(out, "sid {sid}: ")?;
        }
        if let Some(keyword) = &self.keyword {
            write!(out, "{keyword}: ")?;
        }
        out.write_str(&self.message)
    }
}

/// A problem at a byte offset of a logical line, before it is given a [`Position`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    /// Byte offset into the logical line.
    pub(crate) offset: usize,
    /// The keyword at fault.
    pub(crate) keyword: Option<String>,
    /// See [`Diagnostic::message`].
    pub(crate) message: String,
}

impl Fault {
    /// A problem of the header or the whole line.
    pub(crate) fn at(offset: usize, message: impl Into<String>) -> Self {
        Self {
            offset,
            keyword: None,
            message: message.into(),
        }
    }
}

/// What went wrong in one option's value; the caller knows keyword and place.
pub(crate) type Reason = String;
