//! Rules to signatures.
//!
//! A rule is compiled whole or refused with the keyword in the way and the reason. Compiling is control
//! path: it allocates freely, and panics on no rule.

mod adjust;
mod app_protocol;
mod bytes;
mod captures;
mod data;
mod digests;
mod env;
mod fast_pattern;
mod header;
mod kind;
mod measure;
mod order;
mod packet;
mod payload;
mod reputation;
mod rpc;
mod rule;
mod state;
mod tag;
mod threshold;
mod unavailable;
mod variables;

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, LazyLock};

use weir_policies::rule::ast::{AddressExpr, Rule, Setting};

pub use adjust::Adjustments;
pub use env::{
    Classifications, CompileCounts, CompileEnv, Compiled, NoClassifications, NoRuleFiles,
    NoVariables, Refusal, RuleClass, RuleFiles, Variables,
};
pub(super) use order::action_rank;

use super::application::{FILE_KEYWORDS, OLDER_NAMES, SETTINGS, VARIANTS, legacy_keywords};
use super::matcher::AddressSet;
use super::program::Program;
use super::transform;
use super::{RuleSet, Signature, TargetEnd};
use crate::app_layer::ProtocolId;
use env::Problem;
use rule::Shared;

/// Priority of a rule that has none and whose class has none.
const DEFAULT_PRIORITY: u8 = 3;

/// Keywords that signatures may use, sorted, for documentation.
#[must_use]
pub fn evaluated_keywords() -> &'static [&'static str] {
    &ALL
}

/// Those known here, the transforms, and what the protocols of the application layer declare.
static ALL: LazyLock<Vec<&'static str>> = LazyLock::new(|| {
    let declared = ProtocolId::all().flat_map(|id| {
        let protocol = id.protocol();
        let buffers = protocol.buffers().iter().map(|spec| spec.keyword);
        buffers.chain(protocol.numbers().iter().map(|spec| spec.keyword))
    });
    let mut all: Vec<&'static str> = EVALUATED
        .iter()
        .chain(transform::KEYWORDS)
        .copied()
        .chain(declared)
        .chain(legacy_keywords())
        .chain(OLDER_NAMES.iter().map(|(older, _)| *older))
        .chain(FILE_KEYWORDS.iter().copied())
        .chain([SETTINGS])
        // Numbers that go by a word in front of or behind the comparison are no keywords.
        .filter(|keyword| {
            let mut variants = VARIANTS.iter();
            let setting = keyword
                .strip_prefix(SETTINGS)
                .is_some_and(|name| !name.is_empty());
            !setting && !variants.any(|(of, _, number)| number == keyword && of != keyword)
        })
        .collect();
    all.sort_unstable();
    all.dedup();
    all
});

#[rustfmt::skip]
const EVALUATED: &[&str] = &[
    "absent", "ack", "alert", "asn1", "app-layer-event", "app-layer-protocol", "app-layer-state", "base64_data", "base64_decode", "bsize", "bypass", "byte_extract", "byte_jump",
    "byte_math", "byte_test", "classtype", "config", "content", "datarep", "dataset", "decode-event", "depth", "detection_filter",
    "distance", "dsize", "endswith", "engine-event", "entropy", "ether.hdr", "fast_pattern", "flags", "flow", "flow.age",
    "flow.bytes", "flow.bytes_toclient", "flow.bytes_toserver", "flow.pkts", "flow.pkts_toclient",
    "flow.pkts_toserver", "flowbits", "flowint", "flowvar", "fragbits", "fragoffset", "gid", "hostbits",
    "icmp_id", "icmp_seq", "icmpv4-csum", "icmpv4.hdr", "icmpv6-csum", "icmpv6.hdr", "icmpv6.mtu", "icode", "id", "igmp-csum", "igmp.hdr", "igmp.type", "ip.dst", "ip.src", "ip_proto", "ipopts", "iprep",
    "ipv4-csum", "ipv4.hdr", "ipv6.hdr", "isdataat", "itype", "metadata", "msg", "noalert", "nocase", "offset",
    "pcre", "pkt_data", "pktvar", "prefilter", "priority", "rawbytes", "reference", "rev", "rpc", "sameip", "sctp.chunk_cnt",
    "sctp.chunk_data", "sctp.chunk_type", "sctp.hdr", "sctp.vtag", "seq",
    "sid", "startswith", "stream-event", "stream_size", "tag", "target", "tcp.ack", "tcp.flags",
    "tcp.hdr", "tcp.mss", "tcp.seq", "tcp.window", "tcp.wscale", "tcpv4-csum", "tcpv6-csum", "threshold", "tls.store", "tos", "ttl",
    "udp.hdr", "udpv4-csum", "udpv6-csum", "vlan.id",
    "vlan.layers", "window", "within", "xbits",
];

