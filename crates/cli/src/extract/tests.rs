use std::fs;

use hyper::body::Frame;
use tar::{Builder, EntryType, Header};

use super::*;
use crate::answer::tests::{response, wait};

enum Item<'a> {
    Folder(&'a str),
    File(&'a str, &'a str),
    Link(&'a str, &'a str),
    Other(&'a str),
}

fn archive(items: &[Item]) -> Vec<u8> {
    let mut builder = Builder::new(Vec::new());
    for item in items {
        let mut header = Header::new_gnu();
        header.set_mode(0o644);
        header.set_mtime(1_700_000_000);
        let (name, kind, data) = match item {
            Item::Folder(name) => (name, EntryType::Directory, ""),
            Item::File(name, data) => (name, EntryType::Regular, *data),
            Item::Link(name, target) => {
                header.set_link_name_literal(target).unwrap();
                (name, EntryType::Symlink, "")
            }
            Item::Other(name) => (name, EntryType::Fifo, ""),
        };
        if matches!(item, Item::Folder(_)) {
            header.set_mode(0o755);
        }
        header.set_entry_type(kind);
        header.set_size(data.len() as u64);
        // The builder refuses the names that are tried here, so they are written into the header directly.
        header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
        header.set_cksum();
        builder.append(&header, data.as_bytes()).unwrap();
    }
    builder.into_inner().unwrap()
}

fn run(bytes: &[u8], output: PathBuf) -> Result<(), String> {
    let frames = bytes.chunks(700).map(|chunk| Frame::data(Bytes::copy_from_slice(chunk))).collect();
    wait(async {
        let mut answer = Answer::new(response(200, "application/x-tar", frames)).await.unwrap();
        extract(&mut answer, output, &mut |_| {}).await.map_err(|error| error.to_string())
    })
}

#[test]
fn a_folder_becomes_the_output() {
    let place = tempfile::tempdir().unwrap();
    let output = place.path().join("out");
    let items = [
        Item::Folder("root"),
        Item::File("root/a", "one"),
        Item::Folder("root/sub/"),
        Item::File("root/sub/b", "two"),
        Item::Link("root/link", "sub/b"),
    ];
    run(&archive(&items), output.clone()).unwrap();
    assert_eq!(fs::read_to_string(output.join("a")).unwrap(), "one");
    assert_eq!(fs::read_to_string(output.join("link")).unwrap(), "two");
    let modified = fs::metadata(output.join("sub")).unwrap().modified().unwrap();
    assert_eq!(modified.duration_since(std::time::UNIX_EPOCH).unwrap().as_secs(), 1_700_000_000);
}

#[test]
fn a_file_goes_into_a_folder_or_takes_its_place() {
    let place = tempfile::tempdir().unwrap();
    let bytes = archive(&[Item::File("name", "x")]);
    run(&bytes, place.path().to_owned()).unwrap();
    assert_eq!(fs::read_to_string(place.path().join("name")).unwrap(), "x");
    fs::write(place.path().join("other"), "old content").unwrap();
    run(&bytes, place.path().join("other")).unwrap();
    assert_eq!(fs::read_to_string(place.path().join("other")).unwrap(), "x");
}

#[test]
fn nothing_is_written_outside() {
    let place = tempfile::tempdir().unwrap();
    let outside = place.path().join("outside");
    fs::create_dir(&outside).unwrap();
    let target = outside.to_str().unwrap();
    for (case, items) in [
        vec![Item::File("../x", "")],
        vec![Item::File("/x", "")],
        vec![Item::File("..", "")],
        vec![Item::Folder("r"), Item::File("r/../x", "")],
        vec![Item::Folder("r"), Item::File("/r/x", "")],
        vec![Item::Folder("r"), Item::File("x", "")],
        vec![Item::Folder("r"), Item::File("r//x", "")],
        vec![Item::Folder("r"), Item::File("r/./x", "")],
        vec![Item::Folder("r"), Item::Link("r/l", target), Item::File("r/l/x", "")],
        vec![Item::Folder("r"), Item::Link("r/l", target), Item::Folder("r/l"), Item::File("r/l/x", "")],
        vec![Item::Folder("r"), Item::File("r/f", ""), Item::File("r/f/x", "")],
        vec![Item::Folder("r"), Item::Other("r/fifo")],
        vec![Item::File("f", ""), Item::File("g", "")],
        vec![],
    ]
    .iter()
    .enumerate()
    {
        let output = place.path().join(format!("out{case}"));
        assert!(run(&archive(items), output).is_err(), "case {case}");
        assert_eq!(fs::read_dir(&outside).unwrap().count(), 0, "case {case}");
    }
    assert!(!place.path().join("x").exists());
}

#[test]
fn a_link_in_the_way_is_replaced_and_not_followed() {
    let place = tempfile::tempdir().unwrap();
    let victim = place.path().join("victim");
    fs::write(&victim, "untouched").unwrap();
    let output = place.path().join("out");
    fs::create_dir(&output).unwrap();
    std::os::unix::fs::symlink(&victim, output.join("a")).unwrap();
    run(&archive(&[Item::Folder("r"), Item::File("r/a", "new")]), output.clone()).unwrap();
    assert_eq!(fs::read_to_string(&victim).unwrap(), "untouched");
    assert_eq!(fs::read_to_string(output.join("a")).unwrap(), "new");
}

#[test]
fn devices_are_left_alone() {
    let place = tempfile::tempdir().unwrap();
    let socket = place.path().join("socket");
    let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    let bytes = archive(&[Item::File("name", "x")]);
    assert!(run(&bytes, socket.clone()).unwrap_err().ends_with("is left alone"));
    assert!(socket.exists());
    run(&bytes, "/dev/null".into()).unwrap();
}

#[test]
fn an_archive_that_ends_early_leaves_no_half_file() {
    let place = tempfile::tempdir().unwrap();
    let bytes = archive(&[Item::File("name", &"x".repeat(5000))]);
    let output = place.path().join("out");
    assert!(run(&bytes[..2000], output.clone()).is_err());
    assert!(!output.exists());
}

#[test]
fn hostile_bytes_never_panic() {
    let place = tempfile::tempdir().unwrap();
    let output = place.path().join("out");
    let whole = archive(&[Item::Folder("r"), Item::File("r/a", "abc"), Item::Link("r/l", "a")]);
    bolero::check!().with_iterations(200).with_type::<(u16, u8, Vec<u8>)>().for_each(
        |(place, value, tail)| {
            let mut bytes = whole.clone();
            let place = usize::from(*place) % bytes.len();
            bytes[place] = *value;
            bytes.extend_from_slice(tail);
            let _ = run(&bytes, output.clone());
        },
    );
}
