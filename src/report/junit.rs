//! Results as JUnit XML, for what shows the tests of a build: a test case for each expectation, and for what must go well
//! in any case. What is too noisy to say, not measured or not asked here is skipped, with the reason; where `--strict` makes
//! an exit code of it, it is an error, and so are suspect runs.

use std::time::Duration;

use quick_junit::{NonSuccessKind, Property, Report, TestCase, TestCaseStatus, TestSuite};

use crate::analysis::expectations::{Checked, Judgement};
use crate::analysis::failing::AllFailed;
use crate::report::ending::Ending;
use crate::report::{clean, expectation};
use crate::workload::model::Workload;

/// What is told.
pub(crate) struct Told<'a> {
    pub(crate) workload: &'a Workload,
    pub(crate) stream_hash: &'a str,
    pub(crate) ending: &'a Ending,
    /// The arms, and of those that failed altogether how.
    pub(crate) arms: Vec<(&'a str, Option<AllFailed>)>,
    pub(crate) expectations: &'a [Checked],
    /// Why runs are suspect.
    pub(crate) suspect: Vec<String>,
    /// Whether what cannot be said, and runs that are suspect, are errors: the exit code is none of success then.
    pub(crate) strict: bool,
}

/// The document, with a newline at its end.
#[must_use]
pub(crate) fn text(told: &Told<'_>) -> String {
    let Told { workload, stream_hash, ending, arms, expectations, suspect, strict } = told;
    let name = clean::line(&workload.name);
    let mut suite = TestSuite::new(name.as_ref());
    suite.set_time(Duration::ZERO);
    let seed = workload.seed.to_string();
    for (key, value) in [("seed", seed.as_str()), ("workload.hash", &workload.hash), ("stream_hash", stream_hash)] {
        suite.add_property(Property::new(key, value));
    }
    let ended = ending.aborted().map(|why| failure(NonSuccessKind::Error, "aborted", &why));
    suite.add_test_case(case(&name, "every run is made", ended));
    for (arm, failed) in arms {
        let failed = failed.as_ref().map(|AllFailed { tasks, cause }| {
            failure(NonSuccessKind::Error, "all_failed", &format!("all {tasks} tasks failed: {cause}"))
        });
        suite.add_test_case(case(&format!("{name}.{arm}"), "tasks succeed", failed));
    }
    for checked in *expectations {
        let status = match &checked.judgement {
            Judgement::Holds => None,
            Judgement::Fails(_) => {
                Some(failure(NonSuccessKind::Failure, checked.judgement.word(), &expectation::sentence(checked)))
            }
            judgement if *strict && judgement.is_open() => {
                Some(failure(NonSuccessKind::Error, judgement.word(), &expectation::sentence(checked)))
            }
            Judgement::TooNoisy(_) | Judgement::NotMeasured(_) | Judgement::Skipped(_) => {
                let mut status = TestCaseStatus::skipped();
                status.set_message(expectation::sentence(checked));
                Some(status)
            }
        };
        let mut case = case(&format!("{name}.{}", checked.engines), &checked.text, status);
        let measured = expectation::measured(checked);
        if !measured.is_empty() {
            case.set_system_out(measured);
        }
        suite.add_test_case(case);
    }
    if *strict {
        let why = suspect.first().map(|first| match suspect.len() {
            1 => first.clone(),
            many => format!("{first}, and {} more", many - 1),
        });
        let status = why.map(|why| failure(NonSuccessKind::Error, "suspect", &why));
        suite.add_test_case(case(&name, "no run is suspect", status));
    }
    if !suspect.is_empty() {
        suite.set_system_err(suspect.iter().map(|why| format!("SUSPECT: {}\n", clean::line(why))).collect::<String>());
    }
    let mut report = Report::new("poolscope");
    report.add_test_suite(suite);
    // Writing to memory does not fail, and what XML cannot have is taken out of what is told.
    let mut text = report.to_string().unwrap_or_default();
    if !text.ends_with('\n') {
        text.push('\n');
    }
    text
}

