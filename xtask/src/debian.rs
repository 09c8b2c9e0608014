//! What tests and benchmarks need of Debian's packages, installed when it is not there.

use std::{fs::Permissions, os::unix::fs::PermissionsExt as _, path::Path};

use anyhow::Context as _;

use crate::command::{program, run};

/// Says to packages whether they may start their services: a machine that tests is to have no open
/// port.
const POLICY: &str = "/usr/sbin/policy-rc.d";

/// Installs packages unless the program is there already.
pub(crate) fn install(there: &str, packages: &[&str]) -> anyhow::Result<()> {
    if Path::new(there).exists() {
        return Ok(());
    }
    install_anyway(packages)
}

/// Installs packages, or sees that they are there.
pub(crate) fn install_anyway(packages: &[&str]) -> anyhow::Result<()> {
    let ours = !Path::new(POLICY).exists();
    if ours {
        std::fs::write(POLICY, "#!/bin/sh\nexit 101\n").context(POLICY)?;
        let executable = Permissions::from_mode(0o755);
        std::fs::set_permissions(POLICY, executable).context(POLICY)?;
    }
    let mut install = program("apt-get");
    install
        .args(["install", "-y", "-q", "--no-install-recommends"])
        .args(packages)
        .env("DEBIAN_FRONTEND", "noninteractive")
        // What a benchmark prints is read by programs.
        .stdout(std::io::stderr());
    let installed = run(
        "package lists",
        program("apt-get")
            .args(["update", "-q"])
            .stdout(std::io::stderr()),
    )
    .and_then(|()| run(&packages.join(", "), &mut install));
    if ours {
        std::fs::remove_file(POLICY).context(POLICY)?;
    }
    installed
}
