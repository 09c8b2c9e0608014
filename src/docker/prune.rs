//! What the engine keeps beside containers: which images are used, whose volumes there are, how
//! large the build cache is.

use std::collections::{BTreeSet, HashMap};

use bollard::query_parameters::{ListVolumesOptionsBuilder, PruneBuildOptionsBuilder};

use super::{Engine, EngineError, Result, labels};

impl Engine {
    /// IDs of the images that any container was made from, whoever it belongs to.
    pub(crate) async fn images_in_use(&self) -> Result<BTreeSet<String>> {
        let containers = self.containers_with(&[]).await?;
        Ok(containers.into_iter().map(|found| found.image).collect())
    }

    /// Projects that have a volume here.
    pub(crate) async fn projects(&self) -> Result<BTreeSet<String>> {
        let filters = HashMap::from([("label".to_owned(), vec![labels::PROJECT.to_owned()])]);
        let options = ListVolumesOptionsBuilder::new().filters(&filters).build();
        let volumes = self
            .api
            .list_volumes(Some(options))
            .await
            .map_err(|error| EngineError::new("listing volumes", error))?;
        let volumes = volumes.volumes.unwrap_or_default();
        Ok(volumes
            .into_iter()
            .filter_map(|mut volume| volume.labels.remove(labels::PROJECT))
            .collect())
    }

    /// Bytes that the build cache takes and nothing uses; `None` where the engine does not say in a
    /// way that we understand.
    pub(crate) async fn build_cache_size(&self) -> Result<Option<u64>> {
        // Of everything: the client library cannot write down what it is asked to leave out.
        let usage = self.api.df(None).await;
        let usage = usage
            .map_err(|error| EngineError::new("asking for the size of the build cache", error))?;
        let bytes = usage.build_cache_usage.and_then(|cache| cache.reclaimable);
        Ok(bytes.and_then(|bytes| u64::try_from(bytes).ok()))
    }

    /// Removes the build cache that nothing uses; the answer is how many bytes it took.
    pub(crate) async fn prune_build_cache(&self) -> Result<u64> {
        let pruned = self
            .api
            .prune_build(Some(PruneBuildOptionsBuilder::new().build()))
            .await
            .map_err(|error| EngineError::new("removing the build cache", error))?;
        let bytes = pruned.space_reclaimed.unwrap_or_default();
        Ok(u64::try_from(bytes).unwrap_or_default())
    }
}
