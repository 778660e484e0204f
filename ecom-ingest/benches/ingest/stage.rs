//! The server, and how much of the machine it uses.

use std::fs;

use ecom_sink_pg::schema;
use ecom_sink_pg::server::PrivateServer;
use tokio_postgres::{Client, NoTls};

use crate::Outcome;

/// Clock ticks a second, in which the kernel counts the time of processes: the same on all Linux systems.
const TICKS_PER_S: f64 = 100.0;

/// See the [module](self).
#[derive(Debug)]
pub(crate) struct Stage {
    server: PrivateServer,
    postmaster: u32,
}

/// A database of its own for each run.
#[derive(Debug)]
pub(crate) struct Database {
    pub(crate) url: String,
    pub(crate) client: Client,
}

impl Stage {
    /// A server with its default settings.
    pub(crate) async fn set() -> Outcome<Self> {
        let server = PrivateServer::builder().temporary().start().await?;
        let postmaster = server.postmaster_pid().await?;
        eprintln!("PostgreSQL {}", server.version());
        Ok(Self { server, postmaster })
    }

    /// A database with the schema, after the server has written everything of the runs before.
    pub(crate) async fn database(&self) -> Outcome<Database> {
        const NAME: &str = "bench";
        let admin = connect(self.server.url()).await?;
        admin
            .batch_execute("DROP DATABASE IF EXISTS bench WITH (FORCE)")
            .await?;
        let url = self.server.create_database(NAME).await?;
        let mut client = connect(&url).await?;
        schema::apply(&mut client).await?;
        client.batch_execute("CHECKPOINT").await?;
        Ok(Database { url, client })
    }

    /// CPU seconds of the server so far: of its processes, and of those that have ended.
    pub(crate) fn cpu_s(&self) -> Outcome<f64> {
        let mut seconds = 0.0;
        for entry in fs::read_dir("/proc")? {
            let name = entry?.file_name();
            let Some(pid) = name.to_str().and_then(|name| name.parse::<u32>().ok()) else {
                continue;
            };
            // One that ends meanwhile is counted by the postmaster.
            let Ok(usage) = Usage::of(&pid.to_string()) else {
                continue;
            };
            if pid == self.postmaster {
                seconds += usage.own_s + usage.of_ended_children_s;
            } else if usage.parent == self.postmaster {
                seconds += usage.own_s;
            }
        }
        Ok(seconds)
    }
}

/// The CPU time of a process.
#[derive(Debug)]
pub(crate) struct Usage {
    parent: u32,
    pub(crate) own_s: f64,
    pub(crate) of_ended_children_s: f64,
}

impl Usage {
    /// Of a process by its number, or of this one by `self`.
    pub(crate) fn of(pid: &str) -> Outcome<Self> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
        // The name of the program is in brackets and may be anything.
        let rest = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
        let fields: Vec<u64> = rest
            .split_whitespace()
            .skip(1)
            .map(|field| field.parse().unwrap_or_default())
            .collect();
        let ticks = |first: usize| fields.get(first..first + 2).map_or(0, |two| two.iter().sum::<u64>());
        Ok(Self {
            parent: fields.first().copied().unwrap_or_default() as u32,
            own_s: ticks(10) as f64 / TICKS_PER_S,
            of_ended_children_s: ticks(12) as f64 / TICKS_PER_S,
        })
    }
}

pub(crate) async fn connect(url: &str) -> Outcome<Client> {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}
