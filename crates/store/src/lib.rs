//! Everything on this node's disk: blocks, pins, keys, collection
