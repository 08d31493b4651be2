//! Names that the nft table, the devices and the run directory go by.

/// nft table of family `netdev` that holds everything weir adds to the kernel.
pub const TABLE: &str = "weir";

/// Name of the plugin's binary and process.
pub const PLUGIN: &str = "weir-cni";

/// Set of type `iface_type` with a timeout: non-empty while an enforcer renews it.
pub const LEASE_SET: &str = "lease";

/// Set of IPv4 addresses of the pods attached on this node.
pub const LOCAL_V4_SET: &str = "local4";

/// Set of IPv6 addresses of the pods attached on this node.
pub const LOCAL_V6_SET: &str = "local6";

/// Kernel end of the capture pair: nft diverts held frames to it, and what the enforcer injects for
/// the host's stack arrives on it.
pub const CAPTURE_KERNEL_END: &str = "weir-cap0";

/// Enforcer end of the capture pair.
pub const CAPTURE_ENFORCER_END: &str = "weir-cap1";

/// Run directory unless configured otherwise.
pub const DEFAULT_RUN_DIR: &str = "/run/weir";

/// Directory of the attachment records, below the run directory.
pub const ATTACHMENTS_DIR: &str = "attachments";

/// The enforcer's control socket, in the run directory.
pub const CONTROL_SOCKET: &str = "control.sock";

/// Directory of the lock files, below the run directory.
pub const LOCKS_DIR: &str = "locks";

/// Format of the table. A build meets a table of another format with an error instead of guessing.
pub const TABLE_FORMAT: u32 = 1;

/// Prefix of the base chain for frames from the pod; the host interface name follows.
pub const FROM_POD_PREFIX: &str = "from-";

/// Prefix of the base chain for frames to the pod; the host interface name follows.
pub const TO_POD_PREFIX: &str = "to-";

/// Priority of all base chains, next to the earliest. Earlier than flowtables, which would carry frames past a
/// later chain; and earlier than other filters, so that each of these sees a frame once: it is diverted before
/// them and meets them when it comes back settled.
pub const CHAIN_PRIORITY: i32 = i32::MIN + 1;

/// Interface type in the lease set: `ARPHRD_ETHER`, as all host interfaces of pods are.
pub const LEASE_KEY: u16 = 1;
