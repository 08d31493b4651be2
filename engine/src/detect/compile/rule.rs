//! One rule to one program.

use std::collections::HashMap;

use weir_policies::rule::ast::{
    Action, Buffer, FlowTest, Located, Match, PayloadTest, Position, Rule, Setting, Written,
};

use super::app_protocol;
use super::data;
use super::digests::Lists;
use super::env::{CompileEnv, Problem};
use super::header::{CompiledHeader, Headers};
use super::kind::{Asked, kind, scan};
use super::packet::packet_test;
use super::payload::{BufferBuilder, Expressions};
use super::reputation;
use super::state::{self, Names, StateOption};
use super::tag;
use super::threshold::threshold;
use super::unavailable::unavailable;
use super::variables::VariableNames;
use crate::app_layer::FlowEvent;
use crate::detect::TargetEnd;
use crate::detect::application::{Application, ApplicationDraft, legacy_content};
use crate::detect::buffers;
use crate::detect::outcome::CaptureKind;
use crate::detect::program::{
    AppProtocolTest, BufferTests, Chains, FlowCondition, PacketTest, Program, ProtocolMode,
    StateChange, StateTest, Tag,
};
use crate::detect::state::Name;

/// What is shared by the rules of a set while they are compiled.
pub(super) struct Shared<'a> {
    pub(super) env: CompileEnv<'a>,
    pub(super) headers: Headers<'a>,
    pub(super) lists: Lists<'a>,
    expressions: Expressions,
    names: NameTable,
}

impl<'a> Shared<'a> {
    pub(super) fn new(env: CompileEnv<'a>) -> Self {
        Self {
            env,
            headers: Headers::new(env.vars),
            lists: Lists::new(env.files),
            expressions: Expressions::new(),
            names: NameTable::default(),
        }
    }
}

/// Names in use, to tell collisions of their hashes.
#[derive(Default)]
struct NameTable(HashMap<Name, String>);

impl Names for NameTable {
    fn name(&mut self, space: &str, text: &str) -> Result<Name, String> {
        if text.is_empty() {
            return Err("it lacks a name".to_owned());
        }
        let full = format!("{space}:{text}");
        let name = Name::new(&full);
        let known = self.0.entry(name).or_insert_with(|| full.clone());
        if *known != full {
            return Err(format!(
                "the name `{text}` cannot be told from `{known}`: rename it"
            ));
        }
        Ok(name)
    }
}

/// What a rule's options add up to, while they are read.
#[derive(Default)]
struct Draft {
    flow: FlowCondition,
    /// `flow` was given.
    has_flow: bool,
    packet: Vec<PacketTest>,
    state: Vec<StateTest>,
    changes: Vec<StateChange>,
    tags: Vec<Tag>,
    buffers: Vec<(Buffer, BufferBuilder)>,
    variables: VariableNames,
    /// Which of `buffers` the last `base64_decode` reads.
    decoding: Option<usize>,
    application: ApplicationDraft,
    no_alert: bool,
    alert: bool,
    /// It has `config`.
    configures: bool,
}

/// Compiles one rule.
pub(super) fn compile(rule: &Rule, shared: &mut Shared<'_>) -> Result<Program, Problem> {
    let header = shared.headers.compile(&rule.header);
    let header =
        header.map_err(|(keyword, reason)| Problem::new(rule.position, keyword, reason))?;
    let mut draft = Draft::default();
    if let Some(hook) = &header.hook {
        draft.application.hook(hook);
    }
    for located in &rule.matches {
        read_match(&mut draft, located, shared)?;
    }
    for located in &rule.settings {
        read_setting(&mut draft, located)?;
    }
    let configures = draft.configures;
    let mut program = assemble(rule, header, draft)?;
    if configures && program.application.is_none() {
        let reason = "it needs a test on a transaction";
        return Err(Problem::new(rule.position, "config", reason));
    }
    program.threshold = threshold(rule, &shared.env, program.protocol)?;
    program.adjusted = shared
        .env
        .adjustments
        .and_then(|adjustments| adjustments.adjusted(rule));
    Ok(program)
}

