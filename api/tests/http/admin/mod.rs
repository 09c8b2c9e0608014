pub(crate) mod backups;
mod jobs;
mod migrations;
mod smtp;
mod users;
