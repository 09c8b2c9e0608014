mod jobs;
mod smtp;
mod users;
