//! Dates as policies write them.

/// 9999-12-31T23:59:59Z. ISO 8601 has four digits for the year; a token that expires later has no end worth stating.
const LAST_SECOND: i64 = 253_402_300_799;

const SECONDS_PER_DAY: i64 = 86_400;

/// Seconds since the epoch as ISO 8601 in UTC, such as `2026-11-23T10:00:00Z`. Times before the epoch read as the epoch.
pub(super) fn iso_8601(seconds: i64) -> String {
    let seconds = seconds.clamp(0, LAST_SECOND);
    let (days, second) = (seconds / SECONDS_PER_DAY, seconds % SECONDS_PER_DAY);
    let (year, month, day) = civil(days);
    format!(
        "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z",
        second / 3_600,
        second / 60 % 60,
        second % 60
    )
}

/// Year, month and day of a day since 1970-01-01, in the Gregorian calendar. Years are counted from March, so that the
/// leap day comes last and the months before it have a fixed pattern of lengths: 153 days in each five.
fn civil(days: i64) -> (i64, i64, i64) {
    // From 0000-03-01, in eras of 400 years, which all have 146,097 days.
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = month_from_march % 12 + 3 - if month_from_march < 10 { 0 } else { 12 };
    let year = era * 400 + year_of_era + i64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_dates_read_as_the_calendar_has_them() {
        for (seconds, want) in [
            (0, "1970-01-01T00:00:00Z"),
            (-1, "1970-01-01T00:00:00Z"),
            (951_782_399, "2000-02-28T23:59:59Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (951_868_800, "2000-03-01T00:00:00Z"),
            (1_300_819_380, "2011-03-22T18:43:00Z"),
            (1_709_164_800, "2024-02-29T00:00:00Z"),
            (1_735_689_599, "2024-12-31T23:59:59Z"),
            (1_795_428_000, "2026-11-23T10:00:00Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
            (LAST_SECOND, "9999-12-31T23:59:59Z"),
            (1 << 53, "9999-12-31T23:59:59Z"),
        ] {
            assert_eq!(iso_8601(seconds), want, "{seconds}");
        }
    }

    #[test]
    fn each_day_follows_the_one_before() {
        let mut previous = civil(0);
        // Four hundred years, after which the calendar repeats.
        for days in 1..=146_097 {
            let (year, month, day) = civil(days);
            let follows = (year, month, day) == (previous.0, previous.1, previous.2 + 1)
                || (year, month, day) == (previous.0, previous.1 + 1, 1)
                || (year, month, day) == (previous.0 + 1, 1, 1) && previous.1 == 12;
            assert!(follows && day <= 31 && month <= 12, "{previous:?} {days}");
            previous = (year, month, day);
        }
        assert_eq!(previous, (2370, 1, 1));
    }
}
