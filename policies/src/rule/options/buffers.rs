//! Which buffer is in force, and the instance a repeated keyword starts.

use crate::rule::ast::{Buffer, Written};
use crate::rule::diagnostic::Reason;

/// Most transforms of one buffer.
const MAX_TRANSFORMS: usize = 16;

/// State of the sticky buffers while the options are read.
#[derive(Debug)]
pub(super) struct Buffers {
    current: Buffer,
    /// A test has looked at `current` since it was selected.
    used: bool,
    /// Multi-instance keywords seen, and how often.
    seen: Vec<(&'static str, u16)>,
}

/// The buffer that a modifier, a letter of a pcre or `uricontent` names.
pub(super) fn legacy(canonical: &str) -> Buffer {
    Buffer::Sticky {
        keyword: canonical.to_owned(),
        argument: None,
        instance: 0,
        transforms: Vec::new(),
    }
}

/// Whether a letter means the sticky buffer in force. The body of a response is a file's data too.
pub(super) fn is_same(keyword: &str, letter: &str) -> bool {
    keyword == letter || (letter == "http.response_body" && keyword == "file.data")
}

impl Buffers {
    pub(super) fn new() -> Self {
        Self {
            current: Buffer::Payload,
            used: true,
            seen: Vec::new(),
        }
    }

    pub(super) fn current(&self) -> Buffer {
        self.current.clone()
    }

    pub(super) fn used(&mut self) {
        self.used = true;
    }

    /// A sticky buffer's keyword.
    pub(super) fn select(
        &mut self,
        keyword: &'static str,
        argument: Option<&str>,
        multiple: bool,
    ) -> Result<(), Reason> {
        self.finish()?;
        let instance = if multiple { self.instance(keyword) } else { 0 };
        self.current = Buffer::Sticky {
            keyword: keyword.to_owned(),
            argument: argument.map(str::to_owned),
            instance,
            transforms: Vec::new(),
        };
        self.used = false;
        Ok(())
    }

    pub(super) fn payload(&mut self) -> Result<(), Reason> {
        self.finish()?;
        self.current = Buffer::Payload;
        self.used = true;
        Ok(())
    }

    pub(super) fn base64(&mut self) -> Result<(), Reason> {
        self.finish()?;
        self.current = Buffer::Base64;
        self.used = false;
        Ok(())
    }

    /// A transform of the buffer in force: what follows looks at the result, what went before at the
    /// untransformed bytes.
    pub(super) fn transform(&mut self, transform: Written) -> Result<(), Reason> {
        match &mut self.current {
            Buffer::Sticky { transforms, .. } if transforms.len() < MAX_TRANSFORMS => {
                transforms.push(transform);
                self.used = false;
                Ok(())
            }
            Buffer::Sticky { .. } => {
                Err(format!("a buffer has at most {MAX_TRANSFORMS} transforms"))
            }
            Buffer::Payload | Buffer::Base64 => {
                Err("expected a sticky buffer before the transform".to_owned())
            }
        }
    }

    /// A buffer that nothing looked at is a mistake.
    pub(super) fn finish(&self) -> Result<(), Reason> {
        if self.used {
            return Ok(());
        }
        Err(match &self.current {
            Buffer::Sticky { keyword, .. } => {
                format!("the sticky buffer {keyword} is followed by nothing that looks at it")
            }
            Buffer::Payload | Buffer::Base64 => {
                "base64_data is followed by nothing that looks at it".to_owned()
            }
        })
    }

    fn instance(&mut self, keyword: &'static str) -> u16 {
        match self.seen.iter_mut().find(|(name, _)| *name == keyword) {
            Some((_, count)) => {
                *count = count.saturating_add(1);
                *count
            }
            None => {
                self.seen.push((keyword, 0));
                0
            }
        }
    }
}
