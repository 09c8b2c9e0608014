mod race;
mod session;
mod signup;
