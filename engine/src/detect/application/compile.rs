//! What a rule asks of a transaction, from its options.

use weir_policies::rule::ast::{FlowDirection as RuleDirection, Written};

use super::file::{DigestLists, FileCondition};
use super::number::{self, NumberCondition};
use super::state::{NamedState, StateCondition};
use super::{Application, BufferCondition};
use crate::app_layer::{self, AppEvent, BufferId, NumberSpec, ProtocolId, Transports};
use crate::detect::program::{Chains, ContentTest, Test, Value};
use crate::detect::transform::Transform;

/// What a rule's options ask of a transaction, while they are read.
#[derive(Debug, Default)]
pub(in crate::detect) struct ApplicationDraft {
    buffers: Vec<BufferCondition>,
    numbers: Vec<NumberCondition>,
    events: Vec<(ProtocolId, AppEvent)>,
    states: Vec<NamedState>,
    files: FileCondition,
    silences: bool,
}

/// The protocols that a header's protocol stands for; empty: it names none of the application layer.
pub(in crate::detect) fn protocols_named(name: &str) -> Box<[ProtocolId]> {
    app_layer::protocols_named(name).collect()
}

/// Whether any of the protocols runs over TCP, over UDP.
pub(in crate::detect) fn transports(protocols: &[ProtocolId]) -> [bool; 2] {
    let any = |wanted: Transports| {
        protocols.iter().any(|id| {
            let transports = id.protocol().transports();
            transports == wanted || transports == Transports::Both
        })
    };
    [any(Transports::Tcp), any(Transports::Udp)]
}

impl ApplicationDraft {
    pub(in crate::detect) fn is_empty(&self) -> bool {
        self.buffers.is_empty()
            && self.numbers.is_empty()
            && self.events.is_empty()
            && self.states.is_empty()
            && self.files.is_empty()
    }

    /// Takes what `config` sets: that the records of what it matches be left out.
    pub(in crate::detect) fn configure(&mut self, value: &str) -> Result<(), String> {
        let (mut what, mut kind, mut scope) = (None, None, None);
        for part in value.split(',').map(str::trim) {
            let (name, value) = part.split_once(char::is_whitespace).unwrap_or((part, ""));
            let place = match name {
                "type" => &mut kind,
                "scope" => &mut scope,
                "logging" | "tracking" => &mut what,
                other => return Err(format!("`{other}` is not logging, tracking, type or scope")),
            };
            let value = if name == "tracking" {
                part
            } else {
                value.trim()
            };
            if place.replace(value).is_some() {
                return Err(format!("it says `{name}` twice"));
            }
        }
        match (what, kind, scope) {
            (Some("disable"), Some("tx"), Some("tx")) => {}
            (Some("tracking disable"), ..) => {
                return Err(
                    "packets are tracked before rules are asked: `tracking` is not evaluated"
                        .to_owned(),
                );
            }
            _ => return Err("it is not `logging disable, type tx, scope tx`".to_owned()),
        }
        self.silences = true;
        Ok(())
    }

    /// Takes a wish to store files (`filestore`).
    pub(in crate::detect) fn store(&mut self, value: Option<&str>) -> Result<(), String> {
        self.files.store(value)
    }

