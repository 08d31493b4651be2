//! Tells the enforcer of a new attachment.
//!
//! The enforcer watches the records, but a pod may send before it has looked: until then frames are judged by
//! the node's defaults. So ADD tells it, and waits a moment for the answer. Nothing depends on it: where no
//! enforcer answers the kernel decides by the fail mode, and one that starts later reads all records first.

use std::io::{self, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use weir_datapath::layout::CONTROL_SOCKET;

/// How long to wait for the answer. A running enforcer answers within a few milliseconds.
const PATIENCE: Duration = Duration::from_millis(100);

/// The question.
const ATTACHED: &[u8] = b"{\"command\":\"attached\"}\n";

/// Has the enforcer of `run_dir` read the attachment records, if one runs and answers in time.
pub fn announce(run_dir: &Path) {
    if let Err(error) = ask(&run_dir.join(CONTROL_SOCKET)) {
        log::debug!("no enforcer was told of the attachment: {error}");
    }
}

fn ask(socket: &Path) -> io::Result<()> {
    let mut stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    stream.write_all(ATTACHED)?;
    // What it says does not matter, only that it has looked.
    stream.read(&mut [0; 1]).map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{BufRead as _, BufReader};
    use std::os::unix::net::UnixListener;
    use std::time::Instant;

    fn directory(name: &str) -> std::path::PathBuf {
        let path =
            std::env::temp_dir().join(format!("weir-announce-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        path
    }

    #[test]
    fn the_enforcer_is_asked_to_read_the_records() {
        let run_dir = directory("asked");
        let listener = UnixListener::bind(run_dir.join(CONTROL_SOCKET)).unwrap();
        let enforcer = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut line = String::new();
            BufReader::new(stream.try_clone().unwrap())
                .read_line(&mut line)
                .unwrap();
            stream.write_all(b"{\"ok\":true}\n").unwrap();
            line
        });
        announce(&run_dir);
        assert_eq!(enforcer.join().unwrap(), "{\"command\":\"attached\"}\n");
        std::fs::remove_dir_all(run_dir).unwrap();
    }

    #[test]
    fn one_that_hangs_is_not_waited_for() {
        let run_dir = directory("hangs");
        let _listener = UnixListener::bind(run_dir.join(CONTROL_SOCKET)).unwrap();
        let start = Instant::now();
        announce(&run_dir);
        assert!(start.elapsed() < Duration::from_secs(5));
        std::fs::remove_dir_all(run_dir).unwrap();
    }
}
