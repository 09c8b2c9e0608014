//! What the documents say is there.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use super::harness::root;

fn read(file: impl AsRef<Path>) -> String {
    let path = root().join(file);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// All files with this ending below.
fn below(directory: &Path, ending: &str, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).expect("a directory") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            below(&path, ending, found);
        } else if path.extension().is_some_and(|it| it == ending) {
            found.push(path);
        }
    }
}

/// What stands between backticks.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

#[test]
fn what_shows_that_a_requirement_is_met_exists() {
    let mut sources = Vec::new();
    for directory in ["tests", "src", "api", "crates"] {
        below(&root().join(directory), "rs", &mut sources);
    }
    let sources: String = sources.iter().map(read).collect();
    let page = read("docs/requirements.md");
    let (mut tests, mut missing) = (0, Vec::new());
    for line in page.lines().filter(|line| line.starts_with("| ")) {
        let columns: Vec<_> = line.trim_matches('|').split('|').collect();
        if columns.len() < 4 || columns[0].trim() == "id" {
            continue;
        }
        let last = columns[columns.len() - 1];
        assert!(
            last.contains('`') || last.contains("as "),
            "nothing shows {}",
            columns[0]
        );
        for name in quoted(line) {
            let word = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
            // The name of a test is a sentence.
            if name.chars().all(word) && name.split('_').count() > 3 {
                tests += 1;
                if !sources.contains(&format!("fn {name}(")) {
                    missing.push(name);
                }
            } else if name.contains('/')
                && !name.starts_with('/')
                && !name.contains(' ')
                && !root().join(name).exists()
            {
                missing.push(name);
            }
        }
    }
    assert!(tests > 50, "the page names tests");
    assert_eq!(missing, [""; 0]);
}

#[test]
fn links_between_the_documents_lead_somewhere() {
    let mut pages = Vec::new();
    below(&root().join("docs"), "md", &mut pages);
    pages.push(root().join("README.md"));
    let (mut links, mut dead) = (0, Vec::new());
    for page in pages {
        let text = read(&page);
        for target in text
            .split("](")
            .skip(1)
            .filter_map(|rest| rest.split(')').next())
        {
            if target.contains("://") || target.starts_with("mailto:") {
                continue;
            }
            links += 1;
            let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
            let path = if file.is_empty() {
                page.clone()
            } else {
                page.with_file_name("").join(file)
            };
            let leads =
                path.exists() && (anchor.is_empty() || anchors(&read(&path)).contains(anchor));
            if !leads {
                dead.push(format!("{}: {target}", page.display()));
            }
        }
    }
    assert!(links > 50, "the documents have links");
    assert_eq!(dead, [""; 0]);
}

/// Of the headings, as GitHub makes them, and those that are written out.
fn anchors(text: &str) -> BTreeSet<String> {
    let of_heading = |line: &str| {
        let title = line.trim_start_matches('#').trim().to_lowercase();
        let kept = title
            .chars()
            .filter(|c| c.is_alphanumeric() || " -_".contains(*c));
        kept.collect::<String>().replace(' ', "-")
    };
    let headings = text
        .lines()
        .filter(|line| line.starts_with('#'))
        .map(of_heading);
    let written = text
        .split("id=\"")
        .skip(1)
        .filter_map(|rest| rest.split('"').next());
    headings.chain(written.map(str::to_owned)).collect()
}

#[test]
fn every_variable_that_the_page_on_hosting_names_is_one() {
    let known = [
        ".env.example",
        "docs/reference/api-environment.md",
        "frontend/nginx/edge-settings",
    ]
    .map(read);
    let mut names = 0;
    for line in read("docs/hosting.md").lines() {
        let Some((name, _)) = line.trim_start().split_once('=') else {
            continue;
        };
        let variable = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
        // The platform's own are not ours to know.
        if !name.chars().all(variable) || name.starts_with("RAILWAY_") {
            continue;
        }
        names += 1;
        assert!(
            known.iter().any(|text| text.contains(name)),
            "nobody reads {name}"
        );
    }
    assert!(names > 10, "the page names variables");
}

#[test]
fn every_variable_of_the_shipped_stack_stands_in_the_example() {
    let (stack, example) = (read("sysndd.toml"), read(".env.example"));
    let mut names = 0;
    for rest in stack.split("${").skip(1) {
        let end = rest
            .find(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
            .expect("an end");
        let name = &rest[..end];
        if name == "deploy" {
            continue;
        }
        names += 1;
        let stands = |line: &str| {
            line.trim_start_matches("# ")
                .starts_with(&format!("{name}="))
        };
        assert!(example.lines().any(stands), "{name} is not in .env.example");
    }
    assert!(names > 2, "the shipped stack has variables");
}
