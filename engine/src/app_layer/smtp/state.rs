//! Where in a session a client is.

/// A message has a reply for each accepted recipient (RFC 2033 section 4.2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Lmtp {
    /// It is LMTP.
    pub(super) spoken: bool,
    /// Recipients that were accepted.
    pub(super) accepted: usize,
    /// Further replies that the message before has.
    pub(super) due: usize,
}

/// A mail that had to go while more of it was to follow.
#[derive(Debug)]
pub(super) struct Carried {
    pub(super) sender: Option<Vec<u8>>,
    pub(super) begun: bool,
}

/// What the client sends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Mode {
    #[default]
    Command,
    /// DATA was sent and is not answered.
    DataAsked,
    /// A message.
    Data,
    /// So many bytes of a chunk; the last?
    Chunk(u64, bool),
    /// An answer to a challenge.
    Challenged,
}
