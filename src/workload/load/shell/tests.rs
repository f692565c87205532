use std::collections::BTreeSet;
use std::process::{Command, Stdio};

use super::*;
use crate::workload::items::{Item, ItemValue};
use crate::workload::model::Attempt;
use crate::workload::placeholder::{Values, has_item, shell_quoted};
use crate::workload::random::{Purpose, bits};

fn misplaced(text: &str) -> Option<&'static str> {
    words(text).err()
}

#[test]
fn an_item_stands_where_a_word_does() {
    for fine in [
        "convert {item} out/{item.stem}.png",
        "f={item}; cat \"$f\" | wc -l",
        "echo 'a' {item} \"b\"",
        "echo \\'{item}",
        "echo it#{item}",
        "# all of it\ncat {item}",
        "x=$(basename {item})",
        "echo {{item}} ${HOME} {item}",
        "echo $((1 + 2)) {item}",
        "awk '{print $1}' {item}",
        "cat <{item} >out-{index}",
        "echo \"{index}\" '{seed}' {item}",
        "convert {item} \\\n  -resize 50% \\\n  out/{item.name}",
        "for f in a b; do case $f in a) cat {item};; (b) (cd /; ls {item}) ;; esac; done",
        "trap 'rm -f x' EXIT; cat {item}",
        "while read -r line; do echo \"$line\"; done <f; cat {item}",
        "export F={item} G=$(basename {item}); printf '%s\\n' {item}",
        "read x <f && grep -v {item} f",
        "x=$(read y <f; echo \"$y\") cat {item}",
        "[ -f {item} ] && echo `date` \"$(basename \"$HOME\" .x)\" *.[ch] {item}",
    ] {
        assert_eq!(misplaced(fine), None, "{fine}");
    }
}

#[test]
fn anywhere_else_it_is_refused() {
    for wrong in [
        "echo '{item}'",
        "trap {item} EXIT",
        "'trap' {item} EXIT",
        "\"ev\"al {item}",
        "true; \\trap -- {item} 0",
        "read {item}",
        "read 2>&1 x {item}",
        "read $(true; true) {item}",
        "printf -v {item} x",
        "printf -v{item} x",
        "test -v {item}",
        "[ ! -v {item} ]",
        "unset {item}",
        "export {item}",
        "declare -i n={item}",
        "declare -i n; n={item}",
        "echo \"{item}\"",
        "echo \"a$(cat {item})\"",
        "echo `cat {item}`",
        "echo \\{item}",
        "true # {item}",
        "cat <<E\n{item}\nE",
        "echo ${X:-{item}}",
        "echo $(( {item} ))",
        "echo $'a\\' {item}",
        "echo \"x\\\" {item}\"",
        "echo \"`echo 'a` {item}\"",
        "x=\"$(basename \"{item}\")\"",
        "echo \"$(echo \"{item}\")\"",
        "echo \"a\" \"$(echo \"b {item}\")\"",
        "echo \"${x:-\"{item}\"}\"",
        "echo $(( (1+(2)) + {item} ))",
        "echo $(( $((1)) + {item} ))",
        "(( {item} ))",
        "true \\\n# {item}\n",
        "true \u{a0}#' {item}",
        "true \r#\" {item}",
        "true \u{b}#\" {item}",
        "echo $(true)#' \n {item}",
        "echo \"$(case x in x) echo \" {item} \";; esac)\"",
        "echo \"$((case x in x) echo; esac) \"{item}",
        "echo \"$$(\" \") {item}",
        "echo $\\\n{item}",
        "echo $[ {item} ]",
        "[[ {item} -eq 1 ]]",
        "a[{item}]=1",
        "eval echo {item}",
        "echo ${ echo \"}\" {item}",
    ] {
        assert!(misplaced(wrong).is_some(), "{wrong}");
    }
}

/// What texts are made of here.
const PIECES: [&str; 42] = [
    "{item}",
    "{item}",
    "{item}",
    "{item}",
    "\"",
    "\"",
    "\"",
    "'",
    "'",
    "`",
    "$(",
    "$(",
    ")",
    ")",
    "(",
    "${x:-",
    "${x",
    "}",
    "}",
    "$((",
    "))",
    "((",
    "#",
    " ",
    " ",
    "\n",
    "\\",
    "\\\n",
    "echo ",
    "echo ",
    "x",
    ";",
    "case x in x) ",
    "esac",
    "$",
    "1+",
    "\r",
    "\u{a0}",
    "[[ ",
    "a[",
    "]=",
    "eval ",
];
/// Each would make a file, if it were not one word.
const HOSTILE: [&str; 4] = [
    "$(touch PWNED)`touch PWNED`",
    "a\ntouch PWNED #",
    "\"; touch PWNED; \"",
    "x[$(touch PWNED)]}; touch PWNED; ';touch PWNED;'",
];

fn made(number: u64) -> String {
    let draw = |place: u64| bits(7, Purpose::Order, number, place);
    let piece = |place: u64| PIECES[(draw(place) % PIECES.len() as u64) as usize];
    (1..=3 + draw(0) % 14).map(piece).collect()
}

/// Whether what is in an item was run by a shell that reads such a text.
fn runs(shell: &str, text: &str, item: &str) -> bool {
    let folder = tempfile::tempdir().unwrap();
    let item = Item::of(ItemValue::Text(item.into()));
    let values = Values { index: 0, attempt: Attempt::FIRST, seed: 0, item: Some(&item) };
    let filled = String::from_utf8(values.fill(text, shell_quoted).unwrap()).unwrap();
    let mut command = Command::new(shell);
    command.args(["-c", &filled]).current_dir(folder.path()).env("x", "");
    let status = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
    // A syntax error is fine.
    assert!(status.is_ok(), "{shell}");
    folder.path().join("PWNED").exists()
}

#[test]
fn no_text_that_is_taken_runs_what_is_in_an_item() {
    // Were the test blind, it would see nothing here.
    assert!(runs("sh", "echo \"{item}\"", HOSTILE[0]) && runs("sh", "true # {item}", HOSTILE[1]));
    let taken = (0..).map(made).filter(|text| has_item(text) && misplaced(text).is_none());
    // What comes last decides: a text that only begins with an item is none to learn from.
    let texts: BTreeSet<String> = taken.filter(|text| text.len() > 25 && !text.starts_with('{')).take(TEXTS).collect();
    for (number, text) in texts.iter().enumerate() {
        let item = HOSTILE[number % HOSTILE.len()];
        for shell in ["sh", "bash"] {
            assert!(!runs(shell, text, item), "{shell}: {text:?} with {item:?}");
        }
    }
}

const TEXTS: usize = 150;
