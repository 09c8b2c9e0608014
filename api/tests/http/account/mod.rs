mod password;
mod tokens;
