use std::io::Write as _;
use std::os::unix::fs::FileExt as _;

use proptest::prelude::*;

use super::*;
use crate::workload::items::records::LONGEST;

fn memory(bytes: &[u8]) -> Store {
    Store::Memory(bytes.to_vec())
}

fn records(bytes: &[u8], format: Format) -> Result<Records, ItemError> {
    Records::new(memory(bytes), format, |_, _| Ok(()))
}

fn texts(bytes: &[u8], format: Format) -> Vec<Vec<u8>> {
    let records = records(bytes, format).unwrap();
    (0..records.len()).map(|number| records.get(number).unwrap().whole.text().to_vec()).collect()
}

fn list(words: &[&str]) -> TaskItems {
    let items = words.iter().map(|word| Item::of(ItemValue::Text(word.as_bytes().to_vec()))).collect();
    TaskItems::new(Source::List(items)).unwrap()
}

fn all(items: &TaskItems) -> Vec<String> {
    let text = |index| String::from_utf8(items.of(index).unwrap().whole.text().to_vec()).unwrap();
    (0..items.tasks().get()).map(text).collect()
}

#[test]
fn lines_are_items_unless_they_are_empty() {
    assert_eq!(texts(b"a b\n\n\xff\tc\r\n \nlast", Format::Lines), [&b"a b"[..], b"\xff\tc", b" ", b"last"]);
    assert_eq!(texts(b"a\nb\r\0\0c", Format::Nul), [&b"a\nb\r"[..], b"c"]);
    assert_eq!(records(b"\n\r\n\n", Format::Lines).err(), Some(ItemError::Empty));
    assert_eq!(records(b"", Format::Nul).err(), Some(ItemError::Empty));
}

#[test]
fn an_item_has_a_longest_length() {
    let long = vec![b'x'; LONGEST as usize + 1];
    assert_eq!(records(&[b"a\n", &long[..]].concat(), Format::Lines).err(), Some(ItemError::TooLong(2)));
    assert_eq!(texts(&long[2..], Format::Lines), [&long[2..]]);
}

#[test]
fn records_of_csv_are_told_apart_by_its_rules() {
    let text = b"name,n\n\"a, \"\"b\"\"\nc\",1\r\n\nd\xff,\"\"\n";
    let names = csv_names(&memory(text)).unwrap();
    assert_eq!(names, ["name", "n"]);
    let records = records(text, Format::Csv(names)).unwrap();
    assert_eq!(records.len(), 2);
    let field = |number, name| records.get(number).unwrap().text(Part::Named(name)).unwrap().into_owned();
    assert_eq!(field(0, "name"), b"a, \"b\"\nc");
    assert_eq!(field(0, "n"), b"1");
    assert_eq!((field(1, "name"), field(1, "n")), (b"d\xff".to_vec(), Vec::new()));
    assert_eq!(records.get(0).unwrap().whole.text(), b"\"a, \"\"b\"\"\nc\",1");
    assert_eq!(records.get(1).unwrap().whole.text(), b"d\xff,\"\"");
}

#[test]
fn a_mark_before_a_text_is_left_out_and_anywhere_else_it_is_text() {
    let mark = "\u{feff}";
    let marked = |text: &str| format!("{mark}{text}").into_bytes();
    assert_eq!(texts(&marked(&format!("a\n{mark}b\n")), Format::Lines), [b"a".to_vec(), marked("b")]);
    assert_eq!(texts(&marked(mark), Format::Lines), [mark.as_bytes()]);
    assert_eq!(texts(&marked("1\n"), Format::JsonLines), [b"1"]);
    assert_eq!(texts(&marked("a\0b"), Format::Nul), [marked("a"), b"b".to_vec()]);
    let text = marked(&format!("a,b\n{mark}1,2\n{mark}\"3\",4\n"));
    let names = csv_names(&memory(&text)).unwrap();
    assert_eq!(names, ["a", "b"]);
    let records = records(&text, Format::Csv(names)).unwrap();
    let first = |number| records.get(number).unwrap().text(Part::Named("a")).unwrap().into_owned();
    assert_eq!((first(0), first(1)), (marked("1"), marked("\"3\"")));
    assert_eq!(csv_names(&memory(format!("{mark}{mark}a\n1\n").as_bytes())).unwrap(), [format!("{mark}a")]);
}

