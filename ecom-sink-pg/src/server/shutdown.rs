//! The ways to stop a server.

/// How a server is stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Shutdown {
    /// Ends all sessions and writes everything to disk.
    Fast,
    /// Ends at once; the next start recovers from the log (WAL).
    Immediate,
    /// Kills the postmaster with `SIGKILL`, as a crash would; its sessions end
    /// when they notice, and the next start waits for that. It also removes
    /// the shared memory (about 1 MB) that is left behind until then.
    Kill,
}
