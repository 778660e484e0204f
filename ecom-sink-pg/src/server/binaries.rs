//! Finding the installed programs of a PostgreSQL server.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::error::{Problem, ServerError};

/// Names the directory of `postgres` and `initdb`, before any other.
const OVERRIDE: &str = "ECOM_PG_BIN";

/// Directories with one subdirectory per version, and how its name begins.
const VERSIONED: [(&str, &str); 7] = [
    ("/usr/lib/postgresql", ""),
    ("/usr", "pgsql-"),
    ("/usr/lib", "postgresql"),
    ("/opt/homebrew/opt", "postgresql@"),
    ("/usr/local/opt", "postgresql@"),
    ("/home/linuxbrew/.linuxbrew/opt", "postgresql@"),
    ("/Applications/Postgres.app/Contents/Versions", ""),
];

/// Directories with the programs of one version.
const PLAIN: [&str; 2] = ["/usr/bin", "/usr/local/pgsql/bin"];

/// The programs of one installed server.
#[derive(Debug, Clone)]
pub(super) struct Binaries {
    dir: PathBuf,
    version: String,
}

impl Binaries {
    /// The path of one program.
    pub(super) fn program(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// The directory of the programs.
    #[cfg(feature = "download")]
    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    /// The version in full, such as `15.13`.
    pub(super) fn version(&self) -> &str {
        &self.version
    }

    /// The version as a data directory names it, such as `15` or `9.6`.
    pub(super) fn major(&self) -> &str {
        let parts = if self.version.starts_with("9.") { 2 } else { 1 };
        let end = self.version.match_indices('.').nth(parts - 1);
        &self.version[..end.map_or(self.version.len(), |(at, _)| at)]
    }

    /// The programs in a directory, if they are there and can be executed.
    pub(super) fn in_dir(dir: &Path) -> Option<Self> {
        if !dir.join("initdb").is_file() {
            return None;
        }
        let printed = printed(&dir.join("postgres"), "--version")?;
        // "postgres (PostgreSQL) 15.13 (Debian 15.13-0+deb12u1)", "… 18beta1"
        let version = printed.split_whitespace().nth(2)?;
        let end = version.find(|c: char| c != '.' && !c.is_ascii_digit());
        let version = &version[..end.unwrap_or(version.len())];
        (!version.is_empty()).then(|| Self {
            dir: dir.to_owned(),
            version: version.to_owned(),
        })
    }
}

/// Where to look.
#[derive(Debug, Default)]
pub(super) struct Search {
    only: Option<PathBuf>,
    path: Option<OsString>,
    usual: Vec<PathBuf>,
}

impl Search {
    /// Looks in `only`, or in all places this machine may have programs in.
    pub(super) fn new(only: Option<PathBuf>) -> Self {
        let named = env::var_os(OVERRIDE).filter(|dir| !dir.is_empty());
        Self {
            only: only.or(named.map(PathBuf::from)),
            path: env::var_os("PATH"),
            usual: VERSIONED
                .iter()
                .flat_map(|(parent, prefix)| newest_first(Path::new(parent), prefix))
                .chain(PLAIN.iter().map(PathBuf::from))
                .collect(),
        }
    }

    /// Whether one directory is named, so that no other programs may be used.
    #[cfg(feature = "download")]
    pub(super) fn is_limited(&self) -> bool {
        self.only.is_some()
    }

    /// The first programs found, or those for `data` made by version `major`.
    pub(super) fn find(&self, made_by: Option<(&Path, &str)>) -> Result<Binaries, ServerError> {
        if let Some(dir) = &self.only
            && Binaries::in_dir(dir).is_none()
        {
            return Err(Problem::NotBinaries { dir: dir.clone() }.into());
        }
        let mut others = Vec::<Binaries>::new();
        for dir in self.dirs() {
            if others.iter().any(|seen| seen.dir == dir) {
                continue;
            }
            let Some(found) = Binaries::in_dir(&dir) else {
                continue;
            };
            if made_by.is_none_or(|(_, major)| found.major() == major) {
                return Ok(found);
            }
            others.push(found);
        }
        match made_by {
            Some((data, major)) if !others.is_empty() => Err(Problem::Version {
                data: data.to_owned(),
                wanted: major.to_owned(),
                found: listed(&others),
            }
            .into()),
            _ => Err(Problem::NotInstalled.into()),
        }
    }

