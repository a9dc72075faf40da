use super::*;

fn page(words: &str, size: HelpSize) -> String {
    let words: Vec<&str> = words.split_whitespace().collect();
    let command = ipse_api::find(&words).unwrap();
    let path: Vec<&'static str> = ipse_api::walk().into_iter().find(|(path, _)| *path == words).unwrap().0;
    help(Persona::Ipfs, &path, command, size)
}

#[test]
fn a_long_page_has_all_sections() {
    let text = page("add", HelpSize::Long);
    for part in [
        "USAGE\n  ipfs add <path>... - ",
        "\n\nSYNOPSIS\n  ipfs add [--recursive | -r] ",
        " [--pin=false] ",
        " <path>...\n\nARGUMENTS\n\n  <path>... - ",
        "\n\nOPTIONS\n\n  -r, --recursive            bool   - ",
        " Default: true.",
        "\n\nDESCRIPTION\n\n  ",
    ] {
        assert!(text.contains(part), "{part:?} is missing in:\n{text}");
    }
    assert!(text.lines().all(|line| line.chars().count() <= WIDTH), "{text}");
}

#[test]
fn a_group_lists_its_commands() {
    let text = page("pin", HelpSize::Short);
    assert!(text.starts_with("USAGE\n  ipfs pin - "), "{text}");
    assert!(
        text.contains("\n\n  ipfs pin\n\nSUBCOMMANDS\n  ipfs pin add <ipfs-path>...           - "),
        "{text}"
    );
    assert!(
        text.ends_with(
            "\n\n  For more information about each command, use:\n  'ipfs pin <subcmd> --help'\n\n"
        ),
        "{text}"
    );
}

#[test]
fn the_root_names_the_options_of_all_commands() {
    let text = help(Persona::Ipse, &[], &ROOT, HelpSize::Long);
    assert!(text.starts_with("USAGE\n  ipse  - "), "{text}");
    assert!(text.contains("--repo-dir") && text.contains(" <command> ...\n"), "{text}");
}

#[test]
fn words_are_wrapped_below_each_other() {
    let text = "word ".repeat(30);
    let wrapped = wrap("head - ", &text, 50);
    assert!(wrapped.lines().all(|line| line.len() <= 50), "{wrapped}");
    assert!(wrapped.lines().skip(1).all(|line| line.starts_with("       word")), "{wrapped}");
}
