//! That the table says one thing of each key.

use super::*;

const CONTEXTS: [C; 12] = [
    C::PICKER,
    C::MAIN,
    C::TASKS,
    C::DETAIL,
    C::TUNE,
    C::HISTORY,
    C::SESSION,
    C::HELP,
    C::ASK,
    C::CHOOSE,
    C::TYPE,
    C::LINE,
];

#[test]
fn no_key_has_two_meanings_in_one_place() {
    for context in CONTEXTS {
        let mut seen: Vec<Key> = Vec::new();
        for binding in TABLE.iter().filter(|binding| binding.context.meets(context)) {
            for (key, _) in binding.keys {
                assert!(!seen.contains(key), "{} twice in {context:?}", key.label());
                seen.push(*key);
            }
        }
    }
}

#[test]
fn a_key_is_found_where_it_is_bound() {
    for context in CONTEXTS {
        for binding in TABLE {
            for (key, expected) in binding.keys {
                let modifiers = if key.ctrl { KeyModifiers::CONTROL } else { KeyModifiers::NONE };
                let found = action(KeyEvent::new(key.code, modifiers), context);
                if binding.context.meets(context) {
                    assert_eq!(found, Some(*expected), "{} in {context:?}", key.label());
                }
            }
        }
    }
}

#[test]
fn shifted_letters_are_themselves_and_releases_are_nothing() {
    let shifted = KeyEvent::new(KeyCode::Char('K'), KeyModifiers::SHIFT);
    assert_eq!(action(shifted, C::MAIN), Some(A::KillWorker));
    let released = KeyEvent::new_with_kind(KeyCode::Char('q'), KeyModifiers::NONE, KeyEventKind::Release);
    assert_eq!(action(released, C::MAIN), None);
    assert_eq!(action(KeyEvent::new(KeyCode::Char('q'), KeyModifiers::ALT), C::MAIN), None);
}

#[test]
fn every_screen_can_be_left_and_explains_itself() {
    for context in [C::PICKER, C::MAIN, C::TASKS, C::DETAIL, C::HISTORY, C::SESSION, C::HELP] {
        for wanted in [A::Help, A::Quit, A::Back, A::Interrupt, A::Suspend] {
            let bound = TABLE
                .iter()
                .filter(|binding| binding.context.meets(context))
                .any(|binding| binding.keys.iter().any(|(_, action)| *action == wanted));
            assert!(bound, "{wanted:?} in {context:?}");
        }
    }
}

#[test]
fn what_is_typed_is_text() {
    for binding in TABLE {
        for (key, _) in binding.keys.iter().filter(|(key, _)| matches!(key.code, KeyCode::Char(_)) && !key.ctrl) {
            let KeyCode::Char(c) = key.code else { continue };
            for typed in [C::TYPE, C::LINE] {
                assert_eq!(action(KeyEvent::new(key.code, KeyModifiers::NONE), typed), Some(A::Type(c)));
            }
        }
    }
    let end = KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL);
    assert_eq!([C::TYPE, C::LINE].map(|typed| action(end, typed)), [Some(A::Interrupt); 2], "the way out stays");
}

#[test]
fn labels_are_short() {
    let workers = TABLE.iter().find(|binding| binding.footer == "workers").unwrap();
    assert_eq!(workers.short_keys(), "+/-");
    assert_eq!(ctrl('d').label(), "^D");
    assert!(TABLE.iter().all(|binding| !binding.help.is_empty()));
}
