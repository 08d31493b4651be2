//! The attachments as workers see them: immutable, replaced as a whole.

use std::collections::HashMap;
use std::net::IpAddr;

use weir_datapath::attachment::Attachment;
use weir_datapath::policy::Mode;
use weir_engine::frame::{self, AttachmentId, RuleSetId};

use super::policy::{self, Combination, Effective};
use crate::events::pods::{PodIdentity, Pods};
use crate::settings::Settings;

/// How a frame is to be judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Judgement {
    /// Whether verdicts act.
    pub mode: frame::Mode,
    /// Which rules apply.
    pub rules: RuleSetId,
}

/// One attachment.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Its record.
    pub attachment: Attachment,
    /// Its policy.
    pub policy: Effective,
    /// How its frames are judged where the other end has no policy.
    judgement: Judgement,
    identity: PodIdentity,
}

/// All attachments of the node.
#[derive(Debug, Default)]
pub struct Snapshot {
    entries: Vec<Entry>,
    by_ifindex: HashMap<u32, usize>,
    by_address: HashMap<IpAddr, usize>,
    default: Option<Judgement>,
    uniform: bool,
    combinations: Vec<Combination>,
    complete: bool,
    over: bool,
}

/// Most combinations of rule sets that are compiled.
fn limit(settings: &Settings) -> usize {
    usize::from(settings.limits.rule_combinations)
}

impl Snapshot {
    /// The snapshot of these records under these settings. Where two records claim an interface or an
    /// address (a DEL was lost), the later one in the list has it.
    #[must_use]
    pub fn new(records: Vec<Attachment>, settings: &Settings, node: &str) -> Self {
        let policies = effective(&records, settings);
        let (combinations, over) = policy::combinations(&policies, limit(settings));
        Self {
            over,
            ..Self::with(records, policies, combinations, settings, node)
        }
    }

    /// As [`Self::new`], for rules that are compiled already: attachments that need other combinations have those of
    /// all sets together, where that is among them, or the default set's until theirs are.
    #[must_use]
    pub fn within(
        records: Vec<Attachment>,
        settings: &Settings,
        node: &str,
        compiled: &[Combination],
    ) -> Self {
        let policies = effective(&records, settings);
        let (needed, over) = policy::combinations(&policies, limit(settings));
        Self {
            complete: needed == compiled,
            over,
            ..Self::with(records, policies, compiled.to_vec(), settings, node)
        }
    }

    fn with(
        records: Vec<Attachment>,
        policies: Vec<Effective>,
        combinations: Vec<Combination>,
        settings: &Settings,
        node: &str,
    ) -> Self {
        let entries: Vec<Entry> = records
            .into_iter()
            .zip(policies)
            .map(|(attachment, policy)| Entry {
                judgement: Judgement {
                    mode: policy::engine_mode(policy.mode),
                    rules: policy::index_of(&combinations, &policy.rule_sets),
                },
                identity: identity(&attachment, node),
                policy,
                attachment,
            })
            .collect();
        let default = Judgement {
            mode: policy::engine_mode(settings.mode.unwrap_or_default()),
            rules: RuleSetId(0),
        };
        let mut snapshot = Self {
            by_ifindex: HashMap::new(),
            by_address: HashMap::new(),
            default: Some(default),
            uniform: true,
            combinations,
            complete: true,
            over: false,
            entries,
        };
        for (index, entry) in snapshot.entries.iter().enumerate() {
            snapshot
                .by_ifindex
                .insert(entry.attachment.host_ifindex, index);
            for &address in &entry.attachment.ips {
                snapshot.by_address.insert(address, index);
            }
        }
        snapshot.uniform = snapshot
            .entries
            .iter()
            .all(|entry| entry.judgement == default);
        snapshot
    }

