//! `seed` may be left out only where nothing is random: a run that cannot be repeated is not a measurement.

use crate::workload::load::field::Field;
use crate::workload::model::{ArrivalProcess, Arrivals, Kernel, Order, RunOrder, Share, TaskClass, Work, Workload};
use crate::workload::service;

/// Reports a missing seed if something needs it.
pub(crate) fn require(field: &Field<'_>, workload: &Workload) -> Option<()> {
    let Some(reason) = randomness(workload) else { return Some(()) };
    let context = field.context;
    let error = context.error(field.mark(), "seed", &format!("`seed` is missing, but {reason}"));
    field.refuse(error.allowed("an integer, such as `seed: 1`"))
}

/// What is random first; `None` if nothing is.
fn randomness(workload: &Workload) -> Option<String> {
    if let Some(class) = workload.classes.iter().find(|class| draws(class)) {
        return Some(format!("task `{}` draws random numbers", class.name));
    }
    let weights = workload.classes.iter().filter(|class| matches!(class.share, Share::Weight(weight) if weight > 0.0));
    if weights.count() > 1 {
        return Some("classes are drawn by weight".to_owned());
    }
    if workload.order == Order::Shuffle {
        return Some("the order is shuffled".to_owned());
    }
    if matches!(&workload.arrivals, Arrivals::Open(open) if open.process == ArrivalProcess::Poisson) {
        return Some("poisson arrivals are random".to_owned());
    }
    (workload.measure.order == RunOrder::Randomized).then(|| "the order of the runs is random".to_owned())
}

fn draws(class: &TaskClass) -> bool {
    let data = match &class.work {
        Work::Kernel(kernel) => !matches!(kernel, Kernel::Noop | Kernel::Primes { .. } | Kernel::Mandelbrot { .. }),
        Work::Command(command) => command.argv.iter().any(|argument| argument.contains("{seed}")),
        _ => false,
    };
    data || !service::is_constant(&class.work) || (class.retries.max > 0 && class.retries.backoff.jitter)
}
