//! `backup`, `restore`: the whole repository into a folder and back.

use crate::{Argument, Command, OptionDef};

pub(crate) const BACKUP: Command =
    Command::new("backup", "Copy the repository into a folder, all or what is new since the last time.")
        .help(
            "Takes blocks, pins, configuration and keys, as they are at one moment, while the node goes on working: \
with a daemon or without. Into a folder that holds an earlier backup only what is new is copied; the earlier one \
can be restored until the new one is complete.

  ipse backup /mnt/disk/ipse # make a backup, or bring it up to date
  ipse restore --verify /mnt/disk/ipse # check every byte of it
  IPFS_PATH=~/again ipse restore /mnt/disk/ipse

The folder holds the node's private key, readable by its owner only: keep it as safe as the node itself.",
        )
        .arguments(&[Argument::required("folder", "The folder; made where it is not there.")])
        .local_only();

pub(crate) const RESTORE: Command =
    Command::new("restore", "Make a repository from a folder that `backup` wrote.")
        .help(
            "The repository is the one that IPFS_PATH or --repo-dir names, which must not be there yet: nothing is ever \
overwritten. Every checksum is checked. The node that comes out has the same blocks, pins, configuration, keys and \
identity; don't run it while the one it is a copy of still runs.

  IPFS_PATH=~/again ipse restore /mnt/disk/ipse
  ipse restore --verify /mnt/disk/ipse # only check the backup",
        )
        .arguments(&[Argument::required("folder", "The folder with the backup.")])
        .options(&[OptionDef::bool(&["verify"], "Check the backup and write nothing.")])
        .local_only()
        .without_repository();

/// What `backup` asks the node.
pub(crate) const REPO_BACKUP: Command =
    Command::new("backup", "Write the segments of the repository as a stream; `ipse backup` reads it.")
        .help("Neither configuration nor keys are in it: they never leave the node over the RPC.")
        .arguments(&[Argument::optional(
            "have",
            "What the reader has already: NUMBER-MARKER-LENGTH of each segment.",
        )
        .variadic()
        .stdin()]);