    /// The directories to look in, in order.
    fn dirs(&self) -> Vec<PathBuf> {
        if let Some(dir) = &self.only {
            return vec![dir.clone()];
        }
        let path = self.path.clone().unwrap_or_default();
        let on_path = || env::split_paths(&path);
        let mut dirs = Vec::new();
        for dir in on_path() {
            // PATH often holds links to single programs; the others are
            // beside the program itself.
            if let Ok(program) = dir.join("postgres").canonicalize() {
                dirs.extend(program.parent().map(Path::to_owned));
            }
        }
        if let Some(config) = on_path().map(|dir| dir.join("pg_config")).find(|p| p.is_file())
            && let Some(dir) = printed(&config, "--bindir")
        {
            dirs.push(dir.trim_end().into());
        }
        dirs.extend(self.usual.iter().cloned());
        dirs
    }
}

/// The versions that were found, for messages.
pub(super) fn listed(all: &[Binaries]) -> String {
    let all = all
        .iter()
        .map(|one| format!("{} in {}", one.version, one.dir.display()));
    all.collect::<Vec<_>>().join(", ")
}

/// What a program prints, if it succeeds.
fn printed(program: &Path, option: &str) -> Option<String> {
    let output = Command::new(program).arg(option).stdin(Stdio::null()).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then_some(text)
}

/// The subdirectories `bin` of all versions, the newest first.
pub(super) fn newest_first(parent: &Path, prefix: &str) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(parent) else {
        return Vec::new();
    };
    let mut found: Vec<(Vec<u32>, PathBuf)> = entries
        .flatten()
        .filter_map(|entry| {
            let name = entry.file_name();
            let version = name.to_str()?.strip_prefix(prefix)?;
            let version: Result<_, _> = version.split('.').map(str::parse).collect();
            Some((version.ok()?, entry.path().join("bin")))
        })
        .collect();
    found.sort_by(|a, b| b.cmp(a));
    found.into_iter().map(|(_, dir)| dir).collect()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::super::error::ServerErrorKind;
    use super::*;

    fn install(dir: &Path, version: &str) {
        fs::create_dir_all(dir).unwrap();
        for name in ["postgres", "initdb"] {
            let script = format!("#!/bin/sh\necho 'postgres (PostgreSQL) {version} (Test)'\n");
            fs::write(dir.join(name), script).unwrap();
            fs::set_permissions(dir.join(name), fs::Permissions::from_mode(0o755)).unwrap();
        }
    }

    #[test]
    fn the_installed_server_is_found() {
        let found = match Search::new(None).find(None) {
            Ok(found) => found,
            // The tests work with programs that are fetched, too.
            Err(err) => return assert_eq!(err.kind(), ServerErrorKind::NotInstalled),
        };
        assert!(found.program("postgres").is_file());
        assert!(found.program("initdb").is_file());
        assert!(found.version().starts_with(found.major()));
    }

    #[test]
    fn a_link_on_the_path_leads_to_its_siblings() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path().canonicalize().unwrap();
        install(&root.join("real"), "16.2");
        fs::create_dir(root.join("links")).unwrap();
        symlink(root.join("real/postgres"), root.join("links/postgres")).unwrap();
        let search = Search {
            path: Some(root.join("links").into()),
            ..Search::default()
        };
        let found = search.find(None).unwrap();
        assert_eq!(found.program("initdb"), root.join("real/initdb"));
        assert_eq!((found.version(), found.major()), ("16.2", "16"));
    }

    #[test]
    fn the_newest_is_preferred_and_the_matching_one_chosen() {
        let root = tempfile::tempdir().unwrap();
        for version in ["9.6.24", "10.1", "18beta1"] {
            let major = version.trim_end_matches("beta1").trim_end_matches(".24");
            install(
                &root
                    .path()
                    .join(format!("pgsql-{}", major.trim_end_matches(".1")))
                    .join("bin"),
                version,
            );
        }
        fs::create_dir(root.path().join("pgsql-latest")).unwrap();
        let search = Search {
            usual: newest_first(root.path(), "pgsql-"),
            ..Search::default()
        };
        assert_eq!(search.find(None).unwrap().major(), "18");
        let data = Path::new("/some/data");
        for major in ["9.6", "10", "18"] {
            assert_eq!(search.find(Some((data, major))).unwrap().major(), major);
        }
        let error = search.find(Some((data, "12"))).unwrap_err();
        assert_eq!(error.kind(), ServerErrorKind::VersionMismatch);
        let text = error.to_string();
        for part in ["/some/data", "PostgreSQL 12", "9.6.24 in ", "10.1 in "] {
            assert!(text.contains(part), "{part} is not in: {text}");
        }
    }

    #[test]
    fn without_a_server_the_message_says_what_to_install() {
        let error = Search::default().find(None).unwrap_err();
        assert_eq!(error.kind(), ServerErrorKind::NotInstalled);
        let text = error.to_string();
        for part in [
            "apt-get install postgresql",
            "dnf install postgresql-server",
            "brew install postgresql@17",
            "docker run",
            "DATABASE_URL=postgresql://",
        ] {
            assert!(text.contains(part), "{part} is not in: {text}");
        }
    }

    #[test]
    fn a_named_directory_without_programs_is_refused() {
        let empty = tempfile::tempdir().unwrap();
        let search = Search::new(Some(empty.path().to_owned()));
        let error = search.find(None).unwrap_err();
        assert_eq!(error.kind(), ServerErrorKind::NotInstalled);
        assert!(error.to_string().contains(&empty.path().display().to_string()));
    }
}
