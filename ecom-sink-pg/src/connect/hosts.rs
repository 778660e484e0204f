//! The hosts that a connection may be opened to, in the order in which they are tried.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use ecom_stream::{Error, Result};
use tokio_postgres::Config;
use tokio_postgres::config::{ChannelBinding, Host as At, SslMode, SslNegotiation};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::connection_string::malformed;
use super::params::{Environment, Params};
use super::tls::{Roots, Tls};
use super::tls_mode::{TlsMode, encryption};

/// The hosts to connect to.
#[derive(Debug, Clone)]
pub(crate) struct Hosts {
    pub(super) list: Arc<[Host]>,
    /// Whether they are tried in random order (`load_balance_hosts=random`).
    pub(super) shuffled: bool,
}

/// One host, with everything that is needed to connect to it.
#[derive(Clone)]
pub(super) struct Host {
    /// Its name and port, for messages.
    pub(super) name: String,
    pub(super) config: Config,
    pub(super) tls: MakeRustlsConnect,
    /// The ways to encrypt, tried in this order.
    pub(super) modes: &'static [SslMode],
}

impl Hosts {
    /// The hosts of a URL or of `keyword=value` pairs, completed from the environment.
    ///
    /// # Errors
    ///
    /// `Configuration` when something in them is malformed or not supported.
    pub(crate) fn of_url(url: &str, environment: Environment<'_>) -> Result<Self> {
        let params = Params::read(url, environment)?;
        let (names, addresses, ports) = (params.list("host"), params.list("hostaddr"), params.list("port"));
        let count = names.len().max(addresses.len());
        let fits = |list: &[&str]| list.is_empty() || list.len() == count;
        if !fits(&names) || !fits(&addresses) || !(fits(&ports) || ports.len() == 1) {
            return Err(malformed("the numbers of hosts, addresses and ports differ"));
        }
        let host = |at: usize| {
            let name = names.get(at).copied().unwrap_or_default();
            let address = addresses.get(at).copied().unwrap_or_default();
            let port = ports.get(at).or(ports.first()).copied().unwrap_or_default();
            Host::new(&params, name, address, port)
        };
        let balance = [("disable", false), ("random", true)];
        Ok(Self {
            list: (0..count).map(host).collect::<Result<_>>()?,
            shuffled: params.choice("load_balance_hosts", &balance, false)?,
        })
    }

    /// The hosts of a configuration of the driver, which knows fewer ways to encrypt. Its
    /// default, `Prefer`, stands for our default.
    pub(crate) fn of_config(mut config: Config) -> Result<Self> {
        let hosts = config.get_hosts().iter();
        let is_local = config.get_hostaddrs().iter().all(IpAddr::is_loopback)
            && hosts.clone().all(|host| match host {
                At::Tcp(name) => is_loopback(name),
                At::Unix(_) => true,
            });
        let mode = match config.get_ssl_mode() {
            SslMode::Disable => TlsMode::Disable,
            SslMode::Require => TlsMode::Require,
            _ => TlsMode::default_for(is_local),
        };
        let tls = Tls {
            check: mode.check(false),
            roots: Roots::System,
            client: None,
            sni: true,
            direct: config.get_ssl_negotiation() == SslNegotiation::Direct,
        };
        let names = hosts.map(|host| match host {
            At::Tcp(name) => name.clone(),
            At::Unix(directory) => directory.display().to_string(),
        });
        let name = names.collect::<Vec<_>>().join(", ");
        set_liveness(&mut config);
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(CONNECT_TIMEOUT);
        }
        let host = Host {
            name,
            tls: tls.connector()?,
            modes: mode.tries(tls.check),
            config,
        };
        Ok(Self {
            list: Arc::new([host]),
            // The driver does it.
            shuffled: false,
        })
    }
}

