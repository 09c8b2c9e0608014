//! Reading a document that knows where each of its values stands.
//!
//! A table of the file is a function over [`Table`] with a line per key. The same function is run
//! on a document, to read it, and on nothing, to describe itself: this is where the JSON Schema
//! comes from, so that the two cannot differ. A fault never ends the reading; what is at fault
//! reads as `None`.

mod pass;
mod place;
mod scalar;
mod shape;
mod table;

pub(super) use pass::{Kind, Pass};
pub(super) use place::Place;
pub(super) use scalar::{
    Parsed, Problem, any_text, bare_integer, boolean, choice, integer, late_text, number, parsed,
    plain, text,
};
pub(super) use shape::{Node, Shape, either, list, map, then};
pub(super) use table::{Table, root_schema, table, whole_table};
