//! Items of standard input that are taken while it is still coming: read by a thread of its own into a file without a name, as
//! fast as they come, and found in it by their number.
//!
//! What is kept in memory is where every stretch of about 32 KiB begins (16 bytes each), and the stretch that was read last.

use std::fs::File;
use std::io::{self, Read, Write as _};
use std::ops::Range;
use std::os::unix::fs::FileExt as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use super::records::{Format, LONGEST, MARK, STRETCH, Store, content, split};
use super::{Item, ItemError, ItemValue, unlinked_file};

/// See the module docs.
#[derive(Debug)]
pub struct Live {
    separator: u8,
    file: File,
    state: Mutex<State>,
    changed: Condvar,
    /// Whether somebody has taken all there are and waits for more.
    hungry: AtomicBool,
    waker: Mutex<Waker>,
}

type Wake = Box<dyn Fn() + Send>;

/// Who waits for more.
#[derive(Default)]
struct Waker(Option<Wake>);

impl std::fmt::Debug for Waker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Waker({})", self.0.is_some())
    }
}

#[derive(Debug, Default)]
struct State {
    /// Number of the first item of each stretch, and where it begins.
    stretches: Vec<(u64, u64)>,
    count: u64,
    /// Where the last whole item ends.
    end: u64,
    closed: bool,
    error: Option<ItemError>,
    last: Option<Loaded>,
}

/// A stretch that was read.
#[derive(Debug)]
struct Loaded {
    range: Range<u64>,
    bytes: Vec<u8>,
    items: Vec<Range<usize>>,
}

/// How many items there are now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Known {
    pub(crate) count: u64,
    /// Whether no more will come.
    pub(crate) closed: bool,
}

impl Live {
    /// Begins to read.
    ///
    /// # Errors
    /// When there is no room for a file, or no thread.
    pub(crate) fn start(from: impl Read + Send + 'static, separator: u8) -> io::Result<Arc<Self>> {
        let live = Arc::new(Self {
            separator,
            file: unlinked_file(&std::env::temp_dir())?,
            state: Mutex::default(),
            changed: Condvar::new(),
            hungry: AtomicBool::new(false),
            waker: Mutex::default(),
        });
        let reader = Arc::clone(&live);
        std::thread::Builder::new().name("items".to_owned()).spawn(move || {
            let read = reader.read(from);
            let mut state = reader.state();
            (state.closed, state.error) = (true, read.err());
            drop(state);
            reader.tell();
        })?;
        Ok(live)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn read(&self, mut from: impl Read) -> Result<(), ItemError> {
        let head = if self.separator == b'\n' { without_mark(&mut from)? } else { Vec::new() };
        let mut from = io::Cursor::new(head).chain(from);
        let (mut piece, mut file) = (vec![0; 64 * 1024], &self.file);
        // Where the item that is not whole yet begins, and its first byte.
        let (mut begin, mut first, mut at) = (0, 0, 0);
        loop {
            let read = match from.read(&mut piece) {
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error.into()),
            };
            file.write_all(&piece[..read])?;
            let mut state = self.state();
            for (place, byte) in (at..).zip(&piece[..read]) {
                if place == begin {
                    first = *byte;
                }
                if *byte == self.separator {
                    let line_end_alone = self.separator == b'\n' && place - begin == 1 && first == b'\r';
                    if place > begin && !line_end_alone {
                        state.item(begin, place + 1)?;
                    }
                    begin = place + 1;
                }
            }
            at += read as u64;
            if at - begin > LONGEST {
                return Err(ItemError::TooLong(state.count + 1));
            }
            if read == 0 {
                // What is not ended by anything else is ended by the end.
                return if at > begin { state.item(begin, at) } else { Ok(()) };
            }
            drop(state);
            self.tell();
        }
    }

    fn tell(&self) {
        self.changed.notify_all();
        if self.hungry.swap(false, Ordering::SeqCst) {
            let waker = self.waker.lock().unwrap_or_else(PoisonError::into_inner);
            waker.0.iter().for_each(|wake| wake());
        }
    }

    /// What is done when there is more for whoever was hungry.
    pub(crate) fn wake_with(&self, wake: impl Fn() + Send + 'static) {
        self.waker.lock().unwrap_or_else(PoisonError::into_inner).0 = Some(Box::new(wake));
    }

    /// How many there are now. Who has taken `taken` and waits for more is woken when there are more.
    pub(crate) fn known(&self, taken: u64) -> Known {
        let look = || {
            let state = self.state();
            Known { count: state.count, closed: state.closed }
        };
        let known = look();
        if known.count > taken || known.closed {
            return known;
        }
        // What has come in between is seen by one of the two.
        self.hungry.store(true, Ordering::SeqCst);
        look()
    }

    /// Waits until there is one, or none will come.
    pub(crate) fn wait_for_first(&self) -> Known {
        self.wait(|state| state.count > 0 || state.closed)
    }

    /// Waits until all are there.
    ///
    /// # Errors
    /// When not all could be read.
    pub(crate) fn wait_for_all(&self) -> Result<Known, ItemError> {
        let known = self.wait(|state| state.closed);
        self.error().map_or(Ok(known), Err)
    }

    fn wait(&self, until: impl Fn(&State) -> bool) -> Known {
        let waited = self.changed.wait_while(self.state(), |state| !until(state));
        let state = waited.unwrap_or_else(PoisonError::into_inner);
        Known { count: state.count, closed: state.closed }
    }

    /// What went wrong with reading.
    pub(crate) fn error(&self) -> Option<ItemError> {
        self.state().error.clone()
    }

    /// Where everything is that was read.
    ///
    /// # Errors
    /// When no descriptor is left.
    pub(crate) fn store(&self) -> io::Result<Store> {
        Ok(Store::File(self.file.try_clone()?))
    }

