//! The table: every command this node has, the options that all of them take, and ways to search it.

use crate::commands as c;
use crate::{Command, OptionDef};

/// Options that every command takes. Those that only the caller acts on never travel.
pub const GLOBAL_OPTIONS: &[OptionDef] = &[
    OptionDef::string(&["repo-dir"], "Use the repository in this directory."),
    OptionDef::bool(&["debug", "D"], "Log what happens in detail."),
    OptionDef::bool(&["help", "h"], "Show the help of a command."),
    OptionDef::bool(&["offline"], "Don't ask the network: use what this node holds."),
    OptionDef::string(&["api"], "Talk to the daemon at this address."),
    OptionDef::string(&["api-auth"], "Secret to show to the daemon, one of its API.Authorizations."),
    OptionDef::string(
        &["cid-base"],
        "Base to print CIDs in. A base other than base58btc shows version 0 CIDs as version 1.",
    ),
    OptionDef::bool(
        &["upgrade-cidv0-in-output"],
        "Print version 0 CIDs as version 1. Deprecated: use --cid-base.",
    ),
    OptionDef::string(&["encoding", "enc"], "Form of the output: text or json.").default("text"),
    OptionDef::bool(&["stream-channels"], "Print results as they come."),
    OptionDef::string(&["timeout"], "Give up after this time, such as 30s or 1m30s."),
];

/// Lets a command take blocks that peers refuse.
pub(crate) const ALLOW_BIG_BLOCK: OptionDef =
    OptionDef::bool(&["allow-big-block"], "Take blocks over 2 MiB; peers refuse them.").default("false");

/// The root of the table. It is the program itself and has no name in paths.
pub static ROOT: Command = Command::group(
    "ipfs",
    "Files that are named by their content, shared between peers.",
    &[
        c::INIT,
        c::ADD,
        c::CAT,
        c::GET,
        c::LS,
        c::REFS,
        c::DAG,
        c::BLOCK,
        c::CID,
        c::MULTIBASE,
        c::DAEMON,
        c::SHUTDOWN,
        c::RESOLVE,
        c::PIN,
        c::REPO,
        c::BACKUP,
        c::RESTORE,
        c::STATS,
        c::ID,
        c::SWARM,
        c::PING,
        c::BITSWAP,
        c::CONFIG,
        c::VERSION,
        c::COMMANDS,
        c::LOG,
        c::DIAG,
        c::TOUR,
    ],
)
.help(
    "The repository is ~/.ipse, or ~/.ipfs where the program is called as ipfs; IPFS_PATH names another one.",
);

/// The command with exactly these words.
pub fn find(words: &[&str]) -> Option<&'static Command> {
    words.iter().try_fold(&ROOT, |command, word| command.subcommand(word))
}

/// Every command with the words of its name, groups included, parents first; the root is not among them.
pub fn walk() -> Vec<(Vec<&'static str>, &'static Command)> {
    fn below(
        path: &[&'static str],
        command: &'static Command,
        out: &mut Vec<(Vec<&'static str>, &'static Command)>,
    ) {
        for subcommand in command.subcommands {
            let mut path = path.to_vec();
            path.push(subcommand.name);
            out.push((path.clone(), subcommand));
            below(&path, subcommand, out);
        }
    }
    let mut out = Vec::new();
    below(&[], &ROOT, &mut out);
    out
}

/// Names below `group` that someone who typed `word` may have meant, likeliest first.
pub fn suggestions(group: &'static Command, word: &str) -> Vec<&'static str> {
    let names = || group.subcommands.iter().map(|command| command.name);
    let mut contained: Vec<_> = names().filter(|name| word.contains(name)).collect();
    if !contained.is_empty() {
        contained.sort_unstable();
        return contained;
    }
    let mut near: Vec<_> =
        names().map(|name| (distance(word, name), name)).filter(|(d, _)| *d <= 3).collect();
    near.sort_unstable();
    near.into_iter().map(|(_, name)| name).collect()
}

/// Edits from `from` to `to`: adding a letter costs 1, changing one 2, dropping one 3, since people rather
/// leave letters out than add them.
fn distance(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (typed, letter) in from.chars().enumerate() {
        let mut next = vec![(typed + 1) * 3];
        for (place, wanted) in to.iter().enumerate() {
            let change = row[place] + if letter == *wanted { 0 } else { 2 };
            next.push(change.min(row[place + 1] + 3).min(next[place] + 1));
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_options_are_unique() {
        for (path, command) in walk() {
            let mut names: Vec<_> = command.subcommands.iter().map(|c| c.name).collect();
            names.sort_unstable();
            names.dedup();
            assert_eq!(names.len(), command.subcommands.len(), "{path:?}");
            let mut options: Vec<_> =
                command.options.iter().chain(GLOBAL_OPTIONS).flat_map(|option| option.names).collect();
            let count = options.len();
            options.sort_unstable();
            options.dedup();
            assert_eq!(options.len(), count, "{path:?} names an option twice");
        }
    }

    #[test]
    fn every_entry_is_whole() {
        for (path, command) in walk() {
            assert!(!command.summary.is_empty(), "{path:?}");
            assert!(command.runs || !command.subcommands.is_empty(), "{path:?} does nothing");
            for option in command.options {
                assert!(!option.help.is_empty(), "{path:?} {:?}", option.names);
                assert!(
                    option.default.is_none_or(|text| option.parse(text).is_ok()),
                    "{path:?} {:?}",
                    option.names
                );
            }
            let last = command.arguments.len().saturating_sub(1);
            for (place, argument) in command.arguments.iter().enumerate() {
                assert!(place == last || !argument.variadic, "{path:?} {}", argument.name);
            }
        }
    }

    #[test]
    fn finds_commands_by_their_words() {
        assert_eq!(find(&["pin", "ls"]).map(|command| command.name), Some("ls"));
        assert!(find(&["pin", "nosuch"]).is_none());
    }

    #[test]
    fn suggests_what_was_meant() {
        assert_eq!(suggestions(&ROOT, "ad").first(), Some(&"add"));
        assert_eq!(suggestions(&ROOT, "urlstore ls"), ["ls"]);
        assert!(suggestions(&ROOT, "nosuchcommand").is_empty());
    }
}
