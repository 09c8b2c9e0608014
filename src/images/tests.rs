//! Against a real engine. Everything is labelled with a project of the test's own and removed by
//! that label.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use tokio::sync::mpsc;

use super::{bases::BaseError, build::BuildError, *};
use crate::{
    config::{BaseImage, BaseName, BaseSource, Bases, Build, ProjectName, ServiceName, Text},
    docker::{Engine, EngineChoice, labels},
};

fn shipped_bases(source: BaseSource, registry: Option<&str>, names: &[&str]) -> Bases {
    let image = |name: &&str| {
        let image = BaseImage {
            registry: registry.map(|registry| format!("{registry}/{name}")),
            recipe: Some(Path::new("images").join(name)),
        };
        (BaseName::new(*name), image)
    };
    let images = names.iter().map(image).collect();
    Bases {
        source,
        registry_timeout: Duration::from_secs(3),
        images,
    }
}

async fn resolve_all(
    engine: &Engine,
    bases: &Bases,
) -> (Result<BaseRefs, BaseError>, Vec<BaseEvent>) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let names: BTreeSet<_> = bases.images.keys().cloned().collect();
    let (events, mut told) = mpsc::unbounded_channel();
    let resolved = resolve(engine, bases, root, &names, &events).await;
    drop(events);
    let mut all = Vec::new();
    while let Some(event) = told.recv().await {
        all.push(event);
    }
    (resolved, all)
}

/// A project of one service, in a directory of its own.
struct Sandbox {
    engine: Engine,
    root: tempfile::TempDir,
    project: ProjectName,
    bases: BaseRefs,
}

impl Sandbox {
    async fn new() -> Self {
        let engine = Engine::connect(&EngineChoice::default()).await.unwrap();
        let debian = shipped_bases(BaseSource::Distro, None, &["debian"]);
        let (bases, _) = resolve_all(&engine, &debian).await;
        let project = ProjectName::new(format!("imgtest{:08x}", rand::random::<u32>()));
        Self {
            engine,
            root: tempfile::tempdir().unwrap(),
            project,
            bases: bases.unwrap(),
        }
    }

    fn write(&self, path: &str, text: &str) -> PathBuf {
        let path = self.root.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        path
    }

    fn plan() -> Build {
        Build {
            context: PathBuf::from("."),
            dockerfile: PathBuf::from("Dockerfile"),
            target: None,
            args: BTreeMap::new(),
            bases: vec![BaseName::new("debian")],
            uid: 1234,
            gid: 1235,
            host_user: false,
        }
    }

    async fn build(&self, build: &Build) -> (Result<BuiltImage, BuildError>, Vec<BuildEvent>) {
        let mut events = Vec::new();
        let service = ServiceName::new("app");
        let job = ServiceBuild {
            project: &self.project,
            service: &service,
            root: self.root.path(),
            build,
            bases: &self.bases,
            no_cache: false,
        };
        let outcome = build_service(&self.engine, job, |event| events.push(event)).await;
        (outcome, events)
    }

    /// Removes what the test made, also when it failed.
    async fn run(self, test: impl AsyncFnOnce(&Self)) {
        use futures::FutureExt;
        let outcome = std::panic::AssertUnwindSafe(test(&self))
            .catch_unwind()
            .await;
        let ours = format!("{}={}", labels::PROJECT, self.project);
        for image in self.engine.list_images(&[ours]).await.unwrap() {
            for tag in &image.tags {
                self.engine.remove_image(tag).await.unwrap();
            }
        }
        if let Err(panic) = outcome {
            std::panic::resume_unwind(panic);
        }
    }
}

/// What the steps printed.
fn lines(events: &[BuildEvent]) -> Vec<&str> {
    fn line(event: &BuildEvent) -> Option<&str> {
        match &event.state {
            StepState::Log(line) => Some(line),
            _ => None,
        }
    }
    events.iter().filter_map(line).collect()
}

const DOCKERFILE: &str = "\
ARG DEBIAN_IMAGE
FROM ${DEBIAN_IMAGE} AS build
ARG UID
ARG GID
ARG GREETING
COPY src /src
RUN --mount=type=bind,source=.ca-bundle.crt,target=/ca.crt \\
    echo \"$GREETING from $UID:$GID\" && test -f /ca.crt && ls /src
";

