//! What we need to know of a Dockerfile: which build-args it declares, and on which line a step
//! of BuildKit stands.
//!
//! It is no full parser and refuses nothing: BuildKit judges the file.

/// The instructions of a Dockerfile.
#[derive(Debug)]
pub(crate) struct Dockerfile {
    instructions: Vec<Instruction>,
    text: String,
}

#[derive(Debug)]
struct Instruction {
    /// Counted from 1.
    line: usize,
    /// In upper case.
    keyword: String,
    /// The rest, continuation lines joined, runs of blanks made one.
    arguments: String,
    /// Number of the stage, and the number of the step in it as BuildKit counts: `FROM` is the
    /// first, and only instructions that make a layer count.
    stage: usize,
    step: usize,
}

impl Dockerfile {
    pub(crate) fn parse(text: &str) -> Self {
        let mut instructions = Vec::new();
        let (mut stage, mut step) = (0, 0);
        for (line, logical) in logical_lines(text) {
            let (keyword, rest) = logical
                .split_once(char::is_whitespace)
                .unwrap_or((&logical, ""));
            let keyword = keyword.to_ascii_uppercase();
            match keyword.as_str() {
                "FROM" => (stage, step) = (stage + 1, 1),
                "RUN" | "COPY" | "ADD" | "WORKDIR" => step += 1,
                _ => {}
            }
            let arguments = one_blank(rest);
            instructions.push(Instruction {
                line,
                keyword,
                arguments,
                stage,
                step,
            });
        }
        Self {
            instructions,
            text: text.to_owned(),
        }
    }

    /// Whether `ARG name` stands anywhere.
    pub(crate) fn declares(&self, name: &str) -> bool {
        self.instructions
            .iter()
            .filter(|instruction| instruction.keyword == "ARG")
            .any(|arg| {
                arg.arguments
                    .split(' ')
                    .any(|part| part.split('=').next() == Some(name))
            })
    }

    /// Whether `text` occurs, be it in a comment.
    pub(crate) fn mentions(&self, text: &str) -> bool {
        self.text.contains(text)
    }

    /// Patterns of the paths in the context that the file can read, or `None` where that cannot be
    /// told from its text: then it may be any.
    pub(crate) fn context_sources(&self) -> Option<Vec<String>> {
        let mut sources = Vec::new();
        for Instruction {
            keyword, arguments, ..
        } in &self.instructions
        {
            match keyword.as_str() {
                "COPY" | "ADD" => sources.extend(copied(arguments)?),
                "RUN" => sources.extend(mounted(arguments)?),
                _ => {}
            }
        }
        Some(sources)
    }

    /// The line of a step, from BuildKit's name of it: `[build 3/7] RUN make`.
    pub(crate) fn line_of(&self, step_name: &str) -> Option<usize> {
        let (place, instruction) = step_name.strip_prefix('[')?.split_once("] ")?;
        let (keyword, arguments) = instruction.split_once(' ').unwrap_or((instruction, ""));
        let arguments = one_blank(arguments);
        let same = |candidate: &&Instruction| {
            candidate.keyword.eq_ignore_ascii_case(keyword) && candidate.arguments == arguments
        };
        // The text is the surest sign, unless variables in it were replaced: then count.
        let mut found = self.instructions.iter().filter(same);
        match (found.next(), found.next()) {
            (Some(only), None) => Some(only.line),
            _ => self.line_of_place(place),
        }
    }

    /// The line of `build 3/7`, `stage-1 3/7` or `3/7`.
    fn line_of_place(&self, place: &str) -> Option<usize> {
        let (stage, fraction) = place.rsplit_once(' ').unwrap_or(("", place));
        let step: usize = fraction.split_once('/')?.0.trim().parse().ok()?;
        let stage = self.stage_number(stage.trim())?;
        let place = (stage, step);
        self.instructions
            .iter()
            .find(|found| (found.stage, found.step) == place)
            .map(|i| i.line)
    }

    fn stage_number(&self, name: &str) -> Option<usize> {
        if name.is_empty() {
            return Some(1);
        }
        let named = self.instructions.iter().find(|instruction| {
            let mut words = instruction.arguments.rsplit(' ');
            instruction.keyword == "FROM"
                && words
                    .next()
                    .is_some_and(|word| word.eq_ignore_ascii_case(name))
                && words
                    .next()
                    .is_some_and(|word| word.eq_ignore_ascii_case("as"))
        });
        match named {
            Some(from) => Some(from.stage),
            // Stages without a name are called by their number, counted from 0.
            None => name
                .strip_prefix("stage-")?
                .parse::<usize>()
                .ok()
                .map(|number| number + 1),
        }
    }
}

/// What `COPY` or `ADD` takes from the context.
fn copied(arguments: &str) -> Option<Vec<String>> {
    let mut rest = arguments;
    while let Some(flag) = rest.strip_prefix("--") {
        let (flag, after) = flag.split_once(' ')?;
        if flag.starts_with("from=") {
            return Some(Vec::new());
        }
        rest = after;
    }
    let mut paths: Vec<String> = if rest.starts_with('[') {
        serde_json::from_str(rest).ok()?
    } else {
        rest.split(' ').map(str::to_owned).collect()
    };
    paths.pop();
    // A variable may name anything, a here-document names nothing in the context.
    if paths
        .iter()
        .any(|path| path.contains('$') || path.starts_with("<<") || path.contains('"'))
    {
        return None;
    }
    paths.retain(|path| !path.contains("://"));
    Some(paths)
}

