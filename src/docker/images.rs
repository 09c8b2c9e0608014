//! Placeholder until the branch with images is merged.
