//! The private HTTP door
