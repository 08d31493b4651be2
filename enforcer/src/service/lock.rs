//! One enforcer per run directory and per network namespace.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::os::unix::net::{SocketAddr, UnixListener};
use std::path::{Path, PathBuf};

use nix::fcntl::{Flock, FlockArg};

/// Abstract unix socket that only one process of a network namespace can hold.
const NAMESPACE_LOCK: &[u8] = b"weir-enforcer";

/// Why the locks cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// The run directory cannot be made.
    #[error("cannot create the run directory {path}: {source}; check runDir or --run-dir", path = path.display())]
    RunDir {
        /// The directory.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The lock file cannot be opened.
    #[error("cannot open {path}: {source}; check that the run directory is writable", path = path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Another enforcer holds the run directory.
    #[error("another enforcer (process {holder}) runs with the run directory {run_dir}; stop it first, or give this one another", run_dir = run_dir.display())]
    RunDirTaken {
        /// The directory.
        run_dir: PathBuf,
        /// The other's process id, as it wrote it.
        holder: String,
    },
    /// Another enforcer serves this network namespace.
    #[error(
        "another enforcer serves this network namespace, with another run directory; there can be one per node"
    )]
    NamespaceTaken,
    /// The namespace lock cannot be had.
    #[error("cannot take the lock of this network namespace: {0}")]
    Namespace(std::io::Error),
}

/// Both locks; released when dropped, also by the death of the process.
#[derive(Debug)]
pub struct NodeLock {
    _file: Flock<File>,
    _namespace: UnixListener,
}

/// Takes both.
///
/// # Errors
///
/// When another process has one of them, or the file system refuses.
pub fn take(run_dir: &Path) -> Result<NodeLock, LockError> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o755)
        .create(run_dir)
        .map_err(|source| LockError::RunDir {
            path: run_dir.to_owned(),
            source,
        })?;
    let file = lock_file(run_dir)?;
    let address = SocketAddr::from_abstract_name(NAMESPACE_LOCK).map_err(LockError::Namespace)?;
    let namespace = UnixListener::bind_addr(&address).map_err(|error| {
        if error.kind() == std::io::ErrorKind::AddrInUse {
            LockError::NamespaceTaken
        } else {
            LockError::Namespace(error)
        }
    })?;
    Ok(NodeLock {
        _file: file,
        _namespace: namespace,
    })
}

fn lock_file(run_dir: &Path) -> Result<Flock<File>, LockError> {
    let path = run_dir.join("enforcer.lock");
    let failed = |source: std::io::Error| LockError::File {
        path: path.clone(),
        source,
    };
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .read(true)
        .write(true)
        .mode(0o600)
        .open(&path)
        .map_err(failed)?;
    match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
        Ok(mut file) => {
            file.set_len(0).map_err(failed)?;
            writeln!(file, "{}", std::process::id()).map_err(failed)?;
            Ok(file)
        }
        Err((mut file, nix::Error::EWOULDBLOCK)) => {
            let mut holder = String::new();
            // Only for the message: without it the number is missing there.
            let _ = file.read_to_string(&mut holder);
            Err(LockError::RunDirTaken {
                run_dir: run_dir.to_owned(),
                holder: holder.trim().to_owned(),
            })
        }
        Err((_, errno)) => Err(failed(errno.into())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::in_own_netns;

    #[test]
    fn second_enforcer_is_refused_and_told_of_the_first() {
        in_own_netns(|| {
            let dir = std::env::temp_dir().join(format!("weir-lock-{}", std::process::id()));
            let first = take(&dir.join("a")).unwrap();
            let same = take(&dir.join("a")).unwrap_err().to_string();
            assert!(same.contains(&std::process::id().to_string()), "{same}");
            let other = take(&dir.join("b")).unwrap_err();
            assert!(matches!(other, LockError::NamespaceTaken), "{other}");
            drop(first);
            take(&dir.join("a")).unwrap();
            std::fs::remove_dir_all(&dir).unwrap();
        });
    }
}
