//! What only the whole file can tell: cycles, host ports, lengths of names, owners of volumes.
//! Faults go to the pass; it changes what only all of it decides: who is left out, and who owns what.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    path::Path,
};

use super::{
    grammar,
    read::{Kind, Pass, Place},
    stack::{BaseSource, ImageSource, MountSource, Owner, Port, Service, ServiceName, Stack},
    text::{Late, Text},
};

/// Longest name of a container, so that it can be a host name.
const MAX_CONTAINER_NAME: usize = 63;
/// What a container's name has beside those of project and service: `-rYYYYMMDD-HHMMSS-xxxxxx-NN`
/// and the dash between the two.
const CONTAINER_NAME_REST: usize = "-".len() + "-rYYYYMMDD-HHMMSS-xxxxxx-NN".len();

/// The same of a job's container: `-rYYYYMMDD-HHMMSS-xxxxxx-restore`.
const JOB_NAME_REST: usize = "-".len() + "-rYYYYMMDD-HHMMSS-xxxxxx-restore".len();

/// Volume of the project that is not the stack's.
pub(crate) const STATE_VOLUME: &str = "state";

/// The beginning of the names of volumes with certificates.
pub(crate) const TLS_VOLUMES: &str = "tls-";

/// Checks a draft, and gives its volumes the owners that follow from the services.
pub(super) fn check(stack: &mut Stack, pass: &mut Pass<'_>) {
    pass.check_references();
    gifts_have_getters(stack, pass);
    leave_out(stack, pass);
    hand_over(stack);
    names_fit(stack, pass);
    bases_can_be_had(stack, pass);
    no_cycle(stack, pass);
    host_ports_are_free(stack, pass);
    no_volume_is_ours(stack, pass);
    mounts_do_not_collide(stack, pass);
    backups_last(stack, pass);
    jobs_can_run(stack, pass);
    edge_can_work(stack, pass);
    own_volumes(stack, pass);
    fill_pools(stack, pass);
}

fn of_service(name: &ServiceName) -> Place {
    Place::of(["services", name.as_str()])
}

/// Takes away the services whose profile is not chosen. What stays can do without them.
fn leave_out(stack: &mut Stack, pass: &mut Pass<'_>) {
    let chosen = std::mem::take(&mut stack.profiles);
    let is_chosen = |service: &Service| {
        service.profiles.is_empty() || service.profiles.iter().any(|name| chosen.contains(name))
    };
    let (stays, goes) = std::mem::take(&mut stack.services)
        .into_iter()
        .partition(|(_, service)| is_chosen(service));
    (stack.services, stack.profiles) = (stays, chosen);
    let goes: BTreeMap<ServiceName, Service> = goes;
    let mut missed = Vec::new();
    for (name, service) in &stack.services {
        for (nth, other) in service.depends_on.iter().enumerate() {
            missed.push((pass.item(&of_service(name).key("depends_on"), nth), other));
        }
    }
    for (name, job) in &stack.jobs {
        let place = Place::of(["jobs", name.as_str()]);
        for (nth, other) in job.depends_on.iter().enumerate() {
            missed.push((pass.item(&place.key("depends_on"), nth), other));
        }
        missed.push((place.key("service"), &job.service));
    }
    if let Some(edge) = &stack.edge {
        let place = Place::of(["edge"]);
        missed.push((place.key("service"), &edge.service));
        missed.push((place.key("upstream"), &edge.upstream));
        if let Some(entrance) = &edge.entrance {
            missed.push((place.key("entrance"), entrance));
        }
    }
    if let Some(migrations) = &stack.migrations {
        missed.push((Place::of(["migrations", "service"]), &migrations.service));
    }
    if let Some(backups) = &stack.backups {
        missed.push((Place::of(["backups", "service"]), &backups.service));
    }
    // Without the catcher there is no letter to look for.
    stack.verify.mail = stack
        .verify
        .mail
        .take()
        .filter(|mail| !goes.contains_key(&mail.catcher));
    if let Some(mail) = &stack.verify.mail {
        missed.push((Place::of(["verify", "mail", "service"]), &mail.service));
    }
    if let Some(data) = &stack.verify.data {
        missed.push((Place::of(["verify", "data", "service"]), &data.service));
    }
    for (place, name) in missed {
        if let Some(service) = goes.get(name) {
            let profiles = service.profiles.join(", ");
            pass.fault_at(
                &place,
                format!("service `{name}` is left out: none of its profiles is chosen ({profiles})"),
                "choose one in the top-level `profiles`, give this the same `profiles`, or do without it here",
            );
        }
    }
}

