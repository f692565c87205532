use std::sync::Arc;

use quick_xml::Reader;
use quick_xml::events::Event;

use super::*;
use crate::metrics::snapshot::Snapshot;
use crate::report::fixtures;
use crate::report::sweep::fixtures::sweep as swept;

/// Every element is closed, nothing but the charts' own namespace is named, and there is no script. Returns the elements.
fn well_formed(page: &str) -> Vec<String> {
    let body = page.strip_prefix("<!doctype html>\n").expect("an HTML page");
    assert!(!body.chars().any(|character| character.is_control() && character != '\n'), "control characters");
    let mut reader = Reader::from_str(body);
    reader.config_mut().check_end_names = true;
    let mut names = Vec::new();
    let mut depth = 0;
    loop {
        match reader.read_event().unwrap_or_else(|error| panic!("{error} at {}", reader.buffer_position())) {
            Event::Start(start) => {
                depth += 1;
                names.push(String::from_utf8_lossy(start.name().as_ref()).into_owned());
                for attribute in start.attributes() {
                    let attribute = attribute.expect("an attribute");
                    let key = String::from_utf8_lossy(attribute.key.as_ref()).into_owned();
                    assert!(!["src", "href", "onload", "onerror"].contains(&key.as_str()), "{key}");
                }
            }
            Event::Empty(empty) => names.push(String::from_utf8_lossy(empty.name().as_ref()).into_owned()),
            Event::End(_) => depth -= 1,
            Event::Eof => break,
            _ => {}
        }
    }
    assert_eq!(depth, 0, "every element is closed");
    assert!(!names.iter().any(|name| ["script", "img", "iframe", "link"].contains(&name.as_str())), "{names:?}");
    names
}

/// The comparison with tracks, as of runs that were watched.
fn watched() -> Results {
    let mut results = fixtures::comparison();
    for arm in &mut results.arms {
        let mut track = crate::metrics::track::Track::default();
        for place in 0..50u64 {
            let mut frame = Snapshot::clone(&arm.runs[0]);
            frame.at = crate::engine::event::Moment(place * 100_000_000);
            frame.throughput = 100.0 + place as f64;
            frame.queue.depth = 1000 - place * 20;
            for row in &mut frame.workers {
                let states = [crate::engine::event::WorkerState::Busy, crate::engine::event::WorkerState::Idle];
                row.state = states[(place as usize / 10) % 2];
            }
            track.push(Arc::new(frame));
        }
        arm.track = Arc::new(track);
    }
    results
}

#[test]
fn a_comparison_is_one_well_formed_page_with_its_charts() {
    let page = comparison(&watched());
    let names = well_formed(&page);
    let charts = names.iter().filter(|name| *name == "figure").count();
    assert_eq!(charts, 5, "throughput, queue, latency, a timeline for each arm");
    for part in ["prefers-color-scheme: dark", "@media print", "Example CPU 9000", "stream fedcba9876543210"] {
        assert!(page.contains(part), "{part}");
    }
    assert!(page.contains("pool is 3.0× as fast as process"), "the verdict in words");
    assert!(
        !page.contains("http://")
            || page.matches("http://").count() == page.matches("http://www.w3.org/2000/svg").count()
    );
}

#[test]
fn a_sweep_has_its_curve_and_nothing_at_all_is_a_page_too() {
    let names = well_formed(&sweep(&swept()));
    assert_eq!(names.iter().filter(|name| *name == "figure").count(), 1);
    let mut results = fixtures::comparison();
    results.arms.iter_mut().for_each(|arm| arm.runs.clear());
    well_formed(&comparison(&results));
    results.arms.clear();
    well_formed(&comparison(&results));
    let mut results = swept();
    results.arms.clear();
    well_formed(&sweep(&results));
}

#[test]
fn a_sweep_shows_the_law_with_its_intervals_and_where_it_may_be_trusted() {
    let mut results = swept();
    let counts = [(1, 10.0), (2, 5.2), (4, 2.8), (8, 1.9)];
    results.arms[0].tuning = Arc::new(crate::report::sweep::fixtures::tuning(&counts));
    let tuning = Arc::make_mut(&mut results.arms[0].tuning);
    (tuning.points[0].dropped, tuning.points[1].suspect) = (true, vec!["other load".to_owned()]);
    let page = sweep(&results);
    well_formed(&page);
    let fit = results.arms[0].tuning.fit.as_ref().expect("a fit");
    let law = if fit.is_lacking() { "does not hold well" } else { "holds" };
    for cell in [fit.sigma.to_string(), fit.kappa.to_string(), "1–8".to_owned(), "1–16".to_owned(), law.to_owned()]
    {
        assert!(page.contains(&format!("<td class=\"n\">{cell}</td>")), "{cell}");
    }
    assert_eq!(page.matches("<path class=\"fit ").count(), 1, "the other arm has none");
    assert!(page.contains("no fit: 3 counts were measured"), "and says why");
    assert!(
        page.contains(">dropped</td>") && page.contains(">SUSPECT</td>") && page.contains("dropped: pool ×1"),
        "{page}"
    );
    assert!(page.contains("each with its best count") || page.contains("with equal counts"), "the arms are compared");
}

#[test]
fn hostile_texts_are_texts() {
    let hostile = "<script>alert(1)</script>\"'&{{ 7*7 }}\u{1b}[2J\u{202e}</pre></svg>";
    let mut results = watched();
    let mut workload = fixtures::workload();
    (workload.title, workload.description, workload.name) = (hostile.into(), hostile.into(), hostile.into());
    workload.effective = Arc::from(format!("name: {hostile}\nother: </pre><b>\n"));
    results.workload = Arc::new(workload);
    results.arms[0].spec.name = hostile.to_owned();
    let mut run = Snapshot::clone(&results.arms[0].runs[0]);
    run.suspect = vec![hostile.to_owned()];
    results.arms[0].runs[0] = Arc::new(run);
    let page = comparison(&results);
    well_formed(&page);
    assert!(!page.contains("<script>") && !page.contains('\u{202e}') && page.contains("{{ 7*7 }}"), "{page}");
}

#[test]
fn a_sweep_of_settings_says_nothing_of_worker_counts() {
    let results = crate::report::sweep::fixtures::settings();
    let page = sweep(&results);
    well_formed(&page);
    for said in ["Throughput against chunksize", "fastest of pool: chunksize=16"] {
        assert!(page.contains(said), "{said}");
    }
    let markdown = crate::report::markdown::sweep(&results);
    let text = crate::report::sweep::text::render(&results, crate::report::text::TextOptions::default());
    assert!(markdown.contains("fastest of pool: chunksize=16"), "{markdown}");
    for page in [&page, &markdown, &text] {
        for wrong in ["only count tried", "Scalability", "against workers", "no fit", "best count", "USE"] {
            assert!(!page.contains(wrong), "{wrong}: {page}");
        }
    }
}

#[test]
fn what_was_run_otherwise_than_the_workload_says_is_told() {
    let mut results = fixtures::comparison();
    let mut workload = crate::workload::model::Workload::clone(&results.workload);
    workload.effective = Arc::from("measure:\n  repeats: 20\n");
    results.workload = Arc::new(workload);
    let page = comparison(&results);
    well_formed(&page);
    assert!(page.contains("--set measure.repeats=3"), "{page}");
}
