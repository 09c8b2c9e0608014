//! Collects the checks of `verify`: every file in `src/verify/checks/` is one, so that adding a
//! check touches nothing else.

use std::{env, fmt::Write as _, fs, io, path::Path};

fn main() -> io::Result<()> {
    let checks = Path::new(&env::var("CARGO_MANIFEST_DIR").map_err(io::Error::other)?)
        .join("src/verify/checks");
    println!("cargo:rerun-if-changed={}", checks.display());
    let mut names: Vec<String> = fs::read_dir(&checks)?
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter_map(|file| file.strip_suffix(".rs").map(str::to_owned))
        .collect();
    names.sort();

    let mut code = String::new();
    for name in &names {
        let path = checks.join(format!("{name}.rs"));
        let path = path.display();
        writeln!(code, "#[path = \"{path}\"]\nmod {name};").map_err(io::Error::other)?;
    }
    let list: Vec<String> = names.iter().map(|name| format!("&{name}::CHECK")).collect();
    writeln!(
        code,
        "pub(super) static ALL: &[&super::Check] = &[{}];",
        list.join(", ")
    )
    .map_err(io::Error::other)?;
    fs::write(
        Path::new(&env::var("OUT_DIR").map_err(io::Error::other)?).join("checks.rs"),
        code,
    )
}
