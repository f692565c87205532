//! What workers are sent of a class, and the bytes that come with each of its tasks because only the parent knows them:
//! times of a trace, arguments that are drawn, what is made of an item, and payloads.

use std::num::NonZeroU64;
use std::sync::Arc;

use crate::workload::items::{ItemError, Live, TaskItems};
use crate::workload::model::{
    Attempt, CommandLine, CommandOptions, ProgramRules, PythonCall, Share, TaskClass, TaskIndex, Work, Workload,
};
use crate::workload::placeholder::Values;
use crate::workload::program_start::ProgramStart;
use crate::workload::random::{Purpose, bits};
use crate::workload::service;

/// Characters of an item that are shown where there is room for a line.
const SHOWN: usize = 200;

impl TaskClass {
    /// The command whose start comes with each task, where a list of arguments does not say it all.
    fn command_told(&self) -> Option<&CommandLine> {
        match &self.work {
            Work::Command(command)
                if self.items.is_some() || command.spool.is_some() || !CommandOptions::are_usual(&command.options) =>
            {
                Some(command)
            }
            _ => None,
        }
    }

    /// The work as workers are sent it, but for its traces.
    pub(crate) fn sent(&self) -> Work {
        match self.command_told() {
            Some(command) => Work::Program(ProgramRules { timeout: self.timeout, ..command.options.rules.clone() }),
            None if self.redraws() => service::without_times(&self.work),
            None => self.work.clone(),
        }
    }

    /// Whether what is drawn of a task is drawn anew when it is tried again.
    pub(crate) fn redraws(&self) -> bool {
        self.retries.redraw && self.retries.max > 0
    }

    /// What an attempt at a task is drawn with.
    pub(crate) fn drawing_seed(&self, seed: u64, attempt: Attempt) -> u64 {
        match attempt {
            again if self.redraws() && again > Attempt::FIRST => {
                bits(seed, Purpose::Redraw, u64::from(again.number()), 0)
            }
            _ => seed,
        }
    }

    /// Whether bytes come with its tasks.
    pub(crate) fn tells(&self) -> bool {
        let served = matches!(&self.work, Work::Served(program) if self.redraws() || !program.told.is_empty());
        let told = self.command_told().is_some() || served || self.work.draws() || self.redraws();
        told || service::has_traces(&self.work) || self.payload().with_task > 0
    }

    /// What was made of the item of a task for the arguments of its call, as a list in JSON. `None` where there is nothing of
    /// that kind.
    ///
    /// # Errors
    /// When its item cannot be read.
    pub(crate) fn told_in_json(&self, seed: u64, index: TaskIndex) -> Option<Result<String, ItemError>> {
        let Work::Python(call) = &self.work else { return None };
        if call.told.is_empty() {
            return None;
        }
        let item = self.items.as_ref().map(|items| items.of(index)).transpose();
        Some(item.and_then(|item| {
            told_list(&call.told, &Values { index, attempt: Attempt::FIRST, seed, item: item.as_ref() })
        }))
    }

    /// Program and arguments of an attempt, as text, where more than a list of arguments says them; `None` for other work.
    ///
    /// # Errors
    /// When its item cannot be read, or cannot be given to a program.
    pub(crate) fn started(
        &self,
        seed: u64,
        index: TaskIndex,
        attempt: Attempt,
    ) -> Option<Result<Vec<String>, ItemError>> {
        let start = ProgramStart::new(self.command_told()?, self.items.as_ref(), index, attempt, seed);
        let text = |word: &Vec<u8>| String::from_utf8_lossy(word).into_owned();
        Some(start.map(|start| start.argv.iter().map(text).collect()))
    }

    /// The bytes that come with an attempt at a task.
    ///
    /// # Errors
    /// When its item cannot be read, or cannot be given to what is to be done with it.
    pub(crate) fn told(&self, seed: u64, index: TaskIndex, attempt: Attempt) -> Result<Vec<u8>, ItemError> {
        if let Some(command) = self.command_told() {
            return Ok(ProgramStart::new(command, self.items.as_ref(), index, attempt, seed)?.encoded());
        }
        let item = self.items.as_ref().map(|items| items.of(index)).transpose()?;
        let values = Values { index, attempt, seed, item: item.as_ref() };
        let drawn_with = self.drawing_seed(seed, attempt);
        match &self.work {
            Work::Python(call) => call.told(&values, drawn_with),
            Work::Served(program) => program.line_told(&values, drawn_with),
            work => {
                let mut bytes = service::told_times(work, drawn_with, index, self.redraws());
                bytes.extend(self.payload.with_task(index));
                Ok(bytes)
            }
        }
    }
}

