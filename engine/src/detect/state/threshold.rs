//! `threshold` and `detection_filter`: how many matches make an alert.

use std::hash::Hasher;
use std::net::IpAddr;

use siphasher::sip128::{Hasher128, SipHasher13};
use weir_policies::rule::ast::{Threshold, ThresholdKind, Track};
use weir_policies::threshold_config::RateFilter;

use super::bucket::Buckets;
use crate::frame::Timestamp;

const SECOND: u64 = 1_000_000_000;

/// What a threshold makes of one match.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Decision {
    /// Raise an alert.
    pub(crate) alert: bool,
    /// Apply the action.
    pub(crate) act: bool,
}

/// What is remembered of one signature and what it counts by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ThresholdState {
    start: Timestamp,
    count: u32,
    /// Backoff: count of the next alert.
    next: u32,
    /// When it is worth nothing any more.
    expires: u64,
}

impl ThresholdState {
    /// As before the first match.
    pub(crate) fn new(now: Timestamp) -> Self {
        Self {
            start: now,
            count: 0,
            next: 0,
            expires: u64::MAX,
        }
    }

    /// Starts a new window where the last one ran out.
    fn roll(&mut self, rule: &Threshold, now: Timestamp) {
        let window = u64::from(rule.seconds).saturating_mul(SECOND);
        if rule.kind == ThresholdKind::Backoff || window == 0 {
            return;
        }
        if now.0.saturating_sub(self.start.0) >= window {
            *self = Self::new(now);
        }
        self.expires = self.start.0.saturating_add(window);
    }
}

/// Whether a match counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Count {
    Match,
    /// One like it was counted in this window: it adds nothing.
    Repetition,
}

/// Counts one match.
pub(crate) fn decide(
    rule: &Threshold,
    state: &mut ThresholdState,
    now: Timestamp,
    count: Count,
) -> Decision {
    state.roll(rule, now);
    if count == Count::Repetition {
        let beyond = state.count > rule.count;
        return match rule.kind {
            ThresholdKind::DetectionFilter => Decision {
                alert: beyond,
                act: beyond,
            },
            ThresholdKind::Limit => Decision {
                alert: false,
                act: true,
            },
            _ => Decision {
                alert: false,
                act: false,
            },
        };
    }
    state.count = state.count.saturating_add(1);
    match rule.kind {
        ThresholdKind::Limit => Decision {
            alert: state.count <= rule.count,
            act: true,
        },
        ThresholdKind::Threshold => {
            let reached = state.count >= rule.count;
            if reached {
                state.count = 0;
            }
            Decision {
                alert: reached,
                act: reached,
            }
        }
        ThresholdKind::Both => Decision {
            alert: state.count == rule.count,
            act: state.count >= rule.count,
        },
        ThresholdKind::DetectionFilter => {
            let beyond = state.count > rule.count;
            Decision {
                alert: beyond,
                act: beyond,
            }
        }
        ThresholdKind::Backoff => back_off(rule, state),
    }
}

fn back_off(rule: &Threshold, state: &mut ThresholdState) -> Decision {
    if state.next == 0 {
        state.next = rule.count.max(1);
    }
    let alert = state.count == state.next;
    if alert {
        state.next = state.next.saturating_mul(rule.multiplier.max(2));
    }
    Decision {
        alert,
        act: state.count >= rule.count,
    }
}

/// Counts one match of a rate filter: whether the new action applies to it.
fn exceeds(filter: &RateFilter, state: &mut ThresholdState, now: Timestamp) -> bool {
    let seconds = |seconds: u32| u64::from(seconds).saturating_mul(SECOND);
    let age = now.0.saturating_sub(state.start.0);
    let active = state.next > 0;
    if active && age < seconds(filter.timeout) {
        return true;
    }
    if active || age >= seconds(filter.seconds) {
        *state = ThresholdState::new(now);
    }
    state.count = state.count.saturating_add(1);
    let exceeds = state.count > filter.count;
    let length = if exceeds {
        (state.start, state.next) = (now, 1);
        filter.timeout
    } else {
        filter.seconds
    };
    state.expires = state.start.0.saturating_add(seconds(length));
    exceeds
}

/// What a threshold is kept by.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ThresholdKey {
    /// gid and sid.
    pub(crate) identity: u64,
    /// What is counted together; not [`Track::Flow`], which the flow keeps.
    pub(crate) track: Track,
    /// Ends of the packet.
    pub(crate) source: IpAddr,
    /// Ends of the packet.
    pub(crate) destination: IpAddr,
    /// Outermost two VLAN ids: the same address on another network is another host.
    pub(crate) vlan: [u16; 2],
    /// A value that counts once a window.
    pub(crate) distinct: Option<u16>,
}

