//! `ls`: the entries of folders in columns.

use std::io::{self, Write};

use ipse_api::{Invocation, ListedLink, Listing, NO_TIME};

use super::each;
use crate::error::CliError;
use crate::session::Session;
use crate::text::{Columns, escape};

/// Width of columns whose lines come one by one.
const STREAMED_WIDTH: usize = 10;

pub(super) async fn run(session: &mut Session<'_>) -> Result<(), CliError> {
    let mut table = Table::new(&session.invocation);
    let mut answer = session.ask().await?;
    each(&mut answer, session.console, |listing: &Listing, out| table.write(listing, out)).await
}

/// What is shown of each entry, and which folder was shown last.
pub(super) struct Table {
    headers: bool,
    stream: bool,
    size: bool,
    long: bool,
    several: bool,
    last: String,
}

impl Table {
    pub(super) fn new(invocation: &Invocation) -> Self {
        Self {
            headers: invocation.bool("headers"),
            stream: invocation.bool("stream"),
            size: invocation.bool("size"),
            long: invocation.bool("long"),
            several: invocation.arguments.len() > 1,
            last: String::new(),
        }
    }

    pub(super) fn write(&mut self, listing: &Listing, out: &mut dyn Write) -> io::Result<()> {
        let mut columns = Columns::new(if self.stream { STREAMED_WIDTH } else { 1 }, 1);
        for object in &listing.objects {
            if object.hash != self.last {
                if self.several {
                    if !self.last.is_empty() {
                        columns.line(vec![String::new()]);
                    }
                    columns.line(vec![format!("{}:", object.hash)]);
                }
                if self.headers {
                    columns.line(self.cells(["Mode", "Hash", "Size", "ModTime", "Name"].map(str::to_owned)));
                }
                self.last.clone_from(&object.hash);
            }
            for link in &object.links {
                columns.line(self.entry(link));
            }
        }
        columns.write(out)
    }

    fn entry(&self, link: &ListedLink) -> Vec<String> {
        let folder = matches!(link.r#type, 1 | 3 | 5);
        let name = escape(&link.name);
        self.cells([
            mode(link.mode),
            link.hash.clone(),
            if folder { "-".to_owned() } else { link.size.to_string() },
            time(&link.mod_time),
            if folder { format!("{name}/") } else { name.into_owned() },
        ])
    }

    fn cells(&self, [mode, hash, size, time, name]: [String; 5]) -> Vec<String> {
        match (self.long, self.size) {
            (true, true) => vec![mode, hash, size, time, name],
            (true, false) => vec![mode, hash, time, name],
            (false, true) => vec![hash, size, name],
            (false, false) => vec![hash, name],
        }
    }
}

/// Permissions as `-rwxr-xr-x`; a dash where none were kept.
fn mode(mode: u32) -> String {
    if mode == 0 {
        return "-".to_owned();
    }
    let letters = ["r", "w", "x"];
    let bits = (0..9).map(|place| if mode & (0o400 >> place) == 0 { "-" } else { letters[place % 3] });
    std::iter::once("-").chain(bits).collect()
}

/// Date and time to the minute, `2024-01-31 12:30`; a dash where none was kept.
fn time(time: &str) -> String {
    match (time.get(..10), time.get(11..16)) {
        _ if time == NO_TIME => "-".to_owned(),
        (Some(date), Some(clock)) => format!("{date} {clock}"),
        _ => "-".to_owned(),
    }
}