fn read_match(
    draft: &mut Draft,
    located: &Located<Match>,
    shared: &mut Shared<'_>,
) -> Result<(), Problem> {
    let at = |keyword: &str| {
        let (position, keyword) = (located.position, keyword.to_owned());
        move |reason: String| Problem::new(position, keyword.clone(), reason)
    };
    match &located.value {
        Match::Payload { buffer, test } => {
            return read_payload(draft, located.position, (buffer, test), shared);
        }
        Match::Flow(test) => read_flow(draft, test),
        Match::FlowBits(test) => {
            let option = state::flow_bits(test, &mut shared.names).map_err(at("flowbits"))?;
            draft.take(option);
        }
        Match::Dsize(test) => draft.packet.push(PacketTest::PayloadSize(*test)),
        Match::TcpFlags(test) => draft.packet.push(PacketTest::TcpFlags(*test)),
        Match::IcmpType(test) => draft.packet.push(PacketTest::IcmpType(*test)),
        Match::IcmpCode(test) => draft.packet.push(PacketTest::IcmpCode(*test)),
        Match::Other(written) => {
            if let Some(legacy) = legacy_content(written) {
                let (buffer, test) = legacy.map_err(at(&written.keyword))?;
                return read_payload(draft, located.position, (&buffer, &test), shared);
            }
            read_other(draft, written, shared).map_err(|reason| at(&written.keyword)(reason))?
        }
    }
    Ok(())
}

fn read_flow(draft: &mut Draft, test: &FlowTest) {
    draft.has_flow = true;
    let flow = &mut draft.flow;
    flow.direction = test.direction.or(flow.direction);
    flow.state = test.state.or(flow.state);
    flow.stream = test.stream.or(flow.stream);
    flow.fragment = test.fragment.or(flow.fragment);
}

fn read_other(draft: &mut Draft, written: &Written, shared: &mut Shared<'_>) -> Result<(), String> {
    let value = written.value.as_deref().unwrap_or_default();
    if let Some(test) = packet_test(&written.keyword, written.value.as_deref()) {
        draft.packet.push(test?);
        return Ok(());
    }
    if written.keyword == "iprep" {
        draft.packet.push(reputation::read(value, &shared.env)?);
        return Ok(());
    }
    if written.keyword == "app-layer-protocol" {
        draft.packet.push(app_protocol::read(value)?);
        return Ok(());
    }
    if written.keyword == "app-layer-event"
        && let Some(event) = FlowEvent::named(value.trim())
    {
        draft.packet.push(PacketTest::Event(event.name().into()));
        return Ok(());
    }
    if let Some(read) = draft.application.other(written, &mut shared.lists) {
        return read;
    }
    let option = match written.keyword.as_str() {
        "flowint" => state::flow_int(value, &mut shared.names)?,
        "xbits" => state::x_bits(value, &mut shared.names)?,
        "hostbits" => state::host_bits(value, &mut shared.names)?,
        "flowvar" => state::captured(CaptureKind::Flow, value)?,
        "pktvar" => state::captured(CaptureKind::Packet, value)?,
        _ => return Err(unavailable(&written.keyword)),
    };
    draft.take(option);
    Ok(())
}

impl Draft {
    fn take(&mut self, option: StateOption) {
        match option {
            StateOption::Test(test) => self.state.push(test),
            StateOption::Change(change) => self.changes.push(change),
            StateOption::NoAlert => self.no_alert = true,
        }
    }

    /// The tests of a buffer, and its place among them.
    fn buffer(&mut self, buffer: &Buffer) -> usize {
        let known = self.buffers.iter().position(|(known, _)| known == buffer);
        let at = known.unwrap_or(self.buffers.len());
        if known.is_none() {
            let keyword = match buffer {
                Buffer::Sticky { keyword, .. } => keyword.as_str(),
                Buffer::Payload | Buffer::Base64 => "payload",
            };
            self.buffers
                .push((buffer.clone(), BufferBuilder::of(keyword, at)));
        }
        at
    }
}