/// The thresholds of a worker.
#[derive(Debug)]
pub(crate) struct Thresholds {
    table: Buckets<ThresholdState>,
    seed: [u64; 2],
}

impl Thresholds {
    /// A table of `capacity` entries.
    pub(crate) fn new(capacity: usize, seed: [u64; 2]) -> Self {
        Self {
            table: Buckets::new(capacity),
            seed,
        }
    }

    /// Counts one match.
    pub(crate) fn decide(
        &mut self,
        rule: &Threshold,
        key: &ThresholdKey,
        now: Timestamp,
    ) -> Decision {
        let hash = self.hash(key);
        let count = self.first_of_its_value(rule, key, (hash, now));
        decide(rule, self.state(hash, now), now, count)
    }

    /// Counts one match of a rate filter: whether the new action applies to it.
    pub(crate) fn exceeds(
        &mut self,
        filter: &RateFilter,
        key: &ThresholdKey,
        now: Timestamp,
    ) -> bool {
        // Apart from the threshold that the signature may have besides.
        let hash = !self.hash(key);
        exceeds(filter, self.state(hash, now), now)
    }

    fn state(&mut self, hash: u128, now: Timestamp) -> &mut ThresholdState {
        let dead = |state: &ThresholdState| state.expires < now.0;
        self.table
            .entry(hash, now, dead, || ThresholdState::new(now))
    }

    /// Whether the value to count was not met in this window. A value is remembered as an entry of its
    /// own, keyed by the window's start, so that a new window has met none.
    fn first_of_its_value(
        &mut self,
        rule: &Threshold,
        key: &ThresholdKey,
        (hash, now): (u128, Timestamp),
    ) -> Count {
        let Some(value) = key.distinct else {
            return Count::Match;
        };
        let state = self.state(hash, now);
        state.roll(rule, now);
        let (start, expires) = (state.start, state.expires);
        let mut hasher = SipHasher13::new_with_keys(self.seed[0], self.seed[1]);
        hasher.write_u128(hash);
        hasher.write_u64(start.0);
        hasher.write_u16(value);
        let met = self.state(hasher.finish128().as_u128(), now);
        met.expires = expires;
        met.count = met.count.saturating_add(1);
        if met.count == 1 {
            Count::Match
        } else {
            Count::Repetition
        }
    }

    /// Entries thrown out before their time.
    pub(crate) fn evicted(&self) -> u64 {
        self.table.evicted()
    }

    fn hash(&self, key: &ThresholdKey) -> u128 {
        let mut hasher = SipHasher13::new_with_keys(self.seed[0], self.seed[1]);
        hasher.write_u64(key.identity);
        hasher.write_u16(key.vlan[0]);
        hasher.write_u16(key.vlan[1]);
        match key.track {
            Track::Source => write_address(&mut hasher, key.source),
            Track::Destination => write_address(&mut hasher, key.destination),
            Track::Both | Track::Flow => {
                // Both directions between two hosts count together.
                write_address(&mut hasher, key.source.min(key.destination));
                write_address(&mut hasher, key.source.max(key.destination));
            }
            Track::Rule => {}
        }
        hasher.finish128().as_u128()
    }
}

