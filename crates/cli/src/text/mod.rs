//! Text: how values are written for people, in the forms that scripts know.

mod columns;
mod escape;
mod size;

pub(crate) use columns::Columns;
pub(crate) use escape::{escape, escape_lines};
pub(crate) use size::size;