/// What is given to nobody is a slip, also in a profile that is not chosen.
fn gifts_have_getters(stack: &Stack, pass: &mut Pass<'_>) {
    for (giver, service) in &stack.services {
        for getter in service.gives.keys() {
            if !pass.defines(Kind::Service, getter.as_str()) {
                pass.fault_at(
                    &of_service(giver).key("gives").key(getter.as_str()),
                    format!("there is no service `{getter}`"),
                    "the keys of `gives` are services of this file",
                );
            }
        }
    }
}

/// Writes what services give into the environments of those that get it.
fn hand_over(stack: &mut Stack) {
    let givers = stack.services.values_mut();
    let gifts: Vec<_> = givers
        .flat_map(|giver| std::mem::take(&mut giver.gives))
        .collect();
    for (getter, variables) in gifts {
        if let Some(getter) = stack.services.get_mut(&getter) {
            getter.environment.extend(variables);
        }
    }
}

fn names_fit(stack: &Stack, pass: &mut Pass<'_>) {
    let project = stack.project.as_str();
    let room = MAX_CONTAINER_NAME - CONTAINER_NAME_REST;
    for name in stack.services.keys() {
        let length = project.len() + name.as_str().len();
        if length > room {
            pass.fault_of(
                &of_service(name),
                format!("`{project}` and `{name}` are {} characters too long together", length - room),
                format!("containers are called project-service-release-number, which is at most {MAX_CONTAINER_NAME} characters: both names share {room}"),
            );
        }
    }
}

/// The record of releases has a volume of its own, and so has every service with certificates.
fn no_volume_is_ours(stack: &Stack, pass: &mut Pass<'_>) {
    for name in stack.volumes.keys() {
        if name.as_str().starts_with(TLS_VOLUMES) {
            pass.fault_of(
                &Place::of(["volumes", name.as_str()]),
                format!("a volume cannot be called `{name}`"),
                format!("the certificates of services are kept in volumes whose names begin with {TLS_VOLUMES}: choose another"),
            );
        }
        if name.as_str() == STATE_VOLUME {
            pass.fault_of(
                &Place::of(["volumes", STATE_VOLUME]),
                format!("a volume cannot be called `{STATE_VOLUME}`"),
                "the record of releases is kept in the volume of that name: choose another",
            );
        }
    }
}

fn bases_can_be_had(stack: &Stack, pass: &mut Pass<'_>) {
    let source = stack.bases.source;
    for (name, image) in &stack.bases.images {
        let missing = match source {
            BaseSource::Registry if image.registry.is_none() && image.recipe.is_some() => {
                "registry"
            }
            BaseSource::Distro if image.recipe.is_none() && image.registry.is_some() => "recipe",
            _ => continue,
        };
        pass.fault_of(
            &Place::of(["bases", "images", name.as_str()]),
            format!("base `{name}` has no `{missing}`"),
            format!(
                "`bases.source` asks for one; add `{missing} = …`, or set the source to \"auto\""
            ),
        );
    }
}

/// Depth first; a service that is met again on its own path closes a cycle.
fn no_cycle(stack: &Stack, pass: &mut Pass<'_>) {
    let mut done = BTreeSet::new();
    for name in stack.services.keys() {
        walk(stack, pass, name, &mut Vec::new(), &mut done);
    }
}

