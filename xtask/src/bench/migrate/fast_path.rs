//! Nothing is pending: how long that takes to find out, and in how many queries.

use std::time::SystemTime;

use anyhow::{Context as _, ensure};
use sysndd_protocol::Event;

use super::{
    arena::{Arena, Contestant},
    events, median,
};

const RUNS: usize = 21;

/// Times in milliseconds, medians.
pub(super) struct FastPath {
    /// The whole process.
    process: f64,
    /// A process that does nothing.
    nothing: f64,
    /// From its start to the event.
    until_event: f64,
    /// From the server's word that the connection stands to the event.
    library: f64,
    /// Queries on its connections, most in any run.
    queries: usize,
    /// Connections, most in any run.
    connections: usize,
}

impl FastPath {
    pub(super) fn describe(&self) -> String {
        format!(
            "fast path, medians of {RUNS}: {:.1} ms the whole process (one that does nothing: {:.1} ms), {:.1} ms from its start to migration.fast_path, \
             {:.2} ms of them from the server's word that the connection stands; {} connection, {} query",
            self.process,
            self.nothing,
            self.until_event,
            self.library,
            self.connections,
            self.queries
        )
    }
}

/// The database is migrated already. The server's general log says what was asked and when; its
/// clock is that of the replicas, since all run on one machine.
pub(super) fn measure(arena: &Arena<'_>) -> anyhow::Result<FastPath> {
    let sql = |script: &str| arena.database.sql("mysql", script);
    let (mut process, mut nothing, mut until_event) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..RUNS {
        nothing.push(arena.run(Contestant::Nothing, 1)?.seconds() * 1e3);
        let run = arena.run(Contestant::Ours, 1)?;
        process.push(run.seconds() * 1e3);
        until_event.push((event(&run)? - run.began) * 1e3);
    }
    let mut library = Vec::new();
    let (mut queries, mut connections) = (0, 0);
    let password_cached = arena.run(Contestant::Ours, 1)?;
    ensure!(password_cached.failures() == 0, "the fast path failed");
    sql("SET GLOBAL log_output = 'TABLE'; SET GLOBAL general_log = ON")?;
    for _ in 0..RUNS {
        sql("TRUNCATE mysql.general_log")?;
        let run = arena.run(Contestant::Ours, 1)?;
        // Of the sessions that named the database when they connected.
        let log = sql(
            "SELECT UNIX_TIMESTAMP(l.event_time), l.command_type FROM mysql.general_log l \
             WHERE l.thread_id IN (SELECT c.thread_id FROM mysql.general_log c \
               WHERE c.command_type = 'Connect' AND c.argument LIKE '% on bench using %') \
             ORDER BY l.event_time",
        )?;
        let lines: Vec<(f64, &str)> = log
            .lines()
            .filter_map(|line| line.split_once('\t'))
            .filter_map(|(at, what)| Some((at.parse().ok()?, what)))
            .collect();
        let count = |wanted: &[&str]| {
            lines
                .iter()
                .filter(|(_, what)| wanted.contains(what))
                .count()
        };
        queries = queries.max(count(&[
            "Query",
            "Execute",
            "Prepare",
            "Ping",
            "Reset stmt",
        ]));
        connections = connections.max(count(&["Connect"]));
        let connected = lines.iter().find(|(_, what)| *what == "Connect");
        let (connected, _) = connected.context("the server's log has no connection")?;
        library.push((event(&run)? - connected) * 1e3);
    }
    sql("SET GLOBAL general_log = OFF")?;
    let of = |values: Vec<f64>| median(values.into_iter()).unwrap_or(f64::NAN);
    Ok(FastPath {
        process: of(process),
        nothing: of(nothing),
        until_event: of(until_event),
        library: of(library),
        queries,
        connections,
    })
}

/// When `migration.fast_path` was emitted, in seconds since 1970.
fn event(run: &super::Run) -> anyhow::Result<f64> {
    let event = events(run).find(|event| matches!(event.event, Event::MigrationFastPath { .. }));
    let ts = event.context("no migration.fast_path")?.ts;
    let since = SystemTime::from(ts).duration_since(SystemTime::UNIX_EPOCH)?;
    Ok(since.as_secs_f64())
}
