mod jobs;
mod migrations;
mod smtp;
mod users;
