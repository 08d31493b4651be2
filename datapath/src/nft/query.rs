//! Questions to nf_tables, and the commit of a batch.

use super::uapi::{self, message};
use super::{Batch, Element};
use crate::kernel::Counter;
use crate::netlink::{Answer, Attributes, NetlinkError, Socket, Writer, find, read_str};

/// A request that failed, and which.
#[derive(Debug, thiserror::Error)]
#[error("{action}: {source}")]
pub(crate) struct NftError {
    /// What was asked.
    pub(crate) action: String,
    /// Why it failed.
    pub(crate) source: NetlinkError,
}

impl NftError {
    /// The rule set has changed since the batch's generation.
    pub(crate) fn is_outdated(&self) -> bool {
        self.source.errno() == Some(libc::ERESTART)
    }
}

/// A chain in the kernel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ChainInfo {
    pub(crate) name: String,
    pub(crate) handle: u64,
    pub(crate) comment: Option<String>,
    /// Rules in it and jumps to it.
    pub(crate) uses: u32,
}

/// An element of a set in the kernel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ElementInfo {
    pub(crate) key: Vec<u8>,
    pub(crate) comment: Option<String>,
}

/// A rule in the kernel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RuleInfo {
    pub(crate) chain: String,
    pub(crate) comment: Option<String>,
    pub(crate) counter: Option<Counter>,
}

/// nf_tables of one network namespace, one table of family netdev.
#[derive(Debug)]
pub(crate) struct Nft {
    socket: Socket,
    table: &'static str,
}

impl Nft {
    /// Opens the socket for questions about `table`.
    pub(crate) fn open(table: &'static str) -> Result<Self, NetlinkError> {
        Ok(Self {
            socket: Socket::open(libc::NETLINK_NETFILTER)?,
            table,
        })
    }

    /// Number of the current generation of the rule set (of the whole network namespace).
    pub(crate) fn generation(&mut self) -> Result<u32, NftError> {
        let answer = self.get(
            "read the generation",
            message::GET_GENERATION,
            |_| {},
            |attributes| attributes.be32(uapi::generation::ID),
        )?;
        answer.flatten().ok_or(NftError {
            action: "read the generation".to_owned(),
            source: NetlinkError::Protocol("no generation in the answer"),
        })
    }

    /// Applies a batch; an empty one is nothing.
    pub(crate) fn commit(&mut self, batch: &mut Batch<'_>) -> Result<(), NftError> {
        if batch.is_empty() {
            return Ok(());
        }
        let (bytes, last) = batch.finish();
        match self.socket.transact(bytes, last, |_| {}) {
            Ok(()) => Ok(()),
            Err(source) => Err(NftError {
                action: match &source {
                    NetlinkError::Refused { sequence, .. } => batch.action(*sequence),
                    _ => batch.action(last),
                },
                source,
            }),
        }
    }

    /// Comment of the table; outer `None`: there is no table.
    pub(crate) fn table_comment(&mut self) -> Result<Option<Option<String>>, NftError> {
        let table = self.table;
        self.get(
            "read the table",
            message::GET_TABLE,
            |writer| writer.string(uapi::table::NAME, table),
            |attributes| comment(attributes, uapi::table::USERDATA),
        )
    }

    /// One chain.
    pub(crate) fn chain(&mut self, name: &str) -> Result<Option<ChainInfo>, NftError> {
        let table = self.table;
        let found = self.get(
            "read a chain",
            message::GET_CHAIN,
            |writer| {
                writer.string(uapi::chain::TABLE, table);
                writer.string(uapi::chain::NAME, name);
            },
            |attributes| read_chain(attributes, table),
        )?;
        Ok(found.flatten())
    }

    /// All chains.
    pub(crate) fn chains(&mut self) -> Result<Vec<ChainInfo>, NftError> {
        let table = self.table;
        self.dump(
            "list the chains",
            message::GET_CHAIN,
            |writer| writer.string(uapi::chain::TABLE, table),
            |attributes| read_chain(attributes, table),
        )
    }

    /// The rules of one chain, or of all.
    pub(crate) fn rules(&mut self, chain: Option<&str>) -> Result<Vec<RuleInfo>, NftError> {
        let table = self.table;
        self.dump(
            "list the rules",
            message::GET_RULE,
            |writer| {
                writer.string(uapi::rule::TABLE, table);
                if let Some(chain) = chain {
                    writer.string(uapi::rule::CHAIN, chain);
                }
            },
            |attributes| read_rule(attributes, table),
        )
    }

    /// One element of a set.
    pub(crate) fn element(
        &mut self,
        set: &str,
        key: &[u8],
    ) -> Result<Option<ElementInfo>, NftError> {
        let table = self.table;
        let element = Element {
            key,
            comment: "",
            timeout_ms: None,
        };
        let found = self.get(
            "read a set element",
            message::GET_ELEMENT,
            |writer| {
                writer.string(uapi::element::LIST_TABLE, table);
                writer.string(uapi::element::LIST_SET, set);
                writer.nested(uapi::element::LIST_ELEMENTS, |list| {
                    list.nested(uapi::LIST_ITEM, |item| element.write(item));
                });
            },
            read_elements,
        )?;
        Ok(found.and_then(|elements| elements.into_iter().next()))
    }

