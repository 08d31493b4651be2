//! The options of the canonical form.

use std::fmt::{self, Display, Write as _};

use crate::rule::ast::{
    Buffer, Content, FastPattern, FlagsModifier, FlowBitsCommand, FlowBitsTest, FlowDirection,
    FlowState, FlowTest, FragmentTest, Match, Meta, NumberTest, Operand, PayloadTest, Pcre,
    StreamTest, TcpFlagsTest, Threshold, ThresholdKind, Track, Written,
};
use crate::rule::options::write_pattern;

/// Writes options and keeps track of the sticky buffer in force.
pub(super) struct Writer<'o> {
    out: &'o mut String,
    buffer: Buffer,
    first: bool,
}

impl<'o> Writer<'o> {
    pub(super) fn new(out: &'o mut String) -> Self {
        Self {
            out,
            buffer: Buffer::Payload,
            first: true,
        }
    }

    fn option(&mut self, keyword: &str, value: Option<&dyn Display>) -> fmt::Result {
        if !std::mem::take(&mut self.first) {
            self.out.push(' ');
        }
        self.out.push_str(keyword);
        if let Some(value) = value {
            write!(self.out, ":{value}")?;
        }
        self.out.push(';');
        Ok(())
    }

    pub(super) fn bare(&mut self, keyword: &str) -> fmt::Result {
        self.option(keyword, None)
    }

    fn with(&mut self, keyword: &str, value: impl Display) -> fmt::Result {
        self.option(keyword, Some(&value))
    }

    pub(super) fn written(&mut self, written: &Written) -> fmt::Result {
        match &written.value {
            Some(value) => self.with(&written.keyword, value),
            None => self.bare(&written.keyword),
        }
    }

    pub(super) fn message(&mut self, meta: &Meta) -> fmt::Result {
        if meta.msg.is_empty() {
            return Ok(());
        }
        self.with("msg", format_args!("\"{}\"", escaped(&meta.msg)))
    }

    pub(super) fn identity(&mut self, meta: &Meta) -> fmt::Result {
        for (scheme, id) in &meta.references {
            self.with("reference", format_args!("{scheme},{}", escaped(id)))?;
        }
        if let Some(classtype) = &meta.classtype {
            self.with("classtype", classtype)?;
        }
        if let Some(priority) = meta.priority {
            self.with("priority", priority)?;
        }
        self.metadata(&meta.metadata)?;
        if meta.gid != 1 {
            self.with("gid", meta.gid)?;
        }
        self.with("sid", meta.sid)?;
        if meta.rev != 0 {
            self.with("rev", meta.rev)?;
        }
        Ok(())
    }

    fn metadata(&mut self, pairs: &[(String, String)]) -> fmt::Result {
        if pairs.is_empty() {
            return Ok(());
        }
        let words: Vec<String> = pairs
            .iter()
            .map(|(key, value)| {
                if value.is_empty() {
                    key.clone()
                } else {
                    format!("{key} {value}")
                }
            })
            .collect();
        self.with("metadata", words.join(", "))
    }

    pub(super) fn condition(&mut self, condition: &Match) -> fmt::Result {
        match condition {
            Match::Payload { buffer, test } => {
                self.select(buffer)?;
                self.payload(test)
            }
            Match::Flow(test) => self.with("flow", flow(test).join(",")),
            Match::FlowBits(test) => self.flowbits(test),
            Match::Dsize(test) => self.with("dsize", test),
            Match::IcmpType(test) => self.with("itype", test),
            Match::IcmpCode(test) => self.with("icode", test),
            Match::TcpFlags(test) => self.with("flags", test),
            Match::Other(written) => self.written(written),
        }
    }

    /// Puts `buffer` in force. What only adds transforms must not name the keyword again: that would
    /// start another instance.
    fn select(&mut self, buffer: &Buffer) -> fmt::Result {
        if *buffer == self.buffer {
            return Ok(());
        }
        match buffer {
            Buffer::Payload => self.bare("pkt_data")?,
            Buffer::Base64 => self.bare("base64_data")?,
            Buffer::Sticky {
                keyword,
                argument,
                transforms,
                ..
            } => {
                let known = added_transforms(&self.buffer, buffer).unwrap_or(0);
                if known == 0 {
                    match argument {
                        Some(argument) => self.with(keyword, argument)?,
                        None => self.bare(keyword)?,
                    }
                }
                for transform in transforms.iter().skip(known.saturating_sub(1)) {
                    self.written(transform)?;
                }
            }
        }
        self.buffer = buffer.clone();
        Ok(())
    }

    fn payload(&mut self, test: &PayloadTest) -> fmt::Result {
        match test {
            PayloadTest::Content(content) => self.content(content),
            PayloadTest::Pcre(pcre) => self.with("pcre", pcre),
            PayloadTest::Other(written) => self.written(written),
        }
    }

    fn content(&mut self, content: &Content) -> fmt::Result {
        let mut pattern = String::new();
        write_pattern(&content.pattern, &mut pattern);
        let not = if content.negated { "!" } else { "" };
        self.with("content", format_args!("{not}\"{pattern}\""))?;
        for (name, set) in [
            ("nocase", content.nocase),
            ("rawbytes", content.rawbytes),
            ("startswith", content.startswith),
            ("endswith", content.endswith),
        ] {
            if set {
                self.bare(name)?;
            }
        }
        for (name, operand) in [
            ("offset", &content.offset),
            ("depth", &content.depth),
            ("distance", &content.distance),
            ("within", &content.within),
        ] {
            if let Some(operand) = operand {
                self.with(name, operand)?;
            }
        }
        match content.fast_pattern {
            None => Ok(()),
            Some(FastPattern::Whole) => self.bare("fast_pattern"),
            Some(FastPattern::Only) => self.with("fast_pattern", "only"),
            Some(FastPattern::Chop { offset, length }) => {
                self.with("fast_pattern", format_args!("{offset},{length}"))
            }
        }
    }

