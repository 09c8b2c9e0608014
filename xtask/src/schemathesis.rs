//! `schemathesis`, which asks an API all that its document allows and some that it forbids.

use std::path::PathBuf;

use crate::{
    command::{program, root, run},
    debian,
};

/// One version, so that a green run stays green.
const VERSION: &str = "4.32.5";

/// The program, in an environment of its own; installed when it is not there.
pub(crate) fn schemathesis() -> anyhow::Result<PathBuf> {
    let home = root()
        .join("target")
        .join(format!("schemathesis-{VERSION}"));
    let binary = home.join("bin/schemathesis");
    if binary.exists() {
        return Ok(binary);
    }
    let mut can = program("python3");
    can.args(["-c", "import ensurepip, venv"]);
    if !can.output().is_ok_and(|output| output.status.success()) {
        debian::install_anyway(&["python3", "python3-venv"])?;
    }
    run(
        "an environment for schemathesis",
        program("python3")
            .args(["-m", "venv", "--clear"])
            .arg(&home),
    )?;
    run(
        "schemathesis",
        program(home.join("bin/pip"))
            .args(["install", "--quiet", "--disable-pip-version-check"])
            .arg(format!("schemathesis=={VERSION}")),
    )?;
    Ok(binary)
}
