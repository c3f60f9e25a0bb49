//! Welch's t-test of whether two samples have the same mean.

/// The t statistic of two samples with whatever variances: the difference of their means in units of
/// its standard error. Positive if `a` has the greater mean.
///
/// # Panics
/// If a sample has fewer than two values.
pub fn t(a: &[f64], b: &[f64]) -> f64 {
    let ((mean_a, error_a), (mean_b, error_b)) = (moments(a), moments(b));
    let difference = mean_a - mean_b;
    if difference == 0.0 { 0.0 } else { difference / (error_a + error_b).sqrt() }
}

/// The mean, and the square of its standard error.
fn moments(sample: &[f64]) -> (f64, f64) {
    assert!(sample.len() >= 2, "a sample of {} has no variance", sample.len());
    let count = sample.len() as f64;
    let mean = sample.iter().sum::<f64>() / count;
    let squares = sample.iter().map(|value| (value - mean).powi(2)).sum::<f64>();
    (mean, squares / (count - 1.0) / count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_difference_of_means_in_standard_errors() {
        // means 2 and 5, variances 1 and 4, four and three values
        let (a, b) = ([1.0, 2.0, 2.0, 3.0], [3.0, 5.0, 7.0]);
        let expected = -3.0 / (2.0 / 3.0 / 4.0 + 4.0 / 3.0_f64).sqrt();
        assert!((t(&a, &b) - expected).abs() < 1e-12);
        assert!((t(&b, &a) + expected).abs() < 1e-12);
    }

    #[test]
    fn samples_of_the_same_mean_give_zero() {
        assert_eq!(t(&[1.0, 3.0], &[2.0, 2.0]), 0.0);
        assert_eq!(t(&[7.0; 5], &[7.0; 3]), 0.0);
    }

    #[test]
    fn samples_without_variance_but_with_different_means_are_infinitely_apart() {
        assert_eq!(t(&[2.0; 3], &[1.0; 3]), f64::INFINITY);
    }
}
