//! Asks the archive on a thread of its own: a database may be slow, or somebody else's for a while, and keys are answered all the
//! same. Shows nothing.

use std::sync::mpsc;
use std::time::Duration;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::archive::{Archive, Told, Unread, Wish};

/// How soon it is tried again to read what somebody else has.
const AGAIN: Duration = Duration::from_millis(250);

/// What comes of a wish.
#[derive(Debug)]
pub(in crate::tui) enum Answer {
    Told(Result<Told, String>),
    /// It is not there yet, for this reason.
    Waiting(String),
}

/// What was asked, and what comes of it; nothing any more where the thread has ended.
pub(in crate::tui) type Answered = Option<(Wish, Answer)>;

/// The thread ends when nobody asks any more.
pub(in crate::tui) struct Reader {
    ask: mpsc::Sender<Wish>,
    told: UnboundedReceiver<(Wish, Answer)>,
}

impl Reader {
    pub(in crate::tui) fn start(archive: Archive) -> std::io::Result<Self> {
        let (ask, asked) = mpsc::channel();
        let (tell, told) = unbounded_channel();
        let read = move || {
            while let Ok(wish) = asked.recv() {
                if !answer(&archive, &wish, &tell) {
                    return;
                }
            }
        };
        std::thread::Builder::new().name("history".to_owned()).spawn(read)?;
        Ok(Self { ask, told })
    }

    pub(in crate::tui) fn ask(&self, wish: Wish) {
        // A thread that has ended is told of by its end.
        let _ = self.ask.send(wish);
    }

    pub(in crate::tui) async fn told(&mut self) -> Answered {
        self.told.recv().await
    }
}

/// Whether anybody still listens.
fn answer(archive: &Archive, wish: &Wish, tell: &UnboundedSender<(Wish, Answer)>) -> bool {
    loop {
        let told = match archive(wish) {
            Ok(told) => Answer::Told(Ok(told)),
            Err(Unread::Failed(why)) => Answer::Told(Err(why)),
            Err(Unread::Busy(why)) => Answer::Waiting(why),
        };
        let is_over = matches!(told, Answer::Told(_));
        if tell.send((wish.clone(), told)).is_err() {
            return false;
        }
        if is_over {
            return true;
        }
        std::thread::sleep(AGAIN);
    }
}
