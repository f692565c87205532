//! What one attempt at a task starts: worked out by the parent, carried to whoever starts it as the bytes that come with the
//! task. The format is the protocol's (`src/worker/PROTOCOL.md`, *Programs*).

use std::os::unix::ffi::OsStringExt as _;
use std::path::{Path, PathBuf};

use crate::workload::items::{ItemError, TaskItems};
use crate::workload::model::{Attempt, CommandLine, ProgramInput, Spool, TaskIndex};
use crate::workload::placeholder::{Values, plain, shell_quoted};

/// Where a worker leaves what the program of an attempt has written, but for the ending of the name.
pub(crate) fn spool_path(folder: &Path, index: TaskIndex, attempt: Attempt) -> PathBuf {
    folder.join(format!("{index}.{attempt}"))
}

/// See the module docs. All texts are bytes without a zero byte, but for the input.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ProgramStart {
    /// Program and arguments.
    pub(crate) argv: Vec<Vec<u8>>,
    /// Whether its environment begins empty.
    pub(crate) clean: bool,
    /// Variables that it gets, in order; those without a value are taken away.
    pub(crate) variables: Vec<(Vec<u8>, Option<Vec<u8>>)>,
    /// The folder that it runs in, from the usual one.
    pub(crate) folder: Option<Vec<u8>>,
    pub(crate) input: StartInput,
    /// The file, but for its ending, in which what it writes is kept, from the usual folder.
    pub(crate) output: Option<Vec<u8>>,
    /// Whether what it writes is handed on: in these files, but for their ending, or to whoever starts it where there is no
    /// name.
    pub(crate) spool: Option<Vec<u8>>,
}

/// What it reads.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum StartInput {
    #[default]
    Null,
    Bytes(Vec<u8>),
    /// A file, from the usual folder.
    File(Vec<u8>),
}

const ARGUMENT: u8 = 1;
const CLEAN: u8 = 2;
const SET: u8 = 3;
const UNSET: u8 = 4;
const FOLDER: u8 = 5;
const INPUT: u8 = 6;
const INPUT_FILE: u8 = 7;
const OUTPUT: u8 = 8;
const SPOOL: u8 = 9;

/// The bytes are not what they should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("what came with the task does not say what is to be started")]
pub(crate) struct BadStart;

impl ProgramStart {
    /// What an attempt at a task of this command starts.
    ///
    /// # Errors
    /// When its item cannot be read, or cannot be given to a program.
    pub(crate) fn new(
        command: &CommandLine,
        items: Option<&TaskItems>,
        index: TaskIndex,
        attempt: Attempt,
        seed: u64,
    ) -> Result<Self, ItemError> {
        let item = items.map(|items| items.of(index)).transpose()?;
        let values = Values { index, attempt, seed, item: item.as_ref() };
        let text = |text: &String| without_zero(values.fill(text, plain)?);
        let mut argv = command.argv.iter().map(text).collect::<Result<Vec<_>, _>>()?;
        if let (true, Some(last), Some(script)) = (command.shell, argv.last_mut(), command.argv.last()) {
            *last = without_zero(values.fill(script, shell_quoted)?)?;
        }
        let options = &command.options;
        let variable = |(name, value): &(String, Option<String>)| {
            Ok((name.clone().into_bytes(), value.as_ref().map(text).transpose()?))
        };
        Ok(Self {
            argv,
            clean: options.clean,
            variables: options.variables.iter().map(variable).collect::<Result<_, ItemError>>()?,
            folder: options.folder.as_ref().map(text).transpose()?,
            input: match &options.input {
                ProgramInput::Null => StartInput::Null,
                ProgramInput::Text(text) => StartInput::Bytes(values.fill(text, plain)?),
                ProgramInput::File(name) => StartInput::File(text(name)?),
            },
            output: match &options.output {
                Some(folder) => Some([text(folder)?, format!("/{index}").into_bytes()].concat()),
                None => None,
            },
            spool: command.spool.as_ref().map(|spool| match spool {
                Spool::Told => Vec::new(),
                Spool::Folder(folder) => spool_path(folder, index, attempt).into_os_string().into_vec(),
            }),
        })
    }

