//! The HTTP page of a run: metrics, health and progress.
//!
//! It is for monitoring on a trusted network: it has no password and no TLS, and answers only GET
//! and HEAD. Every connection serves one request. Clients that send or read nothing cannot keep
//! others out: see `connections`.

mod connections;
mod page;

pub use page::Page;
