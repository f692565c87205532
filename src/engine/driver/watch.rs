//! The local tasks that wait for something and feed one input when it happens.

use std::cell::RefCell;
use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::io::unix::AsyncFd;
use tokio::sync::mpsc;
use tokio::task::spawn_local;
use tokio::time::{MissedTickBehavior, interval, sleep};

use super::STATE_INTERVAL;
use super::core::Core;
use super::fork_server::ForkServer;
use super::links::{Link, Peer, Writes};
use super::programs::Which;
use super::receive::{Read, Received};
use super::undead::Looked;
use crate::engine::arm::Completion;
use crate::engine::control::Command;
use crate::engine::dispatcher::Input;
use crate::engine::error::EngineError;
use crate::engine::event::{Severity, WorkerId};
use crate::os::child::Reaped;
use crate::os::clock::monotonic;
use crate::os::timer::Alarm;
use crate::os::{oom, readiness};
use crate::worker::lines::{CLOSED, PARTING};

/// How long a fork server whose line has ended may take to end by itself.
const LAST_WORDS: Duration = Duration::from_millis(200);
/// From the end of a task until its strays are looked for.
const STRAYS_TOGETHER: Duration = Duration::from_millis(2);
/// Until strays that were ended are looked at again: their children come to light then.
const STRAYS_SOON: Duration = Duration::from_millis(10);
/// Looking for strays may take one part in so many of the time.
const STRAYS_SHARE: u32 = 30;
/// Until strays are looked for that nothing tells of, and those that may live are looked at again.
const STRAYS_LATER: Duration = Duration::from_millis(50);

/// How old a program is when what it writes is read for the first time, where others like it have left all of it in their pipes:
/// most have ended by then, and have woken nobody before.
const UNHEARD: Duration = Duration::from_millis(2);
/// Until a full socket is looked at again that cannot be watched.
const LOOK_FOR_ROOM: Duration = Duration::from_millis(1);

type Shared = Rc<RefCell<Core>>;

/// Runs a run from its beginning to its end.
pub(super) async fn drive(
    core: Shared,
    mut requests: mpsc::UnboundedReceiver<Command>,
) -> Result<Completion, EngineError> {
    let over = Rc::clone(&core.borrow().over_notice);
    let alarm = match Alarm::new() {
        Ok(alarm) => Some(alarm),
        Err(source) => {
            feed(&core, Input::Broken(EngineError::Timer { source }));
            None
        }
    };
    let alarm = alarm.map(|alarm| spawn_local(watch_alarm(Rc::clone(&core), alarm)));
    let strays = core.borrow().strays.is_some().then(|| spawn_local(watch_strays(Rc::clone(&core))));
    feed(&core, Input::Begin);
    let mut states = interval(STATE_INTERVAL);
    states.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let mut asked = true;
    while core.borrow().over.is_none() {
        tokio::select! {
            () = over.notified() => {}
            _ = states.tick() => {
                let mut core = core.borrow_mut();
                core.look_at_undead(Looked::NowAndThen);
                core.oom_kills.as_mut().into_iter().for_each(oom::Kills::look);
                core.tell_state();
            }
            request = requests.recv(), if asked => match request {
                Some(command) => {
                    core.borrow_mut().control(command);
                    spawn_watchers(&core);
                }
                None => asked = false,
            },
        }
    }
    alarm.into_iter().chain(strays).for_each(|task| task.abort());
    let mut core = core.borrow_mut();
    // Strays are ended before the run is called over.
    core.end_strays();
    core.look_at_undead(Looked::Now);
    core.reap_zombies();
    core.look_at_undead(Looked::Now);
    core.dismiss_fork_server();
    core.guardian = None;
    core.tell_unstruck();
    core.tell_state();
    core.conclusion()
}

/// Feeds one input, then sees to the children that came of it.
fn feed(core: &Shared, input: Input<'_>) {
    core.borrow_mut().feed(input);
    spawn_watchers(core);
}