fn walk<'s>(
    stack: &'s Stack,
    pass: &mut Pass<'_>,
    name: &'s ServiceName,
    path: &mut Vec<&'s ServiceName>,
    done: &mut BTreeSet<&'s ServiceName>,
) {
    let Some(service) = stack.services.get(name) else {
        return;
    };
    if done.contains(name) {
        return;
    }
    path.push(name);
    for (nth, next) in service.depends_on.iter().enumerate() {
        if let Some(start) = path.iter().position(|&on_path| on_path == next) {
            let mut cycle: Vec<&str> = path[start..].iter().map(|name| name.as_str()).collect();
            cycle.push(next.as_str());
            let place = pass.item(&of_service(name).key("depends_on"), nth);
            pass.fault_at(
                &place,
                format!(
                    "services depend on each other in a circle: {}",
                    cycle.join(" → ")
                ),
                "none of them could be started first; take one of the dependencies away",
            );
        } else {
            walk(stack, pass, next, path, done);
        }
    }
    path.pop();
    done.insert(name);
}

fn host_ports_are_free(stack: &Stack, pass: &mut Pass<'_>) {
    let mut taken: Vec<(&Port, &ServiceName, Place)> = Vec::new();
    for (name, service) in &stack.services {
        for (nth, port) in service.ports.iter().enumerate() {
            if port.host == 0 {
                continue;
            }
            let place = pass.item(&of_service(name).key("ports"), nth);
            if let Some((_, other, at)) = taken.iter().find(|(other, ..)| collide(port, other)) {
                let line = pass.line(at);
                pass.fault_at(
                    &place,
                    format!(
                        "host port {} is already taken by service `{other}`, line {line}",
                        port.host
                    ),
                    "publish one of them on another port",
                );
            }
            if service.replicas > 1 {
                pass.fault_at(
                    &place,
                    format!(
                        "{} replicas of `{name}` cannot share host port {}",
                        service.replicas, port.host
                    ),
                    format!(
                        "publish \"{}\" on free ports, or put a proxy before them: [edge]",
                        port.container
                    ),
                );
            }
            taken.push((port, name, place));
        }
    }
}

fn collide(a: &Port, b: &Port) -> bool {
    let everywhere = |port: &Port| match port.host_ip.as_deref().map(str::parse::<IpAddr>) {
        Some(Ok(ip)) => ip.is_unspecified(),
        Some(Err(_)) | None => true,
    };
    a.host == b.host
        && a.protocol == b.protocol
        && (a.host_ip == b.host_ip || everywhere(a) || everywhere(b))
}

fn mounts_do_not_collide(stack: &Stack, pass: &mut Pass<'_>) {
    for (name, service) in &stack.services {
        let mut seen = BTreeSet::new();
        for (nth, mount) in service.volumes.iter().enumerate() {
            if !seen.insert(mount.target.trim_end_matches('/')) {
                let place = pass.item(&of_service(name).key("volumes"), nth);
                pass.fault_at(
                    &place,
                    format!("something is already mounted at `{}`", mount.target),
                    "mount one of them elsewhere",
                );
            }
        }
        if let Some(tls) = &service.tls
            && !seen.insert(tls.dir.trim_end_matches('/'))
        {
            pass.fault_at(
                &of_service(name).key("tls").key("dir"),
                format!("something is already mounted at `{}`", tls.dir),
                "let it have its certificates elsewhere",
            );
        }
    }
}

