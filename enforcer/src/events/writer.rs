//! The thread that writes event lines to their target.
//!
//! A target that cannot be written loses events, counted; the target is tried again, at most once a
//! second. Nothing here can hold up a worker: the queue in front is bounded.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::queue::Chunk;
use crate::settings::{Eve, EveTarget};

/// How long to leave a target alone that did not work, and how often a file is looked at for having
/// been renamed.
const RETRY: Duration = Duration::from_secs(1);

/// How long a unix socket's reader may keep the writer waiting before it is given up.
const WRITE_TIMEOUT: Duration = Duration::from_secs(1);

/// What the writer shares with the rest.
#[derive(Debug, Default)]
pub struct WriterState {
    reopen: AtomicBool,
    written: AtomicU64,
    lost: AtomicU64,
}

impl WriterState {
    /// Has the target opened anew (log rotation).
    pub fn reopen(&self) {
        self.reopen.store(true, Ordering::Relaxed);
    }

    /// Events written.
    #[must_use]
    pub fn written(&self) -> u64 {
        self.written.load(Ordering::Relaxed)
    }

    /// Events lost because the target could not be written.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }
}

/// Why there is no writer.
#[derive(Debug, thiserror::Error)]
pub enum WriterError {
    /// The file cannot be opened.
    #[error("cannot open the EVE file {path}: {source}; check outputs.eve.path or --eve", path = path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// No thread could be started.
    #[error("cannot start the thread that writes events: {0}")]
    Thread(io::Error),
}

/// Starts the writer. It ends when every sink of the queue is gone and what they sent is written.
///
/// # Errors
///
/// When a file cannot be opened. A unix socket need not be there yet.
pub fn start(
    settings: &Eve,
    source: Receiver<Chunk>,
    state: Arc<WriterState>,
) -> Result<JoinHandle<()>, WriterError> {
    let target = Target::open(settings)?;
    let writer = Writer {
        target,
        state,
        retry_at: None,
        look_at: Instant::now() + RETRY,
    };
    std::thread::Builder::new()
        .name("weir-events".to_owned())
        .spawn(move || writer.run(&source))
        .map_err(WriterError::Thread)
}

struct Writer {
    target: Target,
    state: Arc<WriterState>,
    retry_at: Option<Instant>,
    look_at: Instant,
}

