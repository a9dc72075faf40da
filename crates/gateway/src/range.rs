//! One range of bytes (RFC 9110 §14): the first that a request asks for.

/// What to send of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Selection {
    /// All of it.
    Whole,
    /// `length` bytes from `start`; never empty.
    Part {
        /// The first byte.
        start: u64,
        /// How many.
        length: u64,
    },
    /// A range behind the file's end.
    Unsatisfiable,
}

/// Reads a `Range` header for a file of `size` bytes. What is no byte range is passed over, as HTTP wants it.
pub(crate) fn select(header: Option<&str>, size: u64) -> Selection {
    let Some(first) =
        header.and_then(|text| text.strip_prefix("bytes=")).and_then(|text| text.split(',').next())
    else {
        return Selection::Whole;
    };
    let Some((from, to)) = first.trim().split_once('-') else { return Selection::Whole };
    match (number(from), number(to)) {
        (None, Some(Some(suffix))) if from.is_empty() => match suffix.min(size) {
            0 => Selection::Unsatisfiable,
            length => Selection::Part { start: size - length, length },
        },
        (Some(Some(start)), end) => match end {
            _ if start >= size => Selection::Unsatisfiable,
            Some(Some(end)) if end < start => Selection::Whole,
            Some(Some(end)) => Selection::Part { start, length: end.min(size - 1) - start + 1 },
            None if to.is_empty() => Selection::Part { start, length: size - start },
            _ => Selection::Whole,
        },
        _ => Selection::Whole,
    }
}

/// `None` for nothing, `Some(None)` for what is no number.
fn number(text: &str) -> Option<Option<u64>> {
    let text = text.trim();
    (!text.is_empty())
        .then(|| text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten())
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn part(start: u64, length: u64) -> Selection {
        Selection::Part { start, length }
    }

    #[test]
    fn the_forms_of_a_range() {
        for (text, want) in [
            ("bytes=0-0", part(0, 1)),
            ("bytes=0-", part(0, 10)),
            ("bytes=3-5", part(3, 3)),
            ("bytes=3-500", part(3, 7)),
            ("bytes=-4", part(6, 4)),
            ("bytes=-40", part(0, 10)),
            ("bytes=2-3,7-8", part(2, 2)),
            ("bytes=10-", Selection::Unsatisfiable),
            ("bytes=-0", Selection::Unsatisfiable),
            ("bytes=5-3", Selection::Whole),
            ("bytes=a-b", Selection::Whole),
            ("bytes=-", Selection::Whole),
            ("lines=1-2", Selection::Whole),
        ] {
            assert_eq!(select(Some(text), 10), want, "{text}");
        }
        assert_eq!(select(None, 10), Selection::Whole);
        assert_eq!(select(Some("bytes=0-"), 0), Selection::Unsatisfiable);
    }

    #[test]
    fn fuzz_range() {
        bolero::check!().with_type::<(String, u64)>().for_each(|(text, size)| {
            if let Selection::Part { start, length } = select(Some(&format!("bytes={text}")), *size) {
                assert!(length > 0 && start + length <= *size);
            }
        });
    }
}
