//! Items of standard input that are taken while it is still coming: read by a thread of its own into a file without a name, as
//! fast as they come, and found in it by their number.
//!
//! What is kept in memory is where every stretch of about 32 KiB begins (16 bytes each), and the stretch that was read last.
//! Of CSV the header comes first and gives the names; of lines of JSON the first item says which fields there are, and one that
//! has not what is asked of all of them ([`Live::require`]) ends the items as one that cannot be read does.

mod reading;

use std::fs::File;
use std::io::{self, Read};
use std::ops::Range;
use std::os::unix::fs::FileExt as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};

use super::json::Keys;
use super::records::{Format, STRETCH, Store};
use super::{Item, ItemError, temporary_file};

/// How items that are still coming are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LiveFormat {
    /// Each line that is not empty.
    Lines,
    /// Each stretch up to a zero byte that is not empty.
    Nul,
    /// Records behind a first one with their names.
    Csv,
    /// Each line that is not blank is a value.
    JsonLines,
}

/// See the module docs.
#[derive(Debug)]
pub struct Live {
    format: LiveFormat,
    file: File,
    state: Mutex<State>,
    changed: Condvar,
    /// Names of the fields that items have: of CSV those of its header, of JSON those of the first item, if that has any.
    fields: OnceLock<Vec<String>>,
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
    /// Of lines of JSON, which fields they have, and which they must have.
    keys: Keys,
    required: Vec<String>,
}

/// A stretch that was read.
#[derive(Debug)]
struct Loaded {
    range: Range<u64>,
    bytes: Vec<u8>,
    items: Vec<Range<usize>>,
}

/// An item that has come: where it begins and ends, and what it is where that was looked at.
#[derive(Debug)]
struct Come {
    begin: u64,
    end: u64,
    item: Option<Item>,
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
    pub(crate) fn start(from: impl Read + Send + 'static, format: LiveFormat) -> io::Result<Arc<Self>> {
        let live = Arc::new(Self {
            format,
            file: temporary_file()?,
            state: Mutex::default(),
            changed: Condvar::new(),
            fields: OnceLock::new(),
            hungry: AtomicBool::new(false),
            waker: Mutex::default(),
        });
        let reader = Arc::clone(&live);
        std::thread::Builder::new().name("items".to_owned()).spawn(move || {
            let read = reader.read(from);
            let mut state = reader.state();
            state.closed = true;
            state.error = state.error.take().or(read.err());
            drop(state);
            reader.tell();
        })?;
        Ok(live)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
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

    /// Waits until it is known which fields items have, or that none will come.
    ///
    /// # Errors
    /// When there are none.
    pub(crate) fn wait_for_fields(&self) -> Result<Option<&[String]>, ItemError> {
        let is_header = self.format == LiveFormat::Csv;
        let known = self.wait(|state| state.count > 0 || state.closed || is_header && self.fields.get().is_some());
        match self.fields() {
            None if known.count == 0 => Err(self.error().unwrap_or(ItemError::Empty)),
            fields => Ok(fields),
        }
    }

    /// Names of the fields that items have, as far as that is known.
    pub(crate) fn fields(&self) -> Option<&[String]> {
        self.fields.get().map(Vec::as_slice)
    }

    /// No item may be without this field, or, where they have none, be a record.
    pub(crate) fn require(&self, key: &str) {
        if self.format == LiveFormat::JsonLines {
            let mut state = self.state();
            state.required.push(key.to_owned());
            // What it says is told by whoever waits for items.
            let _ = state.refuse_lacking();
        }
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
        match self.format {
            LiveFormat::Lines => Format::Lines,
            LiveFormat::Nul => Format::Nul,
            LiveFormat::JsonLines => Format::JsonLines,
            LiveFormat::Csv => Format::Csv(self.fields().unwrap_or_default().to_vec()),
        }
    }

    pub(crate) fn get(&self, number: u64) -> Result<Item, ItemError> {
        let format = self.format();
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
            let items = format.split(&bytes);
            state.last = Some(Loaded { range: from..to, bytes, items });
        }
        let item = state.last.as_ref().and_then(|last| {
            let range = last.items.get(usize::try_from(number - first).ok()?)?;
            last.bytes.get(range.clone())
        });
        format.item(item.ok_or(ItemError::Changed)?, number)
    }
}

impl State {
    /// Takes in what has come.
    fn add(&mut self, come: &Come) -> Result<(), ItemError> {
        if let Some(item) = &come.item {
            self.keys.look(self.count + 1, item);
            if !self.required.is_empty() {
                self.refuse_lacking()?;
            }
        }
        if self.stretches.last().is_none_or(|(_, begin)| come.begin - begin >= STRETCH) {
            self.stretches.push((self.count, come.begin));
        }
        self.count += 1;
        self.end = come.end;
        Ok(())
    }

    /// The first item that has not what is required ends them.
    fn refuse_lacking(&mut self) -> Result<(), ItemError> {
        let lacking = |key: &String| Some((self.keys.lacking(key)?, key.clone()));
        let Some((number, key)) = self.required.iter().filter_map(lacking).min() else { return Ok(()) };
        let error = ItemError::NoField(number, key);
        self.count = self.count.min(number - 1);
        (self.closed, self.error) = (true, Some(error.clone()));
        Err(error)
    }
}

#[cfg(test)]
mod tests;
