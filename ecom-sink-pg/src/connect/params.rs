//! Connection settings by libpq's keywords, from the URL and from the environment.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use ecom_stream::{Error, ErrorKind, Result};

use super::connection_string::{malformed, pairs};
use super::passfile;

/// The keywords that are supported, each with the environment variable that replaces it.
const KEYWORDS: &[(&str, &str)] = &[
    ("application_name", ""),
    ("channel_binding", "PGCHANNELBINDING"),
    ("client_encoding", ""),
    ("connect_timeout", "PGCONNECT_TIMEOUT"),
    ("dbname", "PGDATABASE"),
    ("gssencmode", "PGGSSENCMODE"),
    ("host", "PGHOST"),
    ("hostaddr", "PGHOSTADDR"),
    ("keepalives", ""),
    ("keepalives_count", ""),
    ("keepalives_idle", ""),
    ("keepalives_interval", ""),
    ("load_balance_hosts", "PGLOADBALANCEHOSTS"),
    ("options", "PGOPTIONS"),
    ("passfile", "PGPASSFILE"),
    ("password", "PGPASSWORD"),
    ("port", "PGPORT"),
    ("sslcert", "PGSSLCERT"),
    ("sslkey", "PGSSLKEY"),
    ("sslmode", "PGSSLMODE"),
    ("sslnegotiation", "PGSSLNEGOTIATION"),
    ("sslrootcert", "PGSSLROOTCERT"),
    ("sslsni", "PGSSLSNI"),
    ("target_session_attrs", "PGTARGETSESSIONATTRS"),
    ("tcp_user_timeout", ""),
    ("user", "PGUSER"),
];

/// The driver's own name for `keepalives_count`.
const DRIVERS_NAME: &str = "keepalives_retries";

/// Keywords of libpq that are not supported here. Ignoring them could make a connection less safe
/// than was asked for.
const UNSUPPORTED: &[(&str, &str)] = &[
    ("require_auth", "PGREQUIREAUTH"),
    ("requirepeer", "PGREQUIREPEER"),
    ("service", ""),
    ("ssl_max_protocol_version", "PGSSLMAXPROTOCOLVERSION"),
    ("ssl_min_protocol_version", "PGSSLMINPROTOCOLVERSION"),
    ("sslcrl", "PGSSLCRL"),
    ("sslcrldir", "PGSSLCRLDIR"),
    ("sslpassword", ""),
];

/// Whether libpq has such a keyword, written exactly so.
pub(super) fn is_known(keyword: &str) -> bool {
    let known = KEYWORDS.iter().chain(UNSUPPORTED);
    keyword == DRIVERS_NAME || known.into_iter().any(|(known, _)| *known == keyword)
}

/// Where settings come from that the URL leaves out.
pub(crate) type Environment<'a> = &'a dyn Fn(&str) -> Option<OsString>;

/// The environment of the process. `HOME` is known even if the variable is not set.
pub(crate) fn of_process(variable: &str) -> Option<OsString> {
    match variable {
        "HOME" => std::env::home_dir().map(OsString::from),
        _ => std::env::var_os(variable),
    }
}

/// Connection settings, by the keywords of libpq.
#[derive(Clone)]
pub(super) struct Params {
    values: BTreeMap<&'static str, String>,
    home: Option<PathBuf>,
}

impl Params {
    /// Reads a URL or `keyword=value` pairs. What they leave out is taken from the environment,
    /// and the password last of all from the password file.
    pub(super) fn read(text: &str, environment: Environment<'_>) -> Result<Self> {
        let mut values = BTreeMap::new();
        for (given, value) in pairs(text)? {
            let given = if given == DRIVERS_NAME {
                "keepalives_count"
            } else {
                &given
            };
            if let Some((keyword, _)) = KEYWORDS.iter().find(|(keyword, _)| *keyword == given) {
                values.insert(*keyword, value);
            } else if let Some((keyword, _)) = UNSUPPORTED.iter().find(|(keyword, _)| *keyword == given) {
                return Err(unsupported(keyword));
            } else {
                return Err(malformed("it has an option that libpq does not know"));
            }
        }
        let names_host = values.contains_key("host");
        for (keyword, variable) in KEYWORDS {
            // The address of another host.
            let is_for_other = *keyword == "hostaddr" && names_host;
            if values.contains_key(keyword) || variable.is_empty() || is_for_other {
                continue;
            }
            if let Some(value) = environment(variable) {
                let not_unicode = |_| {
                    Error::new(
                        ErrorKind::Configuration,
                        format!("the variable {variable} is not UTF-8"),
                    )
                };
                values.insert(*keyword, value.into_string().map_err(not_unicode)?);
            }
        }
        if let Some((_, variable)) = UNSUPPORTED
            .iter()
            .find(|(_, variable)| !variable.is_empty() && environment(variable).is_some_and(|value| !value.is_empty()))
        {
            return Err(unsupported(variable));
        }
        let home = environment("HOME").map(PathBuf::from);
        let mut params = Self { values, home };
        if params.get("host").or(params.get("hostaddr")).is_none() {
            return Err(no_host(environment("PGSERVICE").is_some()));
        }
        if params.get("user").is_none() {
            let user = whoami::username().map_err(|err| {
                Error::new(
                    ErrorKind::Configuration,
                    "no database user is given, and the user of this process has no name",
                )
                .caused_by(err)
            })?;
            params.values.insert("user", user);
        }
        if params.get("dbname").is_none() {
            let user = params.get("user").unwrap_or_default().to_owned();
            params.values.insert("dbname", user);
        }
        if params.get("password").is_none() {
            params.values.remove("password");
        }
        Ok(params)
    }

