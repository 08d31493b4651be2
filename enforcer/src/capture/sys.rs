//! The system calls of capture and injection, each behind a safe function.
//!
//! Buffers, addresses and control blocks are passed as slices and values; the pointers that the kernel
//! gets are made and used within one function, so that no `unsafe` needs to reason about lifetimes.

use std::io;
use std::mem::{size_of, zeroed};
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd};

use libc::{c_int, c_void, socklen_t};

use super::vnet;

/// Bytes of control data that one received frame can bring: `PACKET_AUXDATA` and `SO_MARK`.
const RECV_CONTROL: usize = 96;
/// Bytes of control data of one sent frame: `SO_MARK`.
const SEND_CONTROL: usize = 32;

/// Size of a C type, as system calls take it.
#[expect(
    clippy::cast_possible_truncation,
    reason = "C types passed here have at most 128 bytes"
)]
const fn length_of<T>() -> socklen_t {
    size_of::<T>() as socklen_t
}

/// EtherType of the plain VLAN tag, and address family and protocol as `sockaddr_ll` takes them.
#[expect(
    clippy::cast_possible_truncation,
    reason = "constants that fit 16 bits"
)]
mod short {
    pub(super) const ETH_P_8021Q: u16 = libc::ETH_P_8021Q as u16;
    pub(super) const ETH_P_ALL: u16 = libc::ETH_P_ALL as u16;
    pub(super) const AF_PACKET: u16 = libc::AF_PACKET as u16;
}

/// What came with a frame.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Received {
    /// Bytes of virtio-net header and frame together, as the kernel counted them.
    pub(super) len: usize,
    /// The frame did not fit its buffer.
    pub(super) truncated: bool,
    /// Packet mark.
    pub(super) mark: u32,
    /// VLAN tag that the kernel took off: TPID and TCI.
    pub(super) vlan: Option<(u16, u16)>,
}

/// A frame to send.
pub(super) struct Outgoing<'a> {
    pub(super) vnet: &'a [u8; vnet::LEN],
    pub(super) frame: &'a [u8],
    pub(super) ifindex: u32,
    pub(super) mark: u32,
}

/// Opens a raw packet socket that receives nothing until it is bound.
#[expect(unsafe_code, reason = "socket(2) returns a bare descriptor")]
pub(super) fn packet_socket() -> io::Result<OwnedFd> {
    let kind = libc::SOCK_RAW | libc::SOCK_CLOEXEC;
    // SAFETY: socket(2) takes no pointers.
    let fd = unsafe { libc::socket(libc::AF_PACKET, kind, 0) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: `fd` was just opened and belongs to nobody else.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Sets a socket option from a plain value.
#[expect(
    unsafe_code,
    reason = "setsockopt(2) for options that no safe wrapper has"
)]
pub(super) fn set_option<T: Copy>(
    fd: &OwnedFd,
    level: c_int,
    name: c_int,
    value: &T,
) -> io::Result<()> {
    let len = length_of::<T>();
    // SAFETY: `value` is a live, initialised `T` of `len` bytes, which the kernel only reads.
    let rc = unsafe {
        libc::setsockopt(
            fd.as_raw_fd(),
            level,
            name,
            std::ptr::from_ref(value).cast(),
            len,
        )
    };
    check(rc)
}

/// Attaches the fanout program of a group.
#[expect(unsafe_code, reason = "sock_fprog holds a pointer")]
pub(super) fn set_fanout_program(fd: &OwnedFd, program: &[libc::sock_filter]) -> io::Result<()> {
    let fprog = libc::sock_fprog {
        len: u16::try_from(program.len()).map_err(io::Error::other)?,
        filter: program.as_ptr().cast_mut(),
    };
    // SAFETY: `fprog` points to `program`, alive for the call; the kernel copies it and writes nothing.
    let rc = unsafe {
        libc::setsockopt(
            fd.as_raw_fd(),
            libc::SOL_PACKET,
            libc::PACKET_FANOUT_DATA,
            std::ptr::from_ref(&fprog).cast(),
            length_of::<libc::sock_fprog>(),
        )
    };
    check(rc)
}

