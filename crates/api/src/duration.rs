//! Durations as Go writes them: `300ms`, `-1.5h`, `2h45m`.

use std::time::Duration;

/// Reads a duration. Negative ones are zero long: what they bound is over at once. `None` for anything else.
pub fn parse_duration(text: &str) -> Option<Duration> {
    let (negative, mut rest) = match text.as_bytes().first()? {
        b'-' => (true, text.get(1..)?),
        b'+' => (false, text.get(1..)?),
        _ => (false, text),
    };
    if rest == "0" {
        return Some(Duration::ZERO);
    }
    let mut total = Duration::ZERO;
    while !rest.is_empty() {
        let number = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (value, tail) = rest.split_at(number);
        if !value.contains(|c: char| c.is_ascii_digit()) {
            return None;
        }
        let end = tail.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(end);
        let seconds: f64 = match unit {
            "ns" => 1e-9,
            "us" | "µs" | "μs" => 1e-6,
            "ms" => 1e-3,
            "s" => 1.0,
            "m" => 60.0,
            "h" => 3600.0,
            _ => return None,
        };
        total = total.checked_add(Duration::try_from_secs_f64(value.parse::<f64>().ok()? * seconds).ok()?)?;
        rest = tail;
    }
    (!text.ends_with(['-', '+'])).then_some(if negative { Duration::ZERO } else { total })
}

/// Writes a duration: `1.5ms`, `2m3.25s`.
pub fn format_duration(duration: Duration) -> String {
    let nanoseconds = duration.as_nanos();
    match nanoseconds {
        0 => "0s".to_owned(),
        1..1_000 => format!("{nanoseconds}ns"),
        1_000..1_000_000 => format!("{}µs", fraction(nanoseconds, 1_000)),
        1_000_000..1_000_000_000 => format!("{}ms", fraction(nanoseconds, 1_000_000)),
        _ => {
            let minutes = duration.as_secs() / 60;
            let seconds = fraction(nanoseconds - u128::from(minutes) * 60_000_000_000, 1_000_000_000);
            match (minutes / 60, minutes % 60) {
                (0, 0) => format!("{seconds}s"),
                (0, minutes) => format!("{minutes}m{seconds}s"),
                (hours, minutes) => format!("{hours}h{minutes}m{seconds}s"),
            }
        }
    }
}

/// A number of units with as many digits behind the point as there are.
fn fraction(value: u128, unit: u128) -> String {
    let digits = unit.ilog10() as usize;
    match value % unit {
        0 => (value / unit).to_string(),
        rest => format!("{}.{rest:0digits$}", value / unit).trim_end_matches('0').to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_go_writes() {
        for (text, millis) in [
            ("1s", 1000),
            ("300ms", 300),
            ("1.5h", 5_400_000),
            ("2h45m", 9_900_000),
            ("0", 0),
            ("-3s", 0),
            (".5s", 500),
        ] {
            assert_eq!(parse_duration(text), Some(Duration::from_millis(millis)), "{text}");
        }
        for text in ["", "-", "abc", "3", "1 s", "s", ".s", "1.2.3s", "1e9h", "1x"] {
            assert_eq!(parse_duration(text), None, "{text}");
        }
    }

    #[test]
    fn writes_what_go_writes() {
        for (nanoseconds, text) in [
            (0, "0s"),
            (999, "999ns"),
            (1_500, "1.5µs"),
            (12_345_678, "12.345678ms"),
            (1_000_000_000, "1s"),
            (62_050_000_000, "1m2.05s"),
            (3_600_000_000_000, "1h0m0s"),
        ] {
            assert_eq!(format_duration(Duration::from_nanos(nanoseconds)), text);
        }
    }

    #[test]
    fn hostile_text_never_panics() {
        bolero::check!().with_type::<String>().for_each(|text| {
            let _ = parse_duration(text);
        });
    }
}
