//! What each figure of a result means: its unit, how it comes to be, where it is read from, and what it is not.
//!
//! The names are the keys of the JSON result. A test holds the list to that: a figure without a definition fails it.

use std::sync::LazyLock;

use crate::workload::load::nearest_word;

/// One block for each figure: its name, what it is called too, and a line for each part of its meaning.
const TEXT: &str = include_str!("definitions.txt");

/// All of them, in the order of the result.
pub(crate) static ALL: LazyLock<Vec<Definition>> =
    LazyLock::new(|| TEXT.split("\n\n").map(Definition::of_block).collect());

/// The meaning of one figure.
#[derive(Clone, Debug)]
pub(crate) struct Definition {
    /// Its key in the JSON result, with those above it where they are needed: `tasks.lost`.
    pub(crate) name: &'static str,
    /// What people and screens call it too.
    also: Vec<&'static str>,
    /// The whole of it, as people read it.
    pub(crate) text: &'static str,
}

/// The parts that each has, in this order.
pub(crate) const PARTS: [&str; 4] = ["unit", "formula", "source", "is not"];

impl Definition {
    fn of_block(text: &'static str) -> Self {
        let head = text.lines().next().unwrap_or_default();
        let (name, also) = head.split_once(" (").unwrap_or((head, ""));
        let also = also.strip_suffix(')').unwrap_or(also).split(", ").filter(|word| !word.is_empty()).collect();
        Self { name, also, text: text.trim_end() }
    }

    /// One part of its meaning.
    #[must_use]
    pub(crate) fn part(&self, part: &str) -> &'static str {
        self.text.lines().find_map(|line| line.trim_start().strip_prefix(part)).unwrap_or_default().trim()
    }

    fn is_called(&self, word: &str) -> bool {
        let last = self.name.rsplit('.').next().unwrap_or(self.name);
        [&self.name, &last].into_iter().chain(&self.also).any(|name| plain(name) == word)
    }

    /// Whether it is a part of a whole of this name, without the unit of that: `latency` of `latency_s.wait`.
    fn is_below(&self, word: &str) -> bool {
        let above = self.name.rsplit_once('.').map_or("", |(above, _)| above);
        above.split('.').any(|whole| plain(whole).trim_end_matches(" s") == word)
    }
}

/// Every figure that a name means: of its key, of the keys above it, or of what screens call it.
///
/// # Errors
/// The name that was meant, if there is one like it.
pub(crate) fn find(name: &str) -> Result<Vec<&'static Definition>, Option<&'static str>> {
    let word = without_numbers(&plain(name));
    let mut exact: Vec<_> = ALL.iter().filter(|one| one.is_called(&word)).collect();
    exact.sort_by_key(|one| plain(one.name) != word);
    if !exact.is_empty() {
        return Ok(exact);
    }
    // `latency_s.sojourn.p99` and `sojourn p99` are the percentile p99 of the latency sojourn. One word that means something
    // does not explain a title in which another one is unknown.
    let parts: Vec<&str> = word.split(['.', ' ']).filter(|part| !part.is_empty() && *part != "s").collect();
    let known = |part: &&str| ALL.iter().any(|one| one.is_called(part) || one.is_below(part));
    if parts.len() > 1 && parts.iter().all(known) {
        let of_parts: Vec<_> = ALL.iter().filter(|one| parts.iter().any(|part| one.is_called(part))).collect();
        if !of_parts.is_empty() {
            return Ok(of_parts);
        }
    }
    Err(nearest_word(&word, ALL.iter().flat_map(|one| std::iter::once(one.name).chain(one.also.iter().copied()))))
}

/// `p of 4` is the column `p of n`, whatever its number; `p99` is a name.
fn without_numbers(word: &str) -> String {
    let number = |part: &str| !part.is_empty() && part.chars().all(|c| c.is_ascii_digit());
    let words: Vec<&str> = word.split(' ').collect();
    let after_of = |place: usize| place > 0 && words[place - 1] == "of";
    let named = |(place, part): (usize, &&str)| {
        if number(part) && after_of(place) { "n".to_owned() } else { (*part).to_owned() }
    };
    words.iter().enumerate().map(named).collect::<Vec<_>>().join(" ")
}