/// How long connecting to one host may take, unless `connect_timeout` is given.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Makes both ends notice a link that died silently.
fn set_liveness(config: &mut Config) {
    config.keepalives(true).keepalives_idle(Duration::from_secs(10));
    config.keepalives_interval(Duration::from_secs(5)).keepalives_retries(3);
    config.tcp_user_timeout(Duration::from_secs(30));
}

impl Host {
    fn new(params: &Params, name: &str, address: &str, port: &str) -> Result<Self> {
        let mut config = Config::new();
        let port = match port {
            "" => 5432,
            port => port
                .parse()
                .map_err(|_| malformed("a port is not a number up to 65535"))?,
        };
        config.port(port);
        let is_socket = address.is_empty() && name.starts_with('/');
        let is_local = if is_socket {
            config.host_path(name);
            true
        } else if address.is_empty() {
            check_name(name)?;
            config.host(name);
            is_loopback(name)
        } else {
            check_name(name)?;
            let address: IpAddr = address
                .parse()
                .map_err(|_| malformed("hostaddr is not an IP address"))?;
            // The name is what its certificate is checked for.
            config.host(if name.is_empty() {
                address.to_string()
            } else {
                name.to_owned()
            });
            config.hostaddr(address);
            address.is_loopback()
        };
        let shown = if name.is_empty() { address } else { name };
        let name = format!("{shown}:{port}");

        set_session(&mut config, params)?;
        let mut password = params.password(shown, port)?;
        if password.is_none() && is_socket {
            password = params.password("localhost", port)?;
        }
        if let Some(password) = password {
            config.password(password);
        }

        let negotiation = [("postgres", false), ("direct", true)];
        let direct = params.choice("sslnegotiation", &negotiation, false)?;
        let (mode, tls) = encryption(params, is_socket, is_local, direct)?;
        if direct && !is_socket {
            config.ssl_negotiation(SslNegotiation::Direct);
        }
        Ok(Self {
            name,
            tls: tls.connector()?,
            modes: mode.tries(tls.check),
            config,
        })
    }
}

/// Refuses characters that no host name has: a part of a malformed URL may be the password, which
/// must not be looked up or shown.
fn check_name(name: &str) -> Result<()> {
    let fits = |c: char| c.is_alphanumeric() || "-._:%".contains(c);
    match name.chars().all(fits) {
        true => Ok(()),
        false => Err(malformed("a host name has characters that are not allowed in one")),
    }
}

/// Whether a host is this machine.
fn is_loopback(name: &str) -> bool {
    let name = name.trim_end_matches('.').to_ascii_lowercase();
    match name.parse::<IpAddr>() {
        Ok(address) => address.is_loopback(),
        Err(_) => name == "localhost" || name.ends_with(".localhost"),
    }
}

/// Applies the settings that are the same for all hosts.
fn set_session(config: &mut Config, params: &Params) -> Result<()> {
    config.user(params.get("user").unwrap_or_default());
    config.dbname(params.get("dbname").unwrap_or_default());
    if let Some(options) = params.get("options") {
        config.options(options);
    }
    let seconds = |keyword| {
        let given = params.number::<i64>(keyword)?;
        Ok::<_, Error>(
            given
                .and_then(|given| u64::try_from(given).ok())
                .map(Duration::from_secs),
        )
    };
    match seconds("connect_timeout")? {
        Some(Duration::ZERO) => {}
        given => {
            config.connect_timeout(given.unwrap_or(CONNECT_TIMEOUT));
        }
    }
    set_liveness(config);
    if params.number::<i64>("keepalives")? == Some(0) {
        config.keepalives(false);
    }
    if let Some(idle) = seconds("keepalives_idle")?.filter(|idle| !idle.is_zero()) {
        config.keepalives_idle(idle);
    }
    if let Some(interval) = seconds("keepalives_interval")?.filter(|interval| !interval.is_zero()) {
        config.keepalives_interval(interval);
    }
    if let Some(count) = params.number("keepalives_count")?.filter(|count| *count > 0) {
        config.keepalives_retries(count);
    }
    if let Some(milliseconds) = params.number("tcp_user_timeout")?.filter(|limit| *limit > 0) {
        config.tcp_user_timeout(Duration::from_millis(milliseconds));
    }
    let binding = [
        ("disable", ChannelBinding::Disable),
        ("prefer", ChannelBinding::Prefer),
        ("require", ChannelBinding::Require),
    ];
    config.channel_binding(params.choice("channel_binding", &binding, ChannelBinding::Prefer)?);
    // Whatever allows less than writing is of no use to a sink.
    params.choice(
        "target_session_attrs",
        &[("any", ()), ("read-write", ()), ("primary", ())],
        (),
    )?;
    params.choice("gssencmode", &[("disable", ()), ("prefer", ())], ())?;
    let utf8 = ["UTF8", "utf8", "UTF-8", "utf-8", "auto"].map(|name| (name, ()));
    params.choice("client_encoding", &utf8, ())
}

