//! `peer-sqlx DIR URL`: applies a folder of migrations with sqlx's own migrator, under its own
//! lock, and prints `applied` when this process was the one that did it.

use sqlx::{
    ConnectOptions as _, Connection as _, Row as _, migrate::Migrator, mysql::MySqlConnectOptions,
};

type Failure = Box<dyn std::error::Error>;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let mut arguments = std::env::args().skip(1);
    let (Some(dir), Some(url)) = (arguments.next(), arguments.next()) else {
        return Err("usage: peer-sqlx DIR URL".into());
    };
    let migrator = Migrator::new(std::path::Path::new(&dir)).await?;
    let options: MySqlConnectOptions = url.parse()?;
    let mut conn = options.connect().await?;
    migrator.run(&mut conn).await?;
    // Its own table it makes in any case; another one is a migration's.
    let row = sqlx::query("SHOW SESSION STATUS LIKE 'Com_insert'")
        .fetch_one(&mut conn)
        .await?;
    let inserts: String = row.try_get(1)?;
    if inserts != "0" {
        println!("applied");
    }
    conn.close().await?;
    Ok(())
}
