//! Rules: lists of expressions over register 1.

use super::{comment_userdata, uapi};
use crate::netlink::Writer;

/// Header that a payload load counts from.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Header {
    /// Link layer. A VLAN tag that the kernel holds beside the frame counts as part of it.
    Link = 0,
    /// Network layer.
    Network = 1,
}

/// Metadata of a frame.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Meta {
    /// EtherType, big-endian; the inner one of a frame whose tag the kernel holds beside it.
    Protocol = 1,
    /// Packet mark, host order.
    Mark = 3,
    /// ARPHRD type of the device it came in by, host order, 2 bytes.
    InputType = 8,
    /// ARPHRD type of the device it leaves by.
    OutputType = 9,
}

/// Comparison of register 1 with a constant, bytewise from the first byte.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Cmp {
    /// Equal.
    Equal = 0,
    /// Not equal.
    NotEqual = 1,
    /// At most.
    AtMost = 3,
    /// At least.
    AtLeast = 5,
}

/// Where a frame goes.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Verdict<'a> {
    /// Done, passes.
    Accept,
    /// Done, dropped.
    Drop,
    /// Back to the calling chain.
    Return,
    /// To a chain, and back after it.
    Jump(&'a str),
    /// To a chain, for good.
    Goto(&'a str),
}

/// A rule under construction: expressions in the order of the calls.
#[derive(Debug, Default)]
pub(crate) struct Rule {
    expressions: Writer,
    comment: Option<String>,
}

impl Rule {
    /// A rule that matches everything so far.
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Names the rule; its counter is found by this name.
    pub(crate) fn comment(mut self, comment: &str) -> Self {
        self.comment = Some(comment.to_owned());
        self
    }

    /// Loads `length` (at most 16) bytes of a header. A frame too short for that does not match.
    pub(crate) fn load(self, header: Header, offset: u32, length: u32) -> Self {
        self.expression("payload", |data| {
            data.be32(1, uapi::REGISTER_1);
            data.be32(2, header as u32);
            data.be32(3, offset);
            data.be32(4, length);
        })
    }

    /// Loads metadata.
    pub(crate) fn meta(self, key: Meta) -> Self {
        self.expression("meta", |data| {
            data.be32(1, uapi::REGISTER_1);
            data.be32(2, key as u32);
        })
    }

    /// Goes on only if the loaded bytes compare so.
    pub(crate) fn cmp(self, operator: Cmp, value: &[u8]) -> Self {
        self.expression("cmp", |data| {
            data.be32(1, uapi::REGISTER_1);
            data.be32(2, operator as u32);
            data.nested(3, |nest| nest.attribute(uapi::DATA_VALUE, value));
        })
    }

    /// Goes on only if EtherType is this.
    pub(crate) fn protocol(self, ether_type: u16) -> Self {
        self.meta(Meta::Protocol)
            .cmp(Cmp::Equal, &ether_type.to_be_bytes())
    }

    /// Keeps only these bits of the 4 loaded bytes.
    pub(crate) fn mask(self, mask: [u8; 4]) -> Self {
        self.expression("bitwise", |data| {
            data.be32(1, uapi::REGISTER_1);
            data.be32(2, uapi::REGISTER_1);
            data.be32(3, 4);
            data.nested(4, |nest| nest.attribute(uapi::DATA_VALUE, &mask));
            data.nested(5, |nest| nest.attribute(uapi::DATA_VALUE, &[0; 4]));
        })
    }

    /// Goes on only if the set has the loaded bytes.
    pub(crate) fn in_set(self, set: &str) -> Self {
        self.expression("lookup", |data| {
            data.string(1, set);
            data.be32(2, uapi::REGISTER_1);
        })
    }

    /// Sets the packet mark.
    pub(crate) fn set_mark(self, mark: u32) -> Self {
        self.immediate(&mark.to_ne_bytes())
            .expression("meta", |data| {
                data.be32(2, Meta::Mark as u32);
                data.be32(3, uapi::REGISTER_1);
            })
    }

    /// Counts in this rule's own counter.
    pub(crate) fn count(self) -> Self {
        self.expression("counter", |data| {
            data.be64(uapi::counter::BYTES, 0);
            data.be64(uapi::counter::PACKETS, 0);
        })
    }

    /// Counts in a counter object of the table.
    pub(crate) fn count_in(self, object: &str) -> Self {
        self.expression("objref", |data| {
            data.be32(1, uapi::object::COUNTER);
            data.string(2, object);
        })
    }

    /// Ends here: the frame leaves by the device of this index.
    pub(crate) fn forward_to(self, ifindex: u32) -> Self {
        self.immediate(&ifindex.to_ne_bytes())
            .expression("fwd", |data| data.be32(1, uapi::REGISTER_1))
    }

    /// Ends here with a verdict.
    pub(crate) fn verdict(self, verdict: Verdict<'_>) -> Self {
        let (code, chain) = match verdict {
            Verdict::Drop => (0, None),
            Verdict::Accept => (1, None),
            Verdict::Jump(chain) => (-3, Some(chain)),
            Verdict::Goto(chain) => (-4, Some(chain)),
            Verdict::Return => (-5, None),
        };
        self.expression("immediate", |data| {
            data.be32(1, uapi::REGISTER_VERDICT);
            data.nested(2, |nest| {
                nest.nested(uapi::DATA_VERDICT, |verdict| {
                    verdict.be32(uapi::VERDICT_CODE, i32::cast_unsigned(code));
                    if let Some(chain) = chain {
                        verdict.string(uapi::VERDICT_CHAIN, chain);
                    }
                });
            });
        })
    }

    fn immediate(self, value: &[u8]) -> Self {
        self.expression("immediate", |data| {
            data.be32(1, uapi::REGISTER_1);
            data.nested(2, |nest| nest.attribute(uapi::DATA_VALUE, value));
        })
    }

    fn expression(mut self, name: &str, data: impl FnOnce(&mut Writer)) -> Self {
        self.expressions.nested(uapi::LIST_ITEM, |item| {
            item.string(uapi::EXPRESSION_NAME, name);
            item.nested(uapi::EXPRESSION_DATA, data);
        });
        self
    }

    /// Writes the attributes that belong to the rule itself.
    pub(super) fn write(&self, writer: &mut Writer) {
        writer.nested(uapi::rule::EXPRESSIONS, |list| {
            list.raw(self.expressions.bytes());
        });
        if let Some(comment) = &self.comment {
            writer.attribute(uapi::rule::USERDATA, &comment_userdata(comment));
        }
    }
}
