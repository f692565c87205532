//! The local tasks that wait for something and feed one input when it happens.

use std::cell::RefCell;
use std::io;
use std::os::fd::OwnedFd;
use std::rc::Rc;

use tokio::io::unix::AsyncFd;
use tokio::sync::mpsc;
use tokio::task::spawn_local;
use tokio::time::{MissedTickBehavior, interval};

use super::STATE_INTERVAL;
use super::core::Core;
use super::links::{Link, Peer};
use super::programs::Which;
use super::workers::{Read, Received};
use crate::engine::control::Command;
use crate::engine::dispatcher::Input;
use crate::engine::event::RunState;
use crate::os::readiness;
use crate::os::timer::Alarm;
use crate::worker::command::LEAK_PATIENCE;

type Shared = Rc<RefCell<Core>>;

/// Runs a run from its beginning to its end.
pub(super) async fn drive(core: Shared, mut requests: mpsc::UnboundedReceiver<Command>) -> RunState {
    let over = Rc::clone(&core.borrow().over_notice);
    let alarm = match Alarm::new() {
        Ok(alarm) => Some(alarm),
        Err(error) => {
            feed(&core, Input::Broken(format!("no timer: {error}")));
            None
        }
    };
    let alarm = alarm.map(|alarm| spawn_local(watch_alarm(Rc::clone(&core), alarm)));
    feed(&core, Input::Begin);
    let mut states = interval(STATE_INTERVAL);
    states.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let mut asked = true;
    while core.borrow().over.is_none() {
        tokio::select! {
            () = over.notified() => {}
            _ = states.tick() => core.borrow_mut().tell_state(),
            request = requests.recv(), if asked => match request {
                Some(command) => {
                    core.borrow_mut().control(command);
                    attend(&core);
                }
                None => asked = false,
            },
        }
    }
    if let Some(alarm) = alarm {
        alarm.abort();
    }
    let mut core = core.borrow_mut();
    // Whoever was left behind by a program is ended before the run is called over.
    core.guardian = None;
    core.tell_state();
    core.over.unwrap_or(RunState::Broken)
}

/// Feeds one input, then sees to the children that came of it.
fn feed(core: &Shared, input: Input<'_>) {
    core.borrow_mut().feed(input);
    attend(core);
}

/// Starts the local tasks of new children and of full sockets.
fn attend(core: &Shared) {
    loop {
        let mut borrowed = core.borrow_mut();
        let newcomers = std::mem::take(&mut borrowed.newcomers);
        let blocked = std::mem::take(&mut borrowed.blocked);
        if newcomers.is_empty() && blocked.is_empty() {
            return;
        }
        for (slot, epoch) in newcomers {
            if let Err(error) = watch_child(core, &mut borrowed, slot, epoch) {
                borrowed.feed(Input::Broken(format!("a worker cannot be watched: {error}")));
            }
        }
        for (slot, epoch) in blocked {
            if let Some(Link { peer: Peer::Worker(peer), .. }) = borrowed.link(slot, epoch) {
                spawn_local(send_rest(Rc::clone(core), slot, epoch, Rc::clone(&peer.socket)));
            }
        }
    }
}

fn watch_child(core: &Shared, borrowed: &mut Core, slot: u32, epoch: u32) -> io::Result<()> {
    let Some(link) = borrowed.link(slot, epoch) else { return Ok(()) };
    let pidfd = link.child.take_pidfd().ok_or_else(|| io::Error::other("its pidfd is gone"))?;
    match &link.peer {
        Peer::Worker(peer) => {
            spawn_local(watch_socket(Rc::clone(core), slot, epoch, Rc::clone(&peer.socket)));
        }
        Peer::Program(program) => {
            for (which, stream) in [(Which::Stdout, &program.stdout), (Which::Stderr, &program.stderr)] {
                spawn_local(watch_stream(Rc::clone(core), slot, epoch, which, Rc::clone(&stream.pipe)));
            }
        }
    }
    let pidfd = readiness::readable(pidfd)?;
    spawn_local(watch_end(Rc::clone(core), slot, epoch, pidfd));
    Ok(())
}

