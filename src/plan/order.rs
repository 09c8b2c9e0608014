//! Services in the order of their dependencies.

use std::collections::BTreeSet;

use crate::config::{ServiceName, Stack};

/// Every service after those that it depends on.
pub(crate) fn start_order(stack: &Stack) -> Vec<&ServiceName> {
    stop_layers(stack).into_iter().rev().flatten().collect()
}

/// Services in layers: those that nothing depends on first. A layer may be stopped at once.
pub(crate) fn stop_layers(stack: &Stack) -> Vec<Vec<&ServiceName>> {
    let mut left: BTreeSet<&ServiceName> = stack.services.keys().collect();
    let mut layers = Vec::new();
    while !left.is_empty() {
        let needed: BTreeSet<&ServiceName> = left
            .iter()
            .flat_map(|name| stack.dependencies(&stack.services[*name]))
            .collect();
        let layer: Vec<&ServiceName> = left
            .iter()
            .copied()
            .filter(|name| !needed.contains(name))
            .collect();
        // A validated stack has no cycle; without this line a bug there would never end.
        assert!(!layer.is_empty(), "dependency cycle in a validated stack");
        left.retain(|name| !layer.contains(name));
        layers.push(layer);
    }
    layers
}
