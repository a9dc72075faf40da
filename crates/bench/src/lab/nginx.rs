//! A web server to stand beside the gateway.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::guard::Guarded;
use super::http;
use crate::Outcome;

/// nginx with one worker a core, serving a folder; ended with its owner.
pub(crate) struct Nginx {
    // The master ends its workers when it gets SIGTERM, not when it is killed.
    master: Guarded,
    pub(crate) address: SocketAddr,
}

impl Nginx {
    /// Whether it is installed.
    pub(crate) fn present() -> bool {
        Command::new("nginx").arg("-v").output().is_ok()
    }

    /// Serves `folder`.
    pub(crate) fn start(folder: &Path) -> Outcome<Self> {
        let address = http::here(http::free_port()?);
        let state = folder.join("nginx");
        fs::create_dir_all(&state)?;
        let config = config(&state, folder, address);
        let path = state.join("nginx.conf");
        fs::write(&path, config)?;
        let mut command = Command::new("nginx");
        command.arg("-c").arg(&path).arg("-p").arg(&state).arg("-e").arg(state.join("error.log"));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut master = Guarded::spawn(&mut command, None)?;
        let start = Instant::now();
        while std::net::TcpStream::connect(address).is_err() {
            if !master.running() || start.elapsed() > Duration::from_secs(10) {
                let said = fs::read_to_string(state.join("error.log")).unwrap_or_default();
                return Err(format!("nginx does not start: {said}").into());
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(Self { master, address })
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        self.master.signal(rustix::process::Signal::TERM);
        let start = Instant::now();
        while self.master.running() && start.elapsed() < Duration::from_secs(5) {
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

fn config(state: &Path, folder: &Path, address: SocketAddr) -> String {
    let state = state.display();
    let paths: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .iter()
        .map(|name| format!("{name}_temp_path {state}/{name};\n"))
        .collect();
    // Workers of another user could not read a folder that only we may enter.
    let user = if rustix::process::geteuid().is_root() { "user root;\n" } else { "" };
    format!(
        "daemon off;\nworker_processes auto;\n{user}pid {state}/pid;\nevents {{ worker_connections 4096; }}\n\
         http {{\n{paths}access_log off;\nsendfile on;\ntcp_nopush on;\nkeepalive_requests 100000000;\n\
         open_file_cache max=1000;\nserver {{ listen {address}; location / {{ root {}; }} }}\n}}\n",
        folder.display()
    )
}
