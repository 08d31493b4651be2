//! AF_PACKET sockets: one to capture and one to inject per worker.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use weir_datapath::mark::SETTLED;

use super::batch::{Destination, FrameBatch};
use super::steering;
pub use super::sys::Wait;
use super::sys::{self, Outgoing, RecvArrays, SendArrays};
use super::vnet::{self, VnetHeader};
use crate::settle::Permit;

/// Bytes of kernel memory for frames on their way out of one worker's socket.
const SEND_BUFFER: libc::c_int = 32 << 20;

/// Longest wait for a frame. A waiting worker must show that it is alive: see [`crate::lease`].
pub const IDLE: Duration = Duration::from_millis(50);

/// `SO_RCVMARK` (Linux 5.19), which libc does not name.
const SO_RCVMARK: libc::c_int = 75;

/// Ask the kernel for a fanout group number that nobody uses.
const FANOUT_UNIQUE: u16 = 0x2000;

/// `PACKET_FANOUT_FLAG_IGNORE_OUTGOING`: in a group the sockets' own `PACKET_IGNORE_OUTGOING` does not count, and
/// what is injected on the capture pair would come back as if it were captured, for ever.
const FANOUT_IGNORE_OUTGOING: u16 = 0x4000;

/// Why the capture sockets cannot be had.
#[derive(Debug, thiserror::Error)]
#[error("cannot {step}: {source}{}", hint(.source))]
pub struct SocketError {
    step: &'static str,
    source: io::Error,
}

fn hint(error: &io::Error) -> &'static str {
    match error.raw_os_error() {
        Some(libc::EPERM) => "; weir enforce needs CAP_NET_RAW and CAP_NET_ADMIN",
        Some(libc::ENOPROTOOPT) => "; the kernel is too old: SO_RCVMARK needs Linux 5.19",
        Some(libc::EAFNOSUPPORT) => "; the kernel has no AF_PACKET (CONFIG_PACKET)",
        _ => "",
    }
}

fn step(step: &'static str) -> impl Fn(io::Error) -> SocketError {
    move |source| SocketError { step, source }
}

/// One worker's end of the capture pair.
pub struct CaptureSocket {
    fd: OwnedFd,
    arrays: RecvArrays,
}

/// What a receive brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Receive {
    /// So many frames are in the batch.
    Frames(usize),
    /// Nothing was queued.
    Empty,
    /// The kernel discarded a frame whose offload type the virtio-net header cannot express.
    Inexpressible,
}

impl CaptureSocket {
    /// Sockets for `workers` workers on interface `ifindex`, joined by symmetric steering. `batch` is
    /// the most frames that one receive takes, `buffer` the bytes of kernel memory for frames that
    /// wait.
    ///
    /// # Errors
    ///
    /// When the kernel refuses; the error names the step and what to check.
    pub fn open_group(
        ifindex: u32,
        workers: u16,
        batch: u16,
        buffer: u32,
    ) -> Result<Vec<Self>, SocketError> {
        let mut sockets = Vec::with_capacity(usize::from(workers));
        let mut group = None;
        for _ in 0..workers {
            let socket = Self::open(ifindex, batch, buffer)?;
            if workers > 1 {
                group = Some(socket.join(group)?);
            }
            sockets.push(socket);
        }
        Ok(sockets)
    }