    /// Whether it is made from exactly these records. Settings are not looked at: a reload makes a new one.
    #[must_use]
    pub fn is_of(&self, records: &[Attachment]) -> bool {
        let own = self.entries.iter().map(|entry| &entry.attachment);
        own.eq(records)
    }

    /// Whether its combinations are those that its attachments need.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.complete
    }

    /// Whether its attachments need more combinations of rule sets than may be compiled: frames that need one which
    /// is not have the rules of all.
    #[must_use]
    pub fn is_over_limit(&self) -> bool {
        self.over
    }

    /// Attachments whose own combination of rule sets is not compiled.
    #[must_use]
    pub fn without_own_rules(&self) -> usize {
        let entries = self.entries.iter();
        entries
            .filter(|entry| !self.combinations.contains(&entry.policy.rule_sets))
            .count()
    }

    /// Whether this very record is among those it is made from.
    #[must_use]
    pub fn holds(&self, record: &Attachment) -> bool {
        self.entry(self.by_ifindex.get(&record.host_ifindex))
            .is_some_and(|entry| entry.attachment == *record)
    }

    /// The attachments.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Combinations of rule sets that frames can need, by [`RuleSetId`].
    #[must_use]
    pub fn combinations(&self) -> &[Combination] {
        &self.combinations
    }

    /// How frames that cross interface `ifindex` are judged. `peer` gives the address of the frame's
    /// other end; it is asked only where it can matter.
    #[must_use]
    pub fn judge(&self, ifindex: u32, peer: impl FnOnce() -> Option<IpAddr>) -> Judgement {
        let default = self.default.unwrap_or(Judgement {
            mode: frame::Mode::Prevent,
            rules: RuleSetId(0),
        });
        if self.uniform {
            return default;
        }
        let Some(entry) = self.entry(self.by_ifindex.get(&ifindex)) else {
            return default;
        };
        let other = peer().and_then(|address| self.entry(self.by_address.get(&address)));
        match other {
            Some(other) => self.between(entry, other),
            None => entry.judgement,
        }
    }

    fn entry(&self, index: Option<&usize>) -> Option<&Entry> {
        index.and_then(|&index| self.entries.get(index))
    }

    fn between(&self, a: &Entry, b: &Entry) -> Judgement {
        if a.judgement == b.judgement {
            return a.judgement;
        }
        let mode: Mode = a.policy.mode.max(b.policy.mode);
        let rules = if a.judgement.rules == b.judgement.rules {
            a.judgement.rules
        } else {
            policy::union_index(&self.combinations, &a.policy.rule_sets, &b.policy.rule_sets)
        };
        Judgement {
            mode: policy::engine_mode(mode),
            rules,
        }
    }
}

impl Pods for Snapshot {
    fn by_attachment(&self, id: AttachmentId) -> Option<&PodIdentity> {
        self.entry(self.by_ifindex.get(&id.0)).map(|e| &e.identity)
    }

    fn by_address(&self, address: IpAddr) -> Option<&PodIdentity> {
        self.entry(self.by_address.get(&address))
            .map(|e| &e.identity)
    }
}

fn effective(records: &[Attachment], settings: &Settings) -> Vec<Effective> {
    let policies = records
        .iter()
        .map(|record| policy::effective(record, settings));
    policies.collect()
}

