//! Answers side by side: one column a lane, drawn anew with every event.

use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

use unicode_width::UnicodeWidthChar;

use super::answer::{Answer, Answers};

/// Columns narrower than this are not worth reading; then the lanes stand one below the other.
const NARROWEST_COLUMN: usize = 24;
/// Between two drawings.
const FRAME: Duration = Duration::from_millis(40);

/// The part of the terminal that the answers take.
pub(super) struct Panes {
    width: usize,
    height: usize,
    drawn_lines: usize,
    drawn_at: Option<Instant>,
}

impl Panes {
    /// None where the output is no terminal.
    pub(super) fn for_terminal() -> Option<Self> {
        let stdout = io::stdout();
        if !stdout.is_terminal() {
            return None;
        }
        let size = rustix::termios::tcgetwinsize(&stdout).ok()?;
        let (width, height) = (usize::from(size.ws_col), usize::from(size.ws_row));
        (width >= NARROWEST_COLUMN && height >= 4).then_some(Self {
            width,
            height,
            drawn_lines: 0,
            drawn_at: None,
        })
    }

    /// Draws the newest lines that fit the screen, unless it has just done so.
    pub(super) fn draw(&mut self, answers: &Answers) -> io::Result<()> {
        if self.drawn_at.is_some_and(|at| at.elapsed() < FRAME) {
            return Ok(());
        }
        self.drawn_at = Some(Instant::now());
        let lines = self.lines(answers);
        let skip = lines.len().saturating_sub(self.height - 1);
        self.replace(&lines[skip..])
    }

    /// Draws all lines: what did not fit scrolls up and stays readable.
    pub(super) fn finish(&mut self, answers: &Answers) -> io::Result<()> {
        let lines = self.lines(answers);
        self.replace(&lines)
    }

    fn replace(&mut self, lines: &[String]) -> io::Result<()> {
        let mut out = io::stdout().lock();
        if self.drawn_lines > 0 {
            write!(out, "\x1b[{}A", self.drawn_lines)?;
        }
        write!(out, "\r\x1b[J")?;
        for line in lines {
            writeln!(out, "{line}")?;
        }
        self.drawn_lines = lines.len();
        out.flush()
    }

    fn lines(&self, answers: &Answers) -> Vec<String> {
        let count = answers.lanes.len().max(1);
        let column = (self.width + 1) / count - 1;
        if column < NARROWEST_COLUMN {
            let wide = self.width - 1;
            return answers.lanes.iter().flat_map(|answer| column_lines(answer, wide)).collect();
        }
        let columns: Vec<_> = answers.lanes.iter().map(|answer| column_lines(answer, column)).collect();
        let rows = columns.iter().map(Vec::len).max().unwrap_or(0);
        let cell = |lines: &Vec<String>, row: usize| pad(lines.get(row).map_or("", String::as_str), column);
        (0..rows)
            .map(|row| {
                columns
                    .iter()
                    .map(|lines| cell(lines, row))
                    .collect::<Vec<_>>()
                    .join("│")
                    .trim_end()
                    .to_owned()
            })
            .collect()
    }
}

fn column_lines(answer: &Answer, width: usize) -> Vec<String> {
    let mut lines = wrap(&format!("── {} ", answer.model), width);
    if answer.text.is_empty() && !answer.reasoning.is_empty() {
        lines.extend(wrap(&format!("(thinking) {}", answer.reasoning), width));
    }
    lines.extend(wrap(&answer.text, width));
    if !answer.end.is_empty() {
        lines.extend(wrap(&format!("[{}]", answer.end), width));
    }
    lines
}

/// Breaks a text into lines of a width in terminal cells, at blanks where it can. Control characters, with which an
/// answer could move the cursor, are left out.
fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    for paragraph in text.split('\n') {
        let (mut line, mut line_width, mut last_blank) = (String::new(), 0, None);
        for c in paragraph.replace('\t', "    ").chars().filter(|c| !c.is_control()) {
            let cells = c.width().unwrap_or(0);
            if line_width + cells > width {
                let rest: String = match last_blank {
                    Some(blank) => line.split_off(blank),
                    None => String::new(),
                };
                lines.push(std::mem::replace(&mut line, rest.trim_start().to_owned()));
                line_width = line.chars().filter_map(UnicodeWidthChar::width).sum();
                last_blank = None;
            }
            if c == ' ' {
                last_blank = Some(line.len());
            }
            line.push(c);
            line_width += cells;
        }
        lines.push(line);
    }
    lines
}

fn pad(line: &str, width: usize) -> String {
    let cells: usize = line.chars().filter_map(UnicodeWidthChar::width).sum();
    format!("{line}{}", " ".repeat(width.saturating_sub(cells)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_break_at_blanks_and_count_cells_not_bytes() {
        assert_eq!(wrap("the quick brown fox", 10), ["the quick", "brown fox"]);
        assert_eq!(wrap("漢字漢字", 4), ["漢字", "漢字"]);
        assert_eq!(wrap("abcdefgh", 3), ["abc", "def", "gh"]);
        assert_eq!(wrap("a\x1b[2Jb\r", 10), ["a[2Jb"]);
        assert_eq!(pad("ö", 3), "ö  ");
    }
}