    /// All elements of a set.
    pub(crate) fn elements(&mut self, set: &str) -> Result<Vec<ElementInfo>, NftError> {
        let table = self.table;
        let parts = self.dump(
            "list a set",
            message::GET_ELEMENT,
            |writer| {
                writer.string(uapi::element::LIST_TABLE, table);
                writer.string(uapi::element::LIST_SET, set);
            },
            |attributes| Some(read_elements(attributes)),
        )?;
        Ok(parts.into_iter().flatten().collect())
    }

    /// The counter objects by name.
    pub(crate) fn counters(&mut self) -> Result<Vec<(String, Counter)>, NftError> {
        let table = self.table;
        self.dump(
            "list the counters",
            message::GET_OBJECT,
            |writer| {
                writer.string(uapi::object::TABLE, table);
                writer.be32(uapi::object::TYPE, uapi::object::COUNTER);
            },
            |attributes| {
                if attributes.text(uapi::object::TABLE) != Some(table) {
                    return None;
                }
                let name = attributes.text(uapi::object::NAME)?.to_owned();
                Some((name, read_counter(attributes.nested(uapi::object::DATA))?))
            },
        )
    }

    fn get<T>(
        &mut self,
        action: &str,
        kind: u16,
        content: impl FnOnce(&mut Writer),
        read: impl Fn(Attributes<'_>) -> T,
    ) -> Result<Option<T>, NftError> {
        self.socket
            .get(
                message_type(kind),
                |writer| {
                    fixed(writer);
                    content(writer);
                },
                |answer| read(answer.attributes(uapi::FIXED)),
            )
            .map_err(|source| failed(action, source))
    }

    /// A dump; what is not there is an empty list.
    fn dump<T>(
        &mut self,
        action: &str,
        kind: u16,
        content: impl Fn(&mut Writer),
        read: impl Fn(Attributes<'_>) -> Option<T>,
    ) -> Result<Vec<T>, NftError> {
        let dumped = self.socket.dump(
            message_type(kind),
            |writer| {
                fixed(writer);
                content(writer);
            },
            |answer: Answer<'_>| read(answer.attributes(uapi::FIXED)),
        );
        match dumped {
            Err(NetlinkError::Refused {
                errno: libc::ENOENT,
                ..
            }) => Ok(Vec::new()),
            other => other.map_err(|source| failed(action, source)),
        }
    }
}

fn message_type(kind: u16) -> u16 {
    (uapi::SUBSYSTEM << 8) | kind
}

fn fixed(writer: &mut Writer) {
    writer.raw(&[uapi::FAMILY_NETDEV, 0, 0, 0]);
}

fn failed(action: &str, source: NetlinkError) -> NftError {
    NftError {
        action: action.to_owned(),
        source,
    }
}

fn comment(attributes: Attributes<'_>, kind: u16) -> Option<String> {
    let text = find(attributes.get(kind)?, 0)?;
    read_str(text).map(str::to_owned)
}

fn read_chain(attributes: Attributes<'_>, table: &str) -> Option<ChainInfo> {
    if attributes.text(uapi::chain::TABLE) != Some(table) {
        return None;
    }
    Some(ChainInfo {
        name: attributes.text(uapi::chain::NAME)?.to_owned(),
        handle: attributes.be64(uapi::chain::HANDLE)?,
        comment: comment(attributes, uapi::chain::USERDATA),
        uses: attributes.be32(uapi::chain::USES)?,
    })
}

fn read_rule(attributes: Attributes<'_>, table: &str) -> Option<RuleInfo> {
    if attributes.text(uapi::rule::TABLE) != Some(table) {
        return None;
    }
    let counter = attributes
        .nested(uapi::rule::EXPRESSIONS)
        .map(|(_, item)| Attributes::of(item))
        .find(|item| item.text(uapi::EXPRESSION_NAME) == Some("counter"))
        .and_then(|item| read_counter(item.nested(uapi::EXPRESSION_DATA)));
    Some(RuleInfo {
        chain: attributes.text(uapi::rule::CHAIN)?.to_owned(),
        comment: comment(attributes, uapi::rule::USERDATA),
        counter,
    })
}

fn read_elements(attributes: Attributes<'_>) -> Vec<ElementInfo> {
    attributes
        .nested(uapi::element::LIST_ELEMENTS)
        .filter_map(|(_, item)| {
            let item = Attributes::of(item);
            Some(ElementInfo {
                key: item
                    .nested(uapi::element::KEY)
                    .get(uapi::DATA_VALUE)?
                    .to_vec(),
                comment: comment(item, uapi::element::USERDATA),
            })
        })
        .collect()
}

fn read_counter(data: Attributes<'_>) -> Option<Counter> {
    Some(Counter {
        packets: data.be64(uapi::counter::PACKETS)?,
        bytes: data.be64(uapi::counter::BYTES)?,
    })
}
