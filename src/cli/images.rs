//! Images for a stack: built where their sources changed, pulled or made where they are bases.

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::session::Session;
use crate::{
    config::{ImageSource, ServiceName, Stack},
    error::Error,
    exit::Exit,
    host,
    images::{
        self, BaseError, BaseEvent, BaseRefs, BuildEvent, BuiltImage, Origin, Outcome,
        ServiceBuild, StepState,
    },
    output::{Board, human_size, seconds},
    plan::{self, Images, ResolvedImage},
};

/// When to build.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BuildMode {
    /// Where what goes into an image changed since it was built.
    Changed,
    /// Every step again.
    Always,
    /// Only look for what is there.
    Never,
}

/// The image of every service, made where that is needed and allowed.
pub(super) async fn resolve(
    session: &Session,
    mode: BuildMode,
    interrupt: &CancellationToken,
) -> Result<Images, Error> {
    session.refuse_host_user()?;
    let work = async {
        let bases = bases(session).await?;
        let mut found = Images::new();
        for name in session.stack.services.keys() {
            let image = match (&session.stack.services[name].image, mode) {
                (ImageSource::Build(_), BuildMode::Never) => built_before(session, name).await?,
                (ImageSource::Build(_), _) => {
                    let built = build(session, name, &bases, mode == BuildMode::Always).await?;
                    built.id.to_string()
                }
                (ImageSource::Base(base), _) => bases[base].id.to_string(),
                (ImageSource::Reference(text), _) => pulled(session, &text.expose()).await?,
            };
            found.insert(name.clone(), ResolvedImage::Present(image));
        }
        Ok(found)
    };
    tokio::select! {
        () = interrupt.cancelled() => {
            let stopped = "interrupted while making images: nothing that runs was touched";
            Err(Error::new(Exit::Interrupted, stopped)
                .with_hint("run the same command again: finished steps are not done again"))
        }
        done = work => done,
    }
}

/// The images that are there; nothing is built or pulled.
pub(super) async fn present(session: &Session) -> Result<Images, Error> {
    session.refuse_host_user()?;
    let present = images::present(&session.engine, &session.stack)
        .await
        .map_err(Error::image)?;
    let found = present.into_iter().map(|(name, image)| {
        let image = match image {
            Ok(id) => ResolvedImage::Present(id.to_string()),
            Err(cause) => ResolvedImage::Missing { cause },
        };
        (name, image)
    });
    Ok(found.collect())
}

/// Text of the template of the upstream list; empty without an edge.
pub(super) fn edge_template(stack: &Stack) -> Result<String, Error> {
    let Some(edge) = &stack.edge else {
        return Ok(String::new());
    };
    let path = stack.root.join(&edge.template);
    std::fs::read_to_string(&path)
        .map_err(|error| Error::usage(format!("{}: {error}", edge.template.display())))
}

/// The base images that the stack needs.
pub(super) async fn bases(session: &Session) -> Result<BaseRefs, Error> {
    let bases = match gather_bases(session).await {
        Err(error) if session.may_install => {
            let Some(tool) = error.missing_tool() else {
                return Err(Error::image(error));
            };
            session
                .printer
                .say(format!("installing {}", tool.packages.join(" ")));
            host::install(tool.packages).await.map_err(Error::image)?;
            gather_bases(session).await
        }
        bases => bases,
    };
    bases.map_err(Error::image)
}

async fn gather_bases(session: &Session) -> Result<BaseRefs, BaseError> {
    let (sender, mut events) = mpsc::unbounded_channel();
    let stack = &session.stack;
    let names = images::needed(stack);
    let work = images::resolve(&session.engine, &stack.bases, &stack.root, &names, &sender);
    tokio::pin!(work);
    let mut board = Board::new(session.printer);
    let bases = loop {
        tokio::select! {
            biased;
            Some(event) = events.recv() => show_base(&mut board, &event),
            done = &mut work => break done,
        }
    };
    while let Ok(event) = events.try_recv() {
        show_base(&mut board, &event);
    }
    board.close();
    bases
}