async fn watch_socket(core: Shared, slot: u32, epoch: u32, socket: Rc<tokio::net::UnixStream>) {
    while socket.readable().await.is_ok() {
        let received = core.borrow_mut().receive(slot, epoch, Read::WhenReady);
        attend(&core);
        match received {
            Received::End => {
                // Also of a worker that ends in this very moment; its end follows.
                if core.borrow_mut().link(slot, epoch).is_some() {
                    feed(&core, Input::Closed { slot, epoch });
                }
                return;
            }
            // Others have their turn; the runtime comes back because the socket is still ready.
            Received::More => tokio::task::yield_now().await,
            Received::NothingNow => {}
        }
    }
}

async fn send_rest(core: Shared, slot: u32, epoch: u32, socket: Rc<tokio::net::UnixStream>) {
    loop {
        if socket.writable().await.is_err() {
            return;
        }
        // Tell the runtime that the socket is full, so that the next wait is one.
        let full = socket.try_io(tokio::io::Interest::WRITABLE, || {
            let mut core = core.borrow_mut();
            core.flush(slot, epoch);
            match core.link(slot, epoch) {
                Some(Link { peer: Peer::Worker(peer), .. }) if peer.sending => {
                    Err(io::Error::from(io::ErrorKind::WouldBlock))
                }
                _ => Ok(()),
            }
        });
        if full.is_ok() {
            core.borrow_mut().carry_on();
            attend(&core);
            return;
        }
    }
}

async fn watch_stream(core: Shared, slot: u32, epoch: u32, which: Which, pipe: Rc<AsyncFd<OwnedFd>>) {
    while let Ok(mut ready) = pipe.readable().await {
        let open = core.borrow_mut().read_stream(slot, epoch, which);
        if !open {
            return;
        }
        ready.clear_ready();
    }
}

async fn watch_end(core: Shared, slot: u32, epoch: u32, pidfd: AsyncFd<OwnedFd>) {
    let reaped = loop {
        let Ok(mut ready) = pidfd.readable().await else { return };
        let result = match core.borrow_mut().link(slot, epoch) {
            Some(link) => link.child.try_reap(),
            None => return,
        };
        match result {
            Ok(Some(reaped)) => break reaped,
            Ok(None) => ready.clear_ready(),
            Err(error) => {
                feed(&core, Input::Broken(format!("a worker cannot be waited for: {error}")));
                return;
            }
        }
    };
    let is_program = matches!(core.borrow_mut().link(slot, epoch), Some(Link { peer: Peer::Program(_), .. }));
    if is_program {
        let complete = core.borrow_mut().program_ended(slot, epoch, reaped);
        if !complete {
            wait_for_streams(&core, slot, epoch).await;
        }
        core.borrow_mut().finish_program(slot, epoch);
    } else {
        core.borrow_mut().worker_ended(slot, epoch, reaped);
    }
    attend(&core);
}

/// Gives the pipes of a program that has ended a moment to be closed by those it left behind.
async fn wait_for_streams(core: &Shared, slot: u32, epoch: u32) {
    let closed = async {
        for which in [Which::Stdout, Which::Stderr] {
            let pipe = match core.borrow_mut().link(slot, epoch) {
                Some(Link { peer: Peer::Program(program), .. }) => Rc::clone(&program.stream(which).pipe),
                _ => return,
            };
            while core.borrow_mut().read_stream(slot, epoch, which) {
                match pipe.readable().await {
                    Ok(mut ready) => ready.clear_ready(),
                    Err(_) => return,
                }
            }
        }
    };
    // Somebody who holds it on is not waited for.
    let _ = tokio::time::timeout(LEAK_PATIENCE, closed).await;
}

async fn watch_alarm(core: Shared, alarm: Alarm) {
    let changed = Rc::clone(&core.borrow().alarm_changed);
    loop {
        let at = core.borrow().alarm();
        if let Err(error) = alarm.set(at) {
            feed(&core, Input::Broken(format!("the timer cannot be set: {error}")));
            return;
        }
        tokio::select! {
            () = changed.notified() => {}
            rung = alarm.ring(), if at.is_some() => {
                if rung.is_err() {
                    return;
                }
                feed(&core, Input::Wake);
            }
        }
    }
}
