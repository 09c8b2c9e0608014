mod backups;
mod backups_by_the_clock;
mod jobs;
mod restore;
mod smtp;
mod users;