fn read_payload(
    draft: &mut Draft,
    position: Position,
    (buffer, test): (&Buffer, &PayloadTest),
    shared: &mut Shared<'_>,
) -> Result<(), Problem> {
    let keyword = match test {
        PayloadTest::Content(_) => "content",
        PayloadTest::Pcre(_) => "pcre",
        PayloadTest::Other(written) => &written.keyword,
    };
    let problem = |reason: String| Problem::new(position, keyword, reason);
    let at = match buffer {
        Buffer::Base64 => draft.decoding,
        buffer => Some(draft.buffer(buffer)),
    };
    if keyword == "base64_decode" {
        draft.decoding = at;
    }
    let outer = at.and_then(|at| draft.buffers.get_mut(at));
    let Some((_, outer)) = outer else {
        return Err(problem(
            "`base64_data` needs a `base64_decode` before it".to_owned(),
        ));
    };
    let names = &mut draft.variables;
    let around = outer.owner;
    let builder = match buffer {
        Buffer::Base64 => outer.decoded().map_err(problem)?,
        _ => &mut *outer,
    };
    names.read_for(builder.owner);
    read_test(builder, (buffer, test), (shared, names)).map_err(problem)?;
    // What is decoded is tested while the variables of what is around it stand.
    let foreign = names.foreign().into_iter().filter(|of| *of != around);
    outer.foreign.extend(foreign);
    Ok(())
}

