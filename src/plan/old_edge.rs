//! An edge of the release that runs, which leaves: it was made with another configuration than the one
//! that comes, so it is told of new replicas in its own terms to the end.

use crate::config::{Edge, Stack};

/// The stack and the template that it was made with.
#[derive(Debug, Clone)]
pub(crate) struct OldEdge {
    pub(crate) stack: Stack,
    pub(crate) config: Edge,
    /// Text of the template of its list.
    pub(crate) template: String,
}

impl OldEdge {
    /// Of the release that runs, while that of `next` comes; nothing, where one of them has no edge.
    pub(crate) fn new(stack: &Stack, template: &str, next: &Stack) -> Option<Self> {
        Some(Self {
            config: Edge {
                // Where the replicas listen that it is told of.
                port: next.edge.as_ref()?.port,
                ..stack.edge.clone()?
            },
            stack: stack.clone(),
            template: template.to_owned(),
        })
    }
}
