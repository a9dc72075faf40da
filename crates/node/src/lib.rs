//! One running node: the facade, the only wiring, the only reader of configuration
