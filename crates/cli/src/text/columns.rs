//! Columns: cells that are aligned over neighbouring lines.
//!
//! A cell is as wide as the widest of the lines directly above and below that have a cell in that place, so a
//! line without cells divides what is aligned. The last cell of a line is never padded.

use std::io::{self, Write};

/// Lines of cells.
pub(crate) struct Columns {
    min_width: usize,
    padding: usize,
    lines: Vec<Vec<String>>,
}

impl Columns {
    /// Columns of at least `min_width` characters with `padding` spaces behind each.
    pub(crate) const fn new(min_width: usize, padding: usize) -> Self {
        Self { min_width, padding, lines: Vec::new() }
    }

    /// One more line.
    pub(crate) fn line(&mut self, cells: Vec<String>) {
        self.lines.push(cells);
    }

    /// Writes all lines.
    pub(crate) fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        let widths = self.widths();
        for (cells, widths) in self.lines.iter().zip(&widths) {
            for (place, cell) in cells.iter().enumerate() {
                out.write_all(cell.as_bytes())?;
                if let Some(width) = widths.get(place) {
                    let spaces = width.saturating_sub(cell.chars().count());
                    write!(out, "{:spaces$}", "")?;
                }
            }
            out.write_all(b"\n")?;
        }
        Ok(())
    }

    /// The width of each padded cell of each line.
    fn widths(&self) -> Vec<Vec<usize>> {
        let mut widths: Vec<Vec<usize>> =
            self.lines.iter().map(|line| vec![0; line.len().saturating_sub(1)]).collect();
        let columns = widths.iter().map(Vec::len).max().unwrap_or_default();
        for column in 0..columns {
            let mut start = 0;
            while start < self.lines.len() {
                let block = widths[start..].iter().take_while(|line| column < line.len()).count();
                let lines = &self.lines[start..start + block];
                let widest = lines.iter().map(|line| line[column].chars().count()).max().unwrap_or_default();
                for line in &mut widths[start..start + block] {
                    line[column] = (widest + self.padding).max(self.min_width);
                }
                start += block + 1;
            }
        }
        widths
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(min_width: usize, lines: &[&[&str]]) -> String {
        let mut columns = Columns::new(min_width, 1);
        for line in lines {
            columns.line(line.iter().map(|cell| (*cell).to_owned()).collect());
        }
        let mut out = Vec::new();
        columns.write(&mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn cells_are_aligned_and_the_last_is_not_padded() {
        assert_eq!(
            written(1, &[&["Hash", "Size", "Name"], &["QmX", "2", "a"]]),
            "Hash Size Name\nQmX  2    a\n"
        );
        assert_eq!(written(10, &[&["Q", "2", "a"]]), "Q         2         a\n");
    }

    #[test]
    fn a_line_without_cells_divides() {
        assert_eq!(written(1, &[&["a", "x"], &["title:"], &["long", "y"]]), "a x\ntitle:\nlong y\n");
    }
}
