//! The public HTTP door
