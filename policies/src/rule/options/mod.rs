//! Options to the typed tree: one builder takes them in written order.

mod buffers;
mod content;
mod flow;
mod meta;
mod number;
mod pcre;
mod requires;
mod tcp_flags;
mod text;
pub(crate) mod threshold;

use super::ast::{
    Buffer, Content, Located, Match, PayloadTest, Position, Setting, Threshold, Written,
};
use super::diagnostic::{Fault, Reason};
use super::keywords::{self, Keyword, Kind, NumberField, ValueRule};
use super::lexer::RawOption;

pub(crate) use content::{pattern, write_pattern};
pub(crate) use meta::MetaBuilder;
pub(crate) use requires::unmet;
pub(crate) use text::read_sid;

/// Most options one rule may have.
pub(crate) const MAX_OPTIONS: usize = 4096;

/// What the options of a rule add up to.
#[derive(Debug)]
pub(crate) struct Builder {
    pub(crate) meta: MetaBuilder,
    pub(crate) matches: Vec<Located<Match>>,
    pub(crate) threshold: Option<Threshold>,
    pub(crate) settings: Vec<Located<Setting>>,
    buffers: buffers::Buffers,
    /// How many options were taken.
    options: usize,
    /// Index in `matches` of the content that modifiers belong to.
    last_content: Option<usize>,
    /// Where the last test looks, if not the sticky buffer in force but a modifier says so: relative
    /// tests follow it there.
    followed: Option<Buffer>,
}

impl Builder {
    pub(crate) fn new() -> Self {
        Self {
            meta: MetaBuilder::default(),
            matches: Vec::new(),
            threshold: None,
            settings: Vec::new(),
            options: 0,
            buffers: buffers::Buffers::new(),
            last_content: None,
            followed: None,
        }
    }

    /// Takes the next option.
    pub(crate) fn option(
        &mut self,
        option: RawOption<'_>,
        position: Position,
    ) -> Result<(), Fault> {
        let name = option.keyword.text;
        let fault = |message: Reason| Fault {
            offset: option.keyword.offset,
            keyword: Some(name.to_owned()),
            message,
        };
        if self.options >= MAX_OPTIONS {
            return Err(fault(format!("a rule has at most {MAX_OPTIONS} options")));
        }
        let keyword = keywords::find(name).ok_or_else(|| fault(unknown(name)))?;
        let value = option.value.map(|value| value.text);
        self.apply(keyword, value, position).map_err(fault)?;
        self.options += 1;
        Ok(())
    }

    /// What can only be judged once all options are known.
    pub(crate) fn finish(&mut self) -> Result<(), (Option<&'static str>, Reason)> {
        self.buffers.finish().map_err(|reason| (None, reason))?;
        self.meta.finish()
    }

    fn apply(
        &mut self,
        keyword: &'static Keyword,
        value: Option<&str>,
        position: Position,
    ) -> Result<(), Reason> {
        match keyword.kind {
            Kind::Meta(field) => self.meta.set(field, required(value)?),
            Kind::Threshold => self.set_threshold(threshold::threshold(required(value)?)?),
            Kind::DetectionFilter => {
                self.set_threshold(threshold::detection_filter(required(value)?)?)
            }
            Kind::NoAlert => self.setting(Setting::NoAlert, none(value), position),
            Kind::Alert => self.setting(Setting::Alert, none(value), position),
            Kind::Prefilter => self.setting(Setting::Prefilter, none(value), position),
            Kind::Setting(rule) => {
                let written = other(keyword, value, rule)?;
                self.setting(Setting::Other(written), Ok(()), position)
            }
            Kind::Requires => required(value).map(drop),
            Kind::Modifier(modifier) => content::modify(self.content()?, modifier, value),
            Kind::Buffer { .. } | Kind::PacketData | Kind::Base64Data | Kind::Transform(_) => {
                self.select_buffer(keyword, value)
            }
            Kind::LegacyBuffer => none(value).and_then(|()| self.legacy_buffer(keyword)),
            _ => self.condition(keyword, value, position),
        }
    }