    fn open(ifindex: u32, batch: u16, buffer: u32) -> Result<Self, SocketError> {
        let fd = sys::packet_socket().map_err(step("open an AF_PACKET socket"))?;
        let on: libc::c_int = 1;
        let packet =
            |name, what| sys::set_option(&fd, libc::SOL_PACKET, name, &on).map_err(step(what));
        packet(libc::PACKET_VNET_HDR, "set PACKET_VNET_HDR")?;
        packet(libc::PACKET_AUXDATA, "set PACKET_AUXDATA")?;
        packet(libc::PACKET_IGNORE_OUTGOING, "set PACKET_IGNORE_OUTGOING")?;
        sys::set_option(&fd, libc::SOL_SOCKET, SO_RCVMARK, &on).map_err(step("set SO_RCVMARK"))?;
        let buffer = libc::c_int::try_from(buffer / 2).unwrap_or(libc::c_int::MAX);
        sys::set_option(&fd, libc::SOL_SOCKET, libc::SO_RCVBUFFORCE, &buffer)
            .map_err(step("set SO_RCVBUFFORCE"))?;
        let idle = libc::timeval {
            tv_sec: 0,
            tv_usec: libc::suseconds_t::from(IDLE.subsec_micros()),
        };
        sys::set_option(&fd, libc::SOL_SOCKET, libc::SO_RCVTIMEO, &idle)
            .map_err(step("set SO_RCVTIMEO"))?;
        sys::bind_to(&fd, ifindex).map_err(step("bind to the capture interface"))?;
        let arrays = RecvArrays::new(usize::from(batch));
        Ok(Self { fd, arrays })
    }

    fn join(&self, group: Option<u16>) -> Result<u16, SocketError> {
        let (id, flags) = match group {
            Some(id) => (id, FANOUT_IGNORE_OUTGOING),
            None => (0, FANOUT_IGNORE_OUTGOING | FANOUT_UNIQUE),
        };
        let kind = libc::PACKET_FANOUT_CBPF | u32::from(flags);
        let value = u32::from(id) | kind << 16;
        sys::set_option(&self.fd, libc::SOL_PACKET, libc::PACKET_FANOUT, &value)
            .map_err(step("join the fanout group"))?;
        if let Some(id) = group {
            return Ok(id);
        }
        sys::set_fanout_program(&self.fd, &steering::program())
            .map_err(step("attach the steering program"))?;
        sys::fanout_group(&self.fd).map_err(step("read the fanout group"))
    }

    /// Takes what is queued, or waits for it: at most [`IDLE`], and not beyond a signal to this thread. What
    /// the batch held before is gone.
    ///
    /// # Errors
    ///
    /// When the socket no longer works: `ENETDOWN` when the capture interface was removed or set down.
    pub fn receive(&mut self, batch: &mut FrameBatch, wait: Wait) -> io::Result<Receive> {
        batch.clear();
        match self.arrays.receive(&self.fd, wait, batch.rooms()) {
            Ok(received) => {
                batch.fill(received);
                Ok(Receive::Frames(received.len()))
            }
            Err(error) => match error.raw_os_error() {
                Some(libc::EAGAIN | libc::EINTR) => Ok(Receive::Empty),
                Some(libc::EINVAL) => Ok(Receive::Inexpressible),
                _ => Err(error),
            },
        }
    }

    /// Frames that the kernel discarded since the last call because the worker was too slow.
    ///
    /// # Errors
    ///
    /// When the socket no longer works.
    pub fn take_drops(&self) -> io::Result<u64> {
        sys::take_drops(&self.fd)
    }
}

impl AsFd for CaptureSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// Why a frame could not be put back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum InjectError {
    /// `EAGAIN`: the socket's send buffer is full.
    SendBufferFull,
    /// `ENOBUFS`: no memory, or the interface's queue is full.
    NoBuffers,
    /// `EMSGSIZE`: longer than the interface's MTU allows.
    TooLong,
    /// `ENETDOWN`: the interface is down.
    Down,
    /// `ENXIO`, `ENODEV`: the interface is gone.
    Gone,
    /// `EINVAL`: the kernel does not take its virtio-net header.
    Invalid,
    /// Anything else.
    Other,
}

impl InjectError {
    /// Every value, in counter order.
    pub const ALL: [Self; 7] = [
        Self::SendBufferFull,
        Self::NoBuffers,
        Self::TooLong,
        Self::Down,
        Self::Gone,
        Self::Invalid,
        Self::Other,
    ];

