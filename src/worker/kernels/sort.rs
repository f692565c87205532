//! Sorts generated numbers.

use super::{Numbers, room};
use crate::worker::work_error::WorkError;

/// Sum over the sorted list of value times place (from 1), wrapping.
#[inline(never)]
pub(super) fn checksum(n: u64, numbers: &mut Numbers) -> Result<u64, WorkError> {
    let mut list = room(n)?;
    list.extend((0..n).map(|_| numbers.next()));
    list.sort_unstable();
    Ok(weigh(&list))
}

fn weigh(list: &[u64]) -> u64 {
    list.iter().zip(1u64..).fold(0, |sum, (value, place)| sum.wrapping_add(value.wrapping_mul(place)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_that_of_the_sorted_list() {
        let mut numbers = Numbers(5);
        let mut list: Vec<u64> = (0..50).map(|_| numbers.next()).collect();
        assert_ne!(checksum(50, &mut Numbers(5)).unwrap(), weigh(&list), "the input is not sorted already");
        // Insertion sort: slow, simple, and not the one under test.
        for end in 1..list.len() {
            let mut place = end;
            while place > 0 && list[place - 1] > list[place] {
                list.swap(place - 1, place);
                place -= 1;
            }
        }
        assert_eq!(checksum(50, &mut Numbers(5)).unwrap(), weigh(&list));
    }
}
