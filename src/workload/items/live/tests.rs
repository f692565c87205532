use std::sync::mpsc;
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::workload::items::records::MARK;
use crate::workload::items::{Records, json};

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
    let live = Live::start(Sent(receiver, io::Cursor::default()), LiveFormat::Lines).unwrap();
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
    let live = Live::start(Sent(receiver, io::Cursor::default()), LiveFormat::Nul).unwrap();
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
    let lines: Vec<u8> = (0..60_000_u32).flat_map(|n| format!("item {n}\n\n\r\n{}\r\n", n * 7).into_bytes()).collect();
    let csv = (0..30_000_u32).flat_map(|n| format!("{n},\"a\n\r\n\"\"{n}\"\"\"\r\n\r{n},x\r\n\n").into_bytes());
    let json = (0..30_000_u32).flat_map(|n| format!("  {{\"n\": {n}}}\r\n \t\n{n}\n").into_bytes());
    let nul = lines.iter().map(|byte| if *byte == b'\n' { 0 } else { *byte }).collect();
    for (format, bytes) in [
        (LiveFormat::Lines, lines),
        (LiveFormat::Nul, nul),
        (LiveFormat::Csv, b"n,text\r\n".iter().copied().chain(csv).collect()),
        (LiveFormat::JsonLines, json.collect()),
    ] {
        // A second mark is text, and no JSON.
        let two = [MARK, MARK].concat();
        let marks = [&b""[..], MARK, if format == LiveFormat::JsonLines { MARK } else { &two }];
        for mark in marks {
            let live = Live::start(io::Cursor::new([mark, &bytes].concat()), format).unwrap();
            let count = live.wait_for_all().unwrap().count;
            let records = of_file(&live).unwrap();
            assert_eq!(count, records.len(), "{format:?} {mark:?}");
            for number in [0, 1, count / 2, count / 2 + 1, count - 1] {
                assert_eq!(live.get(number).unwrap(), records.get(number).unwrap(), "{format:?} {mark:?}");
            }
        }
    }
}

fn of_file(live: &Live) -> Result<Records, ItemError> {
    let mut keys = Keys::default();
    Records::new(live.store().unwrap(), live.format(), |number, line| json::look(&mut keys, number, line))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// Cut wherever it may be, CSV is what a reader of files makes of it: the same items, or an error.
    #[test]
    fn csv_is_that_of_a_file_however_it_comes(
        body in "([ab,\"\r\n]|\"\"|,b\r\n|\",\"){0,40}",
        cuts in prop::collection::vec(1_usize..9, 1..8),
    ) {
        let (sender, receiver) = mpsc::channel();
        let text = format!("x,y\n{body}");
        let (mut rest, mut sizes) = (text.as_bytes(), cuts.iter().cycle());
        while !rest.is_empty() {
            let (piece, behind) = rest.split_at(rest.len().min(*sizes.next().unwrap()));
            sender.send(piece.to_vec()).unwrap();
            rest = behind;
        }
        drop(sender);
        let live = Live::start(Sent(receiver, io::Cursor::default()), LiveFormat::Csv).unwrap();
        let known = live.wait_for_all();
        let file = Records::new(Store::Memory(text.into_bytes()), live.format(), |_, _| Ok(()));
        match (known, file) {
            (Ok(known), Ok(records)) => {
                prop_assert_eq!(known.count, records.len());
                for number in 0..known.count {
                    prop_assert_eq!(live.get(number), records.get(number));
                }
            }
            (Ok(known), Err(error)) => prop_assert_eq!((known.count, error), (0, ItemError::Empty)),
            (Err(_), file) => prop_assert!(file.is_err()),
        }
    }
}

#[test]
fn names_and_fields_are_known_when_the_first_has_come() {
    for (format, first, fields) in [
        (LiveFormat::Csv, "a,\"b \nc\"\n", Some(["a", "b \nc"].map(str::to_owned))),
        (LiveFormat::JsonLines, "{\"a\":1,\"b\":2}\n", Some(["a", "b"].map(str::to_owned))),
        (LiveFormat::JsonLines, "[1]\n", None),
    ] {
        let (sender, receiver) = mpsc::channel();
        let live = Live::start(Sent(receiver, io::Cursor::default()), format).unwrap();
        sender.send(format!("\n{first}").into_bytes()).unwrap();
        assert_eq!(live.wait_for_fields(), Ok(fields.as_ref().map(<[String; 2]>::as_slice)), "{first}");
        drop(sender);
    }
    for (format, text, error) in [
        (LiveFormat::Csv, "", "there is no item in it"),
        (LiveFormat::JsonLines, " \n", "there is no item in it"),
        (LiveFormat::JsonLines, "{\n", "item 1 is not JSON"),
        (LiveFormat::Csv, "a,\"b\n1,2\n", "a quote that opens in line 1 is never closed"),
    ] {
        let live = Live::start(io::Cursor::new(text), format).unwrap();
        let refused = live.wait_for_fields().unwrap_err().to_string();
        assert!(refused.starts_with(error), "{refused}");
    }
}

#[test]
fn a_bad_one_far_down_is_an_error_and_those_before_it_are_there() {
    for (format, text, error) in [
        (LiveFormat::Csv, "a,b\n1,2\n3,4\n5\n6,7\n", "line 4 has 1 fields, and the header has 2"),
        (LiveFormat::Csv, "a,b\n1,2\n3,4\n5,\"6\n", "a quote that opens in line 4 is never closed"),
        (LiveFormat::Csv, "a,b\n1,2\n3,4\n\"5\"6,7\n", "line 4 goes on behind a closing quote"),
        (LiveFormat::JsonLines, "{\"a\":1}\n{\"a\":2}\n{\"a\":\n", "item 3 is not JSON"),
        (LiveFormat::JsonLines, "{\"a\":1}\n{\"b\":2,\"a\":3}\n{\"b\":3}\n4\n", "item 3 has no `a`"),
        (LiveFormat::JsonLines, "{\"a\":1}\n{\"a\":3}\n4\n", "item 3 has no `a`"),
        (LiveFormat::JsonLines, "1\n2\n{\"a\":3}\n", "item 3 has no `a`"),
    ] {
        // What is asked of all may be known before the last of them is there, or afterwards.
        for early in [true, false] {
            let (sender, receiver) = mpsc::channel();
            let live = Live::start(Sent(receiver, io::Cursor::default()), format).unwrap();
            if early {
                live.require("a");
            }
            sender.send(text.into()).unwrap();
            drop(sender);
            if !early {
                let _ = live.wait_for_all();
                live.require("a");
            }
            let refused = live.wait_for_all().unwrap_err().to_string();
            assert!(refused.starts_with(error), "{refused}");
            assert_eq!(live.known(0), Known { count: 2, closed: true }, "{error}");
            assert!(live.get(1).is_ok() && live.get(2).is_err(), "{error}");
        }
    }
}
