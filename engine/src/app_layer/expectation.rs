//! Connections that others have agreed on: a control connection says where a further one will go.
//!
//! FTP sends each file over a connection of its own, whose bytes say nothing of what they are; who opens
//! it to whom, and at which port, is told by the control connection. Only connections between the same two
//! hosts are expected, so that nobody can have the traffic of others taken for what it is not.
//!
//! One table may serve several workers, since steering may give the two connections to different ones: a
//! file comes only after the command that asks for it, which the worker of the control connection has let
//! pass before, and so noted. A set's lock is taken only while it holds something that has not expired.
//!
//! Bounds: [`SETS`] sets of [`WAYS`] connections, each forgotten [`LIFETIME`] seconds after it was last
//! spoken of; in a full set the oldest goes (counted).

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher as _;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::{MAX_FILE_NAME, Peers, ProtocolId};
use crate::event::FlowDirection;
use crate::frame::Timestamp;

/// Sets of the table.
const SETS: usize = 1024;
/// Connections of a set.
const WAYS: usize = 4;
/// Seconds for which a connection is expected.
const LIFETIME: u64 = 60;
const NANOSECONDS: u64 = 1_000_000_000;

/// A connection by who opens it to whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Agreed {
    /// Who opens it, from any port.
    pub opener: IpAddr,
    /// Who waits for it.
    pub listener: IpAddr,
    /// The port to which it goes.
    pub port: u16,
}

/// An agreement of a control connection on another one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Agreement {
    /// The connection.
    pub agreed: Agreed,
    /// What it is for, as far as that is known by now.
    pub purpose: Purpose,
    /// The connection that was agreed on before, and will not come any more.
    pub instead_of: Option<Agreed>,
}

/// What is known of such a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Purpose {
    /// What it will speak.
    pub protocol: ProtocolId,
    /// A number that the protocol gives its purpose; 0: it is not known yet.
    pub kind: u8,
    /// The direction of what the control connection's client sends in it.
    pub uploads: FlowDirection,
    /// The name of what it carries, as far as [`MAX_FILE_NAME`] goes.
    pub name: Vec<u8>,
}

/// The connections that are expected.
#[derive(Debug)]
pub struct Expectations {
    sets: Box<[Set]>,
    hasher: RandomState,
}

#[derive(Debug, Default)]
struct Set {
    /// When the last of them expires.
    until: AtomicU64,
    ways: Mutex<[Option<Expected>; WAYS]>,
}

#[derive(Debug)]
struct Expected {
    agreed: Agreed,
    purpose: Purpose,
    until: u64,
}

impl Default for Expectations {
    fn default() -> Self {
        Self {
            sets: (0..SETS).map(|_| Set::default()).collect(),
            hasher: RandomState::new(),
        }
    }
}

impl Expectations {
    /// Expects a connection from `at` on, or says more of one that is expected already. True where another one was
    /// forgotten for want of room.
    pub fn add(&self, agreement: Agreement, at: Timestamp) -> bool {
        let Agreement {
            agreed,
            mut purpose,
            instead_of,
        } = agreement;
        if let Some(former) = instead_of {
            self.take_one(&former, at);
        }
        purpose.name.truncate(MAX_FILE_NAME);
        let Some(set) = self.set(&agreed) else {
            return false;
        };
        let now = at.0;
        let until = now.saturating_add(LIFETIME * NANOSECONDS);
        let mut ways = set.lock();
        let known = |way: &Option<Expected>| way.as_ref().is_some_and(|way| way.agreed == agreed);
        let known = ways.iter().position(known);
        let place = known.or_else(|| ways.iter().position(Option::is_none));
        let oldest = |way: &(usize, &Option<Expected>)| way.1.as_ref().map(|way| way.until);
        let place = place.or_else(|| Some(ways.iter().enumerate().min_by_key(oldest)?.0));
        let Some(way) = place.and_then(|place| ways.get_mut(place)) else {
            return false;
        };
        let crowded = known.is_none() && way.as_ref().is_some_and(|way| way.until > now);
        *way = Some(Expected {
            agreed,
            purpose,
            until,
        });
        set.until.fetch_max(until, Ordering::Release);
        crowded
    }

    /// What the flow is expected for, if it is: then it is expected no longer. Where its first packet was
    /// missed, it is not certain who opened it.
    #[must_use]
    pub fn take(&self, peers: &Peers, from_start: bool, at: Timestamp) -> Option<Purpose> {
        let agreed = |opener: IpAddr, listener: IpAddr, port| Agreed {
            opener,
            listener,
            port,
        };
        let (client, server) = (peers.client, peers.server);
        let forward = agreed(client.ip(), server.ip(), server.port());
        let backward = agreed(server.ip(), client.ip(), client.port());
        self.take_one(&forward, at).or_else(|| {
            if from_start {
                return None;
            }
            let mut purpose = self.take_one(&backward, at)?;
            purpose.uploads = purpose.uploads.opposite();
            Some(purpose)
        })
    }

