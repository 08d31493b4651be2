//! EVE's timestamps: `2026-11-24T15:04:47.123456+0000`, always UTC.

use std::fmt;

use serde::{Serialize, Serializer};
use weir_engine::frame::Timestamp;

/// A timestamp as EVE writes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct EveTime(pub(super) Timestamp);

const DAY: u64 = 86_400;

impl fmt::Display for EveTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nanos = self.0.0;
        let seconds = nanos / 1_000_000_000;
        let micros = nanos % 1_000_000_000 / 1000;
        let (year, month, day) = civil(seconds / DAY);
        let (hour, minute, second) = (seconds % DAY / 3600, seconds % 3600 / 60, seconds % 60);
        write!(
            f,
            "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{micros:06}+0000"
        )
    }
}

impl Serialize for EveTime {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Year, month and day of a day since 1970-01-01, in the Gregorian calendar. Counts from March, so that
/// the leap day is the last of its year.
fn civil(days: u64) -> (u64, u64, u64) {
    const DAYS_TO_1970: u64 = 719_468;
    const ERA: u64 = 146_097;
    let days = days + DAYS_TO_1970;
    let (era, of_era) = (days / ERA, days % ERA);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / (ERA - 1)) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 {
        from_march + 3
    } else {
        from_march - 9
    };
    (era * 400 + year_of_era + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leap(year: u64) -> bool {
        year.is_multiple_of(4) && !year.is_multiple_of(100) || year.is_multiple_of(400)
    }

    #[test]
    fn every_day_of_two_centuries_follows_the_one_before() {
        let (mut year, mut month, mut day) = (1970, 1, 1);
        for days in 0..73_000 {
            assert_eq!(civil(days), (year, month, day));
            let length = match month {
                2 => 28 + u64::from(leap(year)),
                4 | 6 | 9 | 11 => 30,
                _ => 31,
            };
            day += 1;
            if day > length {
                (month, day) = (month + 1, 1);
            }
            if month > 12 {
                (year, month) = (year + 1, 1);
            }
        }
    }

    #[test]
    fn written_as_documented() {
        let at = Timestamp(1_452_651_960_123_456_789);
        assert_eq!(EveTime(at).to_string(), "2016-01-13T02:26:00.123456+0000");
    }
}