/// A hook names each job once; a job's names and mounts fit.
fn jobs_can_run(stack: &Stack, pass: &mut Pass<'_>) {
    let project = stack.project.as_str();
    let room = MAX_CONTAINER_NAME - JOB_NAME_REST;
    for (name, job) in &stack.jobs {
        let place = Place::of(["jobs", name.as_str()]);
        let length = project.len() + name.as_str().len();
        if length > room {
            pass.fault_of(
                &place,
                format!("`{project}` and `{name}` are {} characters too long together", length - room),
                format!("containers of jobs are called project-job-release-stage, which is at most {MAX_CONTAINER_NAME} characters: both names share {room}"),
            );
        }
        let Some(service) = stack.services.get(&job.service) else {
            continue;
        };
        let mut seen: BTreeSet<&str> = service
            .volumes
            .iter()
            .map(|mount| mount.target.trim_end_matches('/'))
            .collect();
        for (nth, mount) in job.volumes.iter().enumerate() {
            if !seen.insert(mount.target.trim_end_matches('/')) {
                let place = pass.item(&place.key("volumes"), nth);
                pass.fault_at(
                    &place,
                    format!("something is already mounted at `{}`", mount.target),
                    format!(
                        "a job has the volumes of its service, `{}`; mount others elsewhere",
                        job.service
                    ),
                );
            }
        }
    }
    for (list, names) in [
        ("pre_deploy", &stack.hooks.pre_deploy),
        ("post_deploy", &stack.hooks.post_deploy),
    ] {
        for (nth, name) in names.iter().enumerate() {
            if names[..nth].contains(name) {
                let place = pass.item(&Place::of(["hooks", list]), nth);
                pass.fault_at(
                    &place,
                    format!("`{name}` is named twice"),
                    "a hook runs once in a deployment: take one away",
                );
            }
        }
    }
}

fn edge_can_work(stack: &Stack, pass: &mut Pass<'_>) {
    let Some(edge) = &stack.edge else { return };
    if let Some(service) = stack.services.get(&edge.service)
        && stack.volumes.contains_key(&edge.volume)
        && !service
            .volumes
            .iter()
            .any(|mount| mount.source == MountSource::Volume(edge.volume.clone()))
    {
        pass.fault_at(
            &Place::of(["edge", "volume"]),
            format!(
                "service `{}` does not mount volume `{}`",
                edge.service, edge.volume
            ),
            format!(
                "add \"{}:/path\" to its `volumes`, where it reads the list",
                edge.volume
            ),
        );
    }
}

/// A volume belongs to whoever writes to it, where that is known and one.
fn own_volumes(stack: &mut Stack, pass: &mut Pass<'_>) {
    let mut writers: BTreeMap<_, Vec<(ServiceName, Owner, Place)>> = BTreeMap::new();
    for (name, service) in &stack.services {
        let Some(user) = user_of(service) else {
            continue;
        };
        for (nth, mount) in service.volumes.iter().enumerate() {
            if let MountSource::Volume(volume) = &mount.source
                && !mount.read_only
            {
                let place = pass.item(&of_service(name).key("volumes"), nth);
                writers
                    .entry(volume.clone())
                    .or_default()
                    .push((name.clone(), user, place));
            }
        }
    }
    for (name, job) in &stack.jobs {
        let like = stack.services.get(&job.service).map(|of| job.like(of));
        let Some(user) = like.as_ref().and_then(user_of) else {
            continue;
        };
        for (nth, mount) in job.volumes.iter().enumerate() {
            if let MountSource::Volume(volume) = &mount.source
                && !mount.read_only
            {
                let list = Place::of(["jobs", name.as_str()]).key("volumes");
                let place = pass.item(&list, nth);
                // Those of a service decide; only what no service writes to is the job's.
                writers
                    .entry(volume.clone())
                    .or_insert_with(|| vec![(job.service.clone(), user, place)]);
            }
        }
    }
    for (name, volume) in &mut stack.volumes {
        if volume.owner.is_some() {
            continue;
        }
        let Some(((first, owner, _), rest)) = writers.get(name).and_then(|all| all.split_first())
        else {
            continue;
        };
        volume.owner = Some(*owner);
        for (other, user, place) in rest.iter().filter(|(_, user, _)| user.uid != owner.uid) {
            pass.fault_at(
                place,
                format!(
                    "`{other}` writes to volume `{name}` as user {}, `{first}` as user {}",
                    user.uid, owner.uid
                ),
                format!(
                    "run both as one user, or say who owns it: [volumes.{name}] owner = \"{}:{}\"",
                    owner.uid, owner.gid
                ),
            );
        }
    }
}

