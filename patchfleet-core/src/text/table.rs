//! Rows in aligned columns.

use std::ops::Range;

/// Rows in aligned columns, a line for each row, after `indent`. Each column is as wide as its widest cell, in
/// characters. The columns in `right` (from 0) are aligned to the right. No line ends in spaces.
#[must_use]
pub(crate) fn table<R: AsRef<[String]>>(indent: &str, rows: &[R], right: Range<usize>) -> String {
    let columns = rows
        .iter()
        .map(|row| row.as_ref().len())
        .max()
        .unwrap_or_default();
    let widths: Vec<usize> = (0..columns)
        .map(|column| {
            let cells = rows.iter().filter_map(|row| row.as_ref().get(column));
            cells.map(|cell| cell.chars().count()).max().unwrap_or_default()
        })
        .collect();
    let mut text = String::new();
    for row in rows {
        let cells = row.as_ref().iter().zip(&widths).enumerate();
        let cells = cells.map(|(column, (cell, &width))| {
            if right.contains(&column) {
                format!("{cell:>width$}")
            } else {
                format!("{cell:<width$}")
            }
        });
        let line = format!("{indent}{}", cells.collect::<Vec<_>>().join("  "));
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::table;

    #[test]
    fn a_column_is_as_wide_as_its_widest_cell_and_may_be_aligned_at_its_end() {
        let rows = [["REGION", "NODES"], ["eu-west-1", "7"]].map(|row| row.map(str::to_owned));
        assert_eq!(
            table("  ", &rows, 1..2),
            "  REGION     NODES\n  eu-west-1      7\n"
        );
    }
}
