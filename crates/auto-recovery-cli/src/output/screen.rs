//! The terminal as the moving line draws on it.

use std::io;
use std::sync::Mutex;

use auto_recovery::mutex;
use indicatif::TermLike;

use crate::output::reader::to_stderr;

/// Columns that stay free behind the line. What somebody types is shown there, `^C` for one: at the
/// end of the terminal's line it would be on the next, and the moving line would stay above it.
const FREE_COLUMNS: u16 = 3;

/// The terminal that stderr is.
#[derive(Debug)]
pub(super) struct Screen {
    columns: u16,
    /// What is drawn next.
    drawn: Mutex<String>,
}

impl Screen {
    /// A terminal of `columns`.
    pub(super) fn new(columns: u16) -> Self {
        Self {
            columns: columns.saturating_sub(FREE_COLUMNS).max(1),
            drawn: Mutex::default(),
        }
    }

    fn push(&self, text: &str) -> io::Result<()> {
        mutex::lock(&self.drawn).push_str(text);
        Ok(())
    }

    /// Moves the cursor by `count` to where `letter` says.
    fn move_cursor(&self, count: usize, letter: char) -> io::Result<()> {
        match count {
            0 => Ok(()),
            count => self.push(&format!("\x1b[{count}{letter}")),
        }
    }
}

impl TermLike for Screen {
    fn width(&self) -> u16 {
        self.columns
    }

    fn move_cursor_up(&self, n: usize) -> io::Result<()> {
        self.move_cursor(n, 'A')
    }

    fn move_cursor_down(&self, n: usize) -> io::Result<()> {
        self.move_cursor(n, 'B')
    }

    fn move_cursor_right(&self, n: usize) -> io::Result<()> {
        self.move_cursor(n, 'C')
    }

    fn move_cursor_left(&self, n: usize) -> io::Result<()> {
        self.move_cursor(n, 'D')
    }

    fn write_line(&self, text: &str) -> io::Result<()> {
        self.push(text)?;
        self.push("\n")
    }

    /// Writes `text`, unless it only moves the cursor to the end of the line, by blanks.
    fn write_str(&self, text: &str) -> io::Result<()> {
        match text.trim_matches(' ').is_empty() {
            true => Ok(()),
            false => self.push(text),
        }
    }

    fn clear_line(&self) -> io::Result<()> {
        self.push("\r\x1b[2K")
    }

    fn flush(&self) -> io::Result<()> {
        let drawn = std::mem::take(&mut *mutex::lock(&self.drawn));
        to_stderr(drawn.as_bytes());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cursor_stays_behind_the_text_and_the_line_leaves_room_for_what_is_typed() {
        let screen = Screen::new(80);
        assert_eq!(screen.width(), 77);
        screen.clear_line().expect("clear");
        screen.write_str("waiting").expect("write");
        screen.write_str("     ").expect("write");
        assert_eq!(*mutex::lock(&screen.drawn), "\r\x1b[2Kwaiting");
    }
}
