//! The CNI verbs, one file each.

pub mod add;
pub mod check;
pub mod del;
pub mod gc;
pub mod status;
pub mod version;

use weir_datapath::attachment::AttachmentKey;
use weir_datapath::record::{NetworkLock, RecordStore};

use crate::config::{ConfigError, NetworkConfig};
use crate::environment::{Container, Environment};
use crate::host::Host;
use crate::lock::{LOCK_PATIENCE, lock_within};
use crate::version::CniVersion;

/// One call of the plugin, decoded as far as all verbs need.
pub struct Call<'a> {
    /// The `CNI_*` variables.
    pub environment: &'a Environment,
    /// The network configuration.
    pub config: NetworkConfig<'a>,
    /// The node.
    pub host: &'a dyn Host,
}

impl Call<'_> {
    /// Makes sure that the caller's version has the verb.
    fn require(&self, needed: CniVersion, verb: &'static str) -> Result<(), ConfigError> {
        let version = self.config.version();
        if version < needed {
            return Err(ConfigError::VersionLacksVerb {
                version,
                verb,
                needed,
            });
        }
        Ok(())
    }

    /// Key of the attachment that the call is about.
    fn key(&self, container: Container<'_>) -> AttachmentKey {
        AttachmentKey {
            network: self.config.name().to_owned(),
            container_id: container.id.to_owned(),
            ifname: container.ifname.to_owned(),
        }
    }
}

/// Takes the network's lock where there is a run directory; a verb that only removes must not fail for want
/// of one.
fn lock_if_possible(store: &RecordStore, network: &str) -> Option<NetworkLock> {
    if !store.directory().is_dir() {
        return None;
    }
    lock_within(store, network, LOCK_PATIENCE)
        .map_err(|error| log::warn!("going on without the lock: {error}"))
        .ok()
}

#[cfg(test)]
mod tests;
