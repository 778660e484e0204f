//! A database for an example to run in, empty at its start: of a private server, or on the one that `DATABASE_URL` names.

use std::error::Error;

use ecom_sink_pg::PgSink;
use ecom_sink_pg::server::PrivateServer;
use tokio_postgres::{Client, Config, NoTls};

pub(crate) struct ShopDatabase {
    pub(crate) client: Client,
    config: Config,
    /// Ends with this value.
    _server: Option<PrivateServer>,
}

impl ShopDatabase {
    /// Makes the database `example_{name}` anew. A server of `DATABASE_URL` must let in without TLS a role that may make databases;
    /// it keeps the database, to look around.
    pub(crate) async fn start(name: &str) -> Result<Self, Box<dyn Error>> {
        let (server, url) = match std::env::var("DATABASE_URL") {
            Ok(url) => (None, url),
            Err(_) => {
                let server = PrivateServer::builder().temporary().start().await?;
                let url = server.url().to_owned();
                (Some(server), url)
            }
        };
        let name = format!("example_{name}");
        let mut config: Config = url.parse()?;
        let client = connect(&config).await?;
        for sql in [
            format!("DROP DATABASE IF EXISTS {name}"),
            format!("CREATE DATABASE {name}"),
        ] {
            client.batch_execute(&sql).await?;
        }
        config.dbname(&name);
        Ok(Self {
            client: connect(&config).await?,
            config,
            _server: server,
        })
    }

    /// A sink into it.
    pub(crate) fn sink(&self) -> ecom_stream::Result<PgSink> {
        PgSink::with_config(self.config.clone())
    }

    /// Fails unless the query `found` has the same rows as `by_hand`; says how many.
    pub(crate) async fn same_rows(&self, found: &str, by_hand: &str) -> Result<i64, Box<dyn Error>> {
        let sql = format!(
            "WITH found AS ({found}), by_hand AS ({by_hand}),
                  lost AS (TABLE by_hand EXCEPT ALL TABLE found), invented AS (TABLE found EXCEPT ALL TABLE by_hand)
             SELECT (SELECT count(*) FROM found), (SELECT count(*) FROM lost), (SELECT count(*) FROM invented)"
        );
        let row = self.client.query_one(&sql, &[]).await?;
        let [rows, lost, invented]: [i64; 3] = std::array::from_fn(|column| row.get(column));
        match rows > 0 && lost + invented == 0 {
            true => Ok(rows),
            false => Err(format!("of {rows} rows {invented} should not be there, and {lost} are missing").into()),
        }
    }
}

async fn connect(config: &Config) -> Result<Client, tokio_postgres::Error> {
    let (client, connection) = config.connect(NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}
