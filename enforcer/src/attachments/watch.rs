//! Says when attachments may have changed: records in their directory, links in the kernel.
//!
//! Both sources only wake the service up; what has changed it finds by reading. A lost event is made up
//! for by the periodic sweep.

use std::path::Path;
use std::sync::Arc;

use netlink_sys::protocols::NETLINK_ROUTE;
use netlink_sys::{Socket, SocketAddr};
use notify::{RecursiveMode, Watcher as _};
use tokio::sync::Notify;

/// Multicast group of link changes (`RTMGRP_LINK`).
const LINK_GROUP: u32 = 1;
/// `RTM_DELLINK`.
const LINK_DELETED: u16 = 17;
/// Offset of the type in `struct nlmsghdr`.
const TYPE_AT: usize = 4;

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

/// Starts a thread that notifies `gone` when a link was deleted. It lives as long as the process.
///
/// # Errors
///
/// When the kernel refuses the socket.
pub fn watch_links(gone: Arc<Notify>) -> Result<(), WatchError> {
    let mut socket = Socket::new(NETLINK_ROUTE).map_err(WatchError::Links)?;
    socket
        .bind(&SocketAddr::new(0, LINK_GROUP))
        .map_err(WatchError::Links)?;
    let watch = move || {
        let mut buffer = Vec::with_capacity(64 * 1024);
        loop {
            buffer.clear();
            match socket.recv(&mut buffer, 0) {
                Ok(_) if deletes_link(&buffer) => gone.notify_one(),
                Ok(_) => {}
                // Events were lost (ENOBUFS): something may be gone.
                Err(error) if error.raw_os_error() == Some(libc::ENOBUFS) => gone.notify_one(),
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => {
                    log::warn!("deleted interfaces are found by the sweep only: {error}");
                    return;
                }
            }
        }
    };
    std::thread::Builder::new()
        .name("weir-links".to_owned())
        .spawn(watch)
        .map_err(WatchError::Links)?;
    Ok(())
}

fn deletes_link(message: &[u8]) -> bool {
    let kind = message.get(TYPE_AT..).and_then(|rest| rest.first_chunk());
    kind.is_some_and(|&kind| u16::from_ne_bytes(kind) == LINK_DELETED)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::testing::{in_own_netns, ip};

    fn notified(notify: &Notify) -> bool {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .unwrap();
        runtime.block_on(async {
            tokio::time::timeout(Duration::from_secs(5), notify.notified())
                .await
                .is_ok()
        })
    }

    #[test]
    fn renamed_record_is_noticed() {
        let dir = std::env::temp_dir().join(format!("weir-watch-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        let changed = Arc::new(Notify::new());
        let _watch = RecordWatch::start(&dir, Arc::clone(&changed)).unwrap();
        std::fs::write(dir.join(".tmp"), "x").unwrap();
        std::fs::rename(dir.join(".tmp"), dir.join("a.json")).unwrap();
        assert!(notified(&changed));
        std::fs::remove_dir_all(&dir).unwrap();
    }

    #[test]
    fn deleted_link_is_noticed() {
        in_own_netns(|| {
            ip("link add c0 type veth peer name c1");
            let gone = Arc::new(Notify::new());
            watch_links(Arc::clone(&gone)).unwrap();
            ip("link del c0");
            assert!(notified(&gone));
        });
    }
}