impl fmt::Debug for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The driver's configuration leaves the password out by itself.
        f.debug_struct("Host")
            .field("name", &self.name)
            .field("config", &self.config)
            .field("modes", &self.modes)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hosts(url: &str) -> Hosts {
        Hosts::of_url(url, &|_| None).unwrap()
    }

    #[test]
    fn unencrypted_remote_connections_must_be_requested() {
        use SslMode::{Disable, Prefer, Require};
        for (url, modes) in [
            ("postgresql://db.example.com", &[Require][..]),
            ("postgresql://10.0.0.1", &[Require]),
            ("postgresql://localhost?hostaddr=10.0.0.1", &[Require]),
            ("postgresql://localhost.example.com", &[Require]),
            ("postgresql://localhost", &[Prefer, Disable]),
            ("postgresql://LOCALHOST.", &[Prefer, Disable]),
            ("postgresql://127.0.0.9", &[Prefer, Disable]),
            ("postgresql://[::1]:5433", &[Prefer, Disable]),
            ("postgresql://db.example.com?sslmode=disable", &[Disable]),
            ("postgresql://db.example.com?sslmode=prefer", &[Prefer, Disable]),
            ("postgresql:///d?host=/run/postgresql&sslmode=require", &[Disable]),
        ] {
            assert_eq!(hosts(url).list[0].modes, modes, "{url}");
        }
    }

    #[test]
    fn each_host_has_its_port_and_its_tls_mode() {
        let hosts = hosts("postgresql:///d?host=/run/postgresql,db.example.com,localhost&port=1,,3");
        let names: Vec<&str> = hosts.list.iter().map(|host| host.name.as_str()).collect();
        assert_eq!(names, ["/run/postgresql:1", "db.example.com:5432", "localhost:3"]);
        let tries: Vec<usize> = hosts.list.iter().map(|host| host.modes.len()).collect();
        assert_eq!(tries, [1, 1, 2]);
    }

    #[test]
    fn keepalive_defaults_apply_unless_set() {
        let config = |url| hosts(url).list[0].config.clone();
        let ours = config("postgresql://localhost");
        assert_eq!(ours.get_keepalives_idle(), Duration::from_secs(10));
        assert_eq!(ours.get_tcp_user_timeout(), Some(&Duration::from_secs(30)));
        assert_eq!(ours.get_connect_timeout(), Some(&CONNECT_TIMEOUT));
        let given = config("postgresql://localhost?keepalives_idle=60&tcp_user_timeout=9000&connect_timeout=0");
        assert_eq!(given.get_keepalives_idle(), Duration::from_secs(60));
        assert_eq!(given.get_tcp_user_timeout(), Some(&Duration::from_secs(9)));
        assert_eq!(given.get_connect_timeout(), None);
    }

    #[test]
    fn the_password_is_not_shown() {
        let hosts = hosts("postgresql://u:canary@localhost");
        assert_eq!(hosts.list[0].config.get_password(), Some(&b"canary"[..]));
        assert!(!format!("{hosts:?} {hosts:#?}").contains("canary"));
    }
}