impl PythonCall {
    /// What travels with a task: the numbers that are drawn for it, eight bytes each (a float); where there are texts to be
    /// told, their number of bytes (four) and a list of them in JSON; and its payload.
    ///
    /// # Errors
    /// When its item cannot be read.
    pub(crate) fn told(&self, values: &Values<'_>, drawn_with: u64) -> Result<Vec<u8>, ItemError> {
        let mut told = Vec::with_capacity(8 * self.draws.len());
        self.drawn(drawn_with, values.index).for_each(|number| told.extend_from_slice(&number.to_le_bytes()));
        if !self.told.is_empty() {
            let list = told_list(&self.told, values)?;
            told.extend_from_slice(&u32::try_from(list.len()).unwrap_or(u32::MAX).to_le_bytes());
            told.extend_from_slice(list.as_bytes());
        }
        if told.is_empty() {
            return Ok(self.payload.with_task(values.index));
        }
        told.extend(self.payload.with_task(values.index));
        Ok(told)
    }
}

/// A list in JSON of what these texts are for a task.
pub(crate) fn told_list(texts: &[String], values: &Values<'_>) -> Result<String, ItemError> {
    let mut list = String::from("[");
    for (place, text) in texts.iter().enumerate() {
        list.push_str(if place == 0 { "" } else { "," });
        values.put_json(text, &mut list)?;
    }
    list.push(']');
    Ok(list)
}

impl Workload {
    /// Draws everything that is random with another seed.
    pub fn reseed(&mut self, seed: u64) {
        self.seed = seed;
        self.classes.iter_mut().filter_map(|class| class.items.as_mut()).for_each(|items| items.reseeded(seed));
    }

    /// Whether any of its tasks has an item.
    #[must_use]
    pub fn has_items(&self) -> bool {
        self.classes.iter().any(|class| class.items.is_some())
    }

    /// The items that are still coming, where there are such.
    pub(crate) fn live(&self) -> Option<&Arc<Live>> {
        self.classes.iter().find_map(|class| class.items.as_ref()?.live())
    }

    /// The same workload with as many tasks as items have come. To be called when no more will come, or nobody waits for them.
    ///
    /// # Errors
    /// When the items cannot be read.
    pub(crate) fn settled(&self) -> Result<Self, ItemError> {
        let mut settled = self.clone();
        let mut first = 0;
        for class in &mut settled.classes {
            let Share::Count(count) = &mut class.share else { continue };
            if let Some(items) = &class.items {
                let known = items.live().map(|live| live.known(u64::MAX));
                let whole =
                    known.is_none_or(|known| known.closed) && items.live().is_none_or(|live| live.error().is_none());
                let all = if whole { items.settled()?.ok_or(ItemError::Empty)? } else { items.clone() };
                *count = if whole { all.tasks() } else { at_least_one(known.map_or(0, |known| known.count)) };
                class.items = Some(all.beginning_at(first));
            }
            first += count.get();
        }
        Ok(settled)
    }

    /// The items of the class that a task is of.
    fn items_of(&self, index: TaskIndex) -> Option<&TaskItems> {
        self.classes.iter().filter_map(|class| class.items.as_ref()).find(|items| items.covers(index))
    }

    /// The item of a task as text, any bytes; `None` for a task without one.
    ///
    /// # Errors
    /// When it cannot be read, or is no longer what it was.
    #[must_use]
    pub fn item(&self, index: TaskIndex) -> Option<Result<Vec<u8>, ItemError>> {
        let item = self.items_of(index)?.of(index);
        Some(item.map(|item| item.whole.text().to_vec()))
    }

    /// The item of a task in words for people: one line, neutral, shortened; `None` for a task without one.
    #[must_use]
    pub fn item_text(&self, index: TaskIndex) -> Option<String> {
        let item = self.items_of(index)?.of(index);
        Some(item.map_or_else(|error| format!("({error})"), |item| item.shown(SHOWN)))
    }
}

fn at_least_one(count: u64) -> NonZeroU64 {
    NonZeroU64::new(count).unwrap_or(NonZeroU64::MIN)
}