    /// A program with these arguments, in the usual surroundings.
    pub(crate) fn of_words(argv: &[String]) -> Self {
        Self { argv: argv.iter().map(|word| word.as_bytes().to_vec()).collect(), ..Self::default() }
    }

    /// How messages call the program.
    pub(crate) fn name(&self) -> String {
        self.argv.first().map(|name| String::from_utf8_lossy(name).into_owned()).unwrap_or_default()
    }

    /// As the bytes that come with the task.
    pub(crate) fn encoded(&self) -> Vec<u8> {
        let mut out = Vec::new();
        let mut put = |tag: u8, bytes: &[u8]| {
            out.push(tag);
            // Nothing longer travels with a task.
            out.extend_from_slice(&u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_le_bytes());
            out.extend_from_slice(bytes);
        };
        self.argv.iter().for_each(|argument| put(ARGUMENT, argument));
        if self.clean {
            put(CLEAN, b"");
        }
        for (name, value) in &self.variables {
            match value {
                Some(value) => put(SET, &[name, &b"="[..], value].concat()),
                None => put(UNSET, name),
            }
        }
        self.folder.iter().for_each(|folder| put(FOLDER, folder));
        match &self.input {
            StartInput::Null => {}
            StartInput::Bytes(bytes) => put(INPUT, bytes),
            StartInput::File(name) => put(INPUT_FILE, name),
        }
        self.output.iter().for_each(|path| put(OUTPUT, path));
        self.spool.iter().for_each(|path| put(SPOOL, path));
        out
    }

    /// The same back from those bytes.
    ///
    /// # Errors
    /// When they say something else.
    pub(crate) fn decoded(mut bytes: &[u8]) -> Result<Self, BadStart> {
        let mut start = Self::default();
        while let Some((tag, rest)) = bytes.split_first() {
            let (length, rest) = rest.split_first_chunk::<4>().ok_or(BadStart)?;
            let length = usize::try_from(u32::from_le_bytes(*length)).map_err(|_| BadStart)?;
            let (value, rest) = rest.split_at_checked(length).ok_or(BadStart)?;
            bytes = rest;
            match *tag {
                ARGUMENT => start.argv.push(value.to_vec()),
                CLEAN => start.clean = true,
                SET => {
                    let equals = value.iter().position(|byte| *byte == b'=').ok_or(BadStart)?;
                    let (name, value) = value.split_at(equals);
                    start.variables.push((name.to_vec(), Some(value[1..].to_vec())));
                }
                UNSET => start.variables.push((value.to_vec(), None)),
                FOLDER => start.folder = Some(value.to_vec()),
                INPUT => start.input = StartInput::Bytes(value.to_vec()),
                INPUT_FILE => start.input = StartInput::File(value.to_vec()),
                OUTPUT => start.output = Some(value.to_vec()),
                SPOOL => start.spool = Some(value.to_vec()),
                _ => return Err(BadStart),
            }
        }
        if start.argv.is_empty() { Err(BadStart) } else { Ok(start) }
    }
}

fn without_zero(bytes: Vec<u8>) -> Result<Vec<u8>, ItemError> {
    if bytes.contains(&0) { Err(ItemError::Nul) } else { Ok(bytes) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn bytes() -> impl Strategy<Value = Vec<u8>> {
        proptest::collection::vec(any::<u8>(), 0..20)
    }

    proptest! {
        #[test]
        fn what_is_sent_is_what_is_started(
            argv in proptest::collection::vec(bytes(), 1..5),
            clean in any::<bool>(),
            variables in proptest::collection::vec(("[A-Z]{1,5}", proptest::option::of(bytes())), 0..4),
            folder in proptest::option::of(bytes()),
            output in proptest::option::of(bytes()),
            spool in proptest::option::of(bytes()),
            input in prop_oneof![
                Just(StartInput::Null), bytes().prop_map(StartInput::Bytes), bytes().prop_map(StartInput::File)
            ],
        ) {
            let variables = variables.into_iter().map(|(name, value)| (name.into_bytes(), value)).collect();
            let start = ProgramStart { argv, clean, variables, folder, input, output, spool };
            let sent = start.encoded();
            prop_assert_eq!(ProgramStart::decoded(&sent), Ok(start));
        }

        #[test]
        fn any_bytes_are_read_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
            let _ = ProgramStart::decoded(&bytes);
        }
    }
}
