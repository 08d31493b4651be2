//! What weir needs of this kernel and this process, each asked for separately, so that STATUS and error
//! messages can name what is missing and the fix.

/// One thing that is missing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Missing {
    /// No `CAP_NET_ADMIN` over the network namespace.
    #[error("no CAP_NET_ADMIN in this network namespace; run as root or grant the capability")]
    NetAdmin,
    /// No nf_tables in the kernel.
    #[error(
        "the kernel has no nf_tables (CONFIG_NF_TABLES); load module nf_tables or use a kernel that has it"
    )]
    NfTables,
    /// No netdev family.
    #[error("nf_tables has no netdev family (CONFIG_NF_TABLES_NETDEV, CONFIG_NETFILTER_INGRESS)")]
    NetdevFamily,
    /// No netdev egress hook.
    #[error(
        "nf_tables has no netdev egress hook; weir needs Linux 5.16 or later with CONFIG_NETFILTER_EGRESS"
    )]
    EgressHook,
    /// No `fwd` statement.
    #[error("nf_tables has no fwd statement (CONFIG_NFT_FWD_NETDEV); load module nft_fwd_netdev")]
    Fwd,
    /// No veth devices.
    #[error("the kernel cannot make veth devices (CONFIG_VETH); load module veth")]
    Veth,
    /// No `bpf(2)` or no tc classifier for it.
    #[error(
        "the kernel refuses the redirect program ({0}); weir needs CONFIG_BPF_SYSCALL, CONFIG_NET_CLS_BPF and CAP_BPF or CAP_SYS_ADMIN"
    )]
    Redirect(String),
    /// The probe itself failed.
    #[error("probe: {0}")]
    Probe(String),
}

/// Looks for everything in a network namespace of its own that disappears with the probe; the caller's is not
/// touched. Empty: all there.
#[must_use]
pub fn probe() -> Vec<Missing> {
    vec![Missing::Probe("not available in this build".to_owned())]
}
