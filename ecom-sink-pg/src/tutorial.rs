//! A tutorial, from rows of a type of your own to several tables in one transaction.
//!
#![doc = include_str!("tutorial.md")]
