//! Fixtures, test nodes and faulty disks; never shipped