fn identity(attachment: &Attachment, node: &str) -> PodIdentity {
    PodIdentity {
        namespace: attachment.pod.namespace.clone(),
        name: attachment.pod.name.clone(),
        uid: attachment.pod.uid.clone(),
        container_id: attachment.key.container_id.clone(),
        interface: attachment.host_ifname.clone(),
        node: node.to_owned(),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use weir_datapath::attachment::{AttachmentKey, Pod, RECORD_VERSION, WiredPolicy};
    use weir_datapath::policy::FailMode;

    use super::*;

    /// A record for tests.
    pub(crate) fn attachment(ifindex: u32, ip: &str) -> Attachment {
        Attachment {
            version: RECORD_VERSION,
            key: AttachmentKey {
                network: "net".to_owned(),
                container_id: format!("c{ifindex}"),
                ifname: "eth0".to_owned(),
            },
            netns: "/run/netns/x".into(),
            host_ifname: format!("veth{ifindex}"),
            host_ifindex: ifindex,
            pod_mac: "02:00:00:00:00:01".to_owned(),
            link_local: None,
            ips: vec![ip.parse().unwrap()],
            pod: Pod::default(),
            policy: WiredPolicy {
                mode: Mode::Prevent,
                fail_mode: FailMode::Open,
                rule_sets: Vec::new(),
            },
            anti_spoof: true,
        }
    }

    fn snapshot(records: Vec<Attachment>, yaml: &str) -> Snapshot {
        let settings: Settings = serde_saphyr::from_str(yaml).unwrap();
        Snapshot::new(records, &settings, "node1")
    }

    fn detect(ifindex: u32, ip: &str) -> Attachment {
        let mut record = attachment(ifindex, ip);
        record.policy.mode = Mode::Detect;
        record
    }

    fn ip(text: &str) -> Option<IpAddr> {
        Some(text.parse().unwrap())
    }

    #[test]
    fn tighter_mode_of_both_ends_applies_both_ways() {
        let s = snapshot(vec![attachment(1, "10.0.0.1"), detect(2, "10.0.0.2")], "{}");
        assert_eq!(s.judge(2, || ip("10.0.0.1")).mode, frame::Mode::Prevent);
        assert_eq!(s.judge(1, || ip("10.0.0.2")).mode, frame::Mode::Prevent);
        assert_eq!(s.judge(2, || ip("192.0.2.1")).mode, frame::Mode::Detect);
        assert_eq!(s.judge(2, || None).mode, frame::Mode::Detect);
    }

    #[test]
    fn interface_without_record_is_under_the_default() {
        let s = snapshot(vec![detect(2, "10.0.0.2")], "{}");
        let judgement = s.judge(99, || ip("10.0.0.2"));
        assert_eq!(
            judgement,
            Judgement {
                mode: frame::Mode::Prevent,
                rules: RuleSetId(0)
            }
        );
    }

    #[test]
    fn rules_of_both_ends_apply() {
        let mut web = attachment(1, "10.0.0.1");
        web.policy.rule_sets = vec!["web".to_owned()];
        let s = snapshot(vec![web, attachment(2, "10.0.0.2")], "ruleSets: {web: []}");
        let rules = |judgement: Judgement| {
            let names = &s.combinations()[usize::from(judgement.rules.0)];
            names.iter().map(String::as_str).collect::<Vec<_>>()
        };
        assert_eq!(rules(s.judge(1, || ip("10.0.0.2"))), ["default", "web"]);
        assert_eq!(rules(s.judge(2, || ip("10.0.0.1"))), ["default", "web"]);
        assert_eq!(rules(s.judge(1, || ip("192.0.2.1"))), ["web"]);
        assert_eq!(rules(s.judge(2, || ip("192.0.2.1"))), ["default"]);
    }

    #[test]
    fn mode_of_the_settings_overrides() {
        let s = snapshot(vec![attachment(1, "10.0.0.1")], "mode: detect");
        assert_eq!(s.judge(1, || None).mode, frame::Mode::Detect);
        assert_eq!(s.judge(77, || None).mode, frame::Mode::Detect);
    }

    #[test]
    fn pods_are_found_by_interface_and_address() {
        let s = snapshot(vec![attachment(1, "10.0.0.1")], "{}");
        let pod = s.by_attachment(AttachmentId(1)).unwrap();
        assert_eq!(
            (pod.interface.as_str(), pod.node.as_str()),
            ("veth1", "node1")
        );
        assert_eq!(s.by_address("10.0.0.1".parse().unwrap()), Some(pod));
        assert_eq!(s.by_attachment(AttachmentId(2)), None);
    }
}
