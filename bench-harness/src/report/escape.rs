//! Text out of a result, made harmless where it is shown: whoever reads a result need not trust it.

use std::borrow::Cow;

/// For terminals: control characters, which could move the cursor or worse, become `�`.
pub(crate) fn plain(text: &str) -> Cow<'_, str> {
    if text.chars().any(char::is_control) {
        text.chars().map(|c| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c }).collect()
    } else {
        text.into()
    }
}

/// For Markdown: nothing in it is markup, and it stays in its cell.
pub(crate) fn markdown(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in plain(text).chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '~' | '#' | '!' => {
                escaped.extend(['\\', character]);
            }
            other => escaped.push(other),
        }
    }
    escaped
}

/// For a cell of CSV, which quotes for itself: a spreadsheet takes it for text and not for a formula.
pub(crate) fn csv(text: &str) -> Cow<'_, str> {
    let text = plain(text);
    if text.starts_with(['=', '+', '-', '@']) { format!("'{text}").into() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_reach_nobody() {
        assert_eq!(plain("a\x1b[2Jb\r\n"), "a�[2Jb��");
        assert_eq!(markdown("a\nb"), "a�b");
        assert_eq!(csv("a\tb"), "a�b");
        assert_eq!(plain("µ-2vcpu"), "µ-2vcpu");
    }

    #[test]
    fn markup_and_formulas_are_text() {
        assert_eq!(markdown("<b>|`x`"), "&lt;b&gt;\\|\\`x\\`");
        assert_eq!(markdown("[a](b)"), "\\[a\\](b)");
        assert_eq!(csv("=1+1"), "'=1+1");
        assert_eq!(csv("c7i.large"), "c7i.large");
    }
}
