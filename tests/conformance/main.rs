//! The behaviours that every engine has to show, case by case: those that multiprocessing, concurrent.futures, loky, mpire and
//! pebble test of their own pools and processes. A new engine is held to all of them by one entry in `engines.rs`; what it
//! does not do is said there, with the reason.
//!
//! Each case runs in a process of its own for each engine, has a hard wall limit, and ends with no live child, no zombie, no
//! descriptor more than before and no descendant: `harness.rs` sees to that, and no case can forget it.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../support/mod.rs"]
mod support;

mod accounts;
mod calls;
mod coverage;
mod deaths;
mod ends;
mod engines;
mod harness;
mod limits;
mod processes;
mod staff;

/// Each case is a function of the module named before it; a behaviour with several sides has several.
macro_rules! cases {
    ($($id:ident $module:ident::$name:ident;)*) => {
        $(#[test]
        fn $name() {
            harness::every_engine(stringify!($id), stringify!($name), $module::$name);
        })*

        /// Behaviour and name of every case.
        const CASES: &[(&str, &str)] = &[$((stringify!($id), stringify!($name))),*];
    };
}

cases! {
    C1 processes::a_worker_is_a_child_from_its_start_to_its_end;
    C2 ends::a_join_that_waits_for_nobody_ends_no_work;
    C3 processes::terminate_and_kill_have_their_signals;
    C4 ends::what_is_over_is_not_changed_any_more;
    C5 processes::an_end_is_told_when_it_happens;
    C6 processes::a_hundred_come_and_go;
    C6 processes::a_hundred_are_killed_right_after_their_start;
    C7 processes::programs_of_programs_are_waited_for;
    C8 processes::descriptors_do_not_grow_with_the_number_of_siblings;
    C10 processes::every_way_to_exit_is_told_as_it_was;
    C11 processes::a_killed_fork_server_is_started_again;
    C13 calls::every_call_gives_the_results_of_a_serial_one;
    C13 calls::nothing_to_do_is_done_at_once;
    C14 staff::workers_are_replaced_after_their_number_of_tasks;
    C14 staff::a_number_of_tasks_that_is_none_is_refused;
    C15 ends::ten_thousand_queued_tasks_do_not_hold_up_a_stop;
    C16 calls::a_result_is_there_when_its_task_has_ended;
    C16 calls::a_caller_who_gives_up_leaves_the_task_running;
    C17 calls::imap_gives_results_as_they_come;
    C19 calls::map_waits_for_all_although_one_fails;
    C26 deaths::what_cannot_be_sent_fails_alone;
    C26 deaths::twenty_results_in_a_row_that_nobody_can_read;
    C27 limits::after_a_timeout_the_next_task_has_a_new_process;
    C27 limits::a_cancelled_task_is_lost_and_the_next_has_a_new_process;
    C27 limits::limits_that_race_with_results_count_each_task_once;
    C27 limits::cancels_that_race_with_results_count_each_task_once;
    C28 limits::a_program_that_ignores_sigterm_is_killed_after_its_grace;
    C28 limits::a_worker_that_ignores_sigterm_is_killed_after_its_grace;
    C29 deaths::one_killed_of_a_hundred_fails_alone;
    C30 deaths::a_crash_at_any_stage_costs_one_task;
    C31 deaths::several_die_at_once_and_again;
    C32 staff::an_initializer_that_fails_breaks_the_engine_and_starts_no_storm;
    C32 staff::an_initializer_runs_once_for_each_worker;
    C33 limits::the_limits_of_initializers_and_of_tasks_are_two;
    C34 limits::only_the_slow_ones_of_many_time_out;
    C35 staff::who_survives_a_resize_keeps_its_process;
    C35 staff::a_sequence_of_sizes_loses_nothing;
    C36 staff::a_construction_that_fails_midway_leaves_nobody;
    C37 deaths::a_hundred_megabytes_go_and_come_back;
    C37 deaths::a_stop_in_the_middle_of_a_large_transfer;
    C38 ends::all_that_is_queued_is_done_or_the_run_is_stopped;
    C38 ends::who_does_not_leave_in_time_is_named_and_ended;
    C39 staff::there_are_never_more_workers_than_there_may_be;
    C39 staff::an_idle_worker_comes_before_a_new_one;
    C40 accounts::the_table_of_workers_adds_up;
}
