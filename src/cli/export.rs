//! `export`: the stack for other programs.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use clap::Subcommand;

use super::{
    Global, images,
    session::{self, Session},
};
use crate::{
    config::{BaseName, Environment, ImageSource, ServiceName, Stack},
    docker::Engine,
    error::Error,
    exit::Exit,
    export::{Compose, ComposeError, Unit},
    images as found,
    output::Printer,
    plan,
};

/// Write the stack for Docker Compose, or a unit for systemd.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Export {
    #[command(subcommand)]
    command: Subcommands,
}

const EXAMPLES: &str = "\
Examples:
  sysndd-deploy export compose --output docker-compose.yml
  docker compose -p demo up -d --wait --scale api=4
  sysndd-deploy --project demo verify
  sysndd-deploy export systemd --output /etc/systemd/system/sysndd-watch.service";

#[derive(Debug, Subcommand)]
enum Subcommands {
    /// The same stack as a Compose file; secrets stay references
    Compose {
        /// Where to write it, instead of standard output
        #[arg(short, long, value_name = "FILE")]
        output: Option<PathBuf>,
    },
    /// A unit that runs `watch` as a service
    Systemd {
        /// Where to write it, instead of standard output
        #[arg(short, long, value_name = "FILE")]
        output: Option<PathBuf>,
        /// The program as the service will find it, instead of the one that runs now
        #[arg(long, value_name = "FILE")]
        program: Option<PathBuf>,
    },
}

impl Export {
    pub(super) async fn run(self, global: &Global, printer: Printer) -> Result<Exit, Error> {
        let (output, text) = match &self.command {
            Subcommands::Compose { output } => {
                (output, compose(global, printer, output.as_deref()).await?)
            }
            Subcommands::Systemd { output, program } => (output, unit(global, program.as_deref())?),
        };
        match output {
            None => printer.text(&text),
            Some(path) => {
                fs::write(path, text)
                    .map_err(|error| Error::usage(format!("{}: {error}", path.display())))?;
                printer.say(format!("{} is written", path.display()));
            }
        }
        Ok(Exit::Done)
    }
}

async fn compose(
    global: &Global,
    printer: Printer,
    output: Option<&Path>,
) -> Result<String, Error> {
    let stack = session::load(global)?;
    let environment = Environment::of_process()?;
    let here = here(global, printer, &stack).await?;
    // What goes to standard output is meant for the directory of the stack.
    let directory = match output {
        None => stack.root.clone(),
        Some(path) => {
            let path = environment.directory.join(path);
            path.parent().map(Path::to_path_buf).unwrap_or(path)
        }
    };
    let edge_template = images::edge_template(&stack)?;
    let compose = Compose {
        stack: &stack,
        directory: &directory,
        edge_template: &edge_template,
        images: &here.images,
        bases: &here.bases,
    };
    compose.render().map_err(|error| {
        let hint = match &error {
            ComposeError::WrittenOut(_) => "put it into .env, and a reference `${NAME}` here",
            ComposeError::NoBase(_) => "`sysndd-deploy build` makes it",
            _ => "`sysndd-deploy config check` says whether the stack is right",
        };
        Error::usage(error.to_string()).with_hint(hint)
    })
}

/// What images are called here.
#[derive(Default)]
struct Here {
    images: BTreeMap<ServiceName, String>,
    bases: BTreeMap<BaseName, String>,
}

/// Without an engine, a file can still be written: by the names that registries know.
async fn here(global: &Global, printer: Printer, stack: &Stack) -> Result<Here, Error> {
    let engine = match Engine::connect(&global.engine()).await {
        Ok(engine) => engine,
        Err(error) => {
            printer.note(format!("images are named as in a registry: {error}"));
            return Ok(Here::default());
        }
    };
    let session = Session::on_engine(global, printer, stack.clone(), engine);
    let engine = &session.engine;
    let names = found::needed(stack);
    let bases = found::present_bases(engine, &stack.bases, &stack.root, &names)
        .await
        .map_err(Error::image)?;
    let present = found::present(engine, stack).await.map_err(Error::image)?;
    let mut images = BTreeMap::new();
    for (name, image) in present {
        let built = matches!(stack.services[&name].image, ImageSource::Build(_));
        match image {
            Ok(id) if built => {
                let prefix = format!("{}:", plan::image_name(stack, &name));
                let image = engine.find_image(&id.to_string()).await?;
                let tags = image.map(|image| image.tags).unwrap_or_default();
                let tag = tags.into_iter().find(|tag| tag.starts_with(&prefix));
                images.extend(tag.map(|tag| (name, tag)));
            }
            Err(cause) if built => printer.note(format!(
                "{name} is left for Compose to build ({cause}); `sysndd-deploy build` first makes it the image of `up`"
            )),
            _ => {}
        }
    }
    let bases = bases
        .into_iter()
        .map(|(name, base)| (name, base.reference))
        .collect();
    Ok(Here { images, bases })
}

fn unit(global: &Global, program: Option<&Path>) -> Result<String, Error> {
    let stack = session::load(global)?;
    let environment = Environment::of_process()?;
    let config = session::path(global, &environment)?;
    let program = match program {
        Some(program) => environment.directory.join(program),
        None => std::env::current_exe()?,
    };
    let unit = Unit {
        project: stack.project.as_str(),
        program: &program,
        config: &config,
        host: global.host.as_deref(),
        context: global.context.as_deref(),
    };
    unit.render().map_err(Error::usage)
}
