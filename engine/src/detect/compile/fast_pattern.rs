//! Which content of a signature decides whether it is looked at.

use weir_policies::rule::ast::{Content, FastPattern as Form};

use crate::detect::program::FastPattern;

/// A content that may be the fast pattern.
pub(super) struct Candidate {
    bytes: Vec<u8>,
    nocase: bool,
    explicit: bool,
}

impl Candidate {
    /// The candidate that a content makes; none for a negated one.
    pub(super) fn new(content: &Content) -> Result<Option<Self>, String> {
        let mut bytes = content.pattern.as_slice();
        if let Some(Form::Chop { offset, length }) = content.fast_pattern {
            let start = usize::from(offset);
            let part = bytes.get(start..start + usize::from(length));
            bytes = part.filter(|part| !part.is_empty()).ok_or_else(|| {
                format!("`fast_pattern:{offset},{length}` reaches beyond the pattern")
            })?;
        }
        let candidate = Self {
            bytes: bytes.to_vec(),
            nocase: content.nocase,
            explicit: content.fast_pattern.is_some(),
        };
        // The absence of bytes cannot be looked for by their presence.
        Ok((!content.negated).then_some(candidate))
    }

    /// How rare it likely is: bytes that are common in text and padding count for little.
    fn weight(&self) -> u32 {
        let weight = |&byte: &u8| match byte {
            0 | b' ' | 0xFF => 1,
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'.' => 3,
            _ => 4,
        };
        self.bytes.iter().map(weight).sum()
    }
}

/// The explicit one, else the weightiest, the first of equals.
pub(super) fn choose(candidates: Vec<Candidate>, single: bool) -> Option<FastPattern> {
    let rank = |(index, candidate): &(usize, Candidate)| {
        (
            candidate.explicit,
            candidate.weight(),
            std::cmp::Reverse(*index),
        )
    };
    let (_, best) = candidates.into_iter().enumerate().max_by_key(rank)?;
    Some(FastPattern {
        bytes: best.bytes.into_boxed_slice(),
        nocase: best.nocase,
        explicit: best.explicit,
        whole: single,
    })
}
