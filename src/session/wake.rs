//! What a session waits for.

use std::time::Instant;

use tokio::sync::mpsc;

use crate::session::arm::ArmState;
use crate::session::view::SessionCommand;

/// Something that happened.
pub(super) enum Wakeup {
    Request(Option<SessionCommand>),
    Snapshot(usize),
    /// The keys have rested since the last change.
    Rested,
    /// `limits.max_time` has passed.
    OutOfTime,
}

/// Waits for a request, for a new snapshot of any live run, or for one of two moments. The end of a run's thread without a last snapshot (a panic)
/// shows as a closed channel, which the conductor must see too.
pub(super) async fn next(
    arms: &mut [ArmState],
    requests: &mut mpsc::UnboundedReceiver<SessionCommand>,
    rested: Option<Instant>,
    deadline: Option<Instant>,
) -> Wakeup {
    let mut changes: Vec<_> = arms
        .iter_mut()
        .enumerate()
        .filter_map(|(index, arm)| Some((index, arm.live.as_mut()?)))
        .map(|(index, live)| {
            Box::pin(async move {
                let _ = live.snapshots.changed().await;
                index
            })
        })
        .collect();
    let any = std::future::poll_fn(|context| {
        for change in &mut changes {
            if let std::task::Poll::Ready(index) = change.as_mut().poll(context) {
                return std::task::Poll::Ready(index);
            }
        }
        std::task::Poll::Pending
    });
    tokio::select! {
        request = requests.recv() => Wakeup::Request(request),
        index = any => Wakeup::Snapshot(index),
        () = sleep_until(rested) => Wakeup::Rested,
        () = sleep_until(deadline) => Wakeup::OutOfTime,
    }
}

async fn sleep_until(moment: Option<Instant>) {
    match moment {
        Some(moment) => tokio::time::sleep_until(moment.into()).await,
        None => std::future::pending().await,
    }
}
