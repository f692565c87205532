//! The lines that the shim writes: a letter and decimal numbers, separated by spaces. Times are nanoseconds of
//! `CLOCK_MONOTONIC`. A *piece* is what travels to a worker at once: `job` and `piece` are the numbers by which
//! `multiprocessing` and `concurrent.futures` know it themselves.

/// Something that was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Record {
    /// `S pid at`: a process was started by the program; when that was begun. One that is forked tells it too, so that it is
    /// known before what the process does.
    Started { pid: u32, at: u64 },
    /// `N pid executed began`: when it was first seen, as an interpreter that loads its modules or as a process that was forked,
    /// and when it began with what it was started for.
    Began { pid: u32, executed: u64, began: u64 },
    /// `W pid at`: it waits for its first piece, since when.
    Waits { pid: u32, at: u64 },
    /// `T pid job piece count at`: it has taken a piece of so many tasks.
    Took { pid: u32, job: u64, piece: u64, count: u64, at: u64 },
    /// `E pid job piece start length ... [!|+]`: tasks of the piece, one after the other. `!`: the last of them has raised an
    /// exception, which ended the piece; `+`: more lines of it follow. What becomes of the results is not known yet.
    Ran { pid: u32, job: u64, piece: u64, start: u64, lengths: Vec<u64>, raised: bool, more: bool },
    /// `I pid wall cpu rss well at`: it has called its initializer, which took so long and so much CPU time and ended then;
    /// resident memory afterwards in bytes (0 if that is not known). `well`: 1 unless it has raised something.
    Initialized { pid: u32, wall: u64, cpu: u64, rss_bytes: u64, well: bool, at: u64 },
    /// `U pid user system peak`: CPU time since its start, and largest resident memory in bytes (0 if that is not known).
    Usage { pid: u32, user: u64, system: u64, peak_rss_bytes: u64 },
    /// `X pid code`: it has ended; a signal is a negative code.
    Ended { pid: u32, code: i32 },
    /// `G job at`: a caller has waited for as long as it wanted to.
    GaveUp { job: u64, at: u64 },
    /// `B job piece ok at`: the program is about to have the result of a piece.
    CameBack { job: u64, piece: u64, ok: bool, at: u64 },
    /// `P workers`: a pool was made.
    Pool { workers: u64 },
    /// `M base chunk`: a caller of ours begins to hand in its tasks: the first job has the number `base`, and a piece `chunk`
    /// tasks.
    Begins { base: u64, chunk: u64 },
    /// `C`: a caller of ours has every result: from here on it may end its workers.
    Closes,
}

impl Record {
    /// What a line says; `None` if that is nothing.
    pub(crate) fn parse(line: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(line).ok()?;
        let mut words = text.split_ascii_whitespace();
        let letter = words.next()?;
        let mut number = || -> Option<u64> { words.next()?.parse().ok() };
        let pid = |number: Option<u64>| -> Option<u32> { u32::try_from(number?).ok() };
        Some(match letter {
            "S" => Self::Started { pid: pid(number())?, at: number()? },
            "N" => Self::Began { pid: pid(number())?, executed: number()?, began: number()? },
            "W" => Self::Waits { pid: pid(number())?, at: number()? },
            "T" => {
                Self::Took { pid: pid(number())?, job: number()?, piece: number()?, count: number()?, at: number()? }
            }
            "E" => {
                let (pid, job, piece, start) = (pid(number())?, number()?, number()?, number()?);
                let (mut lengths, mut raised, mut more) = (Vec::new(), false, false);
                for word in words {
                    match word {
                        "!" => raised = true,
                        "+" => more = true,
                        word => lengths.push(word.parse().ok()?),
                    }
                }
                Self::Ran { pid, job, piece, start, lengths, raised, more }
            }
            "U" => Self::Usage { pid: pid(number())?, user: number()?, system: number()?, peak_rss_bytes: number()? },
            "I" => Self::Initialized {
                pid: pid(number())?,
                wall: number()?,
                cpu: number()?,
                rss_bytes: number()?,
                well: number()? != 0,
                at: number()?,
            },
            "X" => Self::Ended { pid: pid(number())?, code: words.next()?.parse().ok()? },
            "G" => Self::GaveUp { job: number()?, at: number()? },
            "B" => Self::CameBack { job: number()?, piece: number()?, ok: number()? != 0, at: number()? },
            "P" => Self::Pool { workers: number()? },
            "M" => Self::Begins { base: number()?, chunk: number()? },
            "C" => Self::Closes,
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_mean_what_they_say_and_nonsense_nothing() {
        let ran =
            |raised, more| Record::Ran { pid: 7, job: 3, piece: 0, start: 100, lengths: vec![5, 6], raised, more };
        for (line, record) in [
            ("S 7 99", Some(Record::Started { pid: 7, at: 99 })),
            ("T 7 3 0 4 100", Some(Record::Took { pid: 7, job: 3, piece: 0, count: 4, at: 100 })),
            ("E 7 3 0 100 5 6", Some(ran(false, false))),
            ("E 7 3 0 100 5 6 !", Some(ran(true, false))),
            ("E 7 3 0 100 5 6 +", Some(ran(false, true))),
            (
                "I 7 500 300 4096 1 900",
                Some(Record::Initialized { pid: 7, wall: 500, cpu: 300, rss_bytes: 4096, well: true, at: 900 }),
            ),
            ("I 7 500 300 4096 1", None),
            ("W 7 99", Some(Record::Waits { pid: 7, at: 99 })),
            ("W 7", None),
            ("N 7 99 100", Some(Record::Began { pid: 7, executed: 99, began: 100 })),
            ("N 7 99", None),
            ("X 7 -9", Some(Record::Ended { pid: 7, code: -9 })),
            ("C", Some(Record::Closes)),
            ("X 7", None),
            ("T 7 3 0 4", None),
            ("E 7 3 0 100 five", None),
            ("S -7 99", None),
            ("Z 1", None),
            ("", None),
        ] {
            assert_eq!(Record::parse(line.as_bytes()), record, "{line}");
        }
        assert_eq!(Record::parse(b"S \xff 1"), None);
    }
}
