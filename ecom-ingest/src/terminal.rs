//! Whether a stream is a terminal, and what it can show.

use std::env;
use std::ffi::OsString;
use std::io::IsTerminal;

/// Whether to print colours to this stream: it is a terminal that has them, and `NO_COLOR` is not set in the environment.
pub fn has_colors(stream: &impl IsTerminal) -> bool {
    stream.is_terminal() && may_have_colors(|name| env::var_os(name))
}

/// Whether lines of this stream can be drawn again: it is a terminal, and not a dumb one.
pub fn can_redraw(stream: &impl IsTerminal) -> bool {
    stream.is_terminal() && !is_dumb(|name| env::var_os(name))
}

/// See <https://no-color.org>: any value counts but an empty one.
fn may_have_colors(variable: impl Fn(&str) -> Option<OsString>) -> bool {
    let no_color = variable("NO_COLOR").is_some_and(|value| !value.is_empty());
    !no_color && !is_dumb(variable)
}

/// A terminal that only appends characters, such as that of an editor.
fn is_dumb(variable: impl Fn(&str) -> Option<OsString>) -> bool {
    variable("TERM").is_some_and(|term| term == "dumb")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_color_and_dumb_terminals_are_respected() {
        let set = |variables: &'static [(&str, &str)]| {
            move |name: &str| {
                let found = variables.iter().find(|(known, _)| *known == name);
                found.map(|(_, value)| OsString::from(value))
            }
        };
        for (variables, colors, redraws) in [
            (&[][..], true, true),
            (&[("TERM", "xterm"), ("NO_COLOR", "")], true, true),
            (&[("TERM", "xterm"), ("NO_COLOR", "1")], false, true),
            (&[("TERM", "xterm"), ("NO_COLOR", "0")], false, true),
            (&[("TERM", "dumb")], false, false),
        ] {
            assert_eq!(may_have_colors(set(variables)), colors, "{variables:?}");
            assert_eq!(!is_dumb(set(variables)), redraws, "{variables:?}");
        }
    }
}
