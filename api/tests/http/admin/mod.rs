pub(crate) mod backups;
mod jobs;
mod smtp;
mod users;
