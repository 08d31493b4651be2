//! Says when attachments may have changed: records in their directory, links and rules in the kernel.
//!
//! The sources only wake the service up; what has changed it finds by reading. A lost event is made up
//! for by the periodic sweep.

use std::path::Path;
use std::sync::Arc;

use futures_util::StreamExt as _;
use netlink_packet_core::NetlinkPayload;
use netlink_packet_route::RouteNetlinkMessage;
use notify::{RecursiveMode, Watcher as _};
use rtnetlink::MulticastGroup;
use tokio::sync::Notify;
use weir_datapath::kernel::{KernelError, RuleWatch};

/// Why changes cannot be watched.
#[derive(Debug, thiserror::Error)]
pub enum WatchError {
    /// The directory of the records.
    #[error("cannot watch {path} for attachment records: {source}; check the limits in /proc/sys/fs/inotify", path = path.display())]
    Records {
        /// The directory.
        path: std::path::PathBuf,
        /// Why.
        source: notify::Error,
    },
    /// Links.
    #[error("cannot watch for deleted interfaces: {0}")]
    Links(std::io::Error),
    /// Rules.
    #[error("cannot watch for removed rules: {0}")]
    Rules(#[from] KernelError),
    /// No thread to watch in.
    #[error("cannot start the thread that watches for removed rules: {0}")]
    RulesThread(std::io::Error),
}

/// Notices changes of the records as long as it lives.
pub struct RecordWatch {
    _watcher: notify::RecommendedWatcher,
    inode: Option<u64>,
}

impl RecordWatch {
    /// Watches `directory`, which exists; `changed` is notified.
    ///
    /// # Errors
    ///
    /// When the system refuses.
    pub fn start(directory: &Path, changed: Arc<Notify>) -> Result<Self, WatchError> {
        let failed = |source| WatchError::Records {
            path: directory.to_owned(),
            source,
        };
        let mut watcher =
            notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
                // Reading records makes access events, which change nothing.
                if !event.is_ok_and(|event| event.kind.is_access()) {
                    changed.notify_one();
                }
            })
            .map_err(failed)?;
        watcher
            .watch(directory, RecursiveMode::NonRecursive)
            .map_err(failed)?;
        Ok(Self {
            _watcher: watcher,
            inode: inode(directory),
        })
    }

    /// True while `directory` is the one that is watched: not removed, not made anew.
    #[must_use]
    pub fn is_current(&self, directory: &Path) -> bool {
        self.inode.is_some() && self.inode == inode(directory)
    }
}

fn inode(directory: &Path) -> Option<u64> {
    use std::os::unix::fs::MetadataExt as _;
    std::fs::metadata(directory).ok().map(|meta| meta.ino())
}

/// Starts tasks that notify `gone` when a link was deleted. They live as long as the runtime they are started on,
/// which drives IO; the network namespace is the calling thread's.
///
/// # Errors
///
/// When the kernel refuses the socket.
///
/// # Panics
///
/// Outside a tokio runtime.
pub fn watch_links(gone: Arc<Notify>) -> Result<(), WatchError> {
    let (connection, _requests, mut events) =
        rtnetlink::new_multicast_connection(&[MulticastGroup::Link]).map_err(WatchError::Links)?;
    tokio::spawn(connection);
    tokio::spawn(async move {
        while let Some((event, _)) = events.next().await {
            if may_delete_link(&event.payload) {
                gone.notify_one();
            }
        }
        log::warn!("the kernel tells of no deleted interfaces any more: the sweep finds them");
    });
    Ok(())
}

/// Starts a thread that notifies `removed` when others than the calling thread and the plugin took away rules of
/// weir's. It lives as long as the process; the network namespace is the calling thread's.
///
/// # Errors
///
/// When the kernel refuses the socket, or there is no thread.
pub fn watch_rules(removed: Arc<Notify>) -> Result<(), WatchError> {
    let mut watch = RuleWatch::open()?;
    let wait = move || {
        let error = loop {
            match watch.wait_removed() {
                Ok(()) => removed.notify_one(),
                Err(error) => break error,
            }
        };
        log::warn!("the kernel tells of no removed rules any more ({error}): the sweep finds them");
    };
    let thread = std::thread::Builder::new().name("weir-rules".to_owned());
    thread.spawn(wait).map_err(WatchError::RulesThread)?;
    Ok(())
}

fn may_delete_link(event: &NetlinkPayload<RouteNetlinkMessage>) -> bool {
    match event {
        NetlinkPayload::InnerMessage(message) => message.is_del_link(),
        // Events were lost (ENOBUFS): something may be gone.
        NetlinkPayload::Overrun(_) => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::testing::{in_own_netns, ip};

    fn runtime() -> tokio::runtime::Runtime {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap()
    }

    async fn notified(notify: &Notify) -> bool {
        tokio::time::timeout(Duration::from_secs(5), notify.notified())
            .await
            .is_ok()
    }

    #[test]
    fn renamed_record_is_noticed() {
        let dir = std::env::temp_dir().join(format!("weir-watch-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        let changed = Arc::new(Notify::new());
        let _watch = RecordWatch::start(&dir, Arc::clone(&changed)).unwrap();
        std::fs::write(dir.join(".tmp"), "x").unwrap();
        std::fs::rename(dir.join(".tmp"), dir.join("a.json")).unwrap();
        assert!(runtime().block_on(notified(&changed)));
        std::fs::remove_dir_all(&dir).unwrap();
    }

    #[test]
    fn deleted_link_is_noticed() {
        in_own_netns(|| {
            ip("link add c0 type veth peer name c1");
            runtime().block_on(async {
                let gone = Arc::new(Notify::new());
                watch_links(Arc::clone(&gone)).unwrap();
                ip("link set c0 up");
                ip("link del c0");
                assert!(notified(&gone).await);
            });
        });
    }

    #[test]
    fn lost_events_count_as_a_deleted_link_and_other_changes_do_not() {
        assert!(may_delete_link(&NetlinkPayload::Overrun(Vec::new())));
        let link = netlink_packet_route::link::LinkMessage::default();
        let changed = RouteNetlinkMessage::NewLink(link.clone());
        assert!(!may_delete_link(&NetlinkPayload::InnerMessage(changed)));
        let deleted = RouteNetlinkMessage::DelLink(link);
        assert!(may_delete_link(&NetlinkPayload::InnerMessage(deleted)));
    }
}