#[tokio::test]
#[ignore = "needs a Docker engine"]
async fn a_build_gets_its_arguments_tells_its_steps_and_changes_only_with_its_inputs() {
    Sandbox::new()
        .await
        .run(async |sandbox| {
            sandbox.write("Dockerfile", DOCKERFILE);
            sandbox.write(".dockerignore", "*\n!src\nsrc/secret\n");
            let source = sandbox.write("src/main", "one");
            sandbox.write("src/secret", "secret");
            let mut build = Sandbox::plan();
            // Nothing that an earlier run of this test left in the engine's cache.
            build.args.insert(
                "GREETING".to_owned(),
                Text::literal(sandbox.project.as_str()),
            );

            let (first, events) = sandbox.build(&build).await;
            let first = first.unwrap();
            assert_eq!(first.outcome, Outcome::Built);
            assert_eq!(
                lines(&events),
                [
                    format!("{} from 1234:1235", sandbox.project),
                    "main".to_owned()
                ]
            );
            let done = |name: &str| {
                let found = |event: &&BuildEvent| matches!(event.state, StepState::Done(_));
                events
                    .iter()
                    .filter(found)
                    .any(|event| event.name.contains(name))
            };
            assert!(
                done("RUN --mount") && done("exporting to image"),
                "{events:?}"
            );
            let image = sandbox
                .engine
                .find_image(&first.reference)
                .await
                .unwrap()
                .unwrap();
            assert_eq!(image.labels[labels::PROJECT], sandbox.project.as_str());
            assert_eq!(image.labels[labels::SERVICE], "app");

            let (same, events) = sandbox.build(&build).await;
            let same = same.unwrap();
            assert_eq!((same.outcome, &same.id), (Outcome::Unchanged, &first.id));
            assert!(events.is_empty(), "nobody was asked: {events:?}");

            let later = SystemTime::now() + Duration::from_secs(100);
            fs::File::options()
                .write(true)
                .open(&source)
                .unwrap()
                .set_modified(later)
                .unwrap();
            sandbox.write("src/secret", "another secret");
            let (touched, _) = sandbox.build(&build).await;
            assert_eq!(
                touched.unwrap().id,
                first.id,
                "neither times nor ignored files count"
            );

            fs::write(&source, "two").unwrap();
            let (changed, _) = sandbox.build(&build).await;
            assert_ne!(changed.unwrap().id, first.id, "contents do");
        })
        .await;
}

#[tokio::test]
#[ignore = "needs a Docker engine"]
async fn a_touched_file_finds_every_layer_in_the_engines_cache() {
    Sandbox::new()
        .await
        .run(async |sandbox| {
            sandbox.write("Dockerfile", DOCKERFILE);
            let source = sandbox.write("src/main", "one");
            let build = Sandbox::plan();
            let first = sandbox.build(&build).await.0.unwrap();
            let later = SystemTime::now() + Duration::from_secs(100);
            fs::File::options()
                .write(true)
                .open(&source)
                .unwrap()
                .set_modified(later)
                .unwrap();
            // Without the tag only BuildKit's own cache can know.
            sandbox
                .engine
                .tag_image(&first.id, sandbox.project.as_str(), "kept")
                .await
                .unwrap();
            sandbox.engine.remove_image(&first.reference).await.unwrap();
            let (again, events) = sandbox.build(&build).await;
            let again = again.unwrap();
            assert_eq!(again.outcome, Outcome::Built);
            assert_eq!(again.id, first.id);
            let cached = |name: &str| {
                let found = |event: &&BuildEvent| event.state == StepState::Cached;
                events
                    .iter()
                    .filter(found)
                    .any(|event| event.name.contains(name))
            };
            assert!(
                cached("COPY src /src") && cached("RUN --mount"),
                "{events:?}"
            );
            sandbox
                .engine
                .remove_image(&format!("{}:kept", sandbox.project))
                .await
                .unwrap();
        })
        .await;
}

#[tokio::test]
#[ignore = "needs a Docker engine"]
async fn a_failed_step_is_named_with_its_line_and_its_last_words() {
    Sandbox::new()
        .await
        .run(async |sandbox| {
            // One stream: the order of two is not kept by the builder.
            let dockerfile = "\
            ARG DEBIAN_IMAGE\n\
            FROM ${DEBIAN_IMAGE}\n\
            RUN true\n\
            # why\n\
            RUN seq 1 100 >&2 && \\\n    echo the reason >&2 && \\\n    exit 7\n";
            sandbox.write("Dockerfile", dockerfile);
            let BuildError::Failed(failed) = sandbox.build(&Sandbox::plan()).await.0.unwrap_err()
            else {
                panic!("it must be the build that fails");
            };
            assert_eq!(failed.line, Some(5));
            let step = failed.step.as_ref().expect("a step failed");
            assert_eq!(step.log.len(), 20);
            assert_eq!(step.log.last().map(String::as_str), Some("the reason"));
            let text = failed.to_string();
            for part in [
                "`app`",
                "/Dockerfile:5",
                "RUN seq 1 100",
                "| the reason",
                "exit code: 7",
            ] {
                assert!(text.contains(part), "`{part}` is missing in:\n{text}");
            }
        })
        .await;
}

#[tokio::test]
#[ignore = "needs a Docker engine"]
async fn a_dockerfile_that_cannot_be_read_names_its_line() {
    Sandbox::new()
        .await
        .run(async |sandbox| {
            sandbox.write(
                "Dockerfile",
                "ARG DEBIAN_IMAGE\nFROM ${DEBIAN_IMAGE}\nRUNN true\n",
            );
            let error = sandbox
                .build(&Sandbox::plan())
                .await
                .0
                .unwrap_err()
                .to_string();
            assert!(
                error.contains("/Dockerfile:3") && error.contains("RUNN"),
                "{error}"
            );
        })
        .await;
}