/// Reads a socket option of a plain C type whose every bit pattern is valid.
#[expect(
    unsafe_code,
    reason = "getsockopt(2) for options that no safe wrapper has"
)]
fn get_option<T: PlainOption>(fd: &OwnedFd, name: c_int) -> io::Result<T> {
    // SAFETY: `PlainOption` is implemented below only for C types that may be all zero bits.
    let mut value: T = unsafe { zeroed() };
    let mut len = length_of::<T>();
    // SAFETY: the kernel writes at most `len` bytes into `value`, which has as many.
    let rc = unsafe {
        libc::getsockopt(
            fd.as_raw_fd(),
            libc::SOL_PACKET,
            name,
            std::ptr::from_mut(&mut value).cast(),
            &raw mut len,
        )
    };
    check(rc).map(|()| value)
}

/// C types for which any bit pattern is a value.
trait PlainOption: Copy {}
impl PlainOption for c_int {}
impl PlainOption for libc::tpacket_stats {}

/// Frames that the kernel could not queue on the socket since the last call.
pub(super) fn take_drops(fd: &OwnedFd) -> io::Result<u64> {
    let stats: libc::tpacket_stats = get_option(fd, libc::PACKET_STATISTICS)?;
    Ok(u64::from(stats.tp_drops))
}

/// The fanout group the socket is in.
pub(super) fn fanout_group(fd: &OwnedFd) -> io::Result<u16> {
    let value: c_int = get_option(fd, libc::PACKET_FANOUT)?;
    u16::try_from(value & 0xffff).map_err(io::Error::other)
}

fn link_address(ifindex: u32, protocol: u16) -> libc::sockaddr_ll {
    libc::sockaddr_ll {
        sll_family: short::AF_PACKET,
        sll_protocol: protocol.to_be(),
        sll_ifindex: ifindex.cast_signed(),
        sll_hatype: 0,
        sll_pkttype: 0,
        sll_halen: 6,
        sll_addr: [0; 8],
    }
}

/// Binds the socket to an interface, for every protocol.
#[expect(unsafe_code, reason = "bind(2) with a sockaddr_ll")]
pub(super) fn bind_to(fd: &OwnedFd, ifindex: u32) -> io::Result<()> {
    let address = link_address(ifindex, short::ETH_P_ALL);
    let len = length_of::<libc::sockaddr_ll>();
    // SAFETY: `address` is alive for the call and `len` bytes long.
    let rc = unsafe { libc::bind(fd.as_raw_fd(), std::ptr::from_ref(&address).cast(), len) };
    check(rc)
}

fn check(rc: c_int) -> io::Result<()> {
    if rc == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

/// Whether a receive waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// It takes what is there.
    No,
    /// It waits for a first frame, a signal, or the socket's time limit.
    ForOne,
}

/// Control data, aligned as `struct cmsghdr` wants it.
#[derive(Clone, Copy)]
#[repr(C, align(8))]
struct Control<const N: usize>([u8; N]);

/// Arrays that recvmmsg(2) works with, kept so that a call allocates nothing. What they point to is set
/// anew in every call.
pub(super) struct RecvArrays {
    messages: Vec<libc::mmsghdr>,
    parts: Vec<[libc::iovec; 2]>,
    controls: Vec<Control<RECV_CONTROL>>,
    received: Vec<Received>,
}

#[expect(unsafe_code, reason = "C structures hold pointers")]
// SAFETY: what the pointers in here point to is set anew at the start of every call and not used after
// it; between calls they are numbers.
unsafe impl Send for RecvArrays {}

impl RecvArrays {
    #[expect(unsafe_code, reason = "C structures without a constructor")]
    pub(super) fn new(frames: usize) -> Self {
        // SAFETY: for both structures all zero bits are a value: null pointers with length 0.
        let (message, part) = unsafe { (zeroed(), zeroed()) };
        Self {
            messages: vec![message; frames],
            parts: vec![[part; 2]; frames],
            controls: vec![Control([0; RECV_CONTROL]); frames],
            received: Vec::with_capacity(frames),
        }
    }

