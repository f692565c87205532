use super::*;

const MS: u64 = 1_000_000;

fn ask(column: Option<Column>, unit: Option<Duration>) -> Ask {
    Ask { column, unit }
}

fn read(text: &str, ask: &Ask) -> Vec<u64> {
    lengths(&parse(text, ask).unwrap_or_else(|bad| panic!("{text:?}: {bad:?}")).values).unwrap()
}

fn refused(text: &str, ask: &Ask) -> BadTrace {
    parse(text, ask).map(|values| panic!("{text:?} was read as {values:?}")).unwrap_err()
}

#[test]
fn one_value_a_line_with_or_without_a_header() {
    let alone = ask(None, None);
    for text in
        ["5ms\n1.5s\n", "5ms\r\n1.5s", "\u{feff}5ms\n\n1.5s\n\n", "service time\n5ms\n1500 ms\n", "\"5ms\"\n1.5s"]
    {
        assert_eq!(read(text, &alone), [5 * MS, 1500 * MS], "{text:?}");
    }
    let seconds = ask(None, Some(Duration::from_secs(1)));
    assert_eq!(
        read("t\n0.005\n1.5\n12ms\n5e-05\n.25\n0\n", &seconds),
        [5 * MS, 1500 * MS, 12 * MS, 50_000, 250 * MS, 0]
    );
}

#[test]
fn plain_numbers_are_exact() {
    let seconds = ask(None, Some(Duration::from_secs(1)));
    // A double has no room for the nanoseconds of today.
    assert_eq!(parse("1764130000.123456789\n", &seconds).unwrap().values[0].nanos, 1_764_130_000_123_456_789);
    let micros = ask(None, Some(Duration::from_micros(1)));
    assert_eq!(read("0.0005\n0.0004\n1.9999999999999999999999\n", &micros), [1, 0, 2000]);
    assert!(refused("99999999999999999999\n", &seconds).message.contains("too large"));
    assert!(refused("9e300\n", &seconds).message.contains("too large"));
}

#[test]
fn a_column_is_named_or_numbered() {
    let by_name = ask(Some(Column::Name("took".into())), Some(Duration::from_millis(1)));
    let by_number = ask(Some(Column::Number(2)), Some(Duration::from_millis(1)));
    for text in ["id,took\na,5\n\"b, c\",7\n", "id;took\na;5\nb;7\n", "id\ttook\na\t5\nb\t7\n"] {
        assert_eq!(read(text, &by_name), [5 * MS, 7 * MS], "{text:?}");
        assert_eq!(read(text, &by_number), [5 * MS, 7 * MS], "{text:?}");
    }
    assert_eq!(read("a,5\nb,7\n", &by_number), [5 * MS, 7 * MS], "without a header");
    let bad = refused("id,tok\na,5\n", &by_name);
    assert_eq!((bad.line, bad.names.as_slice()), (Some(1), &["id".to_owned(), "tok".to_owned()][..]), "{bad:?}");
    assert!(refused("a\n", &by_number).message.contains("no column 2"));
    let bad = refused("id,took\n1,2\n", &ask(None, None));
    assert!(bad.message.contains("2 columns") && bad.allowed.unwrap().contains("`id` or `took`"));
}

#[test]
fn a_bad_line_among_good_ones_is_named_and_the_others_counted() {
    let unit = ask(None, Some(Duration::from_secs(1)));
    for (text, line, says, more) in [
        ("1\n2\nx\n4\n", 3, "`x`: not a duration", 0),
        ("1\n-2\n-3\n", 2, "has no sign", 1),
        ("1\nnan\n", 2, "not a duration", 0),
        ("1\ninf\n", 2, "not a duration", 0),
        ("1\n2mo\n", 2, "not a duration", 0),
        ("1\n\n\n2,3\n1_0\n", 4, "2 columns, and the first line has 1 column", 1),
        ("1\n\n\n2\n1_0\n", 5, "not a duration", 0),
        ("1\r\n\r\n\r\nx\r\n", 4, "`x`", 0),
        ("-1\n", 1, "has no sign", 0),
        ("1\n\u{1b}[31m\n", 2, "`␛[31m`", 0),
        ("1\n\"2\n3\"\n", 2, "not a duration", 0),
    ] {
        let bad = refused(text, &unit);
        assert_eq!((bad.line, bad.more), (Some(line), more), "{text:?}: {bad:?}");
        assert!(bad.message.contains(says), "{text:?}: {bad:?}");
    }
    assert!(refused("1ms\n2\n", &ask(None, None)).message.contains("no unit is stated"));
    let bad = refused("a,b\n1,2\n3\n4,\n", &ask(Some(Column::Number(2)), Some(Duration::from_secs(1))));
    assert_eq!((bad.line, bad.message.as_str(), bad.more), (Some(3), "nothing in column 2", 1));
}

