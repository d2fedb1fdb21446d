//! Takes the largest rectangle that is left, again and again.

use super::{
    MAX_SIDE,
    bits::Bits,
    matrix::{Block, Matrix},
};

/// The most words of bits that are looked at. That takes seconds at worst, whatever the input. What is left then is taken
/// column by column.
const EFFORT: usize = 60_000_000;

/// Takes the largest rectangle that can be found, of a size that AWS takes, until nothing is left.
pub(super) fn largest_first(matrix: &Matrix) -> Vec<Block> {
    let mut left = matrix.columns.clone();
    let mut blocks = Vec::new();
    let mut effort = EFFORT;
    while left.iter().any(|column| !column.is_empty()) {
        let Some((rows, columns)) = largest(&left, &mut effort) else {
            blocks.extend(left.iter().enumerate().filter(|(_, rows)| !rows.is_empty()).map(
                |(column, rows)| Block {
                    rows: rows.iter().collect(),
                    columns: vec![column],
                },
            ));
            break;
        };
        let block = one_start_of(&left, &rows, columns);
        for &column in &block.columns {
            if let Some(column) = left.get_mut(column) {
                block.rows.iter().for_each(|&row| column.remove(row));
            }
        }
        blocks.push(block);
    }
    blocks
}

/// The rectangle of which one start covers most. The search begins at each column, and adds the column with which the
/// most rows are shared, as long as there is one. The best rectangle on the way is taken.
fn largest(left: &[Bits], effort: &mut usize) -> Option<(Bits, Vec<usize>)> {
    let mut best: Option<((usize, usize), Bits, Vec<usize>)> = None;
    for (seed, column) in left.iter().enumerate().filter(|(_, rows)| !rows.is_empty()) {
        let mut rows = column.clone();
        let mut columns = vec![seed];
        loop {
            let (n, m) = (rows.len(), columns.len());
            let score = (n.min(MAX_SIDE) * m.min(MAX_SIDE), n * m);
            if best.as_ref().is_none_or(|(highest, ..)| score > *highest) {
                best = Some((score, rows.clone(), columns.clone()));
            }
            *effort = effort.checked_sub(left.len() * rows.words())?;
            let next = left
                .iter()
                .enumerate()
                .filter(|(column, _)| !columns.contains(column))
                .map(|(column, other)| (rows.common(other), std::cmp::Reverse(column), other))
                .max_by_key(|&(common, column, _)| (common, column));
            match next {
                Some((common, std::cmp::Reverse(column), other)) if common > 0 => {
                    rows.keep(other);
                    columns.push(column);
                }
                _ => break,
            }
        }
    }
    best.map(|(_, rows, columns)| (rows, columns))
}

/// As much of a rectangle as one start takes. If it has too many rows, those are taken that the fewest of the remaining
/// columns have.
fn one_start_of(left: &[Bits], rows: &Bits, mut columns: Vec<usize>) -> Block {
    columns.sort_unstable();
    columns.truncate(MAX_SIDE);
    let mut rows: Vec<usize> = rows.iter().collect();
    if rows.len() > MAX_SIDE {
        rows.sort_by_cached_key(|&row| {
            let remaining = left.iter().filter(|column| column.contains(row)).count();
            (remaining, row)
        });
        rows.truncate(MAX_SIDE);
        rows.sort_unstable();
    }
    Block { rows, columns }
}