    /// Takes what is queued, at most one frame per buffer. `wait` says how to wait for the first one (for
    /// as long as the socket's `SO_RCVTIMEO` says). `buffers` gives for each
    /// frame the room for its virtio-net header and its bytes. What came with each frame is returned.
    ///
    /// # Errors
    ///
    /// As recvmmsg(2); `WouldBlock` when nothing is queued.
    #[expect(unsafe_code, reason = "recvmmsg(2) takes pointers")]
    pub(super) fn receive<'b>(
        &mut self,
        fd: &OwnedFd,
        wait: Wait,
        buffers: impl Iterator<Item = (&'b mut [u8; vnet::LEN], &'b mut [u8])>,
    ) -> io::Result<&[Received]> {
        let flags = match wait {
            Wait::No => libc::MSG_DONTWAIT,
            Wait::ForOne => libc::MSG_WAITFORONE,
        };
        let mut frames = 0;
        let rooms = self
            .messages
            .iter_mut()
            .zip(&mut self.parts)
            .zip(&mut self.controls);
        for (((message, parts), control), (header, frame)) in rooms.zip(buffers) {
            *parts = [
                iovec(header.as_mut_ptr(), header.len()),
                iovec(frame.as_mut_ptr(), frame.len()),
            ];
            let hdr = &mut message.msg_hdr;
            hdr.msg_name = std::ptr::null_mut();
            hdr.msg_namelen = 0;
            hdr.msg_iov = parts.as_mut_ptr();
            hdr.msg_iovlen = parts.len();
            hdr.msg_control = control.0.as_mut_ptr().cast();
            hdr.msg_controllen = RECV_CONTROL;
            frames += 1;
        }
        // SAFETY: the first `frames` messages point to parts and control blocks in `self` and to
        // buffers that `buffers` lent mutably for at least this call; lengths are theirs.
        let got = unsafe {
            libc::recvmmsg(
                fd.as_raw_fd(),
                self.messages.as_mut_ptr(),
                frames,
                flags,
                std::ptr::null_mut(),
            )
        };
        let got = usize::try_from(got).map_err(|_| io::Error::last_os_error())?;
        self.received.clear();
        self.received
            .extend(self.messages.iter().take(got).map(read_message));
        Ok(&self.received)
    }
}

fn iovec(base: *mut u8, len: usize) -> libc::iovec {
    libc::iovec {
        iov_base: base.cast::<c_void>(),
        iov_len: len,
    }
}

/// Reads length, flags and control data of a message that the kernel has just filled in.
#[expect(unsafe_code, reason = "control messages are walked by pointer")]
fn read_message(message: &libc::mmsghdr) -> Received {
    let header = &message.msg_hdr;
    let mut received = Received {
        len: message.msg_len as usize,
        truncated: header.msg_flags & libc::MSG_TRUNC != 0,
        ..Received::default()
    };
    // SAFETY: the control block is alive and the kernel has set its length.
    let mut next = unsafe { libc::CMSG_FIRSTHDR(header) };
    while !next.is_null() {
        // SAFETY: `next` is a whole control header inside the block, as the CMSG macros guarantee.
        let (level, kind, data) =
            unsafe { ((*next).cmsg_level, (*next).cmsg_type, libc::CMSG_DATA(next)) };
        match (level, kind) {
            (libc::SOL_SOCKET, libc::SO_MARK) => {
                // SAFETY: the kernel puts a 32-bit mark there; read without assuming alignment.
                received.mark = unsafe { data.cast::<u32>().read_unaligned() };
            }
            (libc::SOL_PACKET, libc::PACKET_AUXDATA) => {
                // SAFETY: the kernel puts a whole tpacket_auxdata there.
                let aux = unsafe { data.cast::<libc::tpacket_auxdata>().read_unaligned() };
                received.vlan = vlan_of(&aux);
            }
            _ => {}
        }
        // SAFETY: as above; the macro checks that the next header lies within the block.
        next = unsafe { libc::CMSG_NXTHDR(header, next) };
    }
    received
}

fn vlan_of(aux: &libc::tpacket_auxdata) -> Option<(u16, u16)> {
    let valid = aux.tp_status & libc::TP_STATUS_VLAN_VALID != 0;
    let tpid = if aux.tp_status & libc::TP_STATUS_VLAN_TPID_VALID != 0 {
        aux.tp_vlan_tpid
    } else {
        short::ETH_P_8021Q
    };
    valid.then_some((tpid, aux.tp_vlan_tci))
}

