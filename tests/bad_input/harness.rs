//! Cases, and how they are checked.

use poolscope::workload::diagnostic::{Diagnostic, DiagnosticSeverity, Diagnostics};
use poolscope::workload::load::{Loaded, NamedFiles, load_with_files};

/// One input and what must be said about it.
pub struct Case {
    pub input: String,
    pub key: &'static str,
    /// Parts of the line that is shown.
    pub says: &'static [&'static str],
    /// The word that is proposed.
    pub suggestion: Option<&'static str>,
}

pub fn case(input: impl Into<String>, key: &'static str, says: &'static [&'static str]) -> Case {
    Case { input: input.into(), key, says, suggestion: None }
}

pub fn meant(input: impl Into<String>, key: &'static str, suggestion: &'static str) -> Case {
    Case { input: input.into(), key, says: &["did you mean"], suggestion: Some(suggestion) }
}

/// A whole file with one good task.
pub fn file(rest: &str) -> String {
    format!("version: 1\nseed: 1\n{TASK}{rest}\n")
}

/// A whole file with this one task entry.
pub fn task(fields: &str) -> String {
    format!("version: 1\nseed: 1\ntasks:\n  - {{ name: t, {fields} }}\n")
}

/// A whole file with one CPU task that has these fields too.
pub fn cpu(fields: &str) -> String {
    task(&format!("kind: cpu, count: 3, service_time: {{ dist: constant, value: 5ms }}, {fields}"))
}

/// A whole file with one task of this service time.
pub fn dist(dist: &str) -> String {
    task(&format!("kind: sleep, count: 3, service_time: {dist}"))
}

/// A whole file with one engine.
pub fn engine(fields: &str) -> String {
    file(&format!("engines:\n  - {{ {fields} }}"))
}

/// A whole file with open arrivals and a weighted task.
pub fn arrivals(arrivals: &str) -> String {
    let task = "tasks: [{ name: t, kind: sleep, service_time: { dist: constant, value: 5ms } }]";
    format!("version: 1\nseed: 1\n{task}\narrivals: {arrivals}\n")
}

pub const TASK: &str = "tasks: [{ name: t, kind: cpu, count: 3, service_time: { dist: constant, value: 5ms } }]\n";

/// The files that a workload of a case can name.
struct Files;

impl NamedFiles for Files {
    fn read(&self, name: &str, most: u64) -> Result<String, String> {
        Ok(match name {
            "good.txt" => "5ms\n7ms\n".to_owned(),
            "bad.txt" => "5ms\n7ms\nx\n9ms\ny\n".to_owned(),
            "plain.txt" => "1.5\n2\n".to_owned(),
            "minus.txt" => "5ms\n-5ms\n".to_owned(),
            "empty.txt" => "\n".to_owned(),
            "long.txt" => "1\n9000\n".to_owned(),
            "back.txt" => "1\n3\n2\n".to_owned(),
            "epoch.txt" => "1764130000.5\n1764130001\n".to_owned(),
            "log.csv" => "at,took\n0,1\n0.25,2\n0.25,3\n1.5,4\n".to_owned(),
            "half" => "1ms\n".repeat(2 << 20),
            "large" => return Err(format!("the file is larger than {} MiB", most >> 20)),
            _ => return Err("no such file".to_owned()),
        })
    }
}

fn load(text: &str, source: &str) -> Result<Loaded, Diagnostics> {
    load_with_files(text, source, &Files)
}

pub fn place(input: &str) -> (String, usize, usize) {
    let before = input.split('§').next().unwrap_or_default();
    let line = before.matches('\n').count() + 1;
    let col = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    assert_eq!(input.matches('§').count(), 1, "one mark expected in {input}");
    (input.replace('§', ""), line, col)
}

pub fn problems(text: &str) -> Diagnostics {
    match load(text, "bad.yaml") {
        Err(problems) => problems,
        Ok(_) => panic!("accepted:\n{text}"),
    }
}

pub fn check(cases: Vec<Case>) {
    for case in cases {
        let (text, line, col) = place(&case.input);
        let found = problems(&text);
        assert_eq!(found.len(), 1, "one problem expected in\n{text}\nfound:\n{found}");
        let Some(problem) = found.iter().next() else { panic!("no problem in\n{text}") };
        let shown = problem.summary();
        assert_eq!((problem.line, problem.col), (line, col), "{shown}\n{text}");
        assert_eq!(problem.key, case.key, "{shown}");
        assert_eq!(problem.severity, DiagnosticSeverity::Error, "{shown}");
        let prefix = if case.key.is_empty() { String::new() } else { format!("{}: ", case.key) };
        assert!(shown.starts_with(&format!("bad.yaml:{line}:{col}: {prefix}")), "{shown}");
        for part in case.says {
            assert!(shown.contains(part), "{part:?} expected in: {shown}");
        }
        assert_eq!(problem.suggestion.as_deref(), case.suggestion, "{shown}");
        caret(problem, &text);
        crate::schema::refused(&text, problem);
    }
}

/// The source line is shown, and a caret under the very character.
pub fn caret(problem: &Diagnostic, text: &str) {
    let rendered = problem.render(false);
    let Some(source) = text.lines().nth(problem.line - 1).filter(|line| !line.is_empty()) else { return };
    // What is not shown as it is cannot be found in what is shown.
    if source.chars().count() > 100 || source.contains(['\t', '\u{200b}', '\u{feff}']) || source.contains("env:") {
        return;
    }
    let lines: Vec<&str> = rendered.lines().collect();
    let gutter = format!("{} |", problem.line);
    let shown = lines
        .iter()
        .position(|line| line.trim_start().starts_with(&gutter) && line.ends_with(source.trim_end()))
        .unwrap_or_else(|| panic!("no source line in\n{rendered}"));
    let offset = lines[shown].rfind(source.trim_end()).unwrap_or(0);
    let width = lines[shown][..offset].chars().count();
    let mark = lines[shown + 1].chars().position(|c| c == '^').unwrap_or_else(|| panic!("no caret in\n{rendered}"));
    let end = source.trim_end().chars().count();
    assert_eq!(mark, width + (problem.col - 1).min(end), "{rendered}");
}

pub fn accepted(text: &str) -> Loaded {
    let loaded = load(text, "good.yaml").unwrap_or_else(|problems| panic!("refused:\n{text}\n{problems}"));
    crate::schema::accepted(text);
    loaded
}

impl Case {
    pub fn proposing(mut self, word: &'static str) -> Self {
        self.suggestion = Some(word);
        self
    }
}
