//! A socket on which the kernel tells of changes. Nothing is asked.

use std::io;

use super::attributes::Messages;

/// Longest datagram that is read; notifications fill a page.
const RECEIVE_BUFFER: usize = 64 * 1024;

/// Most datagrams of one reading, so that a storm of changes ends it too.
const MAX_DATAGRAMS: usize = 4096;

/// Listens to one multicast group.
pub(crate) struct Listener {
    inner: netlink_sys::Socket,
    buffer: Vec<u8>,
}

impl std::fmt::Debug for Listener {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Listener").finish_non_exhaustive()
    }
}

impl Listener {
    /// Joins `group` of a netlink protocol in the calling thread's network namespace.
    pub(crate) fn open(protocol: i32, group: u32) -> io::Result<Self> {
        let mut inner = netlink_sys::Socket::new(protocol as isize)?;
        inner.bind_auto()?;
        inner.add_membership(group)?;
        Ok(Self {
            inner,
            buffer: vec![0; RECEIVE_BUFFER],
        })
    }

    /// Waits until there is something to read, lost messages included.
    pub(crate) fn wait(&self) -> io::Result<()> {
        loop {
            match self.inner.recv(&mut [0; 1].as_mut_slice(), libc::MSG_PEEK) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.raw_os_error() != Some(libc::ENOBUFS) => return Err(error),
                _ => return Ok(()),
            }
        }
    }

    /// Gives `each` what has come since, as type and payload. False: messages were lost or left.
    pub(crate) fn drain(&mut self, mut each: impl FnMut(u16, &[u8])) -> io::Result<bool> {
        let mut whole = true;
        for _ in 0..MAX_DATAGRAMS {
            let mut space = self.buffer.as_mut_slice();
            match self
                .inner
                .recv(&mut space, libc::MSG_TRUNC | libc::MSG_DONTWAIT)
            {
                Ok(length) => match self.buffer.get(..length) {
                    Some(datagram) => {
                        let messages = Messages { rest: datagram };
                        messages.for_each(|(kind, _, _, payload)| each(kind, payload));
                    }
                    None => whole = false,
                },
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(whole),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.raw_os_error() == Some(libc::ENOBUFS) => whole = false,
                Err(error) => return Err(error),
            }
        }
        Ok(false)
    }
}
