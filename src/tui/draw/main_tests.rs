//! The main screen says what it must, whole, and nothing that is not so.

use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;

use super::paint::written;
use super::tests::{model, picture, render, theme, ui};
use super::*;
use crate::analysis::verdict::{Finding, Unsuccessful, Verdict};
use crate::metrics::snapshot::Snapshot;
use crate::session::view::{RunPosition, SessionPhase};
use crate::tui::fixture::{self, Engine, LONG, POOL, PROCESS};
use crate::tui::keys::Action;
use crate::tui::state::Question;
use crate::tui::text;

const CLASSROOM: (u16, u16) = (80, 24);

fn shown(view: SessionView, size: (u16, u16)) -> String {
    let model = model(view);
    picture(&render(&model, &ui(&model), &theme(), size))
}

/// The text of a part of a line, without what a wide character covers.
fn text_at(buf: &Buffer, area: Rect) -> String {
    let mut out = String::new();
    let mut covered = 0;
    for x in area.x..area.right() {
        if covered > 0 {
            covered -= 1;
            continue;
        }
        let symbol = buf[(x, area.y)].symbol();
        out.push_str(symbol);
        covered = text::width(symbol).saturating_sub(1);
    }
    out
}

/// Draws and tells the texts over which something lies in the end, and from the classroom size on those that were cut
/// without a sign of it.
fn spoilt_texts(model: &Model, ui: &UiState, size: (u16, u16)) -> Vec<String> {
    let area = Rect::new(0, 0, size.0, size.1);
    let mut buf = Buffer::empty(area);
    let texts = written::during(|| draw(model, ui, &theme(), area, &mut buf));
    assert!(texts.len() > 5, "nothing was put anywhere");
    let spoilt = texts.into_iter().filter_map(|(place, words)| {
        let place = place.intersection(area);
        let words = words.trim_end();
        if text::width(words) > usize::from(place.width) || place.height == 0 {
            let classroom = size.0 >= CLASSROOM.0 && size.1 >= CLASSROOM.1;
            return (classroom && !words.is_empty()).then(|| format!("{words:?} is cut to {} columns", place.width));
        }
        let there = text_at(&buf, Rect { width: text::width(words) as u16, height: 1, ..place });
        (there.trim_end() != words).then(|| format!("{words:?} lies under {there:?}"))
    });
    spoilt.collect()
}

/// A view with long and wide names everywhere.
fn renamed(mut view: SessionView, name: &str) -> SessionView {
    for (number, arm) in view.arms.iter_mut().enumerate() {
        arm.spec.name = format!("{name}{number}");
    }
    Arc::make_mut(&mut view.workload).name = name.repeat(3);
    view
}

#[test]
fn no_text_lies_over_another_and_none_is_cut_silently() {
    let mut sizes =
        vec![(80, 24), (80, 30), (100, 30), (119, 40), (120, 36), (120, 40), (160, 45), (200, 50), (220, 70)];
    sizes.extend((40..=220).step_by(13).flat_map(|width| (10..=60).step_by(7).map(move |height| (width, height))));
    let mut spoilt = std::collections::BTreeMap::new();
    for (name, view) in fixture::every() {
        for view in [view.clone(), renamed(view.clone(), "a-name-of-a-pool-"), renamed(view, "工作者の名前")] {
            let model = model(view);
            let mut ui = ui(&model);
            for (turn, size) in sizes.iter().enumerate() {
                ui.worker = if turn % 2 == 0 { [None; 2] } else { [Some(3), Some(1)] };
                for text in spoilt_texts(&model, &ui, *size) {
                    spoilt.entry(text).or_insert((name, *size));
                }
            }
        }
    }
    assert!(spoilt.is_empty(), "{spoilt:#?}");
}

fn with_verdict(change: impl FnOnce(&mut Verdict)) -> SessionView {
    let mut view = fixture::running();
    change(&mut Arc::make_mut(&mut view.verdicts)[0]);
    view
}