#[test]
fn no_row_of_a_csv_is_lost_in_quotes() {
    let wrong = |text: &str| {
        let names = csv_names(&memory(text.as_bytes()));
        names.and_then(|names| records(text.as_bytes(), Format::Csv(names))).err().map(|error| error.to_string())
    };
    let open = |line| Some(format!("a quote that opens in line {line} is never closed"));
    assert_eq!(wrong("a,b\n1,\"x\n3,4\n5,6\n"), open(2));
    assert_eq!(wrong("a,b\n1,\"\"\"x\"\"\n3,4\n"), open(2));
    assert_eq!(wrong("a,b\r\n1,2\r\n\"3,4"), open(3));
    assert_eq!(wrong("a,\"b\n1,2\n"), open(1));
    let early = wrong("a,b\n1,\"x\n3,4\n5,\"6\"\n").unwrap();
    assert!(early.starts_with("line 4 goes on behind a closing quote"), "{early}");
    assert_eq!(wrong("a,b\n1,x\"y\n\"\"\"\",\"2\"\r\n"), None);
    let long = "x".repeat(LONGEST as usize);
    let told = wrong(&format!("a\n1\n\"{long}\n")).unwrap();
    assert_eq!(told, "a quote that opens in line 3 is not closed within 1 MiB");
}

#[test]
fn a_csv_without_an_end_is_not_read_to_its_end() {
    // 64 GiB of zeros.
    let file = tempfile::tempfile().unwrap();
    std::io::Write::write_all(&mut &file, b"a\n1\n").unwrap();
    file.set_len(64 << 30).unwrap();
    let wrong = Records::new(Store::File(file), Format::Csv(vec!["a".into()]), |_, _| Ok(())).err().unwrap();
    assert_eq!(wrong.to_string(), "the record of line 3 is longer than 1 MiB");
}

#[test]
fn rows_of_unequal_length_are_told_with_their_line() {
    let text = b"a,b\n1,2\n3\n";
    let wrong = records(text, Format::Csv(vec!["a".into(), "b".into()])).err().unwrap();
    assert_eq!(wrong.to_string(), "line 3 has 1 fields, and the header has 2");
    let wrong = csv_names(&memory(b"\xff,b\n1,2\n")).err().unwrap();
    assert_eq!(wrong.to_string(), "the names of its header are not UTF-8");
}

#[test]
fn lines_of_json_have_the_fields_that_all_have() {
    let text = b"{\"a\":1,\"b\":\"x\\ny\"}\n\n{\"b\":[1, 2],\"a\":null,\"c\":0}\n{\"b\":\"\"}\n";
    let source = Source::of_records(memory(text), Format::JsonLines).unwrap();
    assert_eq!(source.parts(), Parts::Fields(vec!["b"]));
    assert_eq!((source.missing("a"), source.missing("b"), source.missing("c")), (Some(3), None, Some(1)));
    let item = source.get(0).unwrap();
    assert_eq!(&*item.text(Part::Named("b")).unwrap(), b"x\ny");
    assert_eq!(&*source.get(1).unwrap().text(Part::Named("b")).unwrap(), b"[1, 2]");
    // Objects among others have fields, and no parts of a path, whichever comes first.
    for (text, missing) in
        [(&b"\"x.txt\"\n{\"stem\":1}\n"[..], 1), (b"{\"stem\":1}\n\"x.txt\"\n", 2), (b"{}\n{\"stem\":1}\n", 1)]
    {
        let source = Source::of_records(memory(text), Format::JsonLines).unwrap();
        assert_eq!((source.parts(), source.missing("stem")), (Parts::Fields(Vec::new()), Some(missing)));
    }
    let wrong = Source::of_records(memory(b"1\n{\"a\":}\n"), Format::JsonLines).err().unwrap();
    assert!(wrong.to_string().starts_with("item 2 is not JSON: expected value"), "{wrong}");
}

