mod session;
mod signup;
