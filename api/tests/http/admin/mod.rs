mod backups;
mod backups_by_the_clock;
mod jobs;
mod migrations;
mod restore;
mod restore_cut_off;
mod smtp;
mod users;