/// The image of one service, built if anything that goes into it changed.
pub(super) async fn build(
    session: &Session,
    name: &ServiceName,
    bases: &BaseRefs,
    no_cache: bool,
) -> Result<BuiltImage, Error> {
    let stack = &session.stack;
    let ImageSource::Build(source) = &stack.services[name].image else {
        return Err(Error::usage(format!("{name} is not built here")));
    };
    let mut board = Board::new(session.printer);
    let title = plan::image_name(stack, name);
    let job = ServiceBuild {
        project: &stack.image_prefix,
        service: name,
        root: &stack.root,
        build: source,
        bases,
        no_cache,
    };
    let show = |event| show_step(&mut board, &title, &event);
    let built = images::build_service(&session.engine, job, show).await;
    if let Ok(image) = &built
        && image.outcome == Outcome::Built
    {
        board.done(
            &title,
            &format!(
                "built in {}, {}",
                seconds(image.took),
                human_size(image.size)
            ),
        );
    }
    board.close();
    built.map_err(Error::image)
}

/// For `--no-build`: the image of what is here now; where that was never built, the newest one.
async fn built_before(session: &Session, name: &ServiceName) -> Result<String, Error> {
    let mut present = images::present(&session.engine, &session.stack)
        .await
        .map_err(Error::image)?;
    // The newest may be that of another copy of the stack, with other build-args.
    if let Some(Ok(current)) = present.remove(name) {
        return Ok(current.to_string());
    }
    let newest = images::newest(&session.engine, &session.stack, name)
        .await
        .map_err(Error::image)?;
    newest.map(|image| image.id.to_string()).ok_or_else(|| {
        Error::usage(format!(
            "--no-build: no image of {name} was ever built here"
        ))
        .with_hint("run `sysndd-deploy build` first")
    })
}

/// Any other reference: the one that is here, else from its registry.
async fn pulled(session: &Session, reference: &str) -> Result<String, Error> {
    if let Some(image) = session.engine.find_image(reference).await? {
        return Ok(image.id.to_string());
    }
    let mut board = Board::new(session.printer);
    session
        .engine
        .pull_image(reference, |line| board.detail(reference, &line))
        .await?;
    board.done(reference, "pulled");
    board.close();
    let image = session.engine.find_image(reference).await?;
    image.map(|image| image.id.to_string()).ok_or_else(|| {
        Error::deploy(format!(
            "{reference} was pulled, but the engine does not have it"
        ))
    })
}

fn show_base(board: &mut Board, event: &BaseEvent) {
    match event {
        BaseEvent::Asking { base, reference } => {
            board.set(base, &format!("asking the registry for {reference}"));
        }
        BaseEvent::NotInRegistry { base, reason } => {
            board.set(base, &format!("not from the registry: {reason}"));
        }
        BaseEvent::Making { base } => board.set(base, "making it from Debian packages"),
        BaseEvent::Pulling { base, line } | BaseEvent::Log { base, line } => {
            board.detail(base, line);
        }
        BaseEvent::Step { base, event } => show_step(board, base, event),
        BaseEvent::Ready { base, image, took } => {
            let how = match image.origin {
                // Nothing happened: nothing is said.
                Origin::Present => return,
                Origin::Pulled => "pulled",
                Origin::Made => "made",
            };
            board.done(
                base,
                &format!("{how} in {}, {}", seconds(*took), human_size(image.size)),
            );
        }
    }
}

fn show_step(board: &mut Board, of: &str, event: &BuildEvent) {
    // BuildKit's own housekeeping says nothing to the operator.
    if event.name.starts_with("[internal]") {
        return;
    }
    match &event.state {
        StepState::Started => board.set(of, &event.name),
        StepState::Cached => board.set(of, &format!("{} cached", event.name)),
        StepState::Done(took) => {
            board.set(of, &format!("{} done in {}", event.name, seconds(*took)));
        }
        StepState::Failed(_) => board.failed(of, &event.name),
        StepState::Log(line) => board.detail(of, &format!("{} {line}", short(&event.name))),
    }
}

/// `[build 3/7]` of `[build 3/7] RUN cargo build`.
fn short(step: &str) -> &str {
    step.find(']').map_or(step, |end| &step[..=end])
}