/// Without what people write differently.
fn plain(name: &str) -> String {
    name.trim().to_lowercase().replace(['_', '-'], " ").replace("[]", "")
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::report::fixtures::two_classes;
    use crate::report::json::result;

    /// Keys that say which thing it is, or what happened to one task, rather than how much.
    const NO_FIGURES: [&str; 10] =
        ["state", "partial", "warmup", "metric", "arm", "baseline", "failures", "notes", "deaths", "name"];

    fn leaves(value: &Value, path: &str, found: &mut Vec<String>) {
        match value {
            Value::Object(map) => {
                for (key, value) in map.iter().filter(|(key, _)| !NO_FIGURES.contains(&key.as_str())) {
                    let below = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                    leaves(value, &below, found);
                }
            }
            Value::Array(items) if items.iter().any(Value::is_object) => {
                items.iter().for_each(|item| leaves(item, path, found));
            }
            _ => found.push(path.to_owned()),
        }
    }

    #[test]
    fn every_figure_of_a_result_has_a_definition() {
        let document = result(&two_classes());
        let mut found = Vec::new();
        for part in ["/arms/0/runs/0", "/arms/0/summary", "/comparison/0", "/measurement"] {
            leaves(document.pointer(part).expect("a part"), "", &mut found);
        }
        found.extend(["drift", "best", "ghosts", "precision.wanted", "precision.reached"].map(str::to_owned));
        assert!(found.len() > 100, "{}", found.len());
        for path in found {
            // By its own key, or by that of a whole which says what its parts are: percentiles are the same of every latency.
            let mut wholes = path.match_indices('.').map(|(end, _)| &path[..end]).chain([path.as_str()]);
            let named =
                |name: &str| ALL.iter().any(|one| one.name == name || one.name.rsplit('.').next() == Some(name));
            let key = path.rsplit('.').next().unwrap_or(&path);
            assert!(wholes.any(named) || named(key), "no definition of {path}");
        }
    }

    #[test]
    fn names_are_unique_and_every_part_says_something() {
        let mut seen = Vec::new();
        for one in ALL.iter() {
            assert!(!seen.contains(&one.name), "{} twice", one.name);
            seen.push(one.name);
            let parts = one.text.lines().skip(1).map(|line| line.get(2..9).unwrap_or("").trim());
            assert!(parts.eq(PARTS), "{}", one.text);
            for part in PARTS.map(|part| one.part(part)) {
                assert!(!part.is_empty() && !part.ends_with('.'), "{}: {part:?}", one.name);
            }
            assert_eq!(find(one.name).expect("itself")[0].name, one.name, "by its own name");
        }
    }

    #[test]
    fn figures_are_found_by_what_people_call_them() {
        for (name, expected) in [
            ("tasks/s", "throughput"),
            ("Cores Used", "cpu.cores_used"),
            ("ρ", "utilisation"),
            ("PSS", "memory.peak_pss_bytes"),
            ("tasks.lost", "tasks.lost"),
            ("lost", "tasks.lost"),
            ("95 % CI", "ci95"),
            ("p of 4", "p_corrected"),
            ("tasks per chunk", "chunks"),
            ("submitted with", "caller.submit"),
            ("predicted makespan", "makespan_predicted"),
            ("dispatch", "worker_time_s.dispatch"),
            ("GIL", "gil"),
            ("native control", "gil.control_cores"),
            ("probe", "gil_probe"),
            ("gil_of_others", "gil_of_others"),
            ("speed_up", "gil.speed_up"),
            ("start-up per process", "startup"),
            ("fork/exec", "startup.parts"),
            ("loading", "startup.parts"),
            ("ready", "startup.parts"),
            ("serialise out", "payload"),
            ("transfer in", "payload"),
            ("worker time", "worker_time_s"),
            ("workers died", "deaths_total"),
            ("gain", "gain"),
            ("USE", "recommendation.use"),
            ("dropped", "tasks.dropped"),
            ("fit", "fit"),
            ("memory", "memory.peak_pss_bytes"),
            ("results not comparable", "not_comparable"),
            ("head-of-line", "head_of_line"),
            ("baseline", "baseline"),
            ("ties", "ties"),
            ("expectations", "expectations"),
            ("sharing_cores", "sharing_cores"),
        ] {
            assert_eq!(find(name).expect(name)[0].name, expected, "{name}");
        }
        let both: Vec<_> = find("sojourn p99").expect("two").iter().map(|one| one.name).collect();
        assert_eq!(both, ["latency_s.sojourn", "p99"]);
        let whole: Vec<_> = find("latency_s.sojourn.p99").expect("two").iter().map(|one| one.name).collect();
        assert_eq!(whole, both);
        assert!(find("tasks xyzzy").is_err(), "half of a title explains nothing");
        assert_eq!(find("througput").expect_err("a slip"), Some("throughput"));
        assert_eq!(find("zzzzzzzzzzzz").expect_err("nothing"), None);
    }
}