fn case(class: &str, name: &str, status: Option<TestCaseStatus>) -> TestCase {
    let mut case = TestCase::new(clean::line(name).as_ref(), status.unwrap_or_else(TestCaseStatus::success));
    case.set_classname(clean::line(class).as_ref());
    // Surefire's schema asks for a time, and judging takes none.
    case.set_time(Duration::ZERO);
    case
}

fn failure(kind: NonSuccessKind, sort: &str, message: &str) -> TestCaseStatus {
    let mut status = TestCaseStatus::non_success(kind);
    status.set_type(sort).set_message(clean::line(message).as_ref());
    status
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workload::model::Unit;

    fn checked(engines: &str, judgement: Judgement) -> Checked {
        Checked {
            text: "sojourn_p99 < 250ms".to_owned(),
            engines: engines.to_owned(),
            unit: Unit::Seconds,
            measured: Some(0.312),
            ci95: Some((0.3, 0.325)),
            limit: Some(0.25),
            margin: Some(-0.248),
            runs: 5,
            judgement,
        }
    }

    #[test]
    fn hostile_names_and_every_outcome_are_read_back_by_a_parser() {
        let mut workload = crate::report::fixtures::workload();
        workload.name = "a<b> & \"c\" ]]> \u{1b}[31m \u{0} \u{ffff}".to_owned();
        let hostile = "p<ool>'\"&\u{7}".to_owned();
        let all = [
            Judgement::Holds,
            Judgement::Fails("in 2 of 5 runs".to_owned()),
            Judgement::TooNoisy("why <not>".to_owned()),
            Judgement::NotMeasured(String::new()),
            Judgement::Skipped("not here".to_owned()),
        ]
        .map(|judgement| checked(&hostile, judgement));
        let failed = AllFailed { tasks: 3, cause: "no <such> file & \u{1b}]0;x\u{7}".to_owned() };
        let told = |strict| Told {
            workload: &workload,
            stream_hash: "0123",
            ending: &Ending::Stopped(Some(2)),
            arms: vec![(&hostile, Some(failed.clone())), ("good", None)],
            expectations: &all,
            suspect: vec!["pool: other load <&>".to_owned()],
            strict,
        };
        let strict = text(&told(true));
        let read = Report::deserialize_from_str(&strict).expect("JUnit XML");
        let suite = &read.test_suites[0];
        let skipped = strict.matches("<skipped").count();
        // Too noisy, not measured and suspect are errors then; what is not asked here stays none.
        assert_eq!((suite.tests, suite.failures, suite.errors, skipped), (9, 1, 5, 1), "{strict}");
        let text = text(&told(false));
        assert!(!text.contains(|c: char| c.is_control() && c != '\n'), "{text:?}");
        let read = Report::deserialize_from_str(&text).expect("JUnit XML");
        let suite = &read.test_suites[0];
        let counts = (suite.tests, suite.failures, suite.errors, text.matches("<skipped").count());
        assert_eq!((suite.test_cases.len(), counts), (8, (8, 1, 2, 3)));
        // As maven-surefire-plugin's surefire-test-report.xsd has it: a time everywhere, and no type of what was skipped.
        let with = |tag: &str| text.lines().filter(move |line| line.trim_start().starts_with(tag)).collect::<Vec<_>>();
        let (suites, cases) = (with("<testsuite "), with("<testcase "));
        assert!(suites.iter().chain(&cases).all(|line| line.contains(" time=\"0.000\"")), "{text}");
        assert!(cases.len() == 8 && with("<skipped").iter().all(|line| !line.contains(" type=")), "{text}");
        let message = text.lines().find(|line| line.contains("<failure")).expect("a failure");
        assert!(
            message.contains("FAILS: in 2 of 5 runs (312 ms (300 ms–325 ms), 25 % beyond the limit, 5 runs)"),
            "{message}"
        );
    }
}
