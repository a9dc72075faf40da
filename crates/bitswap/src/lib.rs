//! The exchange protocol without sockets