    /// The value of a setting. An empty value counts as not given.
    pub(super) fn get(&self, keyword: &str) -> Option<&str> {
        self.values
            .get(keyword)
            .map(String::as_str)
            .filter(|value| !value.is_empty())
    }

    /// The values of a comma-separated list.
    pub(super) fn list(&self, keyword: &str) -> Vec<&str> {
        self.get(keyword)
            .map_or_else(Vec::new, |list| list.split(',').collect())
    }

    /// One of a few words; `default` if none is given.
    pub(super) fn choice<T: Copy>(&self, keyword: &'static str, choices: &[(&str, T)], default: T) -> Result<T> {
        let Some(given) = self.get(keyword) else {
            return Ok(default);
        };
        if let Some((_, choice)) = choices.iter().find(|(word, _)| *word == given) {
            return Ok(*choice);
        }
        let words: Vec<&str> = choices.iter().map(|(word, _)| *word).collect();
        Err(Error::new(
            ErrorKind::Configuration,
            format!(
                "{keyword} of the database connection must be one of {}",
                words.join(", ")
            ),
        ))
    }

    /// A number, if one is given.
    pub(super) fn number<T: FromStr>(&self, keyword: &'static str) -> Result<Option<T>> {
        let Some(given) = self.get(keyword) else {
            return Ok(None);
        };
        match given.trim().parse() {
            Ok(number) => Ok(Some(number)),
            Err(_) => Err(Error::new(
                ErrorKind::Configuration,
                format!("{keyword} of the database connection is not a number"),
            )),
        }
    }

    /// The file with that name in `~/.postgresql`, if it exists.
    pub(super) fn default_file(&self, name: &str) -> Option<PathBuf> {
        let file = self.home.as_ref()?.join(".postgresql").join(name);
        file.is_file().then_some(file)
    }

    /// The password for a host, given directly or in the password file.
    pub(super) fn password(&self, host: &str, port: u16) -> Result<Option<String>> {
        if let Some(password) = self.get("password") {
            return Ok(Some(password.to_owned()));
        }
        let file = match self.get("passfile") {
            Some(file) => PathBuf::from(file),
            None => match &self.home {
                Some(home) => home.join(".pgpass"),
                None => return Ok(None),
            },
        };
        let port = port.to_string();
        let asked = [
            host,
            &port,
            self.get("dbname").unwrap_or_default(),
            self.get("user").unwrap_or_default(),
        ];
        Ok(passfile::look_up(&file, asked))
    }
}

/// Without the password.
impl fmt::Debug for Params {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = self.values.iter().filter(|(keyword, _)| **keyword != "password");
        f.debug_map().entries(shown).finish()
    }
}

/// The error for a setting that is not supported.
fn unsupported(name: &str) -> Error {
    Error::new(
        ErrorKind::Configuration,
        format!("the connection setting {name} is not supported"),
    )
    .hint("remove it, if the connection is safe without it")
}

/// The error when no host is given.
fn no_host(service: bool) -> Error {
    Error::new(ErrorKind::Configuration, "no database host is given").hint(match service {
        true => "name it in the database URL or set PGHOST; service files and PGSERVICE are not supported",
        false => "name it in the database URL (postgresql://user@host:5432/database), or set PGHOST",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, environment: &[(&str, &str)]) -> Result<Params> {
        Params::read(text, &|variable| {
            let found = environment.iter().find(|(name, _)| *name == variable);
            found.map(|(_, value)| OsString::from(value))
        })
    }

    #[test]
    fn the_url_wins_over_the_environment() {
        let environment = [
            ("PGHOST", "other"),
            ("PGHOSTADDR", "10.0.0.1"),
            ("PGPORT", "6000"),
            ("PGUSER", "nobody"),
            ("PGDATABASE", "shop"),
            ("PGSSLMODE", "require"),
        ];
        let params = read("postgresql://me@here?sslmode=disable", &environment).unwrap();
        let of = |keyword| params.get(keyword);
        assert_eq!(
            (of("host"), of("hostaddr"), of("port")),
            (Some("here"), None, Some("6000"))
        );
        assert_eq!((of("user"), of("dbname")), (Some("me"), Some("shop")));
        assert_eq!(of("sslmode"), Some("disable"));
        let params = read("", &environment).unwrap();
        assert_eq!(
            (params.get("host"), params.get("sslmode")),
            (Some("other"), Some("require"))
        );
        assert_eq!(params.get("hostaddr"), Some("10.0.0.1"));
    }

    #[test]
    fn the_database_is_that_of_the_user_where_none_is_named() {
        let params = read("postgresql://me@h", &[]).unwrap();
        assert_eq!(params.get("dbname"), Some("me"));
        let params = read("postgresql://h", &[]).unwrap();
        assert_eq!(params.get("dbname"), params.get("user"));
        assert!(params.get("user").is_some());
    }

    #[test]
    fn unsupported_settings_are_refused() {
        for (text, environment) in [
            ("", &[][..]),
            ("postgresql:///d", &[]),
            ("", &[("PGSERVICE", "x")]),
            ("postgresql://h?sslcrl=/x", &[]),
            ("postgresql://h", &[("PGSSLCRL", "/x")]),
            ("postgresql://h?nonsense=canary", &[]),
            ("postgresql://u@h?password=a&canary=1", &[]),
        ] {
            let err = read(text, environment).unwrap_err();
            assert_eq!(err.kind(), ErrorKind::Configuration, "{text}");
            assert!(!err.report().contains("canary"), "{}", err.report());
        }
    }

    #[test]
    fn the_password_is_not_shown() {
        let params = read("postgresql://u:canary@h", &[]).unwrap();
        assert_eq!(params.password("h", 5432).unwrap().as_deref(), Some("canary"));
        assert!(!format!("{params:?}").contains("canary"));
    }
}
