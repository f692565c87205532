//! Runs of an arm that stand apart from its others, and trends over them.

use super::{Paint, label, line};
use crate::analysis::series::{Remark, remarks};
use crate::report::Results;

/// One line for each. They are told, and none is left out of the figures.
pub(super) fn of_runs(out: &mut String, results: &Results, paint: Paint) {
    for arm in &results.arms {
        for remark in remarks(&arm.runs) {
            let run = if let Remark::Outlier { run, .. } = remark { format!(", {run}") } else { String::new() };
            let word = paint.with(Paint::WARN, remark.word());
            line(out, &format!("! {}{run}: {word}: {}", label(&arm.spec), remark.sentence()));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use crate::metrics::snapshot::{RunId, Snapshot};
    use crate::report::Results;
    use crate::report::fixtures::comparison;
    use crate::report::text::{TextOptions, render};

    fn with_rates(rates: &[f64]) -> Results {
        let mut results = comparison();
        let model = Snapshot::clone(&results.arms[0].runs[0]);
        let run = |(rate, round): (&f64, u32)| {
            let run = RunId { serial: round, round, warmup: false };
            Arc::new(Snapshot { throughput_whole: *rate, run, ..model.clone() })
        };
        results.arms[0].runs = rates.iter().zip(1..).map(run).collect();
        results
    }

    #[test]
    fn outliers_and_drifts_are_told_and_counted() {
        let results = with_rates(&[100.0, 101.0, 99.0, 100.5, 60.0, 100.2]);
        let text = render(&results, TextOptions::default());
        assert!(
            text.contains("! ● pool, run 5: OUTLIER: its rate is 40 % below the mean of its other runs; it counts"),
            "{text}"
        );
        assert!(!text.contains("DRIFT"), "{text}");
        let text = render(&with_rates(&[100.0, 96.3, 93.1, 89.8, 87.2, 84.0]), TextOptions::default());
        assert!(text.contains("! ● pool: DRIFT: its rate fell by 16 % over 6 runs (p < 0.001)"), "{text}");
        assert!(!text.contains("OUTLIER"), "{text}");
    }
}
