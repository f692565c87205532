//! Escape times of the Mandelbrot set over the rectangle from -2-1.25i to 0.5+1.25i.

/// Sum of the escape times of a grid's points; a point that does not escape counts `iterations`. Every operation is IEEE
/// 754 and in a fixed order, so the sum is the same on every machine.
#[inline(never)]
pub(super) fn escape_times(width: u32, height: u32, iterations: u32) -> u64 {
    let mut sum = 0;
    for row in 0..height {
        let imaginary = -1.25 + 2.5 * f64::from(row) / f64::from(height);
        for column in 0..width {
            let real = -2.0 + 2.5 * f64::from(column) / f64::from(width);
            sum += u64::from(escape_time(real, imaginary, iterations));
        }
    }
    sum
}

fn escape_time(real: f64, imaginary: f64, iterations: u32) -> u32 {
    let (mut x, mut y) = (0.0, 0.0);
    for step in 0..iterations {
        let (xx, yy) = (x * x, y * y);
        if xx + yy > 4.0 {
            return step;
        }
        y = 2.0 * x * y + imaginary;
        x = xx - yy + real;
    }
    iterations
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_inside_never_escape_and_points_far_out_do_at_once() {
        assert_eq!(escape_time(0.0, 0.0, 1000), 1000);
        assert_eq!(escape_time(-1.0, 0.0, 1000), 1000, "in the cycle of length 2");
        assert_eq!(escape_time(2.0, 2.0, 1000), 1, "|c| > 2");
        assert_eq!(escape_times(0, 5, 10), 0);
    }
}
