use super::*;

fn folder() -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("repo");
    (dir, root)
}

#[test]
fn init_then_open() {
    let (_dir, root) = folder();
    assert_eq!(Repo::state(&root).unwrap(), RepoState::Absent);
    assert!(matches!(Repo::open(&root), Err(RepoError::Absent(_))));
    let repo = Repo::init(&root, b"{\"a\":1}", b"{}").unwrap();
    assert_eq!(repo.config().unwrap(), b"{\"a\":1}");
    assert_eq!(Repo::read_settings(&root).unwrap(), b"{}");
    drop(repo);
    assert_eq!(Repo::state(&root).unwrap(), RepoState::Ready);
    assert!(matches!(Repo::init(&root, b"", b""), Err(RepoError::Exists(_))));
    assert_eq!(Repo::open(&root).unwrap().config().unwrap(), b"{\"a\":1}");
}

#[test]
fn one_holder_of_the_lock() {
    let (_dir, root) = folder();
    let repo = Repo::init(&root, b"{}", b"{}").unwrap();
    let error = Repo::open(&root).err().unwrap();
    let path = root.join("repo.lock");
    assert_eq!(error.to_string(), format!("lock {}: someone else has the lock", path.display()));
    assert_eq!(error.kind(), Kind::Busy);
    drop(repo);
    assert!(Repo::open(&root).is_ok());
}

#[test]
fn foreign_and_newer_folders_are_refused() {
    for (name, content) in [("version", "18"), ("datastore_spec", "{}"), ("blocks/SHARDING", "x")] {
        let (_dir, root) = folder();
        std::fs::create_dir_all(root.join("blocks")).unwrap();
        std::fs::write(root.join(name), content).unwrap();
        assert_eq!(Repo::state(&root).unwrap(), RepoState::Kubo, "{name}");
        let error = Repo::open(&root).err().unwrap();
        assert!(error.hint().unwrap().contains("ipse dag import"));
        assert!(matches!(Repo::init(&root, b"{}", b"{}"), Err(RepoError::Kubo(_))));
    }
    let (_dir, root) = folder();
    drop(Repo::init(&root, b"{}", b"{}").unwrap());
    std::fs::write(root.join("version"), "1099\n").unwrap();
    assert!(matches!(Repo::open(&root), Err(RepoError::Newer { format: 99, .. })));
    std::fs::write(root.join("version"), "what").unwrap();
    assert!(matches!(Repo::open(&root), Err(RepoError::Version(_))));
}

#[test]
fn addresses_live_as_long_as_the_repository_is_open() {
    let (_dir, root) = folder();
    let repo = Repo::init(&root, b"{}", b"{}").unwrap();
    repo.publish(AddressFile::Api, "/ip4/127.0.0.1/tcp/5001").unwrap();
    repo.publish(AddressFile::Gateway, "http://127.0.0.1:8080").unwrap();
    assert_eq!(std::fs::read(root.join("api")).unwrap(), b"/ip4/127.0.0.1/tcp/5001");
    assert_eq!(Repo::published(&root, AddressFile::Gateway).unwrap().unwrap(), "http://127.0.0.1:8080");
    repo.unpublish(AddressFile::Gateway).unwrap();
    assert_eq!(Repo::published(&root, AddressFile::Gateway).unwrap(), None);
    drop(repo);
    assert_eq!(Repo::published(&root, AddressFile::Api).unwrap(), None);
}

#[test]
fn files_are_their_owners_alone() {
    use std::os::unix::fs::PermissionsExt;
    let (_dir, root) = folder();
    let repo = Repo::init(&root, b"{}", b"{}").unwrap();
    repo.write_config(b"{\"b\":2}").unwrap();
    for name in ["config", "ipse.json", "version"] {
        assert_eq!(std::fs::metadata(root.join(name)).unwrap().permissions().mode() & 0o777, 0o600, "{name}");
    }
    assert!(!root.join("config.new").exists());
}

#[test]
fn keys_keep_their_names() {
    let (_dir, root) = folder();
    let repo = Repo::init(&root, b"{}", b"{}").unwrap();
    for name in ["self", "käse/../x", "a b"] {
        repo.write_key(name, name.as_bytes()).unwrap();
        assert_eq!(repo.key(name).unwrap().unwrap(), name.as_bytes());
    }
    assert_eq!(repo.keys().unwrap(), ["a b", "käse/../x", "self"]);
    assert!(root.join("keystore/key_onswyzq").exists(), "as the reference node names it");
    assert!(repo.remove_key("self").unwrap());
    assert!(!repo.remove_key("self").unwrap());
    assert!(matches!(repo.write_key("", b""), Err(RepoError::KeyName(_))));
}

#[test]
fn the_socket_replaces_a_stale_one_and_goes_with_the_repository() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("repo");
    let repo = Repo::init(&root, b"{}", b"{}").unwrap();
    let path = Repo::socket_path(&root).unwrap();
    // What a killed process leaves behind.
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    assert!(std::os::unix::net::UnixStream::connect(&path).is_err());
    let listener = repo.listen().unwrap().unwrap();
    assert!(std::os::unix::net::UnixStream::connect(&path).is_ok());
    let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&path).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
    drop((listener, repo));
    assert!(!path.exists());
}

#[test]
fn a_path_too_long_for_a_socket_has_none() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("x".repeat(120));
    let repo = Repo::init(&root, b"{}", b"{}").unwrap();
    assert!(Repo::socket_path(&root).is_none());
    assert!(repo.listen().unwrap().is_none());
}
