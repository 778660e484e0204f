//! The open connections of the page: how many there may be, and which one makes room for a new one.
//!
//! Accepting never waits. When there are as many connections as there may be, a new one replaces
//! the oldest of the client that has the most. So slow clients, however many, cost the others
//! nothing, and take a bounded amount of memory and of file descriptors.

use std::net::IpAddr;

use tokio::task::AbortHandle;

/// The connections that are being served, the oldest first.
#[derive(Debug)]
pub(super) struct Connections {
    max: usize,
    open: Vec<(IpAddr, AbortHandle)>,
}

impl Connections {
    /// None yet, and at most that many at a time.
    pub(super) fn at_most(max: usize) -> Self {
        Self {
            max: max.max(1),
            open: Vec::new(),
        }
    }

    /// Adds a connection that a task serves. If there are too many now, an older one is closed.
    pub(super) fn add(&mut self, client: IpAddr, task: AbortHandle) {
        self.open.retain(|(_, task)| !task.is_finished());
        if self.open.len() >= self.max {
            self.close_one();
        }
        self.open.push((client, task));
    }

    /// Closes the oldest connection of the client that has the most.
    pub(super) fn close_one(&mut self) {
        let of = |client: IpAddr| self.open.iter().filter(|(other, _)| *other == client).count();
        // Of those with equally many, the first one.
        let oldest = (0..self.open.len()).rev().max_by_key(|&at| of(self.open[at].0));
        if let Some(oldest) = oldest {
            let (client, task) = self.open.remove(oldest);
            tracing::debug!("a request of {client} is given up for a newer one");
            task.abort();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use tokio::task::JoinSet;

    use super::*;

    /// Adds connections of these clients, told apart by the last number of their address, and
    /// returns which of them are still open.
    async fn open_after(max: usize, clients: &[u8]) -> Vec<usize> {
        let (mut connections, mut tasks) = (Connections::at_most(max), JoinSet::new());
        let handles: Vec<_> = clients.iter().map(|_| tasks.spawn(pending::<()>())).collect();
        for (client, task) in clients.iter().zip(&handles) {
            connections.add(IpAddr::from([10, 0, 0, *client]), task.clone());
        }
        tokio::task::yield_now().await;
        (0..clients.len()).filter(|&at| !handles[at].is_finished()).collect()
    }

    #[tokio::test]
    async fn a_new_connection_replaces_the_oldest_of_the_client_with_the_most() {
        assert_eq!(open_after(3, &[1, 1, 1]).await, [0, 1, 2]);
        assert_eq!(open_after(3, &[1, 1, 1, 1]).await, [1, 2, 3]);
        // The only connection of a client stays, although it is the oldest.
        assert_eq!(open_after(3, &[1, 2, 2, 2, 2, 3]).await, [0, 4, 5]);
        assert_eq!(open_after(2, &[1, 2, 3]).await, [1, 2]);
    }

    #[tokio::test]
    async fn a_connection_that_has_ended_makes_no_other_one_close() {
        let (mut connections, mut tasks) = (Connections::at_most(2), JoinSet::new());
        let client = IpAddr::from([10, 0, 0, 1]);
        let first = tasks.spawn(pending::<()>());
        connections.add(client, first.clone());
        connections.add(client, tasks.spawn(async {}));
        tasks.join_next().await;
        connections.add(client, tasks.spawn(pending::<()>()));
        tokio::task::yield_now().await;
        assert!(!first.is_finished());
    }
}
