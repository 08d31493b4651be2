//! The protocols, and the numbers of what they declare.

use std::sync::LazyLock;

use crate::event::FlowDirection;

use super::{
    AppEvent, BufferSpec, NumberSpec, Progress, Protocol, Start, StateSpec, dns, ftp, ftp_data,
    http, http2, smtp, ssh, tls,
};

/// Every application protocol. The order is the order in which they are asked to recognise a flow.
pub static PROTOCOLS: &[&dyn Protocol] = &[
    &tls::TLS,
    &ssh::SSH,
    &http2::HTTP2,
    &http2::DOH2,
    &http::HTTP,
    &ftp::FTP,
    &smtp::SMTP,
    &ftp_data::FTP_DATA,
    &dns::MDNS,
    &dns::LLMNR,
    &dns::DNS,
    #[cfg(test)]
    &super::testing::Chat,
];

/// A protocol: an index into [`PROTOCOLS`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ProtocolId(pub(super) u8);

impl ProtocolId {
    /// The protocol.
    #[must_use]
    pub fn protocol(self) -> &'static dyn Protocol {
        PROTOCOLS[usize::from(self.0)]
    }

    /// Whether it is `other` or a kind of it.
    #[must_use]
    pub fn is(self, other: Self) -> bool {
        self == other
            || KINDS
                .get(usize::from(self.0))
                .is_some_and(|kinds| kinds.contains(&other))
    }

    /// The protocols that it is a kind of.
    #[must_use]
    pub fn kinds(self) -> &'static [Self] {
        KINDS.get(usize::from(self.0)).map_or(&[], Vec::as_slice)
    }

    /// The progress that a transaction of it has as one of `kind`.
    #[must_use]
    pub fn progress_as(self, kind: Self, progress: Progress) -> Progress {
        if self == kind {
            progress
        } else {
            self.protocol().progress_as(kind, progress)
        }
    }

    /// All of them.
    pub fn all() -> impl Iterator<Item = Self> {
        (0..=u8::MAX).take(PROTOCOLS.len()).map(Self)
    }
}

/// What each protocol is a kind of.
static KINDS: LazyLock<Vec<Vec<ProtocolId>>> = LazyLock::new(|| {
    let kinds = |protocol: &&dyn Protocol| {
        let names = protocol.kinds().iter();
        names.filter_map(|name| protocol_named(name)).collect()
    };
    PROTOCOLS.iter().map(kinds).collect()
});

/// The protocols that rules mean by a name: `http` is said of either version, `http1` and `http2` of one.
pub fn protocols_named(name: &str) -> impl Iterator<Item = ProtocolId> + use<> {
    let second = (name == "http").then(|| protocol_named("http2")).flatten();
    protocol_named(name).into_iter().chain(second)
}

/// The type that records of a protocol have.
#[must_use]
pub fn record_name(protocol: &str) -> &str {
    protocol_named(protocol).map_or(protocol, |id| id.protocol().record())
}

/// The protocol of that name or alias.
#[must_use]
pub fn protocol_named(name: &str) -> Option<ProtocolId> {
    ProtocolId::all().find(|id| {
        let protocol = id.protocol();
        protocol.name() == name || protocol.aliases().contains(&name)
    })
}

/// Whether the first bytes seen of a flow are such as only a server sends: whoever sent them is the server.
#[must_use]
pub fn is_answer(start: &Start<'_>) -> bool {
    PROTOCOLS.iter().any(|protocol| protocol.is_answer(start))
}

/// A buffer: protocol and index into its [`Protocol::buffers`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BufferId {
    protocol: ProtocolId,
    index: u8,
}

impl BufferId {
    /// Whose it is.
    #[must_use]
    pub fn protocol(self) -> ProtocolId {
        self.protocol
    }

    /// Index into [`Protocol::buffers`].
    #[must_use]
    pub fn index(self) -> usize {
        usize::from(self.index)
    }

    /// What it was declared as.
    #[must_use]
    pub fn spec(self) -> &'static BufferSpec {
        &self.protocol.protocol().buffers()[self.index()]
    }
}

/// Every declared buffer, sorted by keyword.
static BUFFERS: LazyLock<Vec<BufferId>> = LazyLock::new(|| {
    let mut all: Vec<BufferId> = ProtocolId::all()
        .flat_map(|protocol| {
            (0..=u8::MAX)
                .take(protocol.protocol().buffers().len())
                .map(move |index| BufferId { protocol, index })
        })
        .collect();
    all.sort_by_key(|id| (id.spec().keyword, *id));
    all
});

/// The buffers that go by a sticky buffer's canonical keyword: of several protocols (`file.data`), in one
/// direction or both.
pub fn buffers(
    keyword: &str,
    direction: Option<FlowDirection>,
) -> impl Iterator<Item = BufferId> + use<'_> {
    let from = BUFFERS.partition_point(|id| id.spec().keyword < keyword);
    BUFFERS[from..]
        .iter()
        .copied()
        .take_while(move |id| id.spec().keyword == keyword)
        .filter(move |id| direction.is_none_or(|direction| id.spec().direction == direction))
}

/// The numbers that go by a keyword, and whose they are.
pub fn numbers(keyword: &str) -> impl Iterator<Item = (ProtocolId, &'static NumberSpec)> + use<'_> {
    ProtocolId::all().filter_map(move |id| {
        let numbers = id.protocol().numbers();
        let spec = numbers.iter().find(|spec| spec.keyword == keyword)?;
        Some((id, spec))
    })
}

/// The step of a protocol's transactions that rules call `name`.
#[must_use]
pub fn state(protocol: ProtocolId, name: &str) -> Option<StateSpec> {
    let protocol = protocol.protocol();
    let declared = protocol.states().iter().find(|state| state.name == name);
    let generic = || {
        let (name, direction, complete) = match name {
            "request_started" => ("request_started", FlowDirection::ToServer, false),
            "request_complete" => ("request_complete", FlowDirection::ToServer, true),
            "response_started" => ("response_started", FlowDirection::ToClient, false),
            "response_complete" => ("response_complete", FlowDirection::ToClient, true),
            _ => return None,
        };
        let progress = if complete {
            protocol.complete(direction)
        } else {
            0
        };
        Some(StateSpec::new(name, direction, progress))
    };
    declared.copied().or_else(generic)
}

/// The event that `app-layer-event` calls `<protocol>.<event>`, and whose it is.
#[must_use]
pub fn event(name: &str) -> Option<(ProtocolId, AppEvent)> {
    let (protocol, event) = name.split_once('.')?;
    let id = protocol_named(protocol)?;
    let index = id
        .protocol()
        .events()
        .iter()
        .position(|known| *known == event)?;
    Some((id, AppEvent(u8::try_from(index).ok()?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffers_and_events_are_found_by_name() {
        let both: Vec<BufferId> = buffers("chat.line", None).collect();
        assert_eq!(both.len(), 2);
        let to_client = buffers("chat.line", Some(FlowDirection::ToClient));
        assert_eq!(to_client.collect::<Vec<_>>(), [both[1]]);
        assert_eq!(buffers("chat.lin", None).count(), 0);
        let (protocol, event) = event("chat.too_long").unwrap();
        assert_eq!((protocol.protocol().name(), event), ("chat", AppEvent(0)));
        assert!(super::event("chat.unheard_of").is_none());
        assert_eq!(protocol_named("gossip"), Some(protocol));
    }
}
