//! Counts primes by trial division.

/// How many primes are below `n`.
#[inline(never)]
pub(super) fn count_below(n: u64) -> u64 {
    (2..n).filter(|candidate| is_prime(*candidate)).count() as u64
}

fn is_prime(candidate: u64) -> bool {
    if candidate < 4 {
        return candidate > 1;
    }
    if candidate.is_multiple_of(2) {
        return false;
    }
    let mut divisor = 3;
    while divisor * divisor <= candidate {
        if candidate.is_multiple_of(divisor) {
            return false;
        }
        divisor += 2;
    }
    true
}

#[cfg(test)]
mod tests {
    #[test]
    fn known_values_of_the_prime_counting_function() {
        let known = [(0, 0), (2, 0), (3, 1), (10, 4), (100, 25), (1_000, 168), (10_000, 1_229)];
        for (n, count) in known {
            assert_eq!(super::count_below(n), count, "{n}");
        }
    }
}
