//! `MySQL` schema migrations for a service that starts many copies of itself at once.
//!
//! Every copy calls [`migrate`] at its start. One of them applies what is pending, the others see
//! it done; a copy that finds nothing pending asks for no lock. What is applied stands in a ledger
//! table, and what a killed applier left half done is carried on only from a point that is certain.
//!
//! The parts, each of one idea:
//!
//! | module | what it does | effects |
//! |---|---|---|
//! | `files`, `header` | a directory → [`MigrationSet`] | reads files |
//! | `split`, `lex` | a script → statements with line numbers | none |
//! | `classify`, `units` | statements → units, each with a certain begin and end | none |
//! | `position` | files against ledger → what is applied, pending, ahead, refused | none |
//! | `resume` | ledger row of an unfinished file → where to go on | none |
//! | `ddl` | a definition → its clauses; the schema behind it | none |
//! | `impact` | a definition → what it copies and locks | none |
//! | `lint` | a directory → findings | reads files |
//! | `plan` | what a start would do, and its cost | database, reads only |
//! | `ledger` | the table `schema_version` | database |
//! | `lock`, `session` | who may migrate, on which connection | database |
//! | `alone` | the lock for a person's decision | database |
//! | `holder`, `told` | who holds the lock, in words; when a waiter says so | database |
//! | `apply` | one file under the lock | database |
//! | `point` | the named moments of an applier, for drills | none |
//! | `run`, `outcome`, `status`, `resolve` | what callers call | database |
//! | `baseline` | a schema without a ledger → its ledger | database |
//! | `verify` | post-conditions and ledger, proven again | reads the database |
//! | `new_file` | the next number, an empty migration | writes one file |
//! | `cli` (feature) | the subcommands that programs share | as the above |
//!
//! This crate never decides from an error's code that a statement "was already done", and never
//! takes a ledger that it could not read for an empty one.

mod alone;
mod apply;
mod baseline;
mod classify;
#[cfg(feature = "cli")]
pub mod cli;
mod columns;
mod ddl;
mod error;
mod files;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod header;
mod holder;
mod impact;
mod ledger;
mod lex;
mod lint;
mod lock;
mod new_file;
mod outcome;
mod plan;
mod point;
mod position;
mod remedy;
mod resolve;
mod resume;
mod run;
mod session;
mod settings;
mod split;
mod status;
mod status_text;
mod told;
mod units;
mod verify;

pub use baseline::{Baseline, Upto, baseline};
pub use error::{MigrateError, Refusal, StatementError};
pub use files::{LoadError, LoadFault, MigrationFile, MigrationSet};
pub use header::{Compat, Verify};
pub use impact::{Algorithm, Impact, Lock};
pub use ledger::{LEDGER_TABLE, LedgerRow, State, read_ledger};
pub use lint::{Finding, LintReport, LintRules, Rule, Severity, lint};
pub use lock::lock_holder;
pub use new_file::{NewMigrationError, new_migration};
pub use outcome::Outcome;
pub use plan::{
    AfterCrash, Flavour, Plan, PlannedFile, PlannedStatement, Server, Start, StatementClass, plan,
};
pub use point::Point;
pub use resolve::{Decision, resolve};
pub use run::migrate;
pub use settings::{EventSink, Gaps, Mode, Settings};
pub use split::{SplitError, Statement};
pub use status::{LockState, Status, status, status_with};
pub use verify::{Condition, Verdict, VerifyReport, verify};