#[tokio::test]
#[ignore = "needs a Docker engine"]
async fn a_dockerfile_that_is_not_there_is_named() {
    Sandbox::new()
        .await
        .run(async |sandbox| {
            sandbox.write("Dockerfile", DOCKERFILE);
            let error = sandbox
                .build(&Build {
                    dockerfile: PathBuf::from("Dockerfile.missing"),
                    ..Sandbox::plan()
                })
                .await
                .0
                .unwrap_err()
                .to_string();
            assert!(error.contains("Dockerfile.missing"), "{error}");
        })
        .await;
}

#[tokio::test]
#[ignore = "needs a Docker engine"]
async fn a_dockerfile_may_lie_outside_its_context() {
    Sandbox::new()
        .await
        .run(async |sandbox| {
            sandbox.write(
                "docker/app",
                &format!(
                    "ARG DEBIAN_IMAGE\nFROM ${{DEBIAN_IMAGE}}\nRUN echo {}\n",
                    sandbox.project
                ),
            );
            sandbox.write("code/main", "");
            let build = Build {
                context: PathBuf::from("code"),
                dockerfile: PathBuf::from("../docker/app"),
                ..Sandbox::plan()
            };
            let (outcome, events) = sandbox.build(&build).await;
            outcome.unwrap();
            assert_eq!(lines(&events), [sandbox.project.as_str()]);
        })
        .await;
}

#[tokio::test]
#[ignore = "needs a Docker engine"]
async fn an_archive_that_breaks_off_leaves_no_image_and_tells_its_own_reason() {
    use futures::{StreamExt, stream};
    let engine = Engine::connect(&EngineChoice::default()).await.unwrap();
    let name = format!("imgtest{:08x}", rand::random::<u32>());
    let broken = [
        Ok(vec![0; 2048].into()),
        Err(std::io::Error::other("the disk is on fire")),
    ];
    let archive = stream::iter(broken).boxed();
    let error = engine
        .import_image(archive, &name, "latest", Vec::new())
        .await
        .unwrap_err();
    assert!(error.to_string().contains("the disk is on fire"), "{error}");
    assert_eq!(engine.find_image(&name).await.unwrap(), None);
}

#[tokio::test]
#[ignore = "needs a Docker engine"]
async fn a_recipe_that_fails_tells_what_its_tool_said() {
    let engine = Engine::connect(&EngineChoice::default()).await.unwrap();
    let root = tempfile::tempdir().unwrap();
    fs::create_dir(root.path().join("none")).unwrap();
    let recipe = "kind = 'rootfs'\nsuite = 'no-such-suite'\nvariant = 'minbase'\n";
    fs::write(root.path().join("none/recipe.toml"), recipe).unwrap();
    let name = BaseName::new("none");
    let image = BaseImage {
        registry: None,
        recipe: Some(PathBuf::from("none")),
    };
    let bases = Bases {
        source: BaseSource::Distro,
        registry_timeout: Duration::from_secs(3),
        images: [(name.clone(), image)].into(),
    };
    let (events, _) = mpsc::unbounded_channel();
    let names = [name].into();
    let error = resolve(&engine, &bases, root.path(), &names, &events)
        .await
        .unwrap_err();
    let text = error.to_string();
    assert!(
        text.contains("mmdebstrap") && text.contains("no-such-suite"),
        "{text}"
    );
}

#[tokio::test]
#[ignore = "needs a Docker engine"]
async fn the_shipped_recipes_make_their_images_once() {
    let engine = Engine::connect(&EngineChoice::default()).await.unwrap();
    let names = ["debian", "rust", "node", "nginx", "mysql"];
    let bases = shipped_bases(BaseSource::Distro, None, &names);
    let first = resolve_all(&engine, &bases).await.0.unwrap();
    let (second, events) = resolve_all(&engine, &bases).await;
    let second = second.unwrap();
    assert!(
        events
            .iter()
            .all(|event| matches!(event, BaseEvent::Ready { .. })),
        "{events:?}"
    );
    for (name, image) in &first {
        assert_eq!(
            (&second[name].id, second[name].origin),
            (&image.id, Origin::Present),
            "{name}"
        );
    }
}

#[tokio::test]
#[ignore = "needs a Docker engine"]
async fn a_registry_that_does_not_answer_gives_way_to_the_recipe() {
    let engine = Engine::connect(&EngineChoice::default()).await.unwrap();
    // Nothing listens on port 9. The recipe's image may be here already, and is then used without
    // a question.
    let auto = shipped_bases(BaseSource::Auto, Some("127.0.0.1:9"), &["debian"]);
    let (resolved, events) = resolve_all(&engine, &auto).await;
    let image = &resolved.unwrap()[&BaseName::new("debian")];
    let told = events
        .iter()
        .any(|event| matches!(event, BaseEvent::NotInRegistry { .. }));
    assert_eq!(told, image.origin == Origin::Made, "{events:?}");

    let registry = Bases {
        source: BaseSource::Registry,
        ..auto
    };
    let error = resolve_all(&engine, &registry).await.0.unwrap_err();
    assert!(error.to_string().contains("127.0.0.1:9/debian"), "{error}");
}