#[test]
fn the_verdict_is_whole_for_every_shipped_pair_and_finding() {
    let names = [
        "pool",
        "process",
        "pool-2",
        "pool-4",
        "pool-8",
        "process-4",
        "process-8",
        "pool-chunks",
        "pool-fine",
        "pool-chunked",
    ];
    for name in names {
        for (finding, ratio, headline) in [
            (Finding::Slower, 1.0 / 3.13, " IS FASTER"),
            (Finding::Slower, 1.0 / 12.3, " IS FASTER"),
            (Finding::Slower, 1.0 / 412.0, " IS FASTER"),
            (Finding::NoClearDifference, 1.02, "NO CLEAR DIFFERENCE"),
            (Finding::TooEarly, 1.3, "TOO EARLY"),
        ] {
            let mut view = with_verdict(|verdict| {
                (verdict.finding, verdict.ratio) = (finding, Some(ratio));
                verdict.ci95 = (finding != Finding::TooEarly).then_some((ratio * 0.9, ratio * 1.1));
            });
            view.arms[0].spec.name = name.to_owned();
            let label = crate::tui::model::label(&view.arms[0]);
            let picture = shown(view, CLASSROOM);
            let headline = if headline.starts_with(' ') { format!("{label}{headline}") } else { headline.to_owned() };
            assert!(picture.contains(&headline), "{headline}\n{picture}");
            if finding == Finding::TooEarly {
                assert!(picture.contains(&format!("so far {label} 3.1×")), "{label}\n{picture}");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]
    #[test]
    fn names_give_way_and_figures_do_not(
        name in "[a-zA-Z工作負-]{1,40}",
        workers in 1_u32..500,
        ratio in 1.01..5000.0_f64,
        spread in 1.001..1.5_f64,
        pairs in 2_usize..200,
        failed in prop::option::of(0.11..1.0_f64),
        apart in any::<bool>(),
    ) {
        let (low, high) = (ratio / spread, ratio * spread);
        let mut view = fixture::unequal(workers, workers);
        view.arms[0].spec.name = name;
        let verdict = &mut Arc::make_mut(&mut view.verdicts)[0];
        (verdict.ratio, verdict.ci95, verdict.pairs) = (Some(1.0 / ratio), Some((1.0 / high, 1.0 / low)), pairs);
        verdict.apart = apart;
        verdict.unsuccessful = failed.map(|share| Unsuccessful { arm: 0, share }).into_iter().collect();
        let picture = shown(view, CLASSROOM);
        let mut wanted = vec![
            format!("95% CI {}–{}", crate::tui::format::ratio(low), crate::tui::format::ratio(high)),
            format!("n = {pairs} pairs"),
        ];
        prop_assert!(picture.contains(" IS FASTER") || picture.contains("× AS FAST"), "{picture}");
        wanted.extend((workers != 4).then(|| format!("{workers} against 4 workers")));
        wanted.extend(apart.then(|| "measured apart".to_owned()));
        wanted.extend(failed.map(|share| format!("{:.0}% unsuccessful", share * 100.0)));
        for words in wanted {
            prop_assert!(picture.contains(&words), "{words}\n{picture}");
        }
    }
}

#[test]
fn what_a_comparison_lacks_is_said_with_its_key() {
    let lacking = |pairs: usize| {
        let mut view = SessionView { phase: SessionPhase::Finished, ..fixture::finished() };
        let verdict = &mut Arc::make_mut(&mut view.verdicts)[0];
        *verdict = Verdict { pairs, ..fixture::verdict(Finding::TooEarly) };
        shown(view, CLASSROOM)
    };
    for (pairs, words) in [(1, "1 pair of runs, 3 needed"), (0, "no pair of runs, 3 needed")] {
        let picture = lacking(pairs);
        assert!(picture.contains("TOO FEW RUNS") && picture.contains(words), "{picture}");
        assert!(picture.contains("r runs again") && !picture.contains("so far"), "{picture}");
    }
}

#[test]
fn while_something_runs_nothing_is_said_not_to_run() {
    let mut view = fixture::three_arms();
    for arm in [0, 2] {
        (view.arms[arm].track, view.arms[arm].finished) = (Arc::default(), Arc::default());
    }
    for verdict in Arc::make_mut(&mut view.verdicts) {
        *verdict =
            Verdict { arm: verdict.arm, baseline: verdict.baseline, pairs: 0, ..fixture::verdict(Finding::TooEarly) };
    }
    let picture = shown(view.clone(), CLASSROOM);
    assert!(!picture.to_lowercase().contains("not run") && picture.contains("waiting for its turn"), "{picture}");
    view.phase = SessionPhase::Stopped;
    view.arms[1].live = false;
    let picture = shown(view, CLASSROOM);
    assert!(picture.contains("NOT RUN YET") && !picture.contains("waiting"), "{picture}");
}

#[test]
fn counts_are_said_where_they_are_and_where_they_will_be() {
    let picture = shown(fixture::unequal(1, 8), CLASSROOM);
    for words in ["POOL ×1 IS FASTER", "1 against 4 workers", "POOL ×1 → 8 next ●", "PROCESS ×4"] {
        assert!(picture.contains(words), "{words}\n{picture}");
    }
    assert!(!picture.contains("1/4 workers"), "{picture}");
    let picture = shown(fixture::unequal(1, 1), CLASSROOM);
    assert!(picture.contains("1 reused worker ") && !picture.contains("next"), "{picture}");
    assert!(shown(fixture::unequal(6, 8), (40, 10)).contains("→ 8 next"));
}

#[test]
fn more_than_two_arms_are_ranked() {
    for size in [CLASSROOM, (120, 40), (200, 50)] {
        let picture = shown(fixture::three_arms(), size);
        let expected = "1 pool-auto ×4 49.4/s · pool-工作-2 ×1.02";
        assert!(picture.contains(expected) && picture.contains("3 PROCESS ×4 ×0.32"), "{picture}");
        assert!(picture.contains("no clear difference") || picture.contains("unclear"), "{picture}");
    }
    let mut view = fixture::three_arms();
    let last_two =
        Arc::make_mut(&mut view.verdicts).iter_mut().find(|verdict| (verdict.arm, verdict.baseline) == (2, 1));
    last_two.unwrap().finding = Finding::NoClearDifference;
    let picture = shown(view.clone(), CLASSROOM);
    assert!(picture.contains("3 PROCESS ×4 ×0.32"), "small steps do not add up to none\n{picture}");
    view.arms[1].finished = Arc::default();
    let picture = shown(view, CLASSROOM);
    assert!(picture.contains("1 pool-auto ×4 49.4/s · 2 PROCESS ×4 ×0.32 · pool-工作-2 no run yet"), "{picture}");
    assert!(!shown(fixture::running(), CLASSROOM).contains("1 POOL"), "two are in the banner");
}

#[test]
fn a_verdict_on_suspect_runs_says_so_wherever_it_stands() {
    let mut view = fixture::finished();
    Arc::make_mut(&mut view.verdicts).iter_mut().for_each(|verdict| verdict.suspect = 1);
    for size in [CLASSROOM, (120, 40), (200, 50)] {
        let picture = shown(view.clone(), size);
        assert!(picture.contains("SUSPECT POOL ×4 IS FASTER"), "{picture}");
        assert!(picture.contains("1 of 2 pairs suspect"), "{picture}");
    }
    assert!(shown(view, (44, 10)).contains("SUSPECT POOL ×4 IS 3.1× AS FAST"));
    let mut view = fixture::three_arms();
    Arc::make_mut(&mut view.verdicts).iter_mut().for_each(|verdict| verdict.suspect = 1);
    let picture = shown(view, CLASSROOM);
    assert!(picture.contains(" SUSPECT 1 pool-auto"), "{picture}");
    for finding in [Finding::NoClearDifference, Finding::Slower] {
        let view = with_verdict(|verdict| *verdict = Verdict { suspect: 2, ..fixture::verdict(finding) });
        let picture = shown(view, CLASSROOM);
        assert!(picture.contains("2 of 2 pairs suspect") && picture.contains("SUSPECT "), "{picture}");
    }
}

#[test]
fn what_is_no_difference_among_several_is_said_to_be_so() {
    let p = crate::analysis::verdict::P { single: 0.02, corrected: 0.08, comparisons: 4 };
    let view = with_verdict(|verdict| {
        (verdict.finding, verdict.ratio) = (Finding::NoClearDifference, Some(0.33));
        (verdict.ci95, verdict.p) = (Some((0.16, 0.68)), Some(p));
    });
    for size in [CLASSROOM, (120, 40), (200, 50)] {
        let picture = shown(view.clone(), size);
        for words in ["NO CLEAR DIFFERENCE", "among 4 comparisons (Holm)", "by itself 95% CI 0.16–0.68"] {
            assert!(picture.contains(words), "{words}\n{picture}");
        }
    }
}

#[test]
fn a_suspect_run_has_its_badge_and_its_reason_beside_the_lints() {
    let mut view = fixture::suspect();
    // A warning of the last seconds would have the line of the lints.
    let track = Arc::make_mut(&mut view.arms[1].track);
    Arc::make_mut(track.frames.last_mut().unwrap()).notes = Arc::default();
    for size in [CLASSROOM, (120, 40)] {
        let picture = shown(view.clone(), size);
        let head = picture.lines().next().unwrap();
        assert!(head.contains("SUSPECT ■"), "{picture}");
        assert!(picture.contains("other programs used 1.7 of 4 cores"), "{picture}");
        assert!(picture.contains("why: PROCESS ×4 spends 67 % of its worker time on start-up"), "{picture}");
    }
    assert!(shown(fixture::suspect(), (40, 10)).contains("SUSPECT ■"));
}

/// The line with a figure of both arms, and the style of the difference behind it.
fn figure(view: &SessionView, label: &str) -> (String, Option<ratatui::style::Style>) {
    let model = model(view.clone());
    let buf = render(&model, &ui(&model), &theme(), (120, 40));
    let picture = picture(&buf);
    let (y, line) = picture.lines().enumerate().find(|(_, line)| line.contains(label)).unwrap();
    let at = line.chars().position(|c| c == '▲' || c == '▼');
    (line.to_owned(), at.map(|x| buf[(x as u16, y as u16)].style()))
}

#[test]
fn differences_are_shown_where_both_figures_mean_something_and_judged_by_what_helps() {
    let running = fixture::running();
    let good = theme().good.fg;
    let (line, style) = figure(&running, "  tasks/s  ");
    assert!(line.contains("▲ +211% better") && style.and_then(|style| style.fg) == good, "{line}");
    let (line, style) = figure(&running, "start-up per task");
    assert!(
        line.contains("▼ −99% better") && style.and_then(|style| style.fg) == good,
        "less start-up is better: {line}"
    );
    let mut more_cores = running.clone();
    let newest = Snapshot::clone(more_cores.arms[1].latest().unwrap());
    let newest = Snapshot { cpu: crate::metrics::snapshot::Cpu { cores_used: 1.0, ..newest.cpu }, ..newest };
    Arc::make_mut(&mut more_cores.arms[1].track).frames.push(Arc::new(newest));
    let (line, style) = figure(&more_cores, "cores busy of 4   ");
    assert!(line.contains('▲') && !line.contains("better") && style.and_then(|s| s.fg) == theme().base.fg, "{line}");
    // The figures of a second, of an end beside a moment, and of an arm without any.
    for view in [
        fixture::running_at(Duration::from_millis(900)),
        fixture::running_at(Duration::from_secs(40)),
        fixture::first_run(),
    ] {
        for label in ["  tasks/s  ", "start-up per task", "cores busy of 4   "] {
            let (line, style) = figure(&view, label);
            assert!(style.is_none() && !line.contains("better") && !line.contains("worse"), "{line}");
        }
    }
    let mut idle = running;
    let newest = Snapshot { throughput: 0.0, ..Snapshot::clone(idle.arms[1].latest().unwrap()) };
    Arc::make_mut(&mut idle.arms[1].track).frames.push(Arc::new(newest));
    assert!(figure(&idle, "  tasks/s  ").1.is_none(), "nothing to divide by");
}

#[test]
fn many_workers_are_a_map_with_their_counts_and_the_chosen_one_below() {
    let model = model(fixture::many_workers(64));
    let mut ui = ui(&model);
    let picture = picture(&render(&model, &ui, &theme(), CLASSROOM));
    for words in ["█ 63 busy  · 1 idle", "█ 62 busy  + 1 start  ░ 1 free", "j k choose a worker"] {
        assert!(picture.contains(words), "{words}\n{picture}");
    }
    assert!(!picture.contains("· free"), "{picture}");
    ui.worker = [Some(40), None];
    let picture = super::tests::picture(&render(&model, &ui, &theme(), CLASSROOM));
    assert!(picture.contains("▸40 41247 ▶ busy  #820"), "{picture}");
    let few = shown(fixture::many_workers(16), (120, 50));
    assert!(few.contains("15 41222 ▶ busy"), "sixteen are lines\n{few}");
}

#[test]
fn an_answer_covers_no_key() {
    let model = model(fixture::running());
    let mut ui = ui(&model);
    for size in [(40, 10), CLASSROOM, (120, 40)] {
        let keys = |ui: &UiState| picture(&render(&model, ui, &theme(), size)).lines().last().unwrap().to_owned();
        ui.notice = None;
        let before = keys(&ui);
        ui.notice =
            Some("workers changed: the comparison counts anew from the next round on, and so on and so on".to_owned());
        assert_eq!(keys(&ui), before);
        let picture = picture(&render(&model, &ui, &theme(), size));
        assert!(picture.contains("workers changed:") && picture.contains("so on"), "{picture}");
    }
}

#[test]
fn open_arrivals_show_what_is_offered_and_when_it_changes() {
    let picture = shown(fixture::open_loop(), (120, 40));
    for words in ["─ offered 40/s", "20/s", "40/s", "65/s", "┊", "time, s", "  100┤"] {
        assert!(picture.contains(words), "{words}\n{picture}");
    }
    assert!(
        shown(fixture::open_loop(), CLASSROOM).contains("tasks/s (0–100), offered 40/s"),
        "65 are offered in the end"
    );
    let batch = shown(fixture::running(), (120, 40));
    assert!(!batch.contains("offered") && !batch.contains('┊') && batch.contains("time, s"), "{batch}");
}

#[test]
fn the_time_left_is_that_of_the_whole_comparison_and_a_sweep_says_which_run_it_is() {
    let mut view = fixture::running();
    let header = |view: &SessionView| shown(view.clone(), CLASSROOM).lines().next().unwrap().to_owned();
    assert!(header(&view).contains("▶ run 2/5  00:15.8  ~") && header(&view).contains(" left  ● replay ■ LIVE"));
    view.position = RunPosition::Sweep { arm: 1, workers: 4, run: 2, runs: 3 };
    assert!(header(&view).contains("sweep ×4 2/3") && !header(&view).contains("left"), "{}", header(&view));
}

#[test]
fn the_words_of_the_help_screen_are_whole() {
    let model = model(fixture::running());
    let scrolled = |scroll| UiState { help: Some(scroll), ..ui(&model) };
    let last = super::help::last_scroll(CLASSROOM);
    let pages = (0..=last).map(|scroll| picture(&render(&model, &scrolled(scroll), &theme(), CLASSROOM)));
    let picture: String = pages.collect();
    for (term, meaning) in crate::tui::glossary::GROUPS.iter().flat_map(|(_, words)| *words) {
        let line = picture.lines().find(|line| line.contains(meaning));
        assert!(line.is_some_and(|line| line.contains(&format!(" {term} "))), "{term} {meaning}\n{picture}");
    }
}

#[test]
fn a_single_process_is_one_at_once() {
    let one = |base: Engine| Engine { workers: 1, ..base };
    let mut view = fixture::running();
    view.arms = vec![
        fixture::arm("pool", one(POOL), false, LONG),
        fixture::arm("process", one(PROCESS), true, Duration::from_secs(9)),
    ];
    let picture = shown(view, (120, 40));
    assert!(picture.contains("1 reused worker ") && picture.contains("one process per task, one at once"), "{picture}");
}

#[test]
fn the_arm_that_runs_and_the_baseline_are_on_screen_and_the_others_are_named() {
    let sizes = [(40, 10), CLASSROOM, (120, 40), (200, 50)];
    for (live, baseline, size) in
        (0..5).flat_map(|live| (0..5).flat_map(move |base| sizes.map(|size| (live, base, size))))
    {
        let model = model(fixture::five_arms(live, baseline));
        let view = model.session.as_deref().unwrap();
        let mut ui = UiState { size, ..UiState::default() };
        ui.opened(view);
        ui.settle(&model);
        let picture = picture(&render(&model, &ui, &theme(), size));
        let name = |arm: usize| model::name(&view.arms[arm]);
        let what = format!("{} runs, {} is the baseline\n{picture}", name(live), name(baseline));
        // The first lines are the bars; the live one is at its second.
        let bar = |arm: usize| {
            picture.lines().skip(1).take(7).find(|line| line.contains(&name(arm)[..4]) && line.contains('%'))
        };
        assert!(bar(live).is_some() && bar(baseline).is_some(), "{what}");
        assert!(picture.contains("LIVE") || size.0 < 80, "{what}");
        if size.0 >= 80 {
            assert!((0..5).all(|arm| picture.contains(&name(arm)) || picture.contains(&name(arm)[..4])), "{what}");
        }
    }
}

#[test]
fn an_arm_that_was_chosen_stays_and_nothing_below_the_bars_moves() {
    let model = model(fixture::five_arms(3, 0));
    let view = model.session.as_deref().unwrap();
    let mut ui = UiState { size: CLASSROOM, ..UiState::default() };
    ui.opened(view);
    let mut seen = Vec::new();
    for _ in 0..6 {
        let _effects = ui.update(&model, Action::CycleArm, 0);
        let picture = picture(&render(&model, &ui, &theme(), CLASSROOM));
        assert!(ui.pair.contains(&3) && picture.contains(" LIVE"), "{picture}");
        assert!(picture.lines().skip(2).take(3).any(|line| line.contains("kept ×4")), "the baseline\n{picture}");
        assert_eq!(picture.lines().position(|line| line.starts_with(['┏', '┌'])), Some(10), "{picture}");
        seen.extend(ui.pair);
    }
    assert!((0..5).all(|arm| seen.contains(&arm)), "each can be reached: {seen:?}");
}

#[test]
fn the_question_about_a_fault_is_whole_where_there_is_room_and_has_every_answer_where_there_is_none() {
    let model = model(fixture::running());
    for (size, chosen) in [(40, 10), CLASSROOM, (120, 40)].into_iter().flat_map(|size| (0..6).map(move |n| (size, n))) {
        let mut ui = UiState { size, ..UiState::default() };
        ui.opened(model.session.as_deref().unwrap());
        ui.question = Some(Question::Fault { arm: 1, chosen });
        let picture = picture(&render(&model, &ui, &theme(), size));
        let names = ["1 crash", "2 hang", "3 leak 64M", "4 ignore_sigterm", "5 bad_result", "6 bad_result"];
        for words in names.into_iter().filter(|_| size.0 >= 80).chain([names[chosen], "PROCESS ×4?"]) {
            assert!(picture.contains(words), "{words}\n{picture}");
        }
        assert!(picture.contains(&format!("▸{}", chosen + 1)), "{picture}");
        let effects = ["dies of SIGSEGV", "its timeout", "that memory", "only SIGKILL", "no one can read", "too long"];
        let said = |effect: &&str| picture.contains(*effect);
        let all = effects.iter().filter(|effect| said(effect)).count();
        assert!(said(&effects[chosen]) && (size.0 < 80 || all == 6), "{chosen} {all}\n{picture}");
        assert!(!picture.contains('…') || size.0 < 80, "{picture}");
        let last = picture.lines().nth(usize::from(size.1) - 1).unwrap_or_default();
        assert!(last.contains("Enter have it happen") && !last.contains("y yes"), "{last}");
    }
}

#[test]
fn keys_are_in_the_footer_where_they_do_something() {
    let footer = |view: SessionView, size: (u16, u16)| {
        let picture = shown(view, size);
        picture.lines().last().unwrap_or_default().to_owned()
    };
    for size in [CLASSROOM, (120, 40)] {
        let running = footer(fixture::running(), size);
        let (now, then) = match size {
            CLASSROOM => ("A timeout", "A timeout"),
            _ => ("A timeout kill→abandon", "A timeout abandon→kill"),
        };
        let entries = ["F fault", now, "+/- workers", "? help", "q quit"];
        assert!(entries.iter().all(|entry| running.contains(entry)), "{running}");
        assert!(!running.contains("r run") && !running.contains("a engine"), "{running}");
        let mut abandons = fixture::running();
        abandons.arms.iter_mut().for_each(|arm| arm.on_timeout = Some(crate::workload::model::OnTimeout::Abandon));
        let abandons = footer(abandons, size);
        assert!(abandons.contains(then), "{abandons}");
        let many = footer(fixture::five_arms(3, 0), size);
        assert!(many.contains("a engine") && many.contains("F fault"), "{many}");
        let finished = footer(fixture::finished(), size);
        assert!(finished.contains("r run"), "{finished}");
        assert!(
            !finished.contains("F fault") && !finished.contains("A timeout") && !finished.contains("x stop"),
            "{finished}"
        );
        let mut unable = fixture::running();
        unable.arms.iter_mut().for_each(|arm| arm.capabilities.inject_fault = false);
        unable.arms.iter_mut().for_each(|arm| arm.capabilities.pause = false);
        Arc::make_mut(&mut unable.workload).classes[0].timeout = None;
        let unable = footer(unable, size);
        assert!(!unable.contains("F fault") && !unable.contains("A timeout"), "{unable}");
        assert!(running.contains("p pause") && !unable.contains("pause"), "{unable}");
    }
}

#[test]
fn what_a_workload_teaches_is_said_of_each_arm_and_nowhere_else() {
    for size in [CLASSROOM, (120, 40), (200, 50)] {
        let plain = shown(fixture::running(), size);
        for (name, view) in fixture::lessons() {
            let picture = shown(view, size);
            let words: &[&str] = match name {
                "delivery" => &["held back 60 ms max 114 ms", "delivered at once"],
                "dispatch" => &["imbalance 60%", "imbalance 0%"],
                "join" => &["join delay 240 ms max 900 ms", "joined as completed"],
                "zombies" => &["ZOMBIES 12", "zombies 0"],
                "ghosts" => &["ghosts 1 now, 3 in all", "ghosts 0 now, 0 in all"],
                "chunks" => &["chunk 125 (cpython)", "chunk 64 (auto)"],
                "memory" if size == CLASSROOM => &["PSS "],
                "memory" => &["memory of the workers"],
                other => panic!("{other}"),
            };
            for words in words {
                assert!(picture.contains(words), "{name}: {words}\n{picture}");
                assert!(!plain.contains(words) || *words == "PSS ", "{words}\n{plain}");
            }
        }
    }
}

#[test]
fn workers_stay_in_sight_where_bars_and_sentences_leave_little_room() {
    let rows = |picture: &str| picture.lines().filter(|line| line.contains("busy") || line.contains("ghost")).count();
    let mut view = fixture::five_arms(3, 0);
    view.kills = fixture::timed_out().kills;
    for arm in &mut view.arms {
        let newest = Arc::make_mut(&mut arm.track).frames.last_mut();
        newest.into_iter().for_each(|frame| Arc::make_mut(frame).suspect = vec!["other programs".to_owned()]);
    }
    let plain = shown(view.clone(), CLASSROOM);
    assert!(rows(&plain) >= 2 && plain.contains('✓'), "{plain}");
    Arc::make_mut(&mut view.workload).classes[0].on_timeout = crate::workload::model::OnTimeout::Abandon;
    let ghosts = shown(view, CLASSROOM);
    assert!(rows(&ghosts) >= 2 && ghosts.contains('✓') && ghosts.contains("ghosts "), "{ghosts}");
}

#[test]
fn what_became_of_the_tasks_stays_where_three_bars_and_a_kill_leave_little_room() {
    let mut view = fixture::five_arms(3, 0);
    let timed_out = fixture::timed_out();
    view.kills = timed_out.kills;
    Arc::make_mut(&mut view.workload).classes[0].on_timeout = crate::workload::model::OnTimeout::Abandon;
    for arm in &mut view.arms {
        Arc::make_mut(&mut arm.track)
            .frames
            .iter_mut()
            .for_each(|frame| Arc::make_mut(frame).suspect = vec!["why".to_owned()]);
    }
    let picture = shown(view, CLASSROOM);
    for words in
        ["SUSPECT", "timed out after 2.00 s, tried again", "ghosts 0 now, 0 in all", "✓ 98", "TIMEOUTS 1", "? help"]
    {
        assert!(picture.contains(words), "{words}\n{picture}");
    }
    assert!(!picture.contains("burnt"), "{picture}");
}