/// Starts the local tasks of new children and of full sockets.
fn spawn_watchers(core: &Shared) {
    loop {
        let mut borrowed = core.borrow_mut();
        let unwatched = std::mem::take(&mut borrowed.unwatched);
        let blocked = std::mem::take(&mut borrowed.blocked);
        let fork_server = std::mem::take(&mut borrowed.fork_server_unwatched);
        if unwatched.is_empty() && blocked.is_empty() && !fork_server {
            return;
        }
        if fork_server && let Err(source) = watch_fork_server(core, &mut borrowed) {
            borrowed.feed(Input::Broken(EngineError::Watch { source }));
        }
        for worker in unwatched {
            if let Err(source) = watch_child(core, &mut borrowed, worker) {
                borrowed.feed(Input::Broken(EngineError::Watch { source }));
            }
        }
        for worker in blocked {
            if let Some(Link { peer: Peer::Worker(peer), .. }) = borrowed.link(worker) {
                spawn_local(send_rest(Rc::clone(core), worker, Rc::clone(&peer.socket)));
            }
        }
    }
}

fn watch_child(core: &Shared, borrowed: &mut Core, worker: WorkerId) -> io::Result<()> {
    let Some(link) = borrowed.link(worker) else { return Ok(()) };
    let child = link.child.as_mut().ok_or_else(|| io::Error::other("it is not there yet"))?;
    let pidfd = child.take_pidfd().ok_or_else(|| io::Error::other("its pidfd is gone"))?;
    // One for each task has its end awaited only when it is about to be ended: there are too many of them.
    let end = if borrowed.keeps_workers() { borrowed.await_end(Some(pidfd.as_fd())) } else { None };
    let writes = borrowed.writes;
    let Some(link) = borrowed.link(worker) else { return Ok(()) };
    link.end = link.end.take().or(end);
    let child = link.child.as_mut().ok_or_else(|| io::Error::other("it is not there yet"))?;
    let word = child.take_word().map(readiness::readable).transpose()?;
    match &link.peer {
        Peer::Worker(peer) => {
            let reader = spawn_local(watch_socket(Rc::clone(core), worker, Rc::clone(&peer.socket)));
            link.readers.push(reader.abort_handle());
            let output = Rc::clone(&peer.output.pipe);
            let reader = spawn_local(watch_stream(Rc::clone(core), worker, Which::Stderr, output));
            link.readers.push(reader.abort_handle());
        }
        Peer::Program(program) => {
            if let Some(input) = &program.input {
                let watcher = spawn_local(watch_line_of_a_task(Rc::clone(core), worker, Rc::clone(input)));
                link.readers.push(watcher.abort_handle());
            }
            // Of one that answers, what it writes may decide.
            let may_wait = program.stdout.answer.is_none() && writes == Writes::Little;
            let unheard = if may_wait { UNHEARD } else { Duration::ZERO };
            let streams = [&program.stdout, &program.stderr].map(|stream| Rc::clone(&stream.pipe));
            let reader = spawn_local(watch_streams(Rc::clone(core), worker, streams, unheard));
            link.readers.push(reader.abort_handle());
        }
    }
    let pidfd = readiness::readable(pidfd)?;
    spawn_local(watch_end(Rc::clone(core), worker, pidfd, word));
    Ok(())
}

fn watch_fork_server(core: &Shared, borrowed: &mut Core) -> io::Result<()> {
    let Some(server) = &mut borrowed.fork_server else { return Ok(()) };
    let pidfd = server.child.take_pidfd().ok_or_else(|| io::Error::other("its pidfd is gone"))?;
    let pidfd = readiness::readable(pidfd)?;
    let (line, output) = (Rc::clone(&server.line), Rc::clone(&server.output));
    server.readers.push(spawn_local(watch_fork_server_output(Rc::clone(core), output)).abort_handle());
    server.readers.push(spawn_local(watch_line(Rc::clone(core), line)).abort_handle());
    server.readers.push(spawn_local(watch_fork_server_end(Rc::clone(core), pidfd)).abort_handle());
    Ok(())
}

