//! A tutorial, from a first pipeline to windows and joins.
//!
//! This module has nothing but text. Each program in it is complete, and is run with its assertions by the tests of this crate.
//!
//! 1. [A first pipeline](#a-first-pipeline)
//! 2. [Records of your own](#records-of-your-own)
//! 3. [Rejects](#rejects)
//! 4. [Transforms](#transforms)
//! 5. [Resuming](#resuming)
//! 6. [Writing files](#writing-files)
//! 7. [Running continuously, and progress](#running-continuously-and-progress)
//! 8. [Windows](#windows)
//! 9. [State by key](#state-by-key)
//! 10. [Joins](#joins)
//! 11. [Testing a pipeline](#testing-a-pipeline)
//!
//! The programs need this in `Cargo.toml`:
//!
//! ```toml
//! [dependencies]
//! ecom-stream = "0.1"
//! tokio = { version = "1", features = ["macros", "rt-multi-thread"] }
//! tempfile = "3" # for the directories of this tutorial
//!
//! [dev-dependencies]
//! ecom-stream = { version = "0.1", features = ["testing"] }
//! ```
//!
#![doc = include_str!("first_pipeline.md")]
#![doc = include_str!("own_records.md")]
#![doc = include_str!("rejects.md")]
#![doc = include_str!("transforms.md")]
#![doc = include_str!("resuming.md")]
#![doc = include_str!("writing_files.md")]
#![doc = include_str!("continuous.md")]
#![doc = include_str!("windows.md")]
#![doc = include_str!("state_by_key.md")]
#![doc = include_str!("joins.md")]
#![doc = include_str!("testing.md")]
