//! Labels that carry the state of a deployment. Whatever lacks our project label is never touched.

/// Project that a resource belongs to.
pub(crate) const PROJECT: &str = "dev.sysndd.project";
/// Service that a container or image belongs to.
pub(crate) const SERVICE: &str = "dev.sysndd.service";
/// Number of a replica within its service, counted from 1.
pub(crate) const REPLICA: &str = "dev.sysndd.replica";
/// Release that created the container.
pub(crate) const RELEASE: &str = "dev.sysndd.release";
/// The run of `up` that created the container: those of one run start together.
pub(crate) const RUN: &str = "dev.sysndd.run";
/// Hash of the configuration that the container was created with; the release is not part of it.
pub(crate) const CONFIG_HASH: &str = "dev.sysndd.config-hash";
/// Value of [`RELEASE`] and [`RUN`] on containers of an exported Compose file: a static file knows of
/// neither.
pub(crate) const COMPOSE: &str = "compose";
/// Docker Compose's own word for [`REPLICA`].
pub(crate) const COMPOSE_NUMBER: &str = "com.docker.compose.container-number";
/// Docker Compose's own word for [`CONFIG_HASH`].
pub(crate) const COMPOSE_HASH: &str = "com.docker.compose.config-hash";
/// Short-lived containers that hold nothing: preparing a volume, a probe.
pub(crate) const HELPER: &str = "dev.sysndd.helper";
/// Value of [`HELPER`]: mounts the state volume for a command that reads or writes it.
pub(crate) const HELPER_STATE: &str = "state";
/// Value of [`HELPER`]: a command that an operator runs beside the services.
pub(crate) const HELPER_RUN: &str = "run";
/// Value of [`HELPER`]: a job of a deployment; left over when nothing is deployed.
pub(crate) const HELPER_JOB: &str = "job";
/// Value of [`HELPER`]: the deploy lock. The labels below say who holds it, and for what; the first
/// four stand on [`HELPER_STATE`] as well.
pub(crate) const HELPER_LOCK: &str = "lock";
pub(crate) const LOCK_USER: &str = "dev.sysndd.lock.user";
pub(crate) const LOCK_HOST: &str = "dev.sysndd.lock.host";
pub(crate) const LOCK_PID: &str = "dev.sysndd.lock.pid";
/// Where that process number means something: the boot of the machine, and the namespace.
pub(crate) const LOCK_PLACE: &str = "dev.sysndd.lock.place";
/// RFC 3339, by the holder's clock.
pub(crate) const LOCK_SINCE: &str = "dev.sysndd.lock.since";
/// The command, as the holder typed it.
pub(crate) const LOCK_DOING: &str = "dev.sysndd.lock.doing";