async fn watch_line(core: Shared, line: Rc<AsyncFd<OwnedFd>>) {
    while let Ok(mut ready) = line.readable().await {
        let more = core.borrow_mut().hear_fork_server();
        spawn_watchers(&core);
        if !more {
            // It is useless without its line. If it is ending anyway it may have something to say first.
            sleep(LAST_WORDS).await;
            core.borrow_mut().stop_fork_server();
            return;
        }
        ready.clear_ready();
    }
}

async fn watch_fork_server_output(core: Shared, output: Rc<AsyncFd<OwnedFd>>) {
    while let Ok(mut ready) = output.readable().await {
        let more = core.borrow_mut().fork_server.as_mut().is_some_and(ForkServer::read_output);
        if !more {
            return;
        }
        ready.clear_ready();
    }
}

async fn watch_fork_server_end(core: Shared, pidfd: AsyncFd<OwnedFd>) {
    while let Ok(mut ready) = pidfd.readable().await {
        let ended = match core.borrow_mut().fork_server.as_mut() {
            Some(server) => server.child.try_reap(),
            None => return,
        };
        if let Ok(None) = ended {
            ready.clear_ready();
            continue;
        }
        core.borrow_mut().fork_server_ended(ended.ok().flatten().unwrap_or(Reaped::UNKNOWN));
        spawn_watchers(&core);
        return;
    }
}

async fn watch_socket(core: Shared, worker: WorkerId, socket: Rc<AsyncFd<OwnedFd>>) {
    while let Ok(mut ready) = socket.readable().await {
        let received = core.borrow_mut().receive(worker, Read::WhenReady);
        spawn_watchers(&core);
        match received {
            Received::End => {
                // Also of a worker that ends in this very moment; its end follows.
                if core.borrow_mut().link(worker).is_some() {
                    feed(&core, Input::Closed { worker });
                }
                return;
            }
            // Others have their turn; the runtime comes back because the socket is still ready.
            Received::More => tokio::task::yield_now().await,
            Received::NothingNow => ready.clear_ready(),
        }
    }
}

/// Waits for room in a full socket. It is watched by another descriptor of its own for as long; where none is left, it is
/// looked at now and then.
async fn send_rest(core: Shared, worker: WorkerId, socket: Rc<AsyncFd<OwnedFd>>) {
    let room = socket.get_ref().try_clone().and_then(readiness::writable).ok();
    loop {
        let ready = match &room {
            Some(room) => match room.writable().await {
                Ok(ready) => Some(ready),
                Err(_) => return,
            },
            None => {
                sleep(LOOK_FOR_ROOM).await;
                None
            }
        };
        core.borrow_mut().flush(worker);
        let full =
            matches!(core.borrow_mut().link(worker), Some(Link { peer: Peer::Worker(peer), .. }) if peer.sending);
        if !full {
            core.borrow_mut().carry_on();
            spawn_watchers(&core);
            return;
        }
        if let Some(mut ready) = ready {
            ready.clear_ready();
        }
    }
}

/// Watches both streams of a program, from when it is this old.
async fn watch_streams(core: Shared, worker: WorkerId, [stdout, stderr]: [Rc<OwnedFd>; 2], unheard: Duration) {
    if !unheard.is_zero() {
        sleep(unheard).await;
    }
    tokio::join!(
        watch_stream(Rc::clone(&core), worker, Which::Stdout, stdout),
        watch_stream(Rc::clone(&core), worker, Which::Stderr, stderr),
    );
}

async fn watch_stream(core: Shared, worker: WorkerId, which: Which, pipe: Rc<OwnedFd>) {
    let Ok(pipe) = readiness::shared_readable(Rc::clone(&pipe)) else {
        while core.borrow_mut().read_stream(worker, which) {
            spawn_watchers(&core);
            sleep(LOOK_FOR_ROOM).await;
        }
        if which == Which::Stdout {
            part_with(&core, worker).await;
        }
        return;
    };
    while let Ok(mut ready) = pipe.readable().await {
        let open = core.borrow_mut().read_stream(worker, which);
        spawn_watchers(&core);
        if !open {
            if which == Which::Stdout {
                part_with(&core, worker).await;
            }
            return;
        }
        ready.clear_ready();
    }
}

