//! The paths that a file imports, each written out: `use std::{fs, io::Read}`
//! is std::fs and std::io::Read.

/// Every imported path, with the place of its `use`.
pub(crate) fn imports(code: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for at in crate::code::find_word(code, "use ") {
        let statement = &code[at + 4..];
        let end = statement.find(';').unwrap_or(statement.len());
        let tree: String = statement[..end].split_whitespace().collect::<Vec<_>>().join(" ");
        expand("", &tree, &mut |path| found.push((at, path)));
    }
    found
}

fn expand(prefix: &str, tree: &str, found: &mut impl FnMut(String)) {
    let tree = tree.trim();
    let Some(open) = tree.find('{') else {
        let path = tree.split(" as ").next().unwrap_or(tree);
        let path = format!("{prefix}{}", path.trim());
        // `std::io::{self}` is std::io.
        found(path.strip_suffix("::self").unwrap_or(&path).to_owned());
        return;
    };
    let prefix = format!("{prefix}{}", &tree[..open]);
    let inner = tree[open + 1..].strip_suffix('}').unwrap_or(&tree[open + 1..]);
    let mut depth = 0;
    let branches = inner.split(|c| {
        depth += i32::from(c == '{') - i32::from(c == '}');
        c == ',' && depth == 0
    });
    for branch in branches.filter(|branch| !branch.trim().is_empty()) {
        expand(&prefix, branch, found);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trees_are_written_out() {
        let code = "use std::{fs, io::{self, Read as _}};\nuse core::net::IpAddr;";
        let paths: Vec<String> = imports(code).into_iter().map(|(_, path)| path).collect();
        assert_eq!(paths, ["std::fs", "std::io", "std::io::Read", "core::net::IpAddr"]);
    }
}