    fn condition(
        &mut self,
        keyword: &'static Keyword,
        value: Option<&str>,
        position: Position,
    ) -> Result<(), Reason> {
        let value_or = |rule| other(keyword, value, rule);
        let condition = match keyword.kind {
            Kind::Content => {
                let content = content::parse(required(value)?)?;
                return self.push_content(self.buffers.current(), content, position);
            }
            Kind::UriContent => {
                let content = content::parse(required(value)?)?;
                if self.buffers.current() != Buffer::Payload {
                    return Err(
                        "cannot be used behind a sticky buffer; write `http.uri` and a \
                                content instead"
                            .to_owned(),
                    );
                }
                let uri = buffers::legacy("http.uri");
                self.push_content(uri.clone(), content, position)?;
                self.followed = Some(uri);
                return Ok(());
            }
            Kind::Pcre => {
                let (pcre, buffer) = pcre::parse(required(value)?)?;
                let home = self.pcre_buffer(buffer)?;
                let followed = buffer.map(|_| home.clone());
                self.push_payload(home, PayloadTest::Pcre(pcre), position)?;
                self.followed = followed;
                return Ok(());
            }
            Kind::Payload(rule) => {
                let written = value_or(rule)?;
                let followed = self.followed.take().filter(|_| is_relative(&written));
                let buffer = followed.clone().unwrap_or_else(|| self.buffers.current());
                self.push_payload(buffer, PayloadTest::Other(written), position)?;
                self.followed = followed;
                return Ok(());
            }
            Kind::StickyPayload(rule) => {
                let test = PayloadTest::Other(value_or(rule)?);
                if self.buffers.current() == Buffer::Payload {
                    return Err("expected a sticky buffer before it".to_owned());
                }
                return self.push_payload(self.buffers.current(), test, position);
            }
            Kind::Flow => Match::Flow(flow::flow(required(value)?)?),
            Kind::FlowBits => match flow::flowbits(required(value)?)? {
                Some(test) => Match::FlowBits(test),
                None => return self.setting(Setting::NoAlert, Ok(()), position),
            },
            Kind::Number(field) => number_match(field, number::parse(required(value)?)?),
            Kind::TcpFlags => Match::TcpFlags(tcp_flags::parse(required(value)?)?),
            Kind::Match(rule) => Match::Other(value_or(rule)?),
            _ => return Err("is not a condition".to_owned()),
        };
        self.push_match(condition, position);
        Ok(())
    }

    fn push_match(&mut self, value: Match, position: Position) {
        self.matches.push(Located { position, value });
    }

    fn push_payload(
        &mut self,
        buffer: Buffer,
        test: PayloadTest,
        position: Position,
    ) -> Result<(), Reason> {
        self.buffers.used();
        self.followed = None;
        self.push_match(Match::Payload { buffer, test }, position);
        Ok(())
    }

    fn push_content(
        &mut self,
        buffer: Buffer,
        content: Content,
        position: Position,
    ) -> Result<(), Reason> {
        self.last_content = Some(self.matches.len());
        self.push_payload(buffer, PayloadTest::Content(content), position)
    }

    fn setting(
        &mut self,
        value: Setting,
        checked: Result<(), Reason>,
        position: Position,
    ) -> Result<(), Reason> {
        checked?;
        self.settings.push(Located { position, value });
        Ok(())
    }

    fn set_threshold(&mut self, threshold: Threshold) -> Result<(), Reason> {
        if self
            .threshold
            .as_ref()
            .is_some_and(|held| *held != threshold)
        {
            return Err(
                "a rule has at most one threshold or detection_filter, and this one differs from \
                 the one before"
                    .to_owned(),
            );
        }
        self.threshold = Some(threshold);
        Ok(())
    }

    /// The content that a modifier changes.
    fn content(&mut self) -> Result<&mut Content, Reason> {
        let index = self.last_content.ok_or_else(no_content)?;
        match self
            .matches
            .get_mut(index)
            .map(|located| &mut located.value)
        {
            Some(Match::Payload {
                test: PayloadTest::Content(content),
                ..
            }) => Ok(content),
            _ => Err(no_content()),
        }
    }