/// Waits until a program has taken its line, or nobody can take it any more.
async fn watch_line_of_a_task(core: Shared, worker: WorkerId, input: Rc<AsyncFd<OwnedFd>>) {
    let _ = input.writable().await;
    core.borrow_mut().line_taken(worker);
}

/// A program that has closed its standard output and has not answered is most likely about to end, and how it does is told.
async fn part_with(core: &Shared, worker: WorkerId) {
    // The run's own clock: what stands still cannot end.
    let since = core.borrow().clock.now();
    while core.borrow_mut().is_silent(worker) {
        sleep(PARTING).await;
        let mut borrowed = core.borrow_mut();
        if borrowed.clock.now().since(since) >= PARTING && borrowed.is_silent(worker) {
            borrowed.give_up_program(worker, CLOSED.to_owned());
            drop(borrowed);
            return spawn_watchers(core);
        }
    }
}

/// `word` becomes readable when the process's parent, where that is another one, has told how it ended: which it may do
/// after the end or before we see it.
async fn watch_end(core: Shared, worker: WorkerId, pidfd: AsyncFd<OwnedFd>, mut word: Option<AsyncFd<OwnedFd>>) {
    let mut ended_at = None;
    let (reaped, at) = loop {
        let ended = tokio::select! {
            // That it has ended is seen once: from then on the descriptor is always ready.
            ready = pidfd.readable(), if word.is_none() || ended_at.is_none() => match ready {
                Ok(ready) => Some(ready),
                Err(_) => return,
            },
            () = arrival(word.as_ref()) => None,
        };
        if ended.is_none() {
            word = None;
        }
        let at = *ended_at.get_or_insert_with(monotonic);
        let result = core.borrow_mut().reap(worker, at);
        match result {
            None => return,
            Some(Ok(Some(reaped))) => break (reaped, at),
            Some(Ok(None)) => {
                if let Some(mut ready) = ended {
                    ready.clear_ready();
                }
            }
            Some(Err(error)) => {
                let text = format!("the end of a process cannot be told: {error}");
                core.borrow_mut().note(Severity::Warning, text);
                break (Reaped::UNKNOWN, at);
            }
        }
    };
    let is_program = matches!(core.borrow_mut().link(worker), Some(Link { peer: Peer::Program(_), .. }));
    if is_program {
        core.borrow_mut().program_ended(worker, reaped, at);
    } else {
        core.borrow_mut().worker_ended(worker, reaped, at);
    }
    spawn_watchers(&core);
}

async fn arrival(word: Option<&AsyncFd<OwnedFd>>) {
    match word {
        // What cannot be waited for will not come.
        Some(word) => drop(word.readable().await),
        None => std::future::pending().await,
    }
}

/// Looks for strays when a task has ended, and now and then for those that end by themselves.
async fn watch_strays(core: Shared) {
    let looked_for = Rc::clone(&core.borrow().strays_notice);
    loop {
        let begin = Instant::now();
        let unfinished = core.borrow_mut().sweep_strays();
        // Looking at many takes its time, which others need.
        let pause = begin.elapsed() * STRAYS_SHARE;
        let soon = if unfinished { STRAYS_SOON } else { STRAYS_LATER };
        tokio::select! {
            // Tasks that end one right after the other are one reason to look.
            () = looked_for.notified() => sleep(STRAYS_TOGETHER.max(pause)).await,
            () = sleep(soon.max(pause)) => {}
        }
    }
}

async fn watch_alarm(core: Shared, alarm: Alarm) {
    let changed = Rc::clone(&core.borrow().alarm_changed);
    loop {
        let at = core.borrow().alarm();
        if let Err(source) = alarm.set(at) {
            feed(&core, Input::Broken(EngineError::Timer { source }));
            return;
        }
        tokio::select! {
            () = changed.notified() => {}
            rung = alarm.ring(), if at.is_some() => {
                match rung {
                    Ok(()) => feed(&core, Input::Wake),
                    Err(source) => return feed(&core, Input::Broken(EngineError::Timer { source })),
                }
            }
        }
    }
}

#[cfg(test)]
#[path = "watch_tests.rs"]
mod tests;