    pub(crate) fn format(&self) -> Format {
        if self.separator == 0 { Format::Nul } else { Format::Lines }
    }

    pub(crate) fn get(&self, number: u64) -> Result<Item, ItemError> {
        let mut state = self.state();
        if number >= state.count {
            return Err(state.error.clone().unwrap_or(ItemError::Empty));
        }
        let place = state.stretches.partition_point(|(first, _)| *first <= number).saturating_sub(1);
        let (first, from) = state.stretches.get(place).copied().unwrap_or_default();
        let to = state.stretches.get(place + 1).map_or(state.end, |(_, offset)| *offset);
        if state.last.as_ref().is_none_or(|last| last.range != (from..to)) {
            let mut bytes = vec![0; usize::try_from(to - from).unwrap_or(0)];
            self.file.read_exact_at(&mut bytes, from)?;
            let items = split(&bytes, self.separator, |line| content(line, self.separator));
            state.last = Some(Loaded { range: from..to, bytes, items });
        }
        let item = state.last.as_ref().and_then(|last| {
            let range = last.items.get(usize::try_from(number - first).ok()?)?;
            last.bytes.get(range.clone())
        });
        item.map(|bytes| Item::of(ItemValue::Text(bytes.to_vec()))).ok_or(ItemError::Changed)
    }
}

impl State {
    fn item(&mut self, offset: u64, end: u64) -> Result<(), ItemError> {
        if end - offset > LONGEST {
            return Err(ItemError::TooLong(self.count + 1));
        }
        if self.stretches.last().is_none_or(|(_, begin)| offset - begin >= STRETCH) {
            self.stretches.push((self.count, offset));
        }
        self.count += 1;
        self.end = end;
        Ok(())
    }
}

/// What a text begins with, as far as it may be a byte order mark, which is no part of it. Waits for nothing else.
fn without_mark(from: &mut impl Read) -> Result<Vec<u8>, ItemError> {
    let mut head = Vec::new();
    while head.len() < MARK.len() && MARK.starts_with(&head) {
        let mut byte = [0];
        match from.read(&mut byte) {
            Ok(0) => break,
            Ok(_) => head.extend(byte),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error.into()),
        }
    }
    if head == MARK {
        head.clear();
    }
    Ok(head)
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::time::Duration;

    use super::*;
    use crate::workload::items::Records;

    /// Gives what it is sent, and ends when nobody can send any more.
    struct Sent(mpsc::Receiver<Vec<u8>>, io::Cursor<Vec<u8>>);

    impl Read for Sent {
        fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
            match self.1.read(out)? {
                0 => match self.0.recv() {
                    Ok(bytes) => {
                        self.1 = io::Cursor::new(bytes);
                        self.1.read(out)
                    }
                    Err(_) => Ok(0),
                },
                read => Ok(read),
            }
        }
    }

    fn text(live: &Live, number: u64) -> Vec<u8> {
        live.get(number).unwrap().whole.text().to_vec()
    }

    #[test]
    fn an_item_is_there_when_it_is_whole_and_whoever_waits_is_woken() {
        let (sender, receiver) = mpsc::channel();
        let live = Live::start(Sent(receiver, io::Cursor::default()), b'\n').unwrap();
        let (woken, wakes) = mpsc::channel();
        live.wake_with(move || woken.send(()).unwrap());
        assert_eq!(live.known(0), Known { count: 0, closed: false });
        sender.send(b"\n\r\none\r\ntw".to_vec()).unwrap();
        wakes.recv_timeout(Duration::from_secs(10)).unwrap();
        assert_eq!((live.wait_for_first().count, text(&live, 0)), (1, b"one".to_vec()));
        assert!(live.get(1).is_err());
        assert_eq!(live.known(1).count, 1);
        sender.send(b"o\nthree".to_vec()).unwrap();
        // What was read before there was an item has woken, too.
        while live.known(1).count < 2 {
            wakes.recv_timeout(Duration::from_secs(10)).unwrap();
        }
        assert_eq!(text(&live, 1), b"two");
        drop(sender);
        assert_eq!(live.wait_for_all(), Ok(Known { count: 3, closed: true }));
        assert_eq!(text(&live, 2), b"three");
    }

    #[test]
    fn too_long_an_item_is_an_error_and_those_before_it_are_there() {
        let (sender, receiver) = mpsc::channel();
        let live = Live::start(Sent(receiver, io::Cursor::default()), 0).unwrap();
        sender.send(b"a\0".to_vec()).unwrap();
        for _ in 0..40 {
            let _ = sender.send(vec![b'x'; 40_000]);
        }
        drop(sender);
        assert_eq!(live.wait_for_all(), Err(ItemError::TooLong(2)));
        assert_eq!(text(&live, 0), b"a");
    }

    #[test]
    fn they_are_those_of_a_file_with_the_same_bytes() {
        let bytes: Vec<u8> =
            (0..60_000_u32).flat_map(|n| format!("item {n}\n\n\r\n{}\r\n", n * 7).into_bytes()).collect();
        for separator in [b'\n', 0] {
            let bytes = bytes.iter().map(|byte| if *byte == b'\n' { separator } else { *byte }).collect::<Vec<u8>>();
            let live = Live::start(io::Cursor::new(bytes), separator).unwrap();
            let count = live.wait_for_all().unwrap().count;
            let records =
                Records::new(live.store().unwrap(), live.format(), |_, _| Ok(())).unwrap_or_else(|_| panic!());
            assert_eq!(count, records.len());
            for number in [0, 1, count / 2, count - 1].into_iter().filter(|number| *number < count) {
                assert_eq!(live.get(number).unwrap(), records.get(number).unwrap());
            }
        }
    }
}