    fn flowbits(&mut self, test: &FlowBitsTest) -> fmt::Result {
        let command = match test.command {
            FlowBitsCommand::Set => "set",
            FlowBitsCommand::Unset => "unset",
            FlowBitsCommand::Toggle => "toggle",
            FlowBitsCommand::IsSet => "isset",
            FlowBitsCommand::IsNotSet => "isnotset",
            FlowBitsCommand::NoAlert => return self.with("flowbits", "noalert"),
        };
        self.with(
            "flowbits",
            format_args!("{command},{}", test.names.join("|")),
        )
    }

    pub(super) fn threshold(&mut self, threshold: &Threshold) -> fmt::Result {
        let (keyword, mut fields) = match kind(threshold.kind) {
            Some(kind) => ("threshold", vec![format!("type {kind}")]),
            None => ("detection_filter", Vec::new()),
        };
        fields.push(format!("track {}", track(threshold.track)));
        fields.push(format!("count {}", threshold.count));
        if threshold.kind != ThresholdKind::Backoff || threshold.seconds != 0 {
            fields.push(format!("seconds {}", threshold.seconds));
        }
        if threshold.multiplier != 0 {
            fields.push(format!("multiplier {}", threshold.multiplier));
        }
        if let Some(port) = &threshold.unique_on {
            fields.push(format!("unique_on {port}"));
        }
        self.with(keyword, fields.join(", "))
    }
}

/// One more than the number of transforms that `old` and `new` share, where `new` is `old` with
/// further transforms.
fn added_transforms(old: &Buffer, new: &Buffer) -> Option<usize> {
    let (
        Buffer::Sticky {
            keyword: old_keyword,
            argument: old_argument,
            instance: old_instance,
            transforms: old_transforms,
        },
        Buffer::Sticky {
            keyword,
            argument,
            instance,
            transforms,
        },
    ) = (old, new)
    else {
        return None;
    };
    let same = (old_keyword, old_argument, old_instance) == (keyword, argument, instance);
    (same && transforms.starts_with(old_transforms)).then(|| old_transforms.len().saturating_add(1))
}

fn kind(kind: ThresholdKind) -> Option<&'static str> {
    match kind {
        ThresholdKind::Limit => Some("limit"),
        ThresholdKind::Threshold => Some("threshold"),
        ThresholdKind::Both => Some("both"),
        ThresholdKind::Backoff => Some("backoff"),
        ThresholdKind::DetectionFilter => None,
    }
}

fn track(track: Track) -> &'static str {
    match track {
        Track::Source => "by_src",
        Track::Destination => "by_dst",
        Track::Both => "by_both",
        Track::Rule => "by_rule",
        Track::Flow => "by_flow",
    }
}

fn flow(test: &FlowTest) -> Vec<&'static str> {
    let direction = test.direction.map(|direction| match direction {
        FlowDirection::ToServer => "to_server",
        FlowDirection::ToClient => "to_client",
    });
    let state = test.state.map(|state| match state {
        FlowState::Established => "established",
        FlowState::NotEstablished => "not_established",
        FlowState::Stateless => "stateless",
    });
    let stream = test.stream.map(|stream| match stream {
        StreamTest::Only => "only_stream",
        StreamTest::No => "no_stream",
    });
    let fragment = test.fragment.map(|fragment| match fragment {
        FragmentTest::Only => "only_frag",
        FragmentTest::No => "no_frag",
    });
    [state, direction, stream, fragment]
        .into_iter()
        .flatten()
        .collect()
}

/// Text with `"`, `;` and `\` escaped.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if matches!(c, '"' | ';' | '\\') {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

impl Display for Operand {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => number.fmt(out),
            Self::Variable(name) => out.write_str(name),
        }
    }
}

impl Display for Pcre {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let not = if self.negated { "!" } else { "" };
        write!(out, "{not}\"/{}/{}", self.pattern, self.flags)?;
        for capture in &self.captures {
            write!(out, ", {capture}")?;
        }
        out.write_str("\"")
    }
}

impl Display for NumberTest {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Equal(n) => write!(out, "{n}"),
            Self::NotEqual(n) => write!(out, "!{n}"),
            Self::Less(n) => write!(out, "<{n}"),
            Self::LessOrEqual(n) => write!(out, "<={n}"),
            Self::Greater(n) => write!(out, ">{n}"),
            Self::GreaterOrEqual(n) => write!(out, ">={n}"),
            Self::Between(a, b) => write!(out, "{a}<>{b}"),
            Self::NotBetween(a, b) => write!(out, "!{a}<>{b}"),
            Self::Mask(mask, n) => write!(out, "&{mask:#x}={n:#x}"),
            Self::NotMask(mask, n) => write!(out, "&{mask:#x}!={n:#x}"),
        }
    }
}

impl Display for TcpFlagsTest {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self.modifier {
            FlagsModifier::Exact => "",
            FlagsModifier::All => "+",
            FlagsModifier::Any => "*",
            FlagsModifier::Not => "!",
        })?;
        write_flags(self.flags, out)?;
        if self.ignore != 0 {
            out.write_str(",")?;
            write_flags(self.ignore, out)?;
        }
        Ok(())
    }
}

fn write_flags(flags: u8, out: &mut fmt::Formatter<'_>) -> fmt::Result {
    if flags == 0 {
        return out.write_str("0");
    }
    for (bit, letter) in "FSRPAUEC".chars().enumerate() {
        if flags & (1 << bit) != 0 {
            write!(out, "{letter}")?;
        }
    }
    Ok(())
}
