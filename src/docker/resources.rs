//! Networks and volumes.

use std::collections::HashMap;

use bollard::{
    models::{NetworkCreateRequest, VolumeCreateRequest},
    query_parameters::{
        ListNetworksOptionsBuilder, ListVolumesOptionsBuilder, RemoveVolumeOptionsBuilder,
    },
};

use super::{Engine, EngineError, Result, labels};

/// A network or a volume of the project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NamedResource {
    pub(crate) name: String,
}

impl Engine {
    /// Networks that bear the project's label.
    pub(crate) async fn project_networks(&self, project: &str) -> Result<Vec<NamedResource>> {
        let options = ListNetworksOptionsBuilder::new()
            .filters(&by_project(project))
            .build();
        let networks = self
            .api
            .list_networks(Some(options))
            .await
            .map_err(|error| EngineError::new("listing networks", error))?;
        Ok(networks
            .into_iter()
            .filter_map(|n| n.name)
            .map(|name| NamedResource { name })
            .collect())
    }

    /// Volumes that bear the project's label.
    pub(crate) async fn project_volumes(&self, project: &str) -> Result<Vec<NamedResource>> {
        let options = ListVolumesOptionsBuilder::new()
            .filters(&by_project(project))
            .build();
        let volumes = self
            .api
            .list_volumes(Some(options))
            .await
            .map_err(|error| EngineError::new("listing volumes", error))?;
        Ok(volumes
            .volumes
            .unwrap_or_default()
            .into_iter()
            .map(|volume| NamedResource { name: volume.name })
            .collect())
    }

    pub(crate) async fn create_network(&self, name: &str, project: &str) -> Result<()> {
        let request = NetworkCreateRequest {
            name: name.to_owned(),
            driver: Some("bridge".into()),
            labels: Some(project_label(project)),
            ..Default::default()
        };
        self.api
            .create_network(request)
            .await
            .map(drop)
            .map_err(|error| EngineError::new(format!("creating network {name}"), error))
    }

    pub(crate) async fn remove_network(&self, name: &str) -> Result<()> {
        match self.api.remove_network(name).await {
            Ok(()) => Ok(()),
            Err(error) => {
                let error = EngineError::new(format!("removing network {name}"), error);
                if error.is_not_found() {
                    Ok(())
                } else {
                    Err(error)
                }
            }
        }
    }

    pub(crate) async fn create_volume(&self, name: &str, project: &str) -> Result<()> {
        let request = VolumeCreateRequest {
            name: Some(name.to_owned()),
            labels: Some(project_label(project)),
            ..Default::default()
        };
        self.api
            .create_volume(request)
            .await
            .map(drop)
            .map_err(|error| EngineError::new(format!("creating volume {name}"), error))
    }

    pub(crate) async fn remove_volume(&self, name: &str) -> Result<()> {
        let options = RemoveVolumeOptionsBuilder::new().build();
        match self.api.remove_volume(name, Some(options)).await {
            Ok(()) => Ok(()),
            Err(error) => {
                let error = EngineError::new(format!("removing volume {name}"), error);
                if error.is_not_found() {
                    Ok(())
                } else {
                    Err(error)
                }
            }
        }
    }
}

/// Filter for resources of one project.
pub(super) fn by_project(project: &str) -> HashMap<String, Vec<String>> {
    HashMap::from([(
        "label".to_owned(),
        vec![format!("{}={project}", labels::PROJECT)],
    )])
}

fn project_label(project: &str) -> HashMap<String, String> {
    HashMap::from([(labels::PROJECT.to_owned(), project.to_owned())])
}
