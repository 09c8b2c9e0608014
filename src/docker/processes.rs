//! What runs in a container.

use std::collections::BTreeSet;

use bollard::query_parameters::TopOptionsBuilder;

use super::{Engine, EngineError, Result};

impl Engine {
    /// Processes that run in a container: number, as the engine's host counts, and title.
    pub(crate) async fn processes(&self, container: &str) -> Result<Vec<(u32, String)>> {
        let rows = self.top(container, "-eo pid,args").await?;
        let process =
            |row: Vec<String>| Some((row.first()?.trim().parse().ok()?, row.last()?.clone()));
        Ok(rows.into_iter().filter_map(process).collect())
    }

    /// Who a container's main process and what came of it belong to, as the engine's host counts
    /// users, and which program each is; without its arguments, which may hold anything. What was
    /// started in it by `exec` is somebody else's.
    pub(crate) async fn process_owners(&self, container: &str) -> Result<Vec<(u32, String)>> {
        let inspected = self
            .api
            .inspect_container(container, None)
            .await
            .map_err(|error| EngineError::new(format!("inspecting {container}"), error))?;
        let main = inspected
            .state
            .and_then(|state| state.pid)
            .unwrap_or_default();
        let rows = self.top(container, "-eo pid,ppid,uid,comm").await?;
        let processes = rows.iter().filter_map(|row| Process::read(row)).collect();
        Ok(Process::family(processes, main)
            .into_iter()
            .map(|process| (process.owner, process.program))
            .collect())
    }

    async fn top(&self, container: &str, arguments: &str) -> Result<Vec<Vec<String>>> {
        let options = TopOptionsBuilder::new().ps_args(arguments).build();
        let top = self
            .api
            .top_processes(container, Some(options))
            .await
            .map_err(|error| {
                EngineError::new(format!("listing the processes of {container}"), error)
            })?;
        Ok(top.processes.unwrap_or_default())
    }
}

/// A row of `ps -eo pid,ppid,uid,comm`.
struct Process {
    pid: i64,
    parent: i64,
    owner: u32,
    program: String,
}

impl Process {
    fn read(row: &[String]) -> Option<Self> {
        let [pid, parent, owner, .., program] = row else {
            return None;
        };
        Some(Self {
            pid: pid.trim().parse().ok()?,
            parent: parent.trim().parse().ok()?,
            owner: owner.trim().parse().ok()?,
            program: program.clone(),
        })
    }

    /// Those that descend from one, and that one.
    fn family(mut all: Vec<Self>, main: i64) -> Vec<Self> {
        let mut pids = BTreeSet::from([main]);
        let mut family: Vec<Self> = Vec::new();
        loop {
            let (found, rest): (Vec<Self>, Vec<Self>) = all
                .into_iter()
                .partition(|process| pids.contains(&process.pid) || pids.contains(&process.parent));
            if found.is_empty() {
                return family;
            }
            pids.extend(found.iter().map(|process| process.pid));
            family.extend(found);
            all = rest;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_started_by_exec_is_no_child_of_the_main_process() {
        let rows = [
            ["900", "880", "1000", "sysndd-api"],
            ["902", "901", "1000", "worker"],
            ["901", "900", "1000", "helper"],
            // Started by the engine, as the main process was.
            ["950", "880", "0", "bash"],
            ["951", "950", "0", "cat"],
        ];
        let rows = rows.map(|row| row.map(str::to_owned).to_vec());
        let processes = rows.iter().filter_map(|row| Process::read(row)).collect();
        let family = Process::family(processes, 900);
        let programs: Vec<&str> = family.iter().map(|one| one.program.as_str()).collect();
        assert_eq!(programs, ["sysndd-api", "helper", "worker"]);
    }
}
