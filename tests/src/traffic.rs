//! Servers that remember every byte they were given, and transfers whose content is verified.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use sha2::{Digest, Sha256};

use crate::netns::Netns;
use crate::poll;
use crate::rng::Rng;

/// How long a read may block before a transfer counts as stuck.
pub const READ_LIMIT: Duration = Duration::from_secs(20);

/// What a server answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Nothing.
    Nothing,
    /// What it was sent.
    Echo,
}

/// A TCP server that keeps every byte that any connection delivered to it.
#[derive(Clone, Debug)]
pub struct Collector {
    received: Arc<Mutex<Vec<Vec<u8>>>>,
    address: SocketAddr,
}

impl Collector {
    /// Listens on `address` inside `ns` and serves on threads of its own until the test ends.
    ///
    /// # Errors
    /// When the port is taken.
    pub fn start(ns: &Netns, address: SocketAddr, answer: Answer) -> Result<Self> {
        let listener = ns.listen(address)?;
        let address = listener.local_addr()?;
        let received: Arc<Mutex<Vec<Vec<u8>>>> = Arc::default();
        let shared = Arc::clone(&received);
        std::thread::spawn(move || serve(&listener, &shared, answer));
        Ok(Self { received, address })
    }

    /// Its port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// The bytes of every connection so far, in order of acceptance.
    #[must_use]
    pub fn received(&self) -> Vec<Vec<u8>> {
        self.received
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Whether any connection delivered `pattern`.
    #[must_use]
    pub fn saw(&self, pattern: &[u8]) -> bool {
        self.received().iter().any(|bytes| contains(bytes, pattern))
    }

    /// Waits until some connection delivered `pattern`.
    ///
    /// # Errors
    /// When none did.
    pub fn wait_for(&self, pattern: &[u8]) -> Result<()> {
        let what = format!("{:?} to arrive", String::from_utf8_lossy(pattern));
        poll::until(&what, || Ok(self.saw(pattern).then_some(())))
    }

    /// Waits until connection number `index` has delivered `count` bytes.
    ///
    /// # Errors
    /// When it has not.
    pub fn wait_count(&self, index: usize, count: usize) -> Result<()> {
        poll::until(&format!("{count} bytes on connection {index}"), || {
            let received = self.received();
            Ok(received
                .get(index)
                .is_some_and(|bytes| bytes.len() >= count)
                .then_some(()))
        })
    }
}

/// Whether `bytes` hold `pattern`.
#[must_use]
pub fn contains(bytes: &[u8], pattern: &[u8]) -> bool {
    bytes
        .windows(pattern.len().max(1))
        .any(|window| window == pattern)
}

/// Sends `request` and requires the same bytes back.
///
/// # Errors
/// When they do not come back.
pub fn echo(stream: &mut TcpStream, request: &[u8]) -> Result<()> {
    stream.set_read_timeout(Some(READ_LIMIT))?;
    stream.write_all(request).context("send the request")?;
    let mut answer = vec![0; request.len()];
    stream.read_exact(&mut answer).context("read the answer")?;
    if answer != request {
        bail!("the answer differs from the request");
    }
    Ok(())
}

/// Sends `megabytes` MiB of reproducible bytes from `client` to `server` and verifies their hash at the far end.
///
/// # Errors
/// When the content differs or the transfer is stuck.
pub fn transfer(client: TcpStream, server: TcpStream, megabytes: usize) -> Result<()> {
    let receiver = std::thread::spawn(move || digest_of(server));
    let sent = send_stream(client, megabytes)?;
    let Ok(received) = receiver.join() else {
        bail!("the receiving thread panicked");
    };
    if received? != sent {
        bail!("content differs at the receiver");
    }
    Ok(())
}

/// Sends `megabytes` MiB and closes; returns the hash of what was sent.
///
/// # Errors
/// When the connection fails.
pub fn send_stream(mut client: TcpStream, megabytes: usize) -> Result<[u8; 32]> {
    client.set_write_timeout(Some(READ_LIMIT))?;
    let mut rng = Rng::new(7);
    let mut hash = Sha256::new();
    for _ in 0..megabytes {
        let block = rng.bytes(1 << 20);
        hash.update(&block);
        client.write_all(&block).context("send")?;
    }
    client.shutdown(std::net::Shutdown::Write)?;
    Ok(hash.finalize().into())
}

/// Reads to the end; returns the hash of what was read.
///
/// # Errors
/// When the connection fails or is stuck.
pub fn digest_of(mut server: TcpStream) -> Result<[u8; 32]> {
    server.set_read_timeout(Some(READ_LIMIT))?;
    let mut hash = Sha256::new();
    let mut block = vec![0; 1 << 18];
    loop {
        match server.read(&mut block).context("receive")? {
            0 => return Ok(hash.finalize().into()),
            count => hash.update(block.get(..count).unwrap_or_default()),
        }
    }
}

fn serve(listener: &TcpListener, received: &Arc<Mutex<Vec<Vec<u8>>>>, answer: Answer) {
    for stream in listener.incoming() {
        let Ok(stream) = stream else { return };
        let index = {
            let mut connections = received.lock().unwrap_or_else(PoisonError::into_inner);
            connections.push(Vec::new());
            connections.len() - 1
        };
        let shared = Arc::clone(received);
        std::thread::spawn(move || keep(stream, &shared, index, answer));
    }
}

fn keep(mut stream: TcpStream, received: &Mutex<Vec<Vec<u8>>>, index: usize, answer: Answer) {
    let mut block = [0; 1 << 16];
    while let Ok(count @ 1..) = stream.read(&mut block) {
        let bytes = block.get(..count).unwrap_or_default();
        let mut connections = received.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(connection) = connections.get_mut(index) {
            connection.extend_from_slice(bytes);
        }
        drop(connections);
        if answer == Answer::Echo && stream.write_all(bytes).is_err() {
            return;
        }
    }
}
