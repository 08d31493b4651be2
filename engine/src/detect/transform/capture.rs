//! `pcrexform`: what the first group of an expression captures.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use crate::detect::Limits;
use crate::detect::matcher::{Regular, RegularError, RegularFlags};

/// An expression and its text, which it is told apart by.
#[derive(Clone, Debug)]
pub(in crate::detect) struct Capture {
    text: Box<str>,
    regular: Arc<Regular>,
}

impl Capture {
    /// Compiles an expression; it must have a group.
    pub(super) fn new(text: &str) -> Result<Self, String> {
        let limits = Limits::default();
        let flags = RegularFlags::default();
        let regular = Regular::new(text, flags, (limits.pcre_match, limits.pcre_depth))?;
        if regular.groups() == 0 {
            return Err("the expression captures nothing: it needs a group".to_owned());
        }
        Ok(Self {
            text: text.into(),
            regular: Arc::new(regular),
        })
    }

    /// What the group captures; all of it where the expression does not match.
    pub(super) fn of<'a>(&self, input: &'a [u8]) -> Result<&'a [u8], RegularError> {
        let mut found = input;
        self.regular.captures_at(input, 0, |group, bytes| {
            if group == 1 {
                found = bytes;
            }
        })?;
        Ok(found)
    }
}

impl PartialEq for Capture {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Capture {}

impl Hash for Capture {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.text.hash(state);
    }
}
