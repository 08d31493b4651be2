//! Takes questions and hands them to the service, which answers one at a time.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::time::timeout;

use super::{Command, Request, socket_path};

/// Clients that are heard at a time.
pub const MAX_CLIENTS: usize = 16;

/// How long a client may take to ask.
pub const PATIENCE: Duration = Duration::from_secs(2);

/// Longest question.
const MAX_REQUEST: u64 = 4096;

/// A question on its way to the service.
pub struct Asked {
    /// What.
    pub command: Command,
    /// Where the answer goes.
    pub reply: oneshot::Sender<Value>,
}

/// Why there is no control socket.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {path}: {source}; check that the run directory is writable", path = path.display())]
pub struct ListenError {
    path: PathBuf,
    source: std::io::Error,
}

/// The listening socket; its file is removed when it is dropped.
pub struct ControlServer {
    listener: UnixListener,
    path: PathBuf,
    clients: Arc<Semaphore>,
}

impl ControlServer {
    /// Listens in `run_dir`. A file that a dead process left there is replaced: the run directory's lock
    /// is held.
    ///
    /// # Errors
    ///
    /// When the file system refuses.
    pub fn listen(run_dir: &Path) -> Result<Self, ListenError> {
        let path = socket_path(run_dir);
        let failed = |source| ListenError {
            path: path.clone(),
            source,
        };
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(failed(error));
            }
            _ => {}
        }
        let listener = UnixListener::bind(&path).map_err(failed)?;
        let mode = std::fs::Permissions::from_mode(0o600);
        std::fs::set_permissions(&path, mode).map_err(failed)?;
        Ok(Self {
            listener,
            path: path.clone(),
            clients: Arc::new(Semaphore::new(MAX_CLIENTS)),
        })
    }

    /// Takes one client and hears it in the background; what it asks goes to `asked`.
    pub async fn accept(&self, asked: &mpsc::Sender<Asked>) {
        match self.listener.accept().await {
            Ok((stream, _)) => {
                // Without a free place the client is let go at once: it sees the end of the stream.
                if let Ok(place) = Arc::clone(&self.clients).try_acquire_owned() {
                    let asked = asked.clone();
                    tokio::spawn(async move {
                        hear(stream, asked).await;
                        drop(place);
                    });
                }
            }
            Err(error) => {
                log::warn!("control socket: {error}");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

impl Drop for ControlServer {
    fn drop(&mut self) {
        // Best effort: the next start replaces it.
        let _ = std::fs::remove_file(&self.path);
    }
}

async fn hear(mut stream: UnixStream, asked: mpsc::Sender<Asked>) {
    let answer = match timeout(PATIENCE, read_request(&mut stream)).await {
        Err(_) => refusal("no question came in time"),
        Ok(Err(problem)) => refusal(&problem),
        Ok(Ok(request)) => forward(request.command, &asked).await,
    };
    let mut line = answer.to_string();
    line.push('\n');
    // A client that has gone away does not need its answer.
    let _ = timeout(PATIENCE, stream.write_all(line.as_bytes())).await;
}

async fn read_request(stream: &mut UnixStream) -> Result<Request, String> {
    let mut line = String::new();
    BufReader::new(stream.take(MAX_REQUEST))
        .read_line(&mut line)
        .await
        .map_err(|error| error.to_string())?;
    serde_json::from_str(&line).map_err(|error| {
        format!("not a question: {error}; ask {{\"command\":\"ping\"}}, status or reload")
    })
}

async fn forward(command: Command, asked: &mpsc::Sender<Asked>) -> Value {
    let (reply, answer) = oneshot::channel();
    if asked.send(Asked { command, reply }).await.is_err() {
        return refusal("the enforcer is shutting down");
    }
    match answer.await {
        Ok(answer) => answer,
        Err(_) => refusal("the enforcer is shutting down"),
    }
}

/// An answer that says no.
#[must_use]
pub fn refusal(problem: &str) -> Value {
    json!({"ok": false, "error": problem})
}

#[cfg(test)]
mod tests {
    use super::super::client;
    use super::*;

    fn scratch(name: &str) -> PathBuf {
        let dir = std::env::temp_dir().join(format!("weir-control-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        dir
    }

    fn serve(dir: &Path, ask: impl FnOnce(&Path) + Send + 'static) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let asking = dir.to_owned();
        runtime.block_on(async {
            let server = ControlServer::listen(dir).unwrap();
            let (send, mut receive) = mpsc::channel(1);
            let mut client = tokio::task::spawn_blocking(move || ask(&asking));
            loop {
                tokio::select! {
                    () = server.accept(&send) => {}
                    Some(asked) = receive.recv() => {
                        asked.reply.send(json!({"ok": true, "heard": asked.command})).unwrap();
                    }
                    done = &mut client => break done.unwrap(),
                }
            }
        });
        std::fs::remove_dir_all(dir).unwrap();
    }

    #[test]
    fn question_is_answered() {
        serve(&scratch("ask"), |dir| {
            let answer = client::ask(dir, Command::Reload).unwrap();
            assert_eq!(answer["heard"], "reload");
        });
    }

    #[test]
    fn nonsense_is_refused_with_what_can_be_asked() {
        use std::io::{Read as _, Write as _};
        serve(&scratch("nonsense"), |dir| {
            for nonsense in ["{}\n", "x\n", "{\"command\":\"stop\"}\n", "\n"] {
                let mut stream = std::os::unix::net::UnixStream::connect(socket_path(dir)).unwrap();
                stream.write_all(nonsense.as_bytes()).unwrap();
                let mut answer = String::new();
                stream.read_to_string(&mut answer).unwrap();
                let answer: Value = serde_json::from_str(&answer).unwrap();
                assert_eq!(answer["ok"], false, "{nonsense}");
                assert!(answer["error"].as_str().unwrap().contains("reload"));
            }
        });
    }

    #[test]
    fn absence_is_told_with_the_path() {
        let dir = scratch("absent");
        let error = client::ask(&dir, Command::Ping).unwrap_err().to_string();
        assert!(error.contains("control.sock"), "{error}");
        std::fs::remove_dir_all(&dir).unwrap();
    }
}
