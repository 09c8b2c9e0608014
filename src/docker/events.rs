//! What happens to a project's containers, as it happens.

use std::collections::HashMap;

use bollard::query_parameters::EventsOptionsBuilder;
use futures::{Stream, StreamExt as _};

use super::{Engine, resources::by_project};

/// The engine reported something about a container of the project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ContainerEvent {
    /// The container's name.
    pub(crate) container: String,
    /// The engine's word: `start`, `die`, `oom`, `destroy`, …
    pub(crate) action: String,
    /// With `die`.
    pub(crate) exit_code: Option<i64>,
}

impl Engine {
    /// Container events of a project from now on. Ends when the link does.
    pub(crate) fn container_events(
        &self,
        project: &str,
    ) -> impl Stream<Item = ContainerEvent> + Send + use<> {
        let mut filters: HashMap<String, Vec<String>> = by_project(project);
        filters.insert("type".into(), vec!["container".into()]);
        let options = EventsOptionsBuilder::new().filters(&filters).build();
        // A stream without an end must not be cut by the client's time-out for one answer.
        let api = self
            .api
            .clone()
            .with_timeout(std::time::Duration::from_hours(24));
        async_stream(api.events(Some(options)))
    }
}

fn async_stream(
    events: impl Stream<Item = Result<bollard::models::EventMessage, bollard::errors::Error>> + Send,
) -> impl Stream<Item = ContainerEvent> + Send {
    events
        .take_while(|event| std::future::ready(event.is_ok()))
        .filter_map(|event| async {
            let event = event.ok()?;
            let attributes = event.actor?.attributes?;
            Some(ContainerEvent {
                container: attributes.get("name")?.clone(),
                action: event.action?,
                exit_code: attributes
                    .get("exitCode")
                    .and_then(|code| code.parse().ok()),
            })
        })
}
