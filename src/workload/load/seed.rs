//! `seed` may be left out only where nothing is random: a run that cannot be repeated is not a measurement.

use crate::workload::items::TaskItems;
use crate::workload::load::field::Field;
use crate::workload::load::task::RawTask;
use crate::workload::model::{
    Arguments, ArrivalProcess, Arrivals, EngineSpec, Fault, FaultRule, Kernel, Measure, Mishap, Order, RunOrder,
    Trigger, Value, Work,
};
use crate::workload::placeholder::{Piece, pieces};
use crate::workload::service;

/// What was read of a file so far; absent parts were refused.
pub(crate) struct Parts<'p, 'a> {
    pub(crate) tasks: &'p [RawTask<'a>],
    pub(crate) order: Option<Order>,
    pub(crate) arrivals: Option<&'p Arrivals>,
    pub(crate) measure: Option<&'p Measure>,
    pub(crate) engines: &'p [EngineSpec],
    pub(crate) faults: &'p [FaultRule],
}

/// Reports a missing seed if something needs it. `file` is the whole file.
pub(crate) fn require(file: &Field<'_>, parts: &Parts<'_, '_>) {
    if let Some(reason) = randomness(parts) {
        let error = file.context.error(file.mark(), "seed", &format!("`seed` is missing, but {reason}"));
        file.context.report(error.allowed("an integer, such as `seed: 1`"));
    }
}

/// What is random first; `None` if nothing is.
fn randomness(parts: &Parts<'_, '_>) -> Option<String> {
    if let Some(task) = parts.tasks.iter().find(|task| draws(task)) {
        let name = task.name.as_ref().map_or("", |(name, _)| name);
        return Some(format!("task `{name}` draws random numbers"));
    }
    if parts.tasks.len() > 1 && parts.tasks.iter().any(|task| task.weight.is_some()) {
        return Some("classes are drawn by weight".to_owned());
    }
    if parts.order == Some(Order::Shuffle) {
        return Some("the order is shuffled".to_owned());
    }
    if matches!(parts.arrivals, Some(Arrivals::Open(open)) if open.process == ArrivalProcess::Poisson) {
        return Some("poisson arrivals are random".to_owned());
    }
    let by_chance = |rate: f64| rate > 0.0 && rate < 1.0;
    let drawn = |rule: &FaultRule| match &rule.mishap {
        Mishap::InTask(Fault { at: Trigger::Rate(rate), .. }) => by_chance(*rate),
        _ => false,
    };
    if parts.faults.iter().any(drawn) {
        return Some("faults are drawn by their rate".to_owned());
    }
    if parts.engines.iter().filter_map(|engine| engine.initializer.as_ref()).any(|it| by_chance(it.fail_rate)) {
        return Some("the failures of an initializer are drawn".to_owned());
    }
    let randomized = parts.measure.is_some_and(|measure| measure.order == RunOrder::Randomized);
    randomized.then(|| "the order of the runs is random".to_owned())
}

fn draws(task: &RawTask<'_>) -> bool {
    let uses_seed = |value: &Value| match value {
        Value::Seed => true,
        Value::Template(text) => text.contains("{seed}"),
        _ => false,
    };
    let uses = |text: &String| pieces(text, true).any(|piece| piece == Piece::Seed);
    if task.items.as_ref().is_some_and(|items| items.as_ref().is_some_and(TaskItems::is_sampled)) {
        return true;
    }
    let jitter = task.retries.is_some_and(|retries| retries.max > 0 && retries.backoff.jitter);
    let Some(work) = &task.work else { return jitter };
    let data = match work {
        Work::Kernel(kernel) => !matches!(kernel, Kernel::Noop | Kernel::Primes { .. } | Kernel::Mandelbrot { .. }),
        Work::Python(call) => {
            call.draws.iter().any(|draw| draw.dist.is_random())
                || call.told.iter().any(uses)
                || call.args.values().any(|value| value.any(&uses_seed))
        }
        Work::Served(program) => {
            program.draws.iter().any(|draw| draw.dist.is_random())
                || program.args.iter().flat_map(Arguments::values).any(|value| value.any(&uses_seed))
                || program.told.iter().any(uses)
                || program.command.argv.iter().any(|argument| argument.contains("{seed}"))
        }
        Work::Command(command) => command.argv.iter().any(uses),
        _ => false,
    };
    data || jitter || service::is_random(work)
}