fn read_test(
    builder: &mut BufferBuilder,
    (buffer, test): (&Buffer, &PayloadTest),
    (shared, names): (&mut Shared<'_>, &mut VariableNames),
) -> Result<(), String> {
    let written = match test {
        PayloadTest::Content(content) => return builder.content(content, names),
        PayloadTest::Pcre(pcre) => {
            let limits = shared.env.limits;
            let limits = (limits.pcre_match, limits.pcre_depth);
            return builder.pcre(pcre, &mut shared.expressions, limits);
        }
        PayloadTest::Other(written) => written,
    };
    let keyword = written.keyword.as_str();
    let value = written.value.as_deref().unwrap_or_default();
    let data = match keyword {
        "dataset" => Some(data::dataset(value, shared)),
        "datarep" => Some(data::datarep(value, shared)),
        _ => None,
    };
    match data {
        Some(test) => builder.data(test?, *buffer == Buffer::Base64),
        None => builder
            .other((keyword, value), names)
            .unwrap_or_else(|| Err(unavailable(keyword))),
    }
}

fn read_setting(draft: &mut Draft, located: &Located<Setting>) -> Result<(), Problem> {
    match &located.value {
        Setting::NoAlert => draft.no_alert = true,
        Setting::Alert => draft.alert = true,
        Setting::Prefilter => {}
        Setting::Other(written) if written.keyword == "bypass" => {
            draft.changes.push(StateChange::Bypass);
        }
        Setting::Other(written) if written.keyword == "tls.store" => {
            draft.changes.push(StateChange::Keep);
        }
        Setting::Other(written) if written.keyword == "config" => {
            draft.configures = true;
            let value = written.value.as_deref().unwrap_or_default();
            let read = draft.application.configure(value);
            let problem = |reason| Problem::new(located.position, "config", reason);
            return read.map_err(problem);
        }
        Setting::Other(written) if written.keyword == "filestore" => {
            let stored = draft.application.store(written.value.as_deref());
            let problem = |reason| Problem::new(located.position, "filestore", reason);
            return stored.map_err(problem);
        }
        Setting::Other(written) if written.keyword == "target" => {
            let value = written.value.as_deref().unwrap_or_default();
            if TargetEnd::read(value).is_none() {
                let reason = format!("`{value}` is not src_ip or dest_ip");
                return Err(Problem::new(located.position, "target", reason));
            }
        }
        Setting::Other(written) if written.keyword == "tag" => {
            let value = written.value.as_deref().unwrap_or_default();
            let problem = |reason| Problem::new(located.position, "tag", reason);
            draft.tags.push(tag::read(value).map_err(problem)?);
        }
        Setting::Other(written) => {
            let reason = unavailable(&written.keyword);
            return Err(Problem::new(located.position, &*written.keyword, reason));
        }
    }
    Ok(())
}

fn assemble(rule: &Rule, header: CompiledHeader, mut draft: Draft) -> Result<Program, Problem> {
    let packet_bound = !draft.packet.is_empty();
    let kind = kind(&Asked {
        header: &header,
        packet: &draft.packet,
        changes: &draft.changes,
        of_flow: draft.has_flow || !draft.state.is_empty(),
        of_bytes: !draft.buffers.is_empty() || !draft.application.is_empty(),
    });
    let captures = draft.buffers.iter().any(|(_, builder)| builder.captures);
    variables_are_at_hand(&draft)
        .map_err(|reason| Problem::new(rule.position, "byte_extract", reason))?;
    let mut payload = None;
    let mut others = Vec::new();
    for (buffer, builder) in std::mem::take(&mut draft.buffers) {
        let chains = builder
            .finish()
            .map_err(|reason| Problem::new(rule.position, "base64_decode", reason))?;
        match buffer {
            Buffer::Sticky {
                keyword,
                transforms,
                ..
            } => {
                let application = &mut draft.application;
                let tests = sticky(rule.position, application, (&keyword, &transforms), chains)?;
                others.extend(tests);
            }
            Buffer::Payload | Buffer::Base64 => payload = Some(chains),
        }
    }
    let application = application(rule, &header, &mut draft)?;
    let scan = scan(&header, &draft.flow, payload.as_ref(), packet_bound)
        .map_err(|reason| Problem::new(rule.position, "flow", reason))?;
    Ok(Program {
        identity: (u64::from(rule.meta.gid) << 32) | u64::from(rule.meta.sid),
        action: rule.action,
        protocol: header.protocol,
        ends: header.ends,
        flow: draft.flow,
        kind,
        packet: draft.packet.into_boxed_slice(),
        state: draft.state.into_boxed_slice(),
        payload,
        buffers: others.into_boxed_slice(),
        application,
        scan,
        changes: draft.changes.into_boxed_slice(),
        captures,
        tags: draft.tags.into_boxed_slice(),
        threshold: None,
        adjusted: None,
        alerts: !draft.no_alert
            && rule.action != Action::Config
            && (rule.action != Action::Pass || draft.alert),
    })
}

/// Whether every variable is read before it is used. Buffers of transactions are asked one after the other,
/// those that use another's variables behind those that do not.
fn variables_are_at_hand(draft: &Draft) -> Result<(), String> {
    let of_transaction = |buffer: &Buffer| match buffer {
        Buffer::Sticky { keyword, .. } => buffers::lookup(keyword).is_none(),
        Buffer::Payload | Buffer::Base64 => false,
    };
    for (buffer, builder) in &draft.buffers {
        for owner in &builder.foreign {
            let source = draft.buffers.get(*owner);
            let ready = source.is_some_and(|(source, builder)| {
                of_transaction(source) && builder.foreign.is_empty()
            });
            if !ready || !of_transaction(buffer) {
                return Err("a variable is used that is read from another buffer: \
                    only buffers of one transaction can share them, in one direction"
                    .to_owned());
            }
        }
    }
    Ok(())
}

/// What the rule asks of transactions. A rule that names a protocol of the application layer and asks
/// nothing of its transactions is one on packets of such flows.
fn application(
    rule: &Rule,
    header: &CompiledHeader,
    draft: &mut Draft,
) -> Result<Option<Application>, Problem> {
    let asked = std::mem::take(&mut draft.application);
    let problem = |reason: String| Problem::new(rule.position, &*rule.header.protocol.name, reason);
    if !asked.is_empty() {
        let direction = draft.flow.direction;
        let finished = asked.finish(&header.application, direction, header.transactional);
        return finished.map(Some).map_err(problem);
    }
    if header.transactional {
        return Err(problem("`=>` needs a test on a transaction".to_owned()));
    }
    if !header.application.is_empty() {
        draft.packet.push(PacketTest::AppProtocol(AppProtocolTest {
            any_of: header.application.clone(),
            failed: false,
            unknown: false,
            negated: false,
            exact: false,
            mode: ProtocolMode::Final,
        }));
    }
    Ok(None)
}

/// The tests on a sticky buffer: of the packet (given back), or of transactions (put into
/// `application`).
fn sticky(
    position: Position,
    application: &mut ApplicationDraft,
    (keyword, transforms): (&str, &[Written]),
    tests: Chains,
) -> Result<Option<BufferTests>, Problem> {
    let Some(buffer) = buffers::lookup(keyword) else {
        return match application.buffer(keyword, transforms, tests) {
            Some(Ok(())) => Ok(None),
            Some(Err((keyword, reason))) => Err(Problem::new(position, &*keyword, reason)),
            None => {
                let reason = "this buffer is not evaluated";
                Err(Problem::new(position, keyword, reason))
            }
        };
    };
    if let Some(transform) = transforms.first() {
        let reason = "this transform is not evaluated";
        return Err(Problem::new(position, &*transform.keyword, reason));
    }
    Ok(Some(BufferTests { buffer, tests }))
}