/// Arrays that sendmmsg(2) works with, as [`RecvArrays`].
pub(super) struct SendArrays {
    messages: Vec<libc::mmsghdr>,
    parts: Vec<[libc::iovec; 2]>,
    addresses: Vec<libc::sockaddr_ll>,
    controls: Vec<Control<SEND_CONTROL>>,
}

#[expect(unsafe_code, reason = "C structures hold pointers")]
// SAFETY: what the pointers in here point to is set anew at the start of every call and not used after
// it; between calls they are numbers.
unsafe impl Send for SendArrays {}

impl SendArrays {
    #[expect(unsafe_code, reason = "C structures without a constructor")]
    pub(super) fn new(frames: usize) -> Self {
        // SAFETY: for both structures all zero bits are a value: null pointers with length 0.
        let (message, part) = unsafe { (zeroed(), zeroed()) };
        Self {
            messages: vec![message; frames],
            parts: vec![[part; 2]; frames],
            addresses: vec![link_address(0, 0); frames],
            controls: vec![Control([0; SEND_CONTROL]); frames],
        }
    }

    /// Sends frames in order without waiting. `failed` is told of each that could not be sent, by its
    /// number; the others go on. Returns how many were sent.
    #[expect(unsafe_code, reason = "sendmmsg(2) takes pointers")]
    pub(super) fn send<'b>(
        &mut self,
        fd: &OwnedFd,
        frames: impl Iterator<Item = Outgoing<'b>>,
        mut failed: impl FnMut(usize, io::Error),
    ) -> usize {
        let mut count = 0;
        let rooms = self.messages.iter_mut().zip(&mut self.parts);
        let rooms = rooms.zip(self.addresses.iter_mut().zip(&mut self.controls));
        for (((message, parts), (address, control)), out) in rooms.zip(frames) {
            *address = link_address(out.ifindex, 0);
            // The kernel only reads what a message to send points to.
            *parts = [
                iovec(out.vnet.as_ptr().cast_mut(), out.vnet.len()),
                iovec(out.frame.as_ptr().cast_mut(), out.frame.len()),
            ];
            let hdr = &mut message.msg_hdr;
            hdr.msg_name = std::ptr::from_mut(address).cast();
            hdr.msg_namelen = length_of::<libc::sockaddr_ll>();
            hdr.msg_iov = parts.as_mut_ptr();
            hdr.msg_iovlen = parts.len();
            hdr.msg_control = control.0.as_mut_ptr().cast();
            hdr.msg_controllen = write_mark(control, out.mark);
            count += 1;
        }
        let (mut sent, mut next) = (0, 0);
        while next < count {
            // SAFETY: messages `next..count` point to parts, addresses and control blocks in `self`
            // and to frames that the iterator lent for 'b, which outlives this call.
            let rc = unsafe {
                let first = self.messages.as_mut_ptr().add(next);
                libc::sendmmsg(
                    fd.as_raw_fd(),
                    first,
                    u32::try_from(count - next).unwrap_or(1),
                    libc::MSG_DONTWAIT,
                )
            };
            if let Ok(done @ 1..) = usize::try_from(rc) {
                sent += done;
                next += done;
            } else {
                // The error is that of the first message: report it and go on behind it.
                failed(next, io::Error::last_os_error());
                next += 1;
            }
        }
        sent
    }
}

/// Writes a `SO_MARK` control message; returns the length of the block.
#[expect(unsafe_code, reason = "control messages are written by pointer")]
fn write_mark(control: &mut Control<SEND_CONTROL>, mark: u32) -> usize {
    const MARK: u32 = length_of::<u32>();
    // SAFETY: the macros only compute sizes.
    let (space, len) = unsafe { (libc::CMSG_SPACE(MARK), libc::CMSG_LEN(MARK)) };
    let header = libc::cmsghdr {
        cmsg_len: len as usize,
        cmsg_level: libc::SOL_SOCKET,
        cmsg_type: libc::SO_MARK,
    };
    let base: *mut libc::cmsghdr = control.0.as_mut_ptr().cast();
    // SAFETY: the block is aligned for a cmsghdr and, with 32 bytes, holds the 24 that `space` is.
    unsafe {
        base.write(header);
        libc::CMSG_DATA(base).cast::<u32>().write_unaligned(mark);
    }
    space as usize
}
