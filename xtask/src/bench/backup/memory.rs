//! How much memory the processes of one container take, by the kernel's account of each: what files they
//! wrote does not count, which the account of the container would.

use std::{
    fs,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::Duration,
};

use anyhow::{anyhow, ensure};

const LOOK_EVERY: Duration = Duration::from_millis(50);

/// In megabytes.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Peak {
    /// The most that the API's process ever had, as the kernel noted.
    pub(super) process: f64,
    /// The most that it and the clients it starts were seen to have at one time, without files.
    pub(super) all: f64,
}

impl Peak {
    pub(super) fn max(self, other: Self) -> Self {
        Self {
            process: self.process.max(other.process),
            all: self.all.max(other.all),
        }
    }
}

/// Looks until it is asked for the peak.
pub(super) struct Watch {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Peak>,
}

impl Watch {
    /// Of the container with this number.
    pub(super) fn on(container: &str) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let (stopped, container) = (Arc::clone(&stop), container.to_owned());
        let thread = std::thread::spawn(move || {
            let mut peak = Peak::default();
            while !stopped.load(Ordering::Relaxed) {
                peak = peak.max(look(&container));
                std::thread::sleep(LOOK_EVERY);
            }
            peak
        });
        Self { stop, thread }
    }

    pub(super) fn peak(self) -> anyhow::Result<Peak> {
        self.stop.store(true, Ordering::Relaxed);
        let peak = self
            .thread
            .join()
            .map_err(|_| anyhow!("who watched broke down"))?;
        ensure!(
            peak.process > 0.0,
            "the container's processes cannot be seen: its engine must run on this machine"
        );
        Ok(peak)
    }
}

fn look(container: &str) -> Peak {
    let mut now = Peak::default();
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let process = entry.path();
        // Whoever ends meanwhile has nothing.
        let read = |file: &str| fs::read_to_string(process.join(file)).unwrap_or_default();
        if !read("cgroup").contains(container) {
            continue;
        }
        let status = read("status");
        now.all += field(&status, "RssAnon");
        if status.lines().next() == Some("Name:\tsysndd-api") {
            now.process = now.process.max(field(&status, "VmHWM"));
        }
    }
    now
}

/// Of `VmHWM:     12345 kB`, in megabytes.
fn field(status: &str, name: &str) -> f64 {
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    let number = line.and_then(|line| line.split_whitespace().nth(1));
    let kibibytes: f64 = number
        .and_then(|number| number.parse().ok())
        .unwrap_or_default();
    kibibytes * 1024.0 / 1e6
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_in_megabytes() {
        let status = "Name:\tsysndd-api\nVmHWM:\t   20000 kB\nRssAnon:\t    1000 kB\n";
        assert!((field(status, "VmHWM") - 20.48).abs() < 1e-9);
        assert!((field(status, "RssAnon") - 1.024).abs() < 1e-9);
        assert!(field(status, "Other").abs() < 1e-9);
    }
}
