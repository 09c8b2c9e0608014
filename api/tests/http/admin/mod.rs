mod backups;
mod jobs;
mod migrations;
mod restore;
mod smtp;
mod users;