    /// Reads a keyword on numbers, events or files; `None` where it is no such keyword.
    pub(in crate::detect) fn other(
        &mut self,
        written: &Written,
        lists: &mut dyn DigestLists,
    ) -> Option<Result<(), String>> {
        let value = written.value.as_deref().unwrap_or_default().trim();
        if written.keyword == "app-layer-event" {
            return Some(self.event(value));
        }
        if written.keyword == "app-layer-state" {
            let state = NamedState::read(value);
            return Some(state.map(|state| self.states.push(state)));
        }
        let files = self.files.read(&written.keyword, value, lists);
        if files.is_some() {
            return files;
        }
        let (keyword, value) = match number::setting(&written.keyword, value) {
            Some(Ok((keyword, value))) => (keyword, value),
            Some(Err(reason)) => return Some(Err(reason)),
            None => number::named(&written.keyword, value),
        };
        let owners: Box<[(ProtocolId, &'static NumberSpec)]> =
            app_layer::numbers(keyword).collect();
        (!owners.is_empty()).then(|| self.number(&owners, value))
    }

    fn event(&mut self, name: &str) -> Result<(), String> {
        let found = app_layer::event(name);
        let event = found.ok_or_else(|| format!("the event `{name}` is not raised"))?;
        self.events.push(event);
        Ok(())
    }

    fn number(
        &mut self,
        owners: &[(ProtocolId, &'static NumberSpec)],
        value: &str,
    ) -> Result<(), String> {
        let read = NumberCondition::read(owners, value)?;
        self.numbers.extend(read);
        Ok(())
    }

    /// Takes the hook of a header.
    pub(in crate::detect) fn hook(&mut self, name: &str) {
        self.states.push(NamedState::hook(name));
    }

    /// Takes the tests on a sticky buffer; `None` where no protocol has a buffer of that keyword.
    pub(in crate::detect) fn buffer(
        &mut self,
        keyword: &str,
        transforms: &[Written],
        tests: Chains,
    ) -> Option<Result<(), (String, String)>> {
        let ids: Box<[BufferId]> = app_layer::buffers(keyword, None).collect();
        if ids.is_empty() {
            return None;
        }
        let read = |written: &Written| {
            Transform::read(written).map_err(|reason| (written.keyword.clone(), reason))
        };
        let transforms: Result<Box<[Transform]>, _> = transforms.iter().map(read).collect();
        Some(transforms.map(|transforms| {
            self.buffers.push(BufferCondition {
                ids,
                decided_by: decided_by(&tests, &transforms),
                transforms,
                changes: tests.change(),
                imports: tests.imports,
                tests,
            });
        }))
    }

    /// What it adds up to, for a rule whose header names `protocols` (none: any) and whose `flow` asks
    /// for `direction`.
    pub(in crate::detect) fn finish(
        mut self,
        protocols: &[ProtocolId],
        direction: Option<RuleDirection>,
        transactional: bool,
    ) -> Result<Application, String> {
        let protocols = self.protocols(protocols)?;
        let mut directions = match direction {
            None => [true; 2],
            Some(RuleDirection::ToServer) => [true, false],
            Some(RuleDirection::ToClient) => [false, true],
        };
        if !transactional {
            for condition in &self.buffers {
                for (half, wanted) in directions.iter_mut().enumerate() {
                    *wanted &= condition.has(&protocols, half);
                }
            }
            self.numbers
                .iter()
                .filter_map(|number| number.direction)
                .for_each(|wanted| {
                    directions[1 - wanted.index()] = false;
                });
        }
        if let Some(only) = self.files.direction() {
            directions[only.opposite().index()] &= transactional;
        }
        let states = self.states(&protocols);
        for state in &states {
            directions[1 - state.direction.index()] &= transactional;
        }
        if directions == [false; 2] {
            return Err("its buffers are of different directions: it can never match".to_owned());
        }
        self.buffers
            .sort_by_key(|condition| (condition.changes, condition.imports));
        for condition in &mut self.buffers {
            let here = |id: &BufferId| {
                is_of(&protocols, id.protocol()) && directions[id.spec().direction.index()]
            };
            condition.ids = condition.ids.iter().copied().filter(here).collect();
        }
        Ok(Application {
            fast: fast(&self.buffers),
            silences: self.silences,
            protocols,
            transactional,
            directions,
            buffers: self.buffers.into(),
            numbers: self.numbers.into(),
            events: self.events.into(),
            files: self.files,
            states,
        })
    }

    fn states(&self, protocols: &[ProtocolId]) -> Box<[StateCondition]> {
        let states = self.states.iter();
        states
            .flat_map(|state| protocols.iter().filter_map(|id| state.of(*id)))
            .collect()
    }

    /// The protocols that have all that is asked for.
    fn protocols(&self, named: &[ProtocolId]) -> Result<Box<[ProtocolId]>, String> {
        let suits = |id: &ProtocolId| {
            (named.is_empty() || named.contains(id))
                && self
                    .buffers
                    .iter()
                    .all(|condition| condition.ids.iter().any(|buffer| id.is(buffer.protocol())))
                && self.numbers.iter().all(|number| number.of(*id).is_some())
                && self.events.iter().all(|(protocol, _)| id.is(*protocol))
                && self.states.iter().all(|state| state.of(*id).is_some())
                && (self.files.is_empty() || carries_files(*id))
        };
        let all: Box<[ProtocolId]> = ProtocolId::all().filter(suits).collect();
        // What is said of a protocol is said of every kind of it.
        let implied = |id: &ProtocolId| id.kinds().iter().any(|kind| all.contains(kind));
        let protocols: Box<[ProtocolId]> = all.iter().copied().filter(|id| !implied(id)).collect();
        if protocols.is_empty() {
            if let Some(state) = self.states.first() {
                let name = state.name();
                return Err(format!(
                    "no protocol has a state `{name}` that a transaction could match"
                ));
            }
            return Err("no protocol has all that it asks for: it can never match".to_owned());
        }
        Ok(protocols)
    }
}

impl BufferCondition {
    /// Whether any of the protocols has the buffer in a direction.
    fn has(&self, protocols: &[ProtocolId], half: usize) -> bool {
        self.ids
            .iter()
            .any(|id| is_of(protocols, id.protocol()) && id.spec().direction.index() == half)
    }
}

/// Whether one of the protocols is `kind`, or a kind of it.
fn is_of(protocols: &[ProtocolId], kind: ProtocolId) -> bool {
    protocols.iter().any(|protocol| protocol.is(kind))
}

/// Whether transactions of a protocol carry files.
fn carries_files(protocol: ProtocolId) -> bool {
    app_layer::buffers("file.data", None).any(|id| protocol.is(id.protocol()))
}

/// The buffer with the best fast pattern: an explicit one, else one without transforms, else the longest.
fn fast(buffers: &[BufferCondition]) -> Option<usize> {
    let ranked = buffers.iter().enumerate().filter_map(|(at, condition)| {
        let pattern = condition.tests.fast_pattern.as_ref()?;
        let plain = condition.transforms.is_empty();
        Some((
            pattern.explicit,
            pattern.bytes.len(),
            plain,
            std::cmp::Reverse(at),
        ))
    });
    ranked.max().map(|(.., at)| at.0)
}

/// Bytes from a buffer's beginning that decide what tests say of its end or of what is not in it; `None`:
/// only all of them do.
fn decided_by(tests: &Chains, transforms: &[Transform]) -> Option<usize> {
    if transforms.iter().any(Transform::needs_end) {
        return None;
    }
    let decides = |test: &Test| match test {
        Test::Content(content) if content.ends_with => None,
        Test::Content(content) if content.negated => searched(content),
        Test::Pcre(pcre) if pcre.negated => None,
        Test::IsDataAt(test) if test.negated => None,
        Test::Entropy(test) if test.bytes == 0 => None,
        Test::Size(_) | Test::Data(_) => None,
        _ => Some(0),
    };
    let mut all = tests.chains.iter().flat_map(|chain| chain.tests.iter());
    all.try_fold(0, |most, test| Some(decides(test)?.max(most)))
}

/// Bytes from the beginning that a content is searched in, where that is known.
fn searched(content: &ContentTest) -> Option<usize> {
    let number = |value: Option<Value>, default: Option<i64>| match value {
        Some(Value::Number(number)) => Some(number),
        Some(Value::Variable(_)) => None,
        None => default,
    };
    let bound = !content.relative && content.distance.is_none() && content.within.is_none();
    let offset = number(content.offset, Some(0)).filter(|_| bound)?;
    let depth = number(content.depth, None)?;
    usize::try_from(offset.checked_add(depth)?).ok()
}