#[test]
fn items_that_have_changed_are_an_error_and_what_was_appended_is_none() {
    let mut file = tempfile::tempfile().unwrap();
    let text: String = (0..20_000).map(|number| format!("line {number}\n")).collect();
    file.write_all(text.as_bytes()).unwrap();
    let records = Records::new(Store::File(file.try_clone().unwrap()), Format::Lines, |_, _| Ok(())).unwrap();
    file.write_all(b"appended\n").unwrap();
    assert_eq!(records.len(), 20_000);
    assert_eq!(records.get(19_999).unwrap().whole.text(), b"line 19999");
    file.write_all_at(b"LINE", 0).unwrap();
    assert_eq!(records.get(1), Err(ItemError::Changed));
    assert_eq!(records.get(19_999).unwrap().whole.text(), b"line 19999", "elsewhere all is as it was");
    file.set_len(100).unwrap();
    assert_eq!(records.get(10_000), Err(ItemError::Changed));
}

#[test]
fn what_is_kept_of_many_items_is_little() {
    let mut file = tempfile::tempfile().unwrap();
    let text: String = (0..1_000_000).map(|number| format!("{number}\n")).collect();
    file.write_all(text.as_bytes()).unwrap();
    let records = Records::new(Store::File(file), Format::Lines, |_, _| Ok(())).unwrap();
    assert!(records.kept() * 500 < text.len(), "{} bytes for {}", records.kept(), text.len());
    for number in [0, 1, 999_999, 500_000, 499_999] {
        assert_eq!(records.get(number).unwrap().whole.text(), number.to_string().as_bytes());
    }
}

#[test]
fn repeated_sampled_and_both() {
    let items = list(&["a", "b", "c"]);
    assert_eq!(all(&items.clone().repeated(NonZeroU64::new(2).unwrap())), ["a", "b", "c", "a", "b", "c"]);
    let sample = items.clone().sampled(NonZeroU64::new(2).unwrap(), 7);
    let drawn = all(&sample);
    assert!(drawn.len() == 2 && drawn[0] != drawn[1], "{drawn:?}");
    assert_eq!(all(&items.clone().sampled(NonZeroU64::new(2).unwrap(), 7)), drawn, "the same for the same seed");
    assert_eq!(all(&sample.clone().repeated(NonZeroU64::new(2).unwrap())), [drawn.clone(), drawn].concat());
    assert_ne!(items.hash(), sample.hash());
    let later = items.beginning_at(10);
    assert_eq!(later.of(11).unwrap().whole.text(), b"b");
    assert!(later.covers(12) && !later.covers(13) && !later.covers(9));
}

#[test]
fn a_range_has_all_numbers_up_to_its_end() {
    let range = TaskItems::new(Source::Range { first: i64::MAX - 1, step: 3, count: 2 }).unwrap();
    assert_eq!(all(&range), ["9223372036854775806", "9223372036854775809"]);
}

proptest! {
    #[test]
    fn any_bytes_are_cut_at_zeros_and_nowhere_else(
        items in proptest::collection::vec(proptest::collection::vec(1_u8.., 1..200), 1..600)
    ) {
        let bytes = items.join(&0);
        prop_assert_eq!(texts(&bytes, Format::Nul), items);
    }

    #[test]
    fn any_rows_come_out_of_csv_as_they_went_in(
        rows in proptest::collection::vec((proptest::collection::vec(any::<u8>(), 0..40), "[a-z\",\n\r]{1,9}"), 1..300)
    ) {
        let mut writer = csv::Writer::from_writer(Vec::new());
        writer.write_record(["a", "b"]).unwrap();
        for (first, second) in &rows {
            writer.write_record([first.as_slice(), second.as_bytes()]).unwrap();
        }
        let bytes = writer.into_inner().unwrap();
        let records = records(&bytes, Format::Csv(vec!["a".into(), "b".into()])).unwrap();
        prop_assert_eq!(records.len(), rows.len() as u64);
        for (number, (first, second)) in (0..).zip(&rows) {
            let item = records.get(number).unwrap();
            prop_assert_eq!(&*item.text(Part::Named("a")).unwrap(), first.as_slice());
            prop_assert_eq!(&*item.text(Part::Named("b")).unwrap(), second.as_bytes());
        }
    }
}
