//! A pair of connected sockets that carry packets with descriptors (`SOCK_SEQPACKET`, unix(7)): the line between this process
//! and its fork server. A packet arrives whole or not at all, with exactly the descriptors that were sent with it.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::io::{Errno, retry_on_intr};
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage,
    SendFlags, SocketFlags, SocketType, recvmsg, sendmsg, socketpair,
};

/// Most descriptors that come with a packet.
const MOST_DESCRIPTORS: usize = 3;
/// Longest packet: a small part of what a socket holds by default (net.core.wmem_default, socket(7)).
pub(crate) const LONGEST: usize = 32 * 1024;

/// What was received.
#[derive(Debug, Default)]
pub(crate) struct Packet {
    pub(crate) bytes: Vec<u8>,
    pub(crate) descriptors: Vec<OwnedFd>,
    /// Whether descriptors that came with it are missing: this process may not have more.
    pub(crate) truncated: bool,
}

/// Two ends; the first one does not block.
///
/// # Errors
/// `EMFILE` or `ENFILE` when no descriptor is left.
pub(crate) fn pair() -> io::Result<(OwnedFd, OwnedFd)> {
    let (ours, theirs) = socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?;
    rustix::io::ioctl_fionbio(&ours, true)?;
    Ok((ours, theirs))
}

/// Sends a packet of at most [`LONGEST`] bytes with its descriptors.
///
/// # Errors
/// `WouldBlock` while the other end has not read enough; whatever else the system says is the end of the line.
pub(crate) fn send(line: impl AsFd, bytes: &[u8], descriptors: &[BorrowedFd<'_>]) -> io::Result<()> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST_DESCRIPTORS))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !descriptors.is_empty() && !control.push(SendAncillaryMessage::ScmRights(descriptors)) {
        return Err(io::Error::other("too many descriptors for a packet"));
    }
    retry_on_intr(|| sendmsg(line.as_fd(), &[IoSlice::new(bytes)], &mut control, SendFlags::NOSIGNAL))?;
    Ok(())
}

/// Receives a packet; `None` at the end of the line.
///
/// # Errors
/// `WouldBlock` where the line does not block and nothing is there.
pub(crate) fn receive(line: impl AsFd, buffer: &mut [u8]) -> io::Result<Option<Packet>> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST_DESCRIPTORS))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let received = loop {
        match recvmsg(line.as_fd(), &mut [IoSliceMut::new(buffer)], &mut control, RecvFlags::CMSG_CLOEXEC) {
            Err(Errno::INTR) => {}
            // One that ended without reading everything.
            Err(Errno::CONNRESET) => return Ok(None),
            other => break other?,
        }
    };
    if received.bytes == 0 {
        return Ok(None);
    }
    let rights = control.drain().filter_map(|message| match message {
        RecvAncillaryMessage::ScmRights(descriptors) => Some(descriptors),
        _ => None,
    });
    Ok(Some(Packet {
        descriptors: rights.flatten().collect(),
        bytes: buffer.get(..received.bytes).unwrap_or_default().to_vec(),
        truncated: received.flags.contains(rustix::net::ReturnFlags::CTRUNC),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packet_arrives_whole_with_its_descriptors_and_the_end_is_seen() {
        let (ours, theirs) = pair().unwrap();
        let (read, write) = crate::os::pipe::pipe().unwrap();
        let mut buffer = vec![0; LONGEST];
        assert_eq!(receive(&ours, &mut buffer).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        send(&ours, b"one", &[write.as_fd()]).unwrap();
        send(&ours, b"two", &[]).unwrap();
        drop((ours, write));
        let first = receive(&theirs, &mut buffer).unwrap().unwrap();
        assert_eq!((first.bytes.as_slice(), first.descriptors.len(), first.truncated), (&b"one"[..], 1, false));
        rustix::io::write(&first.descriptors[0], b"through").unwrap();
        let mut heard = [0; 16];
        assert_eq!(rustix::io::read(&read, &mut heard).unwrap(), 7);
        let second = receive(&theirs, &mut buffer).unwrap().unwrap();
        assert_eq!((second.bytes.as_slice(), second.descriptors.len()), (&b"two"[..], 0));
        assert!(receive(&theirs, &mut buffer).unwrap().is_none());
    }
}