    fn select_buffer(
        &mut self,
        keyword: &'static Keyword,
        value: Option<&str>,
    ) -> Result<(), Reason> {
        self.followed = None;
        match keyword.kind {
            Kind::Buffer {
                multiple,
                value: rule,
            } => {
                let value = checked(value, rule)?;
                self.buffers.select(keyword.canonical, value, multiple)
            }
            Kind::Transform(rule) => self.buffers.transform(other(keyword, value, rule)?),
            Kind::Base64Data => none(value).and_then(|()| self.buffers.base64()),
            _ => none(value).and_then(|()| self.buffers.payload()),
        }
    }

    /// Moves the last content into the buffer that a modifier names.
    fn legacy_buffer(&mut self, keyword: &'static Keyword) -> Result<(), Reason> {
        let index = self.last_content.ok_or_else(no_content)?;
        let Some(Match::Payload {
            buffer,
            test: PayloadTest::Content(content),
        }) = self
            .matches
            .get_mut(index)
            .map(|located| &mut located.value)
        else {
            return Err(no_content());
        };
        if content.rawbytes {
            return Err("cannot be used with rawbytes".to_owned());
        }
        if *buffer != Buffer::Payload {
            return Err(format!(
                "the content before it is in a buffer already; write `{}` before the content instead",
                keyword.canonical
            ));
        }
        *buffer = buffers::legacy(keyword.canonical);
        self.followed = Some(buffer.clone());
        Ok(())
    }

    /// The buffer of a pcre: that of its letter, else the one in force.
    fn pcre_buffer(&self, letter: Option<&'static str>) -> Result<Buffer, Reason> {
        let current = self.buffers.current();
        let Some(canonical) = letter else {
            return Ok(current);
        };
        match &current {
            Buffer::Payload => Ok(buffers::legacy(canonical)),
            Buffer::Sticky { keyword, .. } if buffers::is_same(keyword, canonical) => Ok(current),
            _ => Err(format!(
                "names the buffer {canonical} by a letter, but another sticky buffer is in force; \
                 write `pkt_data` before it or drop the letter"
            )),
        }
    }
}

fn number_match(field: NumberField, test: super::ast::NumberTest) -> Match {
    match field {
        NumberField::Dsize => Match::Dsize(test),
        NumberField::IcmpType => Match::IcmpType(test),
        NumberField::IcmpCode => Match::IcmpCode(test),
    }
}

fn is_relative(written: &Written) -> bool {
    let value = written.value.as_deref().unwrap_or_default();
    value.split(',').any(|part| part.trim() == "relative")
}

fn no_content() -> Reason {
    "expected a content before it".to_owned()
}

fn unknown(name: &str) -> Reason {
    match keywords::similar(name) {
        Some(known) => format!("unknown keyword; did you mean `{known}`?"),
        None => "unknown keyword".to_owned(),
    }
}

/// A keyword kept by its canonical name and raw value.
fn other(
    keyword: &'static Keyword,
    value: Option<&str>,
    rule: ValueRule,
) -> Result<Written, Reason> {
    Ok(Written {
        keyword: keyword.canonical.to_owned(),
        value: checked(value, rule)?.map(str::to_owned),
    })
}

fn checked(value: Option<&str>, rule: ValueRule) -> Result<Option<&str>, Reason> {
    match rule {
        ValueRule::Required => required(value).map(Some),
        ValueRule::Optional => Ok(value.filter(|value| !value.is_empty())),
        ValueRule::None => none(value).map(|()| None),
    }
}

fn required(value: Option<&str>) -> Result<&str, Reason> {
    value
        .filter(|value| !value.is_empty())
        .ok_or_else(|| "expected a value after `:`".to_owned())
}

fn none(value: Option<&str>) -> Result<(), Reason> {
    match value.filter(|value| !value.is_empty()) {
        None => Ok(()),
        Some(value) => Err(format!("takes no value, found `{}`", value.escape_debug())),
    }
}
