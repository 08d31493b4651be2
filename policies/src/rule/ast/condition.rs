//! Typed conditions on flows, flow bits, numbers and TCP flags.

/// `flow`
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct FlowTest {
    /// `to_server`/`from_client` or `to_client`/`from_server`.
    pub direction: Option<FlowDirection>,
    /// `established`, `not_established`, `stateless`.
    pub state: Option<FlowState>,
    /// `only_stream` / `no_stream`.
    pub stream: Option<StreamTest>,
    /// `only_frag` / `no_frag`.
    pub fragment: Option<FragmentTest>,
}

/// Direction of a flow, as rules mean it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FlowDirection {
    /// From the side that opened the flow.
    ToServer,
    /// To the side that opened the flow.
    ToClient,
}

/// State that a `flow` keyword asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FlowState {
    /// The handshake is complete (TCP), or both sides were seen (UDP and others).
    Established,
    /// The opposite.
    NotEstablished,
    /// Do not care.
    Stateless,
}

/// `only_stream` / `no_stream`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StreamTest {
    /// Only reassembled data.
    Only,
    /// Only packets.
    No,
}

/// `only_frag` / `no_frag`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FragmentTest {
    /// Only reassembled fragments.
    Only,
    /// Only unfragmented packets.
    No,
}

/// `flowbits`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FlowBitsTest {
    /// The command.
    pub command: FlowBitsCommand,
    /// Names; more than one with `|` (any of) for isset/isnotset. Empty for `noalert`.
    pub names: Vec<String>,
}

/// Command of `flowbits`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FlowBitsCommand {
    /// set
    Set,
    /// unset
    Unset,
    /// toggle
    Toggle,
    /// isset
    IsSet,
    /// isnotset
    IsNotSet,
    /// noalert
    NoAlert,
}

/// A comparison with one or two numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NumberTest {
    /// `n`
    Equal(u64),
    /// `!n`
    NotEqual(u64),
    /// `<n`
    Less(u64),
    /// `<=n`
    LessOrEqual(u64),
    /// `>n`
    Greater(u64),
    /// `>=n`
    GreaterOrEqual(u64),
    /// `a<>b`: strictly between.
    Between(u64, u64),
    /// `!a<>b`: at most `a` or at least `b`.
    NotBetween(u64, u64),
    /// `&mask=value`
    Mask(u64, u64),
    /// `&mask!=value`
    NotMask(u64, u64),
}

/// `flags`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TcpFlagsTest {
    /// How `flags` is compared.
    pub modifier: FlagsModifier,
    /// Bits of TCP header byte 13 (FIN 0x01 ... CWR 0x80).
    pub flags: u8,
    /// Bits to ignore.
    pub ignore: u8,
}

/// Modifier of `flags`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FlagsModifier {
    /// Exactly these.
    Exact,
    /// `+`: all of these, others may be set.
    All,
    /// `*`: any of these.
    Any,
    /// `!`: none of these.
    Not,
}
