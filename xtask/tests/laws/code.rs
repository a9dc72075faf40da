//! Rust source reduced to what a law is about: comments and the contents of
//! literals become blanks, and so do items under `#[cfg(test)]`. Every
//! character keeps its line.

/// The code of a file without comments, literals and tests.
pub(crate) fn shipped(source: &str) -> String {
    without_tests(&bare(source))
}

/// How many lines a file has, tests aside.
pub(crate) fn shipped_lines(source: &str) -> usize {
    let code = bare(source);
    let tests: usize = test_items(&code)
        .iter()
        .map(|&(from, to)| code[from..to].iter().filter(|&&c| c == '\n').count() + 1)
        .sum();
    source.lines().count().saturating_sub(tests)
}

/// The number of the line that holds the character at `at`.
pub(crate) fn line_of(code: &str, at: usize) -> usize {
    code[..at].matches('\n').count() + 1
}

/// Where `needle` stands in the code as a word of its own: `print!` is not in
/// `eprint!`.
pub(crate) fn find_word(code: &str, needle: &str) -> Vec<usize> {
    let part_of_word = |c: char| c.is_alphanumeric() || c == '_';
    code.match_indices(needle)
        .filter(|&(at, _)| !code[..at].ends_with(part_of_word))
        .map(|(at, _)| at)
        .collect()
}

/// The source with comments and the contents of literals blanked.
fn bare(source: &str) -> Vec<char> {
    let mut text: Vec<char> = source.chars().collect();
    let mut at = 0;
    while at < text.len() {
        let end = skip(&text, at);
        for c in &mut text[at..end] {
            if *c != '\n' {
                *c = ' ';
            }
        }
        at = end.max(at + 1);
    }
    text
}

/// The end of the comment or literal that starts at `at`, or `at` itself.
fn skip(text: &[char], at: usize) -> usize {
    let next = text.get(at + 1);
    match text[at] {
        '/' if next == Some(&'/') => find(text, at, |rest| rest[0] == '\n'),
        '/' if next == Some(&'*') => block_comment(text, at),
        '"' => quoted(text, at),
        'r' if !continues_word(text, at) => raw_string(text, at),
        '\'' if next == Some(&'\\') => find(text, at + 3, |rest| rest[0] == '\'') + 1,
        // Anything else after a single quote is a lifetime.
        '\'' if text.get(at + 2) == Some(&'\'') => at + 3,
        _ => at,
    }
}

fn find(text: &[char], from: usize, stop: impl Fn(&[char]) -> bool) -> usize {
    (from..text.len()).find(|&i| stop(&text[i..])).unwrap_or(text.len())
}

/// Whether the character before belongs to the same name. The `b` and `c` of
/// `br""` and `cr""` do not count.
fn continues_word(text: &[char], at: usize) -> bool {
    let named = |i: usize| text[i].is_alphanumeric() || text[i] == '_';
    match at.checked_sub(1) {
        Some(before) if matches!(text[before], 'b' | 'c') => before > 0 && named(before - 1),
        Some(before) => named(before),
        None => false,
    }
}

fn block_comment(text: &[char], at: usize) -> usize {
    let mut depth = 0;
    let mut i = at;
    while i < text.len() {
        match (text[i], text.get(i + 1)) {
            ('/', Some('*')) => (depth, i) = (depth + 1, i + 2),
            ('*', Some('/')) if depth == 1 => return i + 2,
            ('*', Some('/')) => (depth, i) = (depth - 1, i + 2),
            _ => i += 1,
        }
    }
    i
}

fn quoted(text: &[char], at: usize) -> usize {
    let mut i = at + 1;
    while i < text.len() && text[i] != '"' {
        i += if text[i] == '\\' { 2 } else { 1 };
    }
    (i + 1).min(text.len())
}

fn raw_string(text: &[char], at: usize) -> usize {
    let quote = find(text, at + 1, |rest| rest[0] != '#');
    if text.get(quote) != Some(&'"') {
        return at;
    }
    let hashes = quote - at - 1;
    let closes =
        |rest: &[char]| rest[0] == '"' && rest.len() > hashes && rest[1..=hashes].iter().all(|&c| c == '#');
    (find(text, quote + 1, closes) + 1 + hashes).min(text.len())
}

fn without_tests(code: &[char]) -> String {
    let mut out = code.to_vec();
    for (from, to) in test_items(code) {
        for c in &mut out[from..to] {
            if *c != '\n' {
                *c = ' ';
            }
        }
    }
    out.into_iter().collect()
}

/// The places of the items under `#[cfg(test)]`, attribute included.
fn test_items(code: &[char]) -> Vec<(usize, usize)> {
    const ATTRIBUTE: &str = "#[cfg(test)]";
    let attribute: Vec<char> = ATTRIBUTE.chars().collect();
    let mut items = Vec::new();
    let mut at = 0;
    loop {
        let start = find(code, at, |rest| rest.starts_with(&attribute));
        if start == code.len() {
            return items;
        }
        let head = find(code, start, |rest| matches!(rest[0], '{' | ';'));
        at = if code.get(head) == Some(&'{') { closing(code, head) } else { head };
        at = (at + 1).min(code.len());
        items.push((start, at));
    }
}

/// The brace that closes the one at `open`.
pub(crate) fn closing(code: &[char], open: usize) -> usize {
    let mut depth = 0;
    for (i, c) in code.iter().enumerate().skip(open) {
        match c {
            '{' => depth += 1,
            '}' if depth == 1 => return i,
            '}' => depth -= 1,
            _ => {}
        }
    }
    code.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_literals_are_blank() {
        let source =
            "a /* b /* c */ d */ e // f\n\"g \\\" {\" h 'i' '\\'' '\\u{1}' r#\"j\"#k &'l m br\"n\" o";
        let code = shipped(source);
        assert_eq!(code.split_whitespace().collect::<String>(), "aehk&'lmbo");
        assert_eq!(code.lines().count(), 2);
    }

    #[test]
    fn tests_are_blank() {
        let source =
            "fn a() {}\n#[cfg(test)]\nuse b;\nfn c() {}\n#[cfg(test)]\nmod tests {\n    fn d() {}\n}\n";
        let code = shipped(source);
        assert_eq!(code.split_whitespace().collect::<Vec<_>>(), ["fn", "a()", "{}", "fn", "c()", "{}"]);
        assert_eq!(shipped_lines(source), 2);
    }

    #[test]
    fn a_word_is_not_the_end_of_another() {
        assert_eq!(find_word("eprint!() print!()", "print!").len(), 1);
    }
}
