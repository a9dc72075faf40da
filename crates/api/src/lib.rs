//! The RPC's requests and responses, one file per command family
