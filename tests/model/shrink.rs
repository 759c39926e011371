//! Finds a short part of a failing program that fails too.

/// Narrows `0..length` to a few numbers for which `fails` holds still. Takes away ever smaller
/// pieces (Zeller's delta debugging), and gives up after some hundred trials.
pub fn shrink(length: usize, mut fails: impl FnMut(&[usize]) -> bool) -> Vec<usize> {
    let mut kept: Vec<usize> = (0..length).collect();
    let mut trials = 400;
    let mut piece = length / 2;
    while piece > 0 {
        // From the end: what comes after the failure goes first, and with it most of the time.
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
        // Once more with the same size if that helped: a piece may have waited for a later one.
        if !shorter || piece > 1 {
            piece /= 2;
        }
    }
    kept
}