impl Writer {
    fn run(mut self, source: &Receiver<Chunk>) {
        loop {
            match source.recv_timeout(RETRY) {
                Ok(chunk) => {
                    self.maintain();
                    self.write(&chunk);
                    chunk.recycle();
                }
                Err(RecvTimeoutError::Timeout) => self.maintain(),
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    fn maintain(&mut self) {
        let mut reopen = self.state.reopen.swap(false, Ordering::Relaxed);
        if Instant::now() >= self.look_at {
            self.look_at = Instant::now() + RETRY;
            reopen |= self.target.was_moved();
        }
        if reopen {
            self.target.close();
            self.retry_at = None;
        }
    }

    fn write(&mut self, chunk: &Chunk) {
        let waiting = self.retry_at.is_some_and(|at| Instant::now() < at);
        if !waiting && let Err(error) = self.target.write(chunk.bytes()) {
            log::warn!(
                "events are being lost: cannot write to {}: {error}",
                self.target.name()
            );
            self.target.close();
            self.retry_at = Some(Instant::now() + RETRY);
        } else if !waiting {
            self.retry_at = None;
            self.state
                .written
                .fetch_add(chunk.events(), Ordering::Relaxed);
            return;
        }
        self.state.lost.fetch_add(chunk.events(), Ordering::Relaxed);
    }
}

enum Target {
    File {
        path: PathBuf,
        file: Option<File>,
    },
    Stdout,
    Unix {
        path: PathBuf,
        stream: Option<UnixStream>,
    },
    Off,
}

impl Target {
    fn open(settings: &Eve) -> Result<Self, WriterError> {
        let path = settings.path.clone().unwrap_or_default();
        Ok(match settings.to {
            EveTarget::Stdout => Self::Stdout,
            EveTarget::Off => Self::Off,
            EveTarget::Unix => Self::Unix { path, stream: None },
            EveTarget::File => {
                let file = open_file(&path).map_err(|source| WriterError::Open {
                    path: path.clone(),
                    source,
                })?;
                Self::File {
                    path,
                    file: Some(file),
                }
            }
        })
    }

    fn name(&self) -> String {
        match self {
            Self::File { path, .. } | Self::Unix { path, .. } => path.display().to_string(),
            Self::Stdout => "standard output".to_owned(),
            Self::Off => "nowhere".to_owned(),
        }
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Off => Ok(()),
            Self::Stdout => {
                let mut out = io::stdout().lock();
                out.write_all(bytes).and_then(|()| out.flush())
            }
            Self::File { path, file } => match file {
                Some(file) => file.write_all(bytes),
                None => file.insert(open_file(path)?).write_all(bytes),
            },
            Self::Unix { path, stream } => match stream {
                Some(stream) => stream.write_all(bytes),
                None => stream.insert(connect(path)?).write_all(bytes),
            },
        }
    }

    fn close(&mut self) {
        match self {
            Self::File { file, .. } => *file = None,
            Self::Unix { stream, .. } => *stream = None,
            Self::Stdout | Self::Off => {}
        }
    }

    /// True when the path no longer names the file that is open: renamed or removed.
    fn was_moved(&self) -> bool {
        let Self::File {
            path,
            file: Some(file),
        } = self
        else {
            return false;
        };
        let identity = |m: std::fs::Metadata| (m.dev(), m.ino());
        let open = file.metadata().map(identity).ok();
        open != std::fs::metadata(path).map(identity).ok()
    }
}

fn open_file(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .create(true)
        .append(true)
        .mode(0o640)
        .open(path)
}

fn connect(path: &Path) -> io::Result<UnixStream> {
    let stream = UnixStream::connect(path)?;
    stream.set_write_timeout(Some(WRITE_TIMEOUT))?;
    Ok(stream)
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead as _, BufReader};
    use std::os::unix::net::UnixListener;

    use super::super::queue;
    use super::*;

    fn scratch(name: &str) -> PathBuf {
        let dir = std::env::temp_dir().join(format!("weir-writer-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        dir
    }

    fn send(sink: &mut queue::EventSink, text: &str) {
        sink.line(|bytes| {
            bytes.extend(text.as_bytes());
            true
        });
        sink.flush();
    }

    fn wait_until(what: &str, mut done: impl FnMut() -> bool) {
        let end = Instant::now() + Duration::from_secs(10);
        while !done() {
            assert!(Instant::now() < end, "{what}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    #[test]
    fn renamed_file_is_opened_anew() {
        let dir = scratch("rename");
        let path = dir.join("eve.json");
        let settings = Eve {
            to: EveTarget::File,
            path: Some(path.clone()),
            ..Eve::default()
        };
        let (mut sinks, source) = queue::channel(1, 8);
        let state = Arc::new(WriterState::default());
        let thread = start(&settings, source, Arc::clone(&state)).unwrap();
        send(&mut sinks[0], "one\n");
        wait_until("first line", || state.written() == 1);
        std::fs::rename(&path, dir.join("eve.json.1")).unwrap();
        state.reopen();
        send(&mut sinks[0], "two\n");
        drop(sinks);
        thread.join().unwrap();
        assert_eq!(
            std::fs::read_to_string(dir.join("eve.json.1")).unwrap(),
            "one\n"
        );
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "two\n");
        std::fs::remove_dir_all(&dir).unwrap();
    }

    #[test]
    fn socket_is_connected_when_it_appears_and_losses_are_counted() {
        let dir = scratch("unix");
        let path = dir.join("eve.sock");
        let settings = Eve {
            to: EveTarget::Unix,
            path: Some(path.clone()),
            ..Eve::default()
        };
        let (mut sinks, source) = queue::channel(1, 8);
        let state = Arc::new(WriterState::default());
        let thread = start(&settings, source, Arc::clone(&state)).unwrap();
        send(&mut sinks[0], "lost\n");
        wait_until("the loss", || state.lost() == 1);
        let listener = UnixListener::bind(&path).unwrap();
        wait_until("a line written", || {
            send(&mut sinks[0], "kept\n");
            std::thread::sleep(Duration::from_millis(100));
            state.written() > 0
        });
        let (stream, _) = listener.accept().unwrap();
        let mut line = String::new();
        BufReader::new(stream).read_line(&mut line).unwrap();
        assert_eq!(line, "kept\n");
        drop(sinks);
        thread.join().unwrap();
        std::fs::remove_dir_all(&dir).unwrap();
    }

    #[test]
    fn file_that_cannot_be_opened_is_an_error_that_names_it() {
        let settings = Eve {
            to: EveTarget::File,
            path: Some(PathBuf::from("/proc/nowhere/eve.json")),
            ..Eve::default()
        };
        let (_, source) = queue::channel(1, 1);
        let error = start(&settings, source, Arc::default())
            .unwrap_err()
            .to_string();
        assert!(error.contains("/proc/nowhere/eve.json"), "{error}");
    }
}
