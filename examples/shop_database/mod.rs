//! An empty database for an example: on a private server, or on the server that `DATABASE_URL` names.

use std::error::Error;

use ecom_sink_pg::PgSink;
use ecom_sink_pg::server::PrivateServer;
use tokio_postgres::{Client, Config, NoTls};

/// The database of an example, and a client connected to it.
pub(crate) struct ShopDatabase {
    pub(crate) client: Client,
    config: Config,
    /// The server stops when this value is dropped.
    _server: Option<PrivateServer>,
}

impl ShopDatabase {
    /// Recreates the database `example_{name}`.
    ///
    /// On the server of `DATABASE_URL` the database stays when the example ends. The connection there is made without TLS, and its
    /// role needs the right to create databases.
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

    /// A sink that writes to this database.
    pub(crate) fn sink(&self) -> ecom_stream::Result<PgSink> {
        PgSink::with_config(self.config.clone())
    }

    /// Compares the rows of the query `found` with those of `by_hand`, and returns how many there are. Fails if they differ, or if
    /// there are none.
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
            false => {
                Err(format!("found {rows} rows: {invented} of them are wrong, and {lost} rows are missing").into())
            }
        }
    }
}

async fn connect(config: &Config) -> Result<Client, tokio_postgres::Error> {
    let (client, connection) = config.connect(NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}
