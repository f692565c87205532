use super::*;
use crate::report::fixtures::{comparison, two_classes};
use crate::report::text::{TextOptions, render};

fn table_of(results: &Results, columns: usize) -> String {
    let mut out = String::new();
    table(&mut out, results, columns, Paint(false));
    out
}

#[test]
fn a_class_is_compared_line_by_line_and_in_one_sentence() {
    let results = two_classes();
    insta::assert_snapshot!(table_of(&results, 100));
    let mut out = String::new();
    super::comparison(&mut out, &results, Paint(false));
    insta::assert_snapshot!(out);
    let report = render(&results, TextOptions::default());
    assert!(report.contains("by class  ") && report.contains("sojourn by class, process against pool"), "{report}");
}

#[test]
fn one_class_has_no_table() {
    let results = comparison();
    assert_eq!(table_of(&results, 100), "");
    let mut out = String::new();
    super::comparison(&mut out, &results, Paint(false));
    assert_eq!(out, "");
}

#[test]
fn a_narrow_page_has_the_columns_that_matter_most() {
    let results = two_classes();
    for columns in [40, 60, 80, 100, 200] {
        let text = table_of(&results, columns);
        let widest = text.lines().map(width).max().unwrap_or(0);
        assert!(widest <= columns.max(60), "{columns}: {widest}\n{text}");
        assert!(text.contains("succeeded") && text.contains("sojourn p50"), "{text}");
        assert_eq!(text.contains("wait p50"), columns == 200, "{columns}\n{text}");
    }
}

#[test]
fn names_of_classes_are_cleaned_and_what_was_not_told_is_no_zero() {
    let mut results = two_classes();
    let mut workload = crate::workload::model::Workload::clone(&results.workload);
    workload.classes[0].name = "\x1b[31mred".to_owned();
    results.workload = std::sync::Arc::new(workload);
    for run in results.arms.iter_mut().flat_map(|arm| &mut arm.runs) {
        let mut other = Snapshot::clone(run);
        std::sync::Arc::make_mut(&mut other.classes)[1].cpu = None;
        *run = std::sync::Arc::new(other);
    }
    let text = table_of(&results, 200);
    assert!(!text.contains('\x1b'), "{text}");
    let slow = text.split("slow").nth(1).expect("the second class");
    assert_eq!(slow.lines().filter(|line| line.contains(NONE)).count(), 2, "{text}");
}
