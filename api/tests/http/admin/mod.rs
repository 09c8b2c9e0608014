mod backups;
mod jobs;
mod restore;
mod smtp;
mod users;