/// What lies in a container is gone with it.
fn backups_last(stack: &Stack, pass: &mut Pass<'_>) {
    let Some(backups) = &stack.backups else {
        return;
    };
    let Some(service) = stack.services.get(&backups.service) else {
        return;
    };
    let is_mounted = service
        .volumes
        .iter()
        .any(|mount| Path::new(&backups.dir).starts_with(&mount.target));
    if !is_mounted {
        pass.fault_of(
            &Place::of(["backups", "dir"]),
            format!(
                "`{}` is in no volume of `{}`: backups would go with its containers",
                backups.dir, backups.service
            ),
            format!(
                "mount one there, or above: [services.{}] volumes",
                backups.service
            ),
        );
    }
}

/// Writes the share of connections into the environments that ask for it.
fn fill_pools(stack: &mut Stack, pass: &mut Pass<'_>) {
    let mut shares = BTreeMap::new();
    for (name, service) in &stack.services {
        let at_a_time = stack.at_a_time(service, service.replicas);
        let share = stack.deploy.pool.and_then(|pool| pool.share(at_a_time));
        shares.insert(name.clone(), (share, at_a_time));
    }
    let pool = stack.deploy.pool;
    let mut fill = |place: Place, name: &ServiceName, texts: &mut BTreeMap<String, Text>| {
        for (key, text) in texts
            .iter_mut()
            .filter(|(_, text)| text.has_late(Late::Pool))
        {
            let (share, at_a_time) = shares.get(name).copied().unwrap_or_default();
            let place = place.key(key);
            match (share, pool) {
                (Some(share), _) => {
                    *text = std::mem::take(text).with_late(Late::Pool, &share.to_string());
                }
                (None, None) => pass.fault_at(
                    &place,
                    "it is not known how many connections there are",
                    "say so: [deploy.pool] connections = 200",
                ),
                (None, Some(pool)) => pass.fault_at(
                    &place,
                    format!(
                        "{} connections, {} in reserve, are not enough for {at_a_time} replicas of `{name}`, as many as run while they are replaced",
                        pool.connections, pool.reserve
                    ),
                    "let the server take more, or run fewer replicas, or bound `deploy.max_surge`",
                ),
            }
        }
    };
    for (name, service) in &mut stack.services {
        let place = of_service(name);
        fill(place.key("environment"), name, &mut service.environment);
        fill(place.key("labels"), name, &mut service.labels);
        if let Some(tls) = &mut service.tls {
            let place = place.key("tls").key("environment");
            fill(place, name, &mut tls.environment);
        }
    }
    for (name, job) in &mut stack.jobs {
        let place = Place::of(["jobs", name.as_str()]).key("environment");
        fill(place, &job.service.clone(), &mut job.environment);
    }
}

/// Who a service runs as, where the file tells.
pub(crate) fn user_of(service: &Service) -> Option<Owner> {
    match (&service.user, &service.image) {
        (Some(user), image) => {
            let mut user_numbers = grammar::numeric_user(user)?;
            // A user alone has the group that the image gives it.
            if let ImageSource::Build(build) = image
                && !user.contains(':')
                && build.uid == user_numbers.uid
            {
                user_numbers.gid = build.gid;
            }
            Some(user_numbers)
        }
        (None, ImageSource::Build(build)) => Some(Owner {
            uid: build.uid,
            gid: build.gid,
        }),
        (None, ImageSource::Base(_) | ImageSource::Reference(_)) => None,
    }
}
