//! `ls`: the entries of directories, sorted in one value or as they come.

use futures::{StreamExt, TryStreamExt};
use ipse_api::{ListedLink, ListedObject, Listing, NO_TIME};
use ipse_node::{ListEntry, NodeKind};

use crate::Failure;
use crate::context::{CidText, Context};
use crate::reply::Reply;

pub(super) async fn ls(context: Context) -> Result<Reply, Failure> {
    let node = context.node()?;
    let look = context.invocation.bool("resolve-type") || context.invocation.bool("size");
    let cids = context.cids;
    let mut listed = Vec::new();
    for (path, hash) in context.paths()?.iter().zip(&context.invocation.arguments) {
        let entries = node.ls(path, look).await?;
        let links = entries.map(move |entry| entry.map(|entry| link(entry, cids)).map_err(Failure::from));
        listed.push((hash.clone(), links.boxed()));
    }
    if context.invocation.bool("stream") {
        let one =
            |(hash, links): (String, futures::stream::BoxStream<'static, Result<ListedLink, Failure>>)| {
                links.map_ok(move |link| object(hash.clone(), vec![link]))
            };
        return Ok(Reply::values(futures::stream::iter(listed).flat_map(one)));
    }
    let mut objects = Vec::with_capacity(listed.len());
    for (hash, links) in listed {
        let mut links: Vec<ListedLink> = links.try_collect().await?;
        links.sort_by(|a, b| a.name.cmp(&b.name));
        objects.push(ListedObject { hash, links });
    }
    Reply::value(&Listing { objects })
}

fn object(hash: String, links: Vec<ListedLink>) -> Listing {
    Listing { objects: vec![ListedObject { hash, links }] }
}

fn link(entry: ListEntry, cids: CidText) -> ListedLink {
    // What the directory itself tells is the size of the whole Dag, which nobody asked for.
    let size = match entry.kind {
        Some(NodeKind::File | NodeKind::Raw) => entry.size,
        Some(NodeKind::Symlink) => entry.target.as_ref().map_or(0, |target| target.len() as u64),
        _ => 0,
    };
    ListedLink {
        hash: cids.of(&entry.cid),
        size,
        r#type: number(entry.kind),
        target: entry.target.unwrap_or_default(),
        mode: entry.mode.map_or(0, |mode| mode | kind_bit(entry.kind)),
        mod_time: entry
            .mtime
            .map_or_else(|| NO_TIME.to_owned(), |(seconds, nanoseconds)| time(seconds, nanoseconds)),
        name: entry.name,
    }
}

const fn number(kind: Option<NodeKind>) -> i32 {
    match kind {
        None | Some(NodeKind::Metadata) => 0,
        Some(NodeKind::Directory | NodeKind::Shard) => 1,
        Some(NodeKind::File | NodeKind::Raw) => 2,
        Some(NodeKind::Symlink) => 4,
    }
}

/// The bit that Go's modes have for what is no file.
const fn kind_bit(kind: Option<NodeKind>) -> u32 {
    match kind {
        Some(NodeKind::Directory | NodeKind::Shard) => 1 << 31,
        Some(NodeKind::Symlink) => 1 << 27,
        _ => 0,
    }
}

/// A time in RFC 3339, the year from 0 to 9999; [`NO_TIME`] outside of that.
fn time(seconds: i64, nanoseconds: u32) -> String {
    const DAY: i64 = 24 * 3600;
    let (days, second) = (seconds.div_euclid(DAY), seconds.rem_euclid(DAY));
    let Some((year, month, day)) = date(days).filter(|(year, ..)| (0..=9999).contains(year)) else {
        return NO_TIME.to_owned();
    };
    let fraction = match nanoseconds {
        0 => String::new(),
        _ => format!(".{nanoseconds:09}").trim_end_matches('0').to_owned(),
    };
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}{fraction}Z")
}

/// The Gregorian date of a day counted from 1970. Years start in March here, so that leap days come last.
fn date(days: i64) -> Option<(i64, i64, i64)> {
    // 400 years have 146,097 days; day 0 of the count is 0000-03-01.
    let days = days.checked_add(719_468)?;
    let (era, day) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (year, month) = if month < 10 { (year, month + 3) } else { (year + 1, month - 9) };
    Some((era * 400 + year, month, day))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_in_rfc_3339() {
        for (seconds, nanoseconds, text) in [
            (0, 0, "1970-01-01T00:00:00Z"),
            (951_782_400, 0, "2000-02-29T00:00:00Z"),
            (1_700_000_000, 120_000_000, "2023-11-14T22:13:20.12Z"),
            (-1, 0, "1969-12-31T23:59:59Z"),
            (-62_135_596_800, 0, NO_TIME),
            (i64::MAX, 0, NO_TIME),
        ] {
            assert_eq!(time(seconds, nanoseconds), text);
        }
    }
}
