//! How much there is to read.

use std::path::Path;

use ecom_sink_pg::Console;

/// The bytes of the CSV files of a directory, without those that the pipeline has read before; nothing where that can't be told,
/// as of compressed files.
pub(crate) async fn bytes_to_read(input: &Path, console: &Console, pipeline: &str) -> Option<u64> {
    let mut paths = Vec::new();
    let mut bytes = 0;
    for entry in std::fs::read_dir(input).ok()?.flatten() {
        let (Ok(file), Ok(name)) = (entry.metadata(), entry.file_name().into_string()) else {
            continue;
        };
        if name.ends_with(".gz") || name.ends_with(".zst") {
            return None;
        }
        if file.is_file() && name.ends_with(".csv") && !name.starts_with('.') {
            bytes += file.len();
            paths.push(name);
        }
    }
    let read = console.bytes_read(pipeline, &paths).await.unwrap_or_default();
    Some(bytes.saturating_sub(read))
}
