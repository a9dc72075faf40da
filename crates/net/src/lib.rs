//! Every socket toward peers