    fn take_one(&self, agreed: &Agreed, at: Timestamp) -> Option<Purpose> {
        let set = self.set(agreed)?;
        if set.until.load(Ordering::Acquire) <= at.0 {
            return None;
        }
        let mut ways = set.lock();
        let of =
            |way: &&mut Option<Expected>| way.as_ref().is_some_and(|way| way.agreed == *agreed);
        let expected = ways.iter_mut().find(of)?.take()?;
        (expected.until > at.0).then_some(expected.purpose)
    }

    fn set(&self, agreed: &Agreed) -> Option<&Set> {
        let hash = self.hasher.hash_one(agreed) % SETS as u64;
        self.sets.get(usize::try_from(hash).ok()?)
    }
}

impl Set {
    fn lock(&self) -> MutexGuard<'_, [Option<Expected>; WAYS]> {
        self.ways.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::SocketAddr;

    fn agreed(port: u16) -> Agreed {
        Agreed {
            opener: [10, 0, 0, 1].into(),
            listener: [10, 0, 0, 2].into(),
            port,
        }
    }

    fn peers(client: [u8; 4], server: [u8; 4], ports: (u16, u16)) -> Peers {
        Peers {
            client: SocketAddr::from((client, ports.0)),
            server: SocketAddr::from((server, ports.1)),
        }
    }

    fn purpose(kind: u8) -> Purpose {
        Purpose {
            protocol: ProtocolId::all().next().unwrap(),
            kind,
            uploads: FlowDirection::ToServer,
            name: b"name".to_vec(),
        }
    }

    fn add(table: &Expectations, port: u16, kind: u8, at: u64) -> bool {
        let agreement = Agreement {
            agreed: agreed(port),
            purpose: purpose(kind),
            instead_of: None,
        };
        table.add(agreement, Timestamp(at))
    }

    const A: [u8; 4] = [10, 0, 0, 1];
    const B: [u8; 4] = [10, 0, 0, 2];

    #[test]
    fn a_connection_is_expected_once_until_it_expires() {
        let table = Expectations::default();
        let take = |ends: &Peers, at| table.take(ends, true, Timestamp(at));
        let ends = peers(A, B, (4000, 2000));
        assert!(!add(&table, 2000, 0, 5));
        assert!(!add(&table, 2000, 1, 6));
        assert_eq!(take(&peers(A, B, (4000, 2001)), 7), None);
        assert_eq!(take(&peers([10, 0, 0, 3], B, (4000, 2000)), 7), None);
        assert_eq!(take(&ends, 7), Some(purpose(1)));
        assert_eq!(take(&ends, 7), None);
        assert!(!add(&table, 2000, 1, 5));
        assert_eq!(take(&ends, 5 + LIFETIME * NANOSECONDS), None);
    }

    #[test]
    fn who_opened_it_matters_only_where_it_was_seen() {
        let table = Expectations::default();
        assert!(!add(&table, 2000, 1, 0));
        let turned = peers(B, A, (2000, 4000));
        assert_eq!(table.take(&turned, true, Timestamp(1)), None);
        let found = table.take(&turned, false, Timestamp(1)).unwrap();
        assert_eq!(
            found.uploads,
            FlowDirection::ToClient,
            "seen the wrong way round"
        );
    }

    #[test]
    fn a_connection_agreed_on_instead_of_another_takes_its_place() {
        let table = Expectations::default();
        assert!(!add(&table, 2000, 1, 0));
        let agreement = Agreement {
            agreed: agreed(2001),
            purpose: purpose(2),
            instead_of: Some(agreed(2000)),
        };
        assert!(!table.add(agreement, Timestamp(1)));
        let take = |port| table.take(&peers(A, B, (4000, port)), true, Timestamp(2));
        assert_eq!((take(2000), take(2001)), (None, Some(purpose(2))));
    }

    #[test]
    fn the_table_is_bounded_and_counts_what_it_forgets() {
        let table = Expectations::default();
        let crowded = (0..u16::MAX)
            .filter(|port| add(&table, *port, 1, u64::from(*port)))
            .count();
        let kept = (0..u16::MAX)
            .filter(|port| {
                let ends = peers(A, B, (4000, *port));
                table.take(&ends, true, Timestamp(70_000)).is_some()
            })
            .count();
        assert!(kept <= SETS * WAYS);
        assert_eq!(crowded, usize::from(u16::MAX) - kept);
    }
}
