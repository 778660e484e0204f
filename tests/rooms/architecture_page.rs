//! Reads ARCHITECTURE.md: the listing of rooms and files, and the floors of each crate.

use std::fs;
use std::path::Path;

/// The code blocks of the page that are marked as `text`.
pub(crate) fn blocks(root: &Path) -> Vec<String> {
    let page = fs::read_to_string(root.join("ARCHITECTURE.md")).unwrap();
    let parts = page.split("```").skip(1).step_by(2);
    parts
        .filter_map(|block| block.strip_prefix("text\n"))
        .map(str::to_owned)
        .collect()
}

/// The stacks of a crate, each with its floors from the lowest to the highest, each with its rooms. Rooms of the same floor, or of
/// different stacks, use nothing of each other.
pub(crate) fn floors(root: &Path, crate_name: &str) -> Vec<Vec<Vec<String>>> {
    let blocks = blocks(root);
    let lines = blocks
        .iter()
        .filter(|block| block.contains('←'))
        .flat_map(|block| block.lines());
    lines
        .filter_map(|line| line.split_once(' '))
        .filter(|(of, _)| *of == crate_name)
        .map(|(_, floors)| floors.split('←').map(rooms_of_floor).collect())
        .collect()
}

fn rooms_of_floor(floor: &str) -> Vec<String> {
    floor.split(',').map(|room| room.trim().to_owned()).collect()
}

/// The files and directories that the listing has for `src`, as paths below it. Directories end with a slash.
pub(crate) fn listed(root: &Path, src: &str) -> Vec<String> {
    let blocks = blocks(root);
    let listing = blocks
        .iter()
        .find(|block| block.contains(&format!("{src}/\n")))
        .expect(src);
    let lines = listing.lines().skip_while(|line| *line != format!("{src}/")).skip(1);
    let mut listed = Vec::new();
    let mut room = String::new();
    for line in lines.take_while(|line| line.starts_with(' ')) {
        let depth = line.len() - line.trim_start().len();
        let names = line.trim_start().split("  ").next().unwrap_or_default();
        for name in names.split(", ") {
            match depth {
                2 => {
                    room = name.to_owned();
                    listed.push(name.to_owned());
                }
                _ => listed.push(format!("{room}{name}")),
            }
        }
    }
    listed
}
