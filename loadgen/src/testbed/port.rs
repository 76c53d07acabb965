//! Ports for servers that are told theirs, each kept for one of them for as long as it runs.
//!
//! Between the question which port is free and the server's own bind lies its whole start. Whoever takes the port meanwhile
//! is asked instead, and judged: a verdict on somebody else. So the ports are none that a system gives away by itself,
//! and every authbench on the machine claims the number of each port that it has given out, by a UDP socket on it.

use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::ops::Range;
use std::sync::atomic::{AtomicU16, Ordering};
use std::{io, process};

use super::TestbedError;

/// Below the ports of outgoing connections (from 32,768 on Linux, from 49,152 by RFC 6335 §6), and above those that
/// developers give their services by hand.
const PORTS: Range<u16> = 20_000..30_000;

/// How many have been given out by this process.
static GIVEN: AtomicU16 = AtomicU16::new(0);

/// A port that no other target of any authbench gets until this is dropped.
#[derive(Debug)]
pub(super) struct PortLease {
    number: u16,
    /// Holds the number; nothing is sent or received.
    _claim: UdpSocket,
}

impl PortLease {
    /// Takes a port that is free.
    pub(super) fn take() -> Result<Self, TestbedError> {
        let mut reason = io::Error::from(io::ErrorKind::AddrInUse);
        for _ in PORTS {
            match Self::claim(next_number()) {
                Ok(lease) => return Ok(lease),
                Err(error) => reason = error,
            }
        }
        Err(TestbedError::Port(reason))
    }

    fn claim(number: u16) -> io::Result<Self> {
        let address = (Ipv4Addr::LOCALHOST, number);
        let claim = UdpSocket::bind(address)?;
        // Asked and let go: the server is to bind it.
        TcpListener::bind(address)?;
        Ok(Self {
            number,
            _claim: claim,
        })
    }

    /// The port.
    pub(super) fn number(&self) -> u16 {
        self.number
    }
}

/// The numbers in turn, so that one that was let go rests for a while. Processes that start together begin apart.
fn next_number() -> u16 {
    let length = u32::from(PORTS.end - PORTS.start);
    let begin = process::id().wrapping_mul(7919) % length;
    let offset = (begin + u32::from(GIVEN.fetch_add(1, Ordering::Relaxed))) % length;
    PORTS.start + u16::try_from(offset).expect("below the number of ports")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_given_out_once_until_it_is_let_go() {
        let held: Vec<PortLease> = (0..50)
            .map(|_| PortLease::take().expect("a port"))
            .collect();
        let mut numbers: Vec<u16> = held.iter().map(PortLease::number).collect();
        numbers.sort_unstable();
        numbers.dedup();
        assert_eq!(numbers.len(), 50);
        assert!(numbers.iter().all(|number| PORTS.contains(number)));
        // Another process finds the number claimed while the server's own port is still free.
        let number = held[0].number();
        assert!(PortLease::claim(number).is_err());
        TcpListener::bind((Ipv4Addr::LOCALHOST, number)).expect("free for the server");
        drop(held);
        PortLease::claim(number).expect("let go");
    }

    #[test]
    fn a_port_that_somebody_listens_on_is_not_given_out() {
        let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let number = taken.local_addr().expect("an address").port();
        assert!(PortLease::claim(number).is_err());
    }
}
