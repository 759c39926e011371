//! Finds a short part of a failing program that still fails.

/// Reduces `0..length` to a few numbers for which `fails` still holds. Removes ever smaller pieces
/// (Zeller's delta debugging), and stops after 400 trials.
pub fn shrink(length: usize, mut fails: impl FnMut(&[usize]) -> bool) -> Vec<usize> {
    let mut kept: Vec<usize> = (0..length).collect();
    let mut trials = 400;
    let mut piece = length / 2;
    while piece > 0 {
        // From the end: the steps after the failure are removed first, which saves most of the time.
        let mut end = kept.len();
        let mut shorter = false;
        while end > 0 {
            let start = end.saturating_sub(piece);
            let mut without = kept.clone();
            without.drain(start..end);
            if trials == 0 {
                return kept;
            }
            trials -= 1;
            if fails(&without) {
                kept = without;
                shorter = true;
            }
            end = start;
        }
        // Repeats a size of 1 as long as it helps: some pieces can be removed only after a later one.
        if !shorter || piece > 1 {
            piece /= 2;
        }
    }
    kept
}