/// Feeds an address to a hash, so that addresses of different families differ.
pub(super) fn write_address(hasher: &mut impl Hasher, address: IpAddr) {
    match address {
        IpAddr::V4(address) => {
            hasher.write_u8(4);
            hasher.write_u32(address.to_bits());
        }
        IpAddr::V6(address) => {
            hasher.write_u8(6);
            hasher.write_u128(address.to_bits());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_policies::threshold_config::RateAction;

    fn rule(kind: ThresholdKind, count: u32, seconds: u32, multiplier: u32) -> Threshold {
        Threshold {
            kind,
            track: Track::Source,
            count,
            seconds,
            multiplier,
            unique_on: None,
        }
    }

    /// `A` alert and act, `a` act only, `.` neither, for matches at the given seconds.
    fn run(rule: &Threshold, seconds: &[u64]) -> String {
        let mut table = Thresholds::new(16, [1, 2]);
        let key = ThresholdKey {
            identity: 1,
            track: rule.track,
            source: [10, 0, 0, 1].into(),
            destination: [10, 0, 0, 2].into(),
            vlan: [0; 2],
            distinct: None,
        };
        let letter = |&second: &u64| match table.decide(rule, &key, Timestamp(second * SECOND)) {
            Decision {
                alert: true,
                act: true,
            } => 'A',
            Decision {
                alert: false,
                act: true,
            } => 'a',
            Decision {
                alert: false,
                act: false,
            } => '.',
            Decision {
                alert: true,
                act: false,
            } => '!',
        };
        seconds.iter().map(letter).collect()
    }

    #[test]
    fn each_kind_alerts_and_acts_when_the_documentation_says() {
        let steady = [1, 2, 3, 4, 5, 6, 7, 8];
        for (kind, count, expected) in [
            (ThresholdKind::Limit, 2, "AAaaaaaa"),
            (ThresholdKind::Threshold, 3, "..A..A.."),
            (ThresholdKind::Both, 3, "..Aaaaaa"),
            (ThresholdKind::DetectionFilter, 3, "...AAAAA"),
        ] {
            assert_eq!(
                run(&rule(kind, count, 60, 0), &steady),
                expected,
                "{kind:?}"
            );
        }
        let backoff = rule(ThresholdKind::Backoff, 1, 0, 2);
        assert_eq!(run(&backoff, &steady), "AAaAaaaA");
        let late = rule(ThresholdKind::Backoff, 2, 0, 2);
        assert_eq!(run(&late, &steady), ".AaAaaaA");
    }

    #[test]
    fn a_window_that_ran_out_starts_anew() {
        let limit = rule(ThresholdKind::Limit, 1, 10, 0);
        assert_eq!(run(&limit, &[0, 9, 10, 11, 20]), "AaAaA");
        let threshold = rule(ThresholdKind::Threshold, 2, 10, 0);
        assert_eq!(run(&threshold, &[0, 10, 11]), "..A");
        let filter = rule(ThresholdKind::DetectionFilter, 1, 10, 0);
        assert_eq!(run(&filter, &[0, 1, 12, 13]), ".A.A");
    }

    #[test]
    fn a_value_that_repeats_counts_once_a_window() {
        let filter = rule(ThresholdKind::DetectionFilter, 1, 10, 0);
        let mut table = Thresholds::new(64, [1, 2]);
        let mut alert = |second: u64, port| {
            let key = ThresholdKey {
                identity: 1,
                track: Track::Source,
                source: [10, 0, 0, 1].into(),
                destination: [10, 0, 0, 2].into(),
                vlan: [0; 2],
                distinct: Some(port),
            };
            table
                .decide(&filter, &key, Timestamp(second * SECOND))
                .alert
        };
        assert_eq!([alert(0, 1), alert(1, 1), alert(2, 1)], [false; 3]);
        assert_eq!([alert(3, 2), alert(4, 1)], [true; 2]);
        assert_eq!(
            [alert(11, 1), alert(12, 1), alert(13, 2)],
            [false, false, true]
        );
    }

    #[test]
    fn a_rate_filter_is_active_for_its_time_behind_the_match_that_exceeds_it() {
        let filter = RateFilter {
            track: Track::Source,
            count: 2,
            seconds: 10,
            new_action: RateAction::Drop,
            timeout: 30,
        };
        let mut table = Thresholds::new(64, [1, 2]);
        let key = ThresholdKey {
            identity: 1,
            track: Track::Source,
            source: [10, 0, 0, 1].into(),
            destination: [10, 0, 0, 2].into(),
            vlan: [0; 2],
            distinct: None,
        };
        let limit = rule(ThresholdKind::Limit, 1, 60, 0);
        let mut active = |second: u64| {
            let now = Timestamp(second * SECOND);
            table.decide(&limit, &key, now);
            table.exceeds(&filter, &key, now)
        };
        let seconds = [0, 9, 10, 11, 12, 20, 41, 42, 43, 44];
        let expected = [
            false, false, false, false, true, true, true, false, false, true,
        ];
        assert_eq!(seconds.map(&mut active), expected);
    }

    #[test]
    fn counts_by_what_it_tracks() {
        let at = |track, source: [u8; 4], destination: [u8; 4], identity| ThresholdKey {
            identity,
            track,
            source: source.into(),
            destination: destination.into(),
            vlan: [0; 2],
            distinct: None,
        };
        let table = Thresholds::new(16, [1, 2]);
        let same = |a, b| table.hash(&a) == table.hash(&b);
        let (x, y, z) = ([1, 1, 1, 1], [2, 2, 2, 2], [3, 3, 3, 3]);
        assert!(same(at(Track::Source, x, y, 1), at(Track::Source, x, z, 1)));
        assert!(!same(
            at(Track::Source, x, y, 1),
            at(Track::Source, z, y, 1)
        ));
        assert!(same(
            at(Track::Destination, x, y, 1),
            at(Track::Destination, z, y, 1)
        ));
        assert!(same(at(Track::Both, x, y, 1), at(Track::Both, y, x, 1)));
        assert!(!same(at(Track::Both, x, y, 1), at(Track::Both, x, z, 1)));
        assert!(same(at(Track::Rule, x, y, 1), at(Track::Rule, z, z, 1)));
        assert!(!same(at(Track::Rule, x, y, 1), at(Track::Rule, x, y, 2)));
    }
}