impl RuleSet {
    /// Signatures that cannot fire between two addresses that are both among `inside`: the outside is
    /// asked for. `None`: what `inside` stands for cannot be told, or is every address.
    #[must_use]
    pub fn silent_inside(&self, inside: &AddressExpr, vars: &dyn Variables) -> Option<usize> {
        let inside = header::addresses(inside, vars, header::NESTING).ok()?;
        if inside == AddressSet::any() {
            return None;
        }
        // Most signatures share their sets.
        let mut known: HashMap<*const AddressSet, bool> = HashMap::new();
        let mut reaches = |set: &Arc<AddressSet>| {
            let known = known.entry(Arc::as_ptr(set));
            *known.or_insert_with(|| set.meets(&inside))
        };
        let mut silent = |program: &&Program| {
            let mut ends = program.ends.iter();
            !ends.any(|ends| reaches(&ends.source) && reaches(&ends.destination))
        };
        Some(
            self.programs
                .iter()
                .filter(|program| silent(program))
                .count(),
        )
    }

    /// Compiles rules, each with the name of its file. A rule that cannot be evaluated as documented
    /// is refused; the others load. Disabled rules are skipped.
    #[must_use]
    pub fn compile<'r>(
        rules: impl IntoIterator<Item = (&'r Rule, &'r str)>,
        env: &CompileEnv<'_>,
    ) -> Compiled {
        Draft::new(rules, env).finish()
    }
}

/// Rules that are compiled one by one, but not yet put together: these need the rules' trees no longer,
/// which can be given up before the rest takes its memory.
#[derive(Debug)]
pub struct Draft {
    loaded: Vec<(Arc<Signature>, Program)>,
    refused: Vec<Refusal>,
    disabled: usize,
}

impl Draft {
    /// The first half of [`RuleSet::compile`].
    #[must_use]
    pub fn new<'r>(
        rules: impl IntoIterator<Item = (&'r Rule, &'r str)>,
        env: &CompileEnv<'_>,
    ) -> Self {
        let mut draft = Self {
            loaded: Vec::new(),
            refused: Vec::new(),
            disabled: 0,
        };
        let mut shared = Shared::new(*env);
        let mut identities = HashSet::new();
        for (rule, file) in rules {
            if !rule.enabled {
                draft.disabled += 1;
                continue;
            }
            shared.lists.of_file(file);
            match compile_one(rule, &mut shared, &mut identities) {
                Ok(entry) => draft.loaded.push(entry),
                Err(problem) => draft.refused.push(refusal(rule, file, problem)),
            }
        }
        draft
    }

    /// The other half.
    #[must_use]
    pub fn finish(self) -> Compiled {
        let Self {
            mut loaded,
            mut refused,
            disabled,
        } = self;
        loaded
            .sort_by_key(|(signature, program)| order::evaluation_key(program, signature.priority));
        let (rule_set, unfit) = RuleSet::assemble(loaded);
        refused.extend(unfit);
        Compiled {
            counts: CompileCounts {
                loaded: rule_set.len(),
                refused: refused.len(),
                disabled,
            },
            rule_set: Arc::new(rule_set),
            refused,
        }
    }
}

fn compile_one(
    rule: &Rule,
    shared: &mut Shared<'_>,
    identities: &mut HashSet<u64>,
) -> Result<(Arc<Signature>, Program), Problem> {
    let program = rule::compile(rule, shared)?;
    if !identities.insert(program.identity) {
        let reason = "a rule before it has the same gid and sid: give it another sid";
        return Err(Problem::new(rule.position, "sid", reason));
    }
    Ok((Arc::new(signature(rule, &shared.env)), program))
}

fn signature(rule: &Rule, env: &CompileEnv<'_>) -> Signature {
    let name = rule.meta.classtype.as_deref();
    let class = name.and_then(|name| env.classifications.class(name));
    let priority = rule.meta.priority.or(class.map(|class| class.priority));
    let settings = rule.settings.iter().map(|located| &located.value);
    let target = settings.filter_map(|setting| match setting {
        Setting::Other(written) if written.keyword == "target" => written.value.as_deref(),
        _ => None,
    });
    Signature {
        target: target.filter_map(TargetEnd::read).next(),
        meta: rule.meta.clone(),
        action: rule.action,
        priority: priority.unwrap_or(DEFAULT_PRIORITY),
        category: class.map_or("", |class| class.description).into(),
    }
}

fn refusal(rule: &Rule, file: &str, problem: Problem) -> Refusal {
    Refusal {
        file: file.to_owned(),
        position: problem.position,
        sid: rule.meta.sid,
        keyword: problem.keyword,
        reason: problem.reason,
        protocol: rule.header.protocol.name.clone(),
    }
}
