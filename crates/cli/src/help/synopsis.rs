//! The line that shows all that a command takes.

use ipse_api::{Command, OptionDef, OptionKind};

use super::lists::flag;

/// The words, then each option in brackets, then the arguments; wrapped below the words.
pub(super) fn synopsis(words: &str, options: &[&OptionDef], command: &Command, width: usize) -> String {
    let mut pieces: Vec<String> = options.iter().map(|option| bracketed(option)).collect();
    if !command.arguments.is_empty() {
        pieces.push("[--]".to_owned());
    }
    pieces.extend(command.arguments.iter().map(argument));
    let mut out = words.to_owned();
    let mut line = words.len();
    for piece in pieces {
        if line + piece.len() + 1 > width {
            out.push('\n');
            out.push_str(&" ".repeat(words.len()));
            line = words.len();
        }
        out.push(' ');
        out.push_str(&piece);
        line += piece.len() + 1;
    }
    out
}

fn argument(argument: &ipse_api::Argument) -> String {
    let dots = if argument.variadic { "..." } else { "" };
    if argument.required {
        format!("<{}>{dots}", argument.name)
    } else {
        format!("[<{}>{dots}]", argument.name)
    }
}

/// `[--name=<name> | -n]`; a switch that is on shows how to turn it off.
fn bracketed(option: &OptionDef) -> String {
    let name = option.name();
    if option.kind == OptionKind::Bool && option.default == Some("true") {
        return format!("[--{name}=false]");
    }
    let value = if option.kind == OptionKind::Bool { String::new() } else { format!("=<{name}>") };
    let others: String = option.names.iter().skip(1).map(|name| format!(" | {}", flag(name))).collect();
    let dots = if option.kind == OptionKind::Strings { "..." } else { "" };
    format!("[{}{value}{others}]{dots}", flag(name))
}
