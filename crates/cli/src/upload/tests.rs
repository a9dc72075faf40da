use std::fs;
use std::sync::Mutex;

use super::*;

fn collect(files: Vec<FileInput>, options: WalkOptions) -> (String, usize, Vec<String>) {
    let reports = Arc::new(Mutex::new(Vec::new()));
    let sink = reports.clone();
    let report: Report = Box::new(move |text| sink.lock().unwrap().push(text.to_owned()));
    let upload = Upload::files(files, options, report).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let bytes = runtime.block_on(upload.body.collect()).unwrap().to_bytes();
    let boundary = upload.content_type.split("boundary=").nth(1).unwrap();
    let text = String::from_utf8_lossy(&bytes).replace(boundary, "B");
    let reports = reports.lock().unwrap().clone();
    (text, upload.skipped.count(), reports)
}

fn folder() -> (tempfile::TempDir, Vec<FileInput>) {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("dir");
    fs::create_dir_all(root.join("sub")).unwrap();
    fs::write(root.join("b c.txt"), "bee").unwrap();
    fs::write(root.join(".hidden"), "h").unwrap();
    fs::write(root.join("sub/deep"), "deep").unwrap();
    std::os::unix::fs::symlink("sub/deep", root.join("link")).unwrap();
    let files = vec![FileInput { name: "dir".into(), source: Source::Path(root) }];
    (folder, files)
}

#[test]
fn parts_come_depth_first_with_names_below_the_folder() {
    let (_folder, files) = folder();
    let (text, skipped, _) = collect(files, WalkOptions::default());
    let expected = [
        "--B\r\nContent-Disposition: form-data; name=\"file\"; filename=\"dir\"\r\nContent-Type: application/x-directory\r\n\r\n",
        "\r\n--B\r\nContent-Disposition: form-data; name=\"file\"; filename=\"dir%2Fb+c.txt\"\r\nContent-Type: application/octet-stream\r\n\r\nbee",
        "\r\n--B\r\nContent-Disposition: form-data; name=\"file\"; filename=\"dir%2Flink\"\r\nContent-Type: application/symlink\r\n\r\nsub/deep",
        "\r\n--B\r\nContent-Disposition: form-data; name=\"file\"; filename=\"dir%2Fsub\"\r\nContent-Type: application/x-directory\r\n\r\n",
        "\r\n--B\r\nContent-Disposition: form-data; name=\"file\"; filename=\"dir%2Fsub%2Fdeep\"\r\nContent-Type: application/octet-stream\r\n\r\ndeep",
        "\r\n--B--\r\n",
    ];
    assert_eq!(text, expected.concat());
    assert_eq!(skipped, 0);
}

#[test]
fn options_show_hidden_files_and_follow_links() {
    let (_folder, files) = folder();
    let (text, ..) =
        collect(files, WalkOptions { hidden: true, follow_links: true, ..WalkOptions::default() });
    assert!(text.contains("filename=\"dir%2F.hidden\""));
    assert!(!text.contains("application/symlink"));
    assert_eq!(text.matches("deep").count(), 3, "the name once, the content twice: {text}");
}

#[test]
fn what_cannot_be_read_is_reported_and_the_rest_goes_on() {
    let (folder, files) = folder();
    let socket = folder.path().join("dir/a socket");
    let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    let odd = std::os::unix::ffi::OsStrExt::from_bytes(b"odd\xff");
    fs::write(folder.path().join("dir").join::<&std::ffi::OsStr>(odd), "x").unwrap();
    std::os::unix::fs::symlink("nowhere", folder.path().join("dir/dangling")).unwrap();
    let (text, skipped, reports) =
        collect(files, WalkOptions { follow_links: true, ..WalkOptions::default() });
    assert_eq!(skipped, 3, "{reports:?}");
    assert!(reports.iter().any(|report| report.ends_with("the name is not valid UTF-8")), "{reports:?}");
    assert!(reports.iter().any(|report| report.starts_with("unrecognized file type for ")), "{reports:?}");
    assert!(
        reports.iter().any(|report| report.ends_with("dangling: no such file or directory")),
        "{reports:?}"
    );
    assert!(text.contains("bee") && text.ends_with("--B--\r\n"));
}

#[test]
fn links_in_a_circle_end() {
    let (folder, files) = folder();
    std::os::unix::fs::symlink("..", folder.path().join("dir/sub/up")).unwrap();
    let (_, skipped, reports) = collect(files, WalkOptions { follow_links: true, ..WalkOptions::default() });
    assert_eq!(skipped, 1, "{reports:?}");
}

#[test]
fn a_large_file_arrives_whole_through_the_bounded_queue() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("large");
    let content: Vec<u8> = (0..20 * READ_BYTES + 7).map(|place| (place % 251) as u8).collect();
    fs::write(&path, &content).unwrap();
    let files = vec![FileInput { name: "large".into(), source: Source::Path(path) }];
    let upload = Upload::files(files, WalkOptions::default(), Box::new(|_| {})).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let bytes = runtime.block_on(upload.body.collect()).unwrap().to_bytes();
    let start = bytes.windows(4).position(|window| window == b"\r\n\r\n").unwrap() + 4;
    assert!(bytes[start..start + content.len()] == content[..]);
}
