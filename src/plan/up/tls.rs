//! Certificates: made before what needs them, renewed beside what has them.

use super::Planner;
use crate::{
    config::Service,
    plan::{
        action::{Action, Reload},
        spec::tls_volume_name,
    },
};

impl<'a> Planner<'a> {
    pub(super) fn certificates(&mut self) {
        for service in self.stack.services.values() {
            self.certificates_of(service);
        }
    }

    fn certificates_of(&mut self, service: &'a Service) {
        let Some(tls) = &service.tls else { return };
        let volume = tls_volume_name(self.stack, &service.name);
        // A helper that an interrupted run left has the name of the one to come.
        let mut after = self.leftovers.clone();
        after.extend(self.ground.get(&service.name).into_iter().flatten());
        let lost = !self.observed.volumes.contains(&volume);
        if lost {
            let name = volume.clone();
            after.push(self.push(vec![], Action::CreateVolume { name }, "missing"));
        }
        let known = &self.intent.history.tls;
        let Some((order, cause)) = known.due(service, tls, self.intent.now, lost) else {
            return;
        };
        let template = &self.templates[&service.name];
        let stay: Vec<_> = self
            .observed
            .replicas_of(&service.name)
            .filter(|replica| replica.is_running() && replica.config_hash == template.hash())
            .map(|replica| replica.name.clone())
            .collect();
        let reload = match &tls.reload {
            _ if stay.is_empty() || self.intent.wish.force => None,
            Some(command) => Some(Reload {
                replicas: stay,
                command: command.clone(),
            }),
            None => {
                let name = &service.name;
                self.notes.push(format!(
                    "{name} has no `tls.reload`: it reads its new files when it is restarted, with `sysndd-deploy restart {name}`"
                ));
                None
            }
        };
        let action = Action::ProvideTls {
            volume,
            image: template.image().to_owned(),
            order: Box::new(order),
            reload,
        };
        let provided = self.push(after, action, cause);
        let key = self.key(&service.name);
        self.ground.entry(key).or_default().push(provided);
    }
}