/// What the mounts of a `RUN` take from the context.
fn mounted(arguments: &str) -> Option<Vec<String>> {
    let mut sources = Vec::new();
    for word in arguments
        .split(' ')
        .map_while(|word| word.strip_prefix("--"))
    {
        let Some(mount) = word.strip_prefix("mount=") else {
            continue;
        };
        let option = |keys: &[&str]| {
            mount.split(',').find_map(|part| {
                let (key, value) = part.split_once('=')?;
                keys.contains(&key).then_some(value)
            })
        };
        let is_bind = option(&["type"]).is_none_or(|kind| kind == "bind");
        if !is_bind || option(&["from"]).is_some() {
            continue;
        }
        let source = option(&["source", "src"]).unwrap_or(".");
        if source.contains(['$', '"']) {
            return None;
        }
        sources.push(source.to_owned());
    }
    Some(sources)
}

/// Instructions with the line they begin on; comments and empty lines left out.
fn logical_lines(text: &str) -> Vec<(usize, String)> {
    let mut lines = Vec::new();
    let mut open: Option<(usize, String)> = None;
    for (index, line) in text.lines().enumerate() {
        let trimmed = line.trim();
        if trimmed.starts_with('#') || trimmed.is_empty() {
            continue;
        }
        let (first, mut joined) = open.take().unwrap_or_else(|| (index + 1, String::new()));
        if let Some(more) = trimmed.strip_suffix('\\') {
            joined.push_str(more);
            open = Some((first, joined));
        } else {
            joined.push_str(trimmed);
            lines.push((first, joined));
        }
    }
    lines.extend(open);
    lines
}

fn one_blank(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "\
# A comment
ARG RUST_IMAGE DEBIAN_IMAGE=debian
FROM ${RUST_IMAGE} AS build
ARG UID=1000
WORKDIR /src
RUN --mount=type=bind,source=.ca-bundle.crt,target=/ca \\
    # why
    cargo   build \\
    --release
COPY $FILE /x

FROM ${DEBIAN_IMAGE}
RUN true
COPY --from=build /src/a /a
RUN true
";

    #[test]
    fn declared_build_args_are_found_with_and_without_defaults() {
        let file = Dockerfile::parse(FILE);
        for (name, expected) in [
            ("UID", true),
            ("RUST_IMAGE", true),
            ("DEBIAN_IMAGE", true),
            ("GID", false),
            ("UI", false),
        ] {
            assert_eq!(file.declares(name), expected, "{name}");
        }
    }

    #[test]
    fn what_is_read_from_the_context_is_known_unless_a_variable_names_it() {
        let sources = |text: &str| Dockerfile::parse(text).context_sources();
        let some = |paths: &[&str]| Some(paths.iter().map(|&path| path.to_owned()).collect());
        for (text, expected) in [
            ("COPY a b/*.toml /c/", some(&["a", "b/*.toml"])),
            ("COPY --chown=1:1 --chmod=755 a /b", some(&["a"])),
            ("COPY --from=build /x /y", some(&[])),
            ("COPY [\"with blank\", \"/b\"]", some(&["with blank"])),
            ("ADD https://example.test/x local /b", some(&["local"])),
            ("COPY . .", some(&["."])),
            ("COPY $FILE /x", None),
            ("COPY <<EOF /x\nhello\nEOF", None),
            (
                "RUN --mount=type=bind,source=lock,target=/l make",
                some(&["lock"]),
            ),
            ("RUN --mount=target=/src make", some(&["."])),
            (
                "RUN --mount=type=cache,target=/c --mount=src=x,target=/x make",
                some(&["x"]),
            ),
            (
                "RUN --mount=type=bind,from=build,source=/a,target=/a make",
                some(&[]),
            ),
            ("RUN --mount=type=bind,source=${X},target=/a make", None),
            ("RUN make --mount=type=bind", some(&[])),
        ] {
            assert_eq!(sources(text), expected, "{text}");
        }
    }

    #[test]
    fn a_step_is_found_by_its_text_or_else_by_its_number() {
        let file = Dockerfile::parse(FILE);
        for (step, line) in [
            (
                "[build 3/4] RUN --mount=type=bind,source=.ca-bundle.crt,target=/ca cargo build --release",
                Some(6),
            ),
            ("[build 2/4] WORKDIR /src", Some(5)),
            ("[build 4/4] COPY replaced /x", Some(10)),
            ("[stage-1 2/4] RUN true", Some(13)),
            ("[stage-1 4/4] RUN true", Some(15)),
            ("[stage-1 1/4] FROM docker.io/library/debian", Some(12)),
            ("[internal] load build definition from Dockerfile", None),
            ("exporting to image", None),
        ] {
            assert_eq!(file.line_of(step), line, "{step}");
        }
    }
}