#[test]
fn what_was_no_number_is_no_heading() {
    let unit = ask(None, Some(Duration::from_secs(1)));
    let second = ask(Some(Column::Number(2)), Some(Duration::from_secs(1)));
    for word in
        ["NaN", "nan", "inf", "-inf", "+Inf", "Infinity", "NA", "n/a", "null", "None", "\u{221e}", "inf s", "\u{2212}5"]
    {
        let bad = refused(&format!("{word}\n1\n2\n"), &unit);
        assert_eq!((bad.line, bad.more), (Some(1), 0), "{word}: {bad:?}");
        assert!(bad.message.starts_with(&format!("`{word}`: ")), "{bad:?}");
        let bad = refused(&format!("a,{word}\nb,1\n"), &second);
        assert_eq!(bad.line, Some(1), "{word}: {bad:?}");
    }
    // Words that merely begin like one, and the name that was asked for.
    for heading in ["nanoseconds", "info", "name", "nullable", "\"seconds\""] {
        assert_eq!(read(&format!("{heading}\n1\n"), &unit), [1000 * MS], "{heading}");
    }
    let named = ask(Some(Column::Name("nan".into())), Some(Duration::from_secs(1)));
    assert_eq!(read("nan\n1\n", &named), [1000 * MS]);
}

#[test]
fn nothing_is_no_trace() {
    for text in ["", "\n\n", "header\n", "\u{feff}", ",,\n"] {
        let bad = refused(text, &ask(Some(Column::Number(1)), None));
        assert_eq!((bad.line, bad.message.as_str()), (None, "there is no value in it"), "{text:?}");
    }
}

#[test]
fn moments_are_in_order_and_within_a_year() {
    let values = |seconds: &[u64]| -> Vec<Value> {
        seconds.iter().zip(1..).map(|(at, line)| Value { line, nanos: at * 1_000_000_000 }).collect()
    };
    assert_eq!(moments(&values(&[0, 1, 1, 3]), false).unwrap(), [0, 1000 * MS, 1000 * MS, 3000 * MS]);
    let bad = moments(&values(&[0, 5, 3, 2]), false).unwrap_err();
    assert_eq!((bad.line, bad.more), (Some(3), 1), "{bad:?}");
    let today = values(&[1_764_130_000, 1_764_130_002]);
    assert!(moments(&today, false).unwrap_err().allowed.unwrap().contains("`from: first`"));
    assert_eq!(moments(&today, true).unwrap(), [0, 2000 * MS]);
    assert_eq!(lengths(&values(&[1, 40_000_000])).unwrap_err().line, Some(2));
}

#[test]
fn a_comma_in_a_number_is_no_other_number() {
    let seconds = |column| ask(column, Some(Duration::from_secs(1)));
    let first = || Some(Column::Number(1));
    for (text, column, line) in [
        ("t\n1,5\n2\n", None, 2),
        ("1\n1,5\n", None, 2),
        ("0,5\n1\n", first(), 2),
        ("at,took\n1,2\n1,5,2\n", Some(Column::Name("at".into())), 3),
        ("t;u\n1,5;2\n", first(), 2),
        ("t\n\"1,5\"\n", None, 2),
        ("t;u\n1,5s;2\n", first(), 2),
        ("1,5\n2,5\n", None, 1),
    ] {
        let bad = refused(text, &seconds(column));
        assert_eq!(bad.line, Some(line), "{text:?}: {bad:?}");
        assert!(bad.allowed.as_deref().is_some_and(|allowed| allowed.contains("point")), "{text:?}: {bad:?}");
    }
    // Two columns of whole numbers are both, and who meant one is told.
    let read = |text: &str| parse(text, &seconds(first())).unwrap();
    let doubtful = read("12,5\n13,25\n");
    assert_eq!(lengths(&doubtful.values).unwrap(), [12_000 * MS, 13_000 * MS]);
    let [(1, what)] = doubtful.assumed.as_slice() else { panic!("{doubtful:?}") };
    assert!(what.starts_with("`12,5` is taken for two columns"), "{what}");
    for clear in ["12,5.0\n", "1.5,5\n", "12,a\n", "12,5\n13,b\n", "1,2,3\n"] {
        assert_eq!(read(clear).assumed, [], "{clear:?}");
    }
    assert_eq!(read("a,b,\n1,2,\n1,2\n").values.len(), 2, "a comma at the end is no column");
}

#[test]
fn what_is_taken_for_a_heading_is_said() {
    let told = |text: &str, column| parse(text, &ask(column, None)).unwrap().assumed;
    let [(2, what)] = &*told("\nx\n5ms\n", None) else { panic!("not told") };
    assert!(what.starts_with("`x` is no time and is taken for a heading"), "{what}");
    assert_eq!(told("id,took\n1,5ms\n", Some(Column::Number(2))).len(), 1);
    assert_eq!(told("took\n5ms\n", Some(Column::Name("took".into()))), []);
    assert_eq!(told("5ms\n6ms\n", None), []);
}
