//! nft rules as values: what a test sets up once, and weir's table as `nft` reads it.
//!
//! Crate `nftables` runs `nft -j`, whose words are independent of those that weir writes: an outside oracle. What its
//! schema lacks stays text ([`Netns::nft`](crate::netns::Netns::nft)): comments of tables and chains, deletions
//! that succeed when there is nothing. nft 1.0.6 names no devices of netdev chains in JSON; so a host interface
//! is known here by the names of weir's chains on it.

use std::borrow::Cow;
use std::net::SocketAddr;

use anyhow::{Context, Result};
use nftables::batch::Batch;
use nftables::expr::{
    CT, Expression, Meta, MetaKey, NamedExpression, Payload, PayloadField, SetItem,
};
use nftables::helper;
use nftables::schema::{Chain, NfListObject, NfObject, Rule, Table};
use nftables::stmt::{Match, NAT, Operator, Statement};
use nftables::types::{NfChainType, NfFamily, NfHook};

use crate::node::Node;
use crate::pod::Family;

/// Only chains: the crate's schema lacks the type of the lease's set, `iface_type`, so it refuses the whole table.
const CHAINS: [&str; 3] = ["list", "chains", "netdev"];

/// Which packets a masquerading rule is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Masqueraded<'a> {
    /// Those whose destination was translated.
    Translated,
    /// Those that leave by this interface.
    LeavingBy(&'a str),
}

/// Loads the rules of a Service, as kube-proxy would: DNAT of `from` to `to` for pods, host and outside alike.
///
/// # Errors
/// What nft says.
pub fn translate(node: &Node, from: SocketAddr, to: SocketAddr) -> Result<()> {
    let (family, protocol) = words(family_of(to));
    let protocols = ["tcp", "udp"].map(|name| SetItem::Element(text(name)));
    let rule = [
        equals(field(protocol, "daddr"), text(&from.ip().to_string())),
        equals(
            meta(MetaKey::L4proto),
            Expression::Named(NamedExpression::Set(protocols.to_vec())),
        ),
        equals(field("th", "dport"), Expression::Number(from.port().into())),
        Statement::DNAT(Some(NAT {
            addr: Some(text(&to.ip().to_string())),
            family: None,
            port: Some(Expression::Number(to.port().into())),
            flags: None,
        })),
    ];
    let mut service = Rules::new(family, "service");
    for (name, hook) in [("pre", NfHook::Prerouting), ("out", NfHook::Output)] {
        service.nat_chain(name, hook, -100);
        service.rule(name, &rule);
    }
    service.load(node)
}

/// Removes the rules of [`translate`] for the family.
///
/// # Errors
/// What nft says, also when there are none.
pub fn stop_translating(node: &Node, family: Family) -> Result<()> {
    let rules = Rules::new(words(family).0, "service");
    let mut batch = Batch::new();
    batch.delete(NfListObject::Table(rules.table()));
    apply(node, batch)
}

/// Masquerades these packets of the family when they leave the node.
///
/// # Errors
/// What nft says.
pub fn masquerade(node: &Node, family: Family, which: Masqueraded<'_>) -> Result<()> {
    let condition = match which {
        Masqueraded::Translated => Statement::Match(Match {
            left: Expression::Named(NamedExpression::CT(CT {
                key: "status".into(),
                family: None,
                dir: None,
            })),
            right: text("dnat"),
            op: Operator::IN,
        }),
        Masqueraded::LeavingBy(interface) => equals(meta(MetaKey::Oifname), text(interface)),
    };
    let mut rules = Rules::new(words(family).0, "postnat");
    rules.nat_chain("post", NfHook::Postrouting, 100);
    rules.rule("post", &[condition, Statement::Masquerade(None)]);
    rules.load(node)
}

/// Host interfaces that have base chains of weir's, one entry per chain, sorted.
///
/// # Errors
/// When nft fails, or lists what `nftables` cannot read.
pub fn hooked(node: &Node) -> Result<Vec<String>> {
    let listed = node
        .ns
        .run(|| {
            helper::get_current_ruleset_with_args(helper::DEFAULT_NFT, CHAINS)
                .context("list the rules")
        })
        .with_context(|| format!("in {}", node.ns.name()))?;
    let mut names: Vec<String> = listed.objects.iter().filter_map(hooked_interface).collect();
    names.sort();
    Ok(names)
}

fn hooked_interface(object: &NfObject<'_>) -> Option<String> {
    let NfObject::ListObject(NfListObject::Chain(chain)) = object else {
        return None;
    };
    let ours = chain.family == NfFamily::NetDev && chain.table == "weir" && chain.hook.is_some();
    let name = chain.name.strip_prefix("from-");
    let name = name.or_else(|| chain.name.strip_prefix("to-"))?;
    ours.then(|| name.to_owned())
}

/// A table to load.
struct Rules {
    family: NfFamily,
    name: &'static str,
    batch: Batch<'static>,
}

impl Rules {
    fn new(family: NfFamily, name: &'static str) -> Self {
        Self {
            family,
            name,
            batch: Batch::new(),
        }
    }

    fn table(&self) -> Table<'static> {
        Table {
            family: self.family,
            name: self.name.into(),
            handle: None,
        }
    }

    fn nat_chain(&mut self, name: &'static str, hook: NfHook, priority: i32) {
        let table = self.table();
        self.batch.add(NfListObject::Table(table));
        self.batch.add(NfListObject::Chain(Chain {
            family: self.family,
            table: self.name.into(),
            name: name.into(),
            _type: Some(NfChainType::NAT),
            hook: Some(hook),
            prio: Some(priority),
            ..Chain::default()
        }));
    }

    fn rule(&mut self, chain: &'static str, statements: &[Statement<'static>]) {
        self.batch.add(NfListObject::Rule(Rule {
            family: self.family,
            table: self.name.into(),
            chain: chain.into(),
            expr: Cow::Owned(statements.to_vec()),
            ..Rule::default()
        }));
    }

    fn load(self, node: &Node) -> Result<()> {
        apply(node, self.batch)
    }
}

fn apply(node: &Node, batch: Batch<'static>) -> Result<()> {
    let rules = batch.to_nftables();
    node.ns
        .run(|| helper::apply_ruleset(&rules).context("load rules"))
        .with_context(|| format!("in {}: {rules:?}", node.ns.name()))
}

fn family_of(address: SocketAddr) -> Family {
    if address.is_ipv4() {
        Family::V4
    } else {
        Family::V6
    }
}

/// The family's tables, and its header.
fn words(family: Family) -> (NfFamily, &'static str) {
    match family {
        Family::V4 => (NfFamily::IP, "ip"),
        Family::V6 => (NfFamily::IP6, "ip6"),
    }
}

fn text(value: &str) -> Expression<'static> {
    Expression::String(value.to_owned().into())
}

fn field(protocol: &'static str, field: &'static str) -> Expression<'static> {
    let field = PayloadField {
        protocol: protocol.into(),
        field: field.into(),
    };
    Expression::Named(NamedExpression::Payload(Payload::PayloadField(field)))
}

fn meta(key: MetaKey) -> Expression<'static> {
    Expression::Named(NamedExpression::Meta(Meta { key }))
}

fn equals(left: Expression<'static>, right: Expression<'static>) -> Statement<'static> {
    Statement::Match(Match {
        left,
        right,
        op: Operator::EQ,
    })
}