    /// Stable name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::SendBufferFull => "send_buffer_full",
            Self::NoBuffers => "no_buffers",
            Self::TooLong => "too_long",
            Self::Down => "interface_down",
            Self::Gone => "interface_gone",
            Self::Invalid => "invalid",
            Self::Other => "other",
        }
    }

    fn of(error: &io::Error) -> Self {
        match error.raw_os_error() {
            Some(libc::EAGAIN) => Self::SendBufferFull,
            Some(libc::ENOBUFS | libc::ENOMEM) => Self::NoBuffers,
            Some(libc::EMSGSIZE) => Self::TooLong,
            Some(libc::ENETDOWN) => Self::Down,
            Some(libc::ENXIO | libc::ENODEV) => Self::Gone,
            Some(libc::EINVAL) => Self::Invalid,
            _ => Self::Other,
        }
    }
}

/// One worker's way back into the kernel. Sends through the interfaces' egress, qdisc and nft hook
/// included; every frame carries the mark that lets it pass there.
pub struct InjectSocket {
    fd: OwnedFd,
    capture_end: u32,
    arrays: SendArrays,
}

impl InjectSocket {
    /// `capture_end` is the index of the enforcer's end of the capture pair.
    ///
    /// # Errors
    ///
    /// When the kernel refuses; the error names the step and what to check.
    pub fn open(capture_end: u32, batch: u16) -> Result<Self, SocketError> {
        let fd = sys::packet_socket().map_err(step("open an AF_PACKET socket"))?;
        let on: libc::c_int = 1;
        sys::set_option(&fd, libc::SOL_PACKET, libc::PACKET_VNET_HDR, &on)
            .map_err(step("set PACKET_VNET_HDR"))?;
        sys::set_option(&fd, libc::SOL_SOCKET, libc::SO_SNDBUFFORCE, &SEND_BUFFER)
            .map_err(step("set SO_SNDBUFFORCE"))?;
        let arrays = SendArrays::new(usize::from(batch).max(1));
        Ok(Self {
            fd,
            capture_end,
            arrays,
        })
    }

    /// Sends what the batch delivers, in order, and forgets its frames. `failed` is told of each frame
    /// that could not be sent. Returns how many were.
    pub fn flush(
        &mut self,
        batch: &mut FrameBatch,
        mut failed: impl FnMut(Destination, InjectError),
    ) -> usize {
        let capture_end = self.capture_end;
        let frames = batch
            .deliveries()
            .map(|(vnet, frame, to)| outgoing(capture_end, vnet, frame, to));
        let sent = self.arrays.send(&self.fd, frames, |index, error| {
            if let Some(to) = batch.delivery(index) {
                failed(to, InjectError::of(&error));
            }
        });
        batch.clear();
        sent
    }

    /// Sends one frame that is in no batch: a released fragment, a reset.
    ///
    /// # Errors
    ///
    /// When it could not be sent.
    pub fn send(
        &mut self,
        _: Permit,
        vnet: VnetHeader,
        frame: &[u8],
        to: Destination,
    ) -> Result<(), InjectError> {
        let vnet = vnet.to_bytes();
        let mut result = Ok(());
        let out = outgoing(self.capture_end, &vnet, frame, to);
        self.arrays
            .send(&self.fd, std::iter::once(out), |_, error| {
                result = Err(InjectError::of(&error));
            });
        result
    }
}

fn outgoing<'b>(
    capture_end: u32,
    vnet: &'b [u8; vnet::LEN],
    frame: &'b [u8],
    to: Destination,
) -> Outgoing<'b> {
    let (ifindex, mark) = match to {
        Destination::Pod { ifindex } => (ifindex, SETTLED),
        Destination::Host { ifindex } => (capture_end, ifindex),
    };
    Outgoing {
        vnet,
        frame,
        ifindex,
        mark,
    }
}
